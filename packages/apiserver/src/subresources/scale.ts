// The scale subresource: an object seen as a number of replicas.

import { applyConfiguration, trackUpdate } from '@aksel/api/apply/field-manager'
import { emptySet } from '@aksel/api/apply/field-set'
import type { ManagedKind } from '@aksel/api/apply/managed-kind'
import { entriesAfterScale, entriesOfScale, type ReplicasPath } from '@aksel/api/apply/scale-entries'
import { invalidError } from '@aksel/api/field-errors'
import type { ScaleRules } from '@aksel/api/kind-row'
import { groupVersionOf, type KubernetesObject } from '@aksel/api/resource'
import { patchSchemaOf } from '@aksel/api/patch/patch-schema'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import { nonNegative } from '@aksel/api/validation/values'
import { draftOf, type Draft } from '@aksel/base/draft'
import type { ResourceCall } from '../call-context.ts'
import { jsonAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { readRequestBody } from '../http/request-body.ts'
import { conflictError, notFoundError } from '../refusals.ts'
import { configurationOf } from '../registry/apply.ts'
import { entriesOf, setEntries, writerOf, type Entries } from '../registry/ownership.ts'
import { applyMediaType, decodePatched, patched, patchTypeOf, readPatch } from '../registry/patch.ts'
import type { WriteCall } from '../registry/registry.ts'
import { changeObject } from '../registry/update.ts'
import { bodyObject, decodeSettings } from '../registry/read-body.ts'
import { writeCallOf, type VerbTools } from '../registry/verbs.ts'
import { writeOptionsOf, type WriteOptions } from '../registry/write-options.ts'
import { decodeSubresource, subresourceBody } from './body.ts'

type Rules = ScaleRules<KubernetesObject>

export async function scaleSubresource(tools: VerbTools, context: ResourceCall, rules: Rules): Promise<Answer> {
  const { row, info } = context
  if (info.verb === 'get') {
    const record = await tools.registry.records.get(row, info.namespace, info.name)
    if (record === undefined) throw notFoundError(row, info.name)
    rules.assertReadable?.(record.object)
    return jsonAnswer(200, rules.toScale(record.object))
  }
  const asked = await wantedScale(tools, context)
  const replicas = replicasPath(tools, context)
  const result = await changeObject(tools.registry, asked.call, {
    name: info.name,
    subresource: 'scale',
    ownership: 'settled',
    async next(current) {
      const owners = entriesOfScale(entriesOf(current!), replicas)
      const { scale, entries } = await asked.wanted(withEntries(rules.toScale(current!), owners))
      checkVersion(context, scale, current!)
      checkReplicas(context, scale)
      const object = draftOf(current!) as Draft<KubernetesObject>
      rules.applyScale(object, scale)
      setEntries(object, entriesAfterScale(entriesOf(current!), entries, groupVersionOf(row), replicas))
      delete object.metadata.resourceVersion
      return object
    },
  })
  return jsonAnswer(200, rules.toScale(result.object))
}

/** What a scale should become, and who owns its replicas then. */
interface Wanted {
  readonly scale: Scale
  readonly entries: Entries | undefined
}

interface WantedScale {
  readonly call: WriteCall
  wanted(current: Scale): Promise<Wanted>
}

/** From the body of a PUT, or a PATCH of the current scale. */
async function wantedScale(tools: VerbTools, context: ResourceCall): Promise<WantedScale> {
  const { query } = context.info
  const kind = scaleKind(tools, context)
  if (context.info.verb === 'update') {
    const options = writeOptionsOf('UpdateOptions', query)
    const body = (await bodyObject(tools, context, subresourceBody(tools, context), options)) as unknown as Scale
    return recorded(tools, writeCallOf(context, options), kind, () => body)
  }
  const type = patchTypeOf(context.call.headers['content-type'])
  const options = writeOptionsOf('PatchOptions', query, type === applyMediaType)
  const bytes = await readRequestBody(context.call.body)
  if (type === applyMediaType) return appliedScale(tools, context, kind, { options, bytes })
  const read = readPatch(type, bytes)
  const schema = patchSchemaOf(tools.registry.schemas.tables, subresourceBody(tools, context).message)
  return recorded(tools, writeCallOf(context, options), kind, (current) => {
    const { resourceVersion: _, ...metadata } = current.metadata!
    const before = { ...current, metadata } as KubernetesObject
    const settings = decodeSettings(tools.registry.schemas, context, options)
    const value = patched(() => schema, read, before)
    return decodePatched(settings, subresourceBody(tools, context), read, value) as unknown as Scale
  })
}

/** An update: the caller owns the replicas where it changes them. */
function recorded(
  { registry }: VerbTools,
  call: WriteCall,
  kind: ManagedKind,
  next: (current: Scale) => Scale,
): WantedScale {
  return {
    call,
    async wanted(current) {
      const scale = next(current)
      const writer = writerOf(registry, call, 'scale')
      return { scale, entries: await trackUpdate(kind, asObject(current), asObject(scale), writer) }
    },
  }
}

async function appliedScale(
  tools: VerbTools,
  context: ResourceCall,
  kind: ManagedKind,
  { options, bytes }: { readonly options: WriteOptions; readonly bytes: Buffer },
): Promise<WantedScale> {
  const call = writeCallOf(context, options)
  const configuration = await configurationOf(bytes, options, context.warnings)
  return {
    call,
    async wanted(current) {
      const writer = writerOf(tools.registry, call, 'scale')
      const applied = await applyConfiguration(kind, asObject(current), configuration, writer)
      const scale =
        applied.value === undefined ? current : decodeSubresource<Scale>(tools, context, options, applied.value)
      return { scale, entries: applied.managedFields }
    },
  }
}

/** A Scale is of one version, whatever it scales. */
function scaleKind(tools: VerbTools, context: ResourceCall): ManagedKind {
  const { apiVersion, kind, message } = subresourceBody(tools, context)
  const { schemas } = tools.registry
  return {
    apiVersion,
    kind,
    type: schemas.types.message(message),
    empty: () => schemas.get(message).decode({}).value,
    convert: (object, version) => (version === apiVersion ? object : undefined),
    ignored: () => () => emptySet,
  }
}

/** Entries in versions that are not served are forgotten, as upstream forgets them. */
function replicasPath(tools: VerbTools, { row }: ResourceCall): ReplicasPath {
  const { ownership } = row
  if (ownership?.replicas !== undefined) return (apiVersion) => ownership.replicas!(apiVersion)
  const { rows } = tools.registry.kinds
  return (apiVersion) =>
    rows.some((one) => one.storagePrefix === row.storagePrefix && groupVersionOf(one) === apiVersion)
      ? ['f:spec', 'f:replicas']
      : undefined
}

function withEntries(scale: Scale, entries: Entries | undefined): Scale {
  return { ...scale, metadata: { ...scale.metadata, managedFields: entries } } as Scale
}

function asObject(scale: Scale): KubernetesObject {
  return scale as unknown as KubernetesObject
}

function checkVersion({ row, info }: ResourceCall, scale: Scale, current: KubernetesObject): void {
  const asked = scale.metadata?.resourceVersion ?? ''
  if (asked !== '' && asked !== current.metadata.resourceVersion) throw conflictError(row, info.name)
}

/** A scale is judged as what it is, before the object behind it. */
function checkReplicas({ info }: ResourceCall, scale: Scale): void {
  const errors = nonNegative(scale.spec?.replicas, 'spec.replicas')
  if (errors.length > 0) throw invalidError({ group: 'autoscaling', kind: 'Scale', name: info.name }, errors)
}
