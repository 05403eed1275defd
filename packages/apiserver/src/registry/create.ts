// POST on a collection: identity, defaults, admission, validation, one durable write.

import { invalidError } from '@aksel/api/field-errors'
import type { KubernetesObject } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import { draftOf, type Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { nameSuffix, uuid } from '@aksel/base/ids'
import { admissionRequestOf } from '../admission/request.ts'
import { alreadyExistsError, beingDeletedError, generatedNameExistsError } from '../refusals.ts'
import { dropDoubleOwners } from './owner-references.ts'
import { entriesOf, keepValidEntries, recordOwners } from './ownership.ts'
import { encodeForStore, jsonWithVersion, type StoredRecord } from './record.ts'
import { refuseFaulty } from './wide.ts'
import { writeContext, type Registry, type WriteCall, type Written } from './registry.ts'

const GENERATED_NAME_PREFIX_MAX = 58
const GENERATE_TRIES = 8

export interface CreateOptions {
  /** The object's managedFields are true already: an apply made them. */
  readonly isOwned?: boolean
}

/** `object` is decoded and belongs to us. Throws AlreadyExists, Invalid, or what admission says. */
export async function createObject(
  registry: Registry,
  call: WriteCall,
  object: Draft<KubernetesObject>,
  options: CreateOptions = {},
): Promise<Written> {
  const { row, namespace } = call
  const { metadata } = object
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw new ApiError('InternalError', 'resourceVersion should not be set on objects to be created')
  }
  row.custom?.assertCreatable(metadata.name ?? '')
  matchNamespace(object, row.namespaced ? namespace : '')
  const generated = !metadata.name && metadata.generateName !== undefined && metadata.generateName !== ''
  for (let tries = 1; ; tries += 1) {
    const attempt = generated && tries < GENERATE_TRIES ? (draftOf(object) as Draft<KubernetesObject>) : object
    if (generated)
      attempt.metadata.name =
        metadata.generateName!.slice(0, GENERATED_NAME_PREFIX_MAX) + nameSuffix(registry.scope.random)
    const written = await createNamed(registry, call, attempt, options)
    if (written !== undefined) return written
    if (!generated || tries >= GENERATE_TRIES) throw await existsError(registry, call, attempt)
  }
}

async function existsError(
  registry: Registry,
  { row, namespace }: WriteCall,
  { metadata }: Draft<KubernetesObject>,
): Promise<ApiError> {
  const { name, generateName = '' } = metadata
  if (generateName !== '') return generatedNameExistsError(row, name)
  const current = await registry.records.get(row, namespace, name)
  const isLeaving = current?.object.metadata.deletionTimestamp !== undefined
  return isLeaving ? beingDeletedError(row, name) : alreadyExistsError(row, name)
}

async function createNamed(
  registry: Registry,
  call: WriteCall,
  object: Draft<KubernetesObject>,
  options: CreateOptions,
): Promise<Written | undefined> {
  const { row, warnings } = call
  const context = writeContext(registry, call)
  stampIdentity(registry, object)
  row.default(object)
  dropDoubleOwners(object, 'sent', warnings)
  await refuseFaulty(call, object as KubernetesObject, context)
  if (options.isOwned !== true) await recordOwners(registry, call, '', object, undefined)
  await call.turns?.take()
  const request = admissionRequestOf(call, {
    operation: 'CREATE',
    subresource: '',
    name: object.metadata.name ?? '',
    object,
    old: undefined,
  })
  const owners = entriesOf(object as KubernetesObject)
  if (await registry.admission.mutate(request)) {
    row.default(object)
    dropDoubleOwners(object, 'admitted', warnings)
    keepValidEntries(object, owners, warnings)
  }
  await call.turns?.take()
  // After admission, as upstream: what the kind computes (a pod's QoS class) must see what admission filled in.
  row.prepareForCreate(object, context)
  const errors = row.validateCreate(object as KubernetesObject, context)
  if (errors.length > 0)
    throw invalidError({ group: row.group, kind: row.kind, name: object.metadata.name ?? '' }, errors)
  for (const warning of row.warnings(object as KubernetesObject, undefined, context.release)) warnings.add(warning)
  await registry.admission.validate(request)
  return storeNew(registry, call, object)
}

async function storeNew(
  registry: Registry,
  call: WriteCall,
  object: Draft<KubernetesObject>,
): Promise<Written | undefined> {
  const { row, namespace, dryRun } = call
  if ((await registry.records.get(row, namespace, object.metadata.name)) !== undefined) return undefined
  const reservation = await registry.allocations.reserve(call, object, undefined)
  if (dryRun) {
    reservation.release()
    return writtenDry(object as KubernetesObject, true)
  }
  try {
    const record = await registry.records.put(row, object as KubernetesObject, undefined, call.fence)
    if (record !== undefined) return writtenRecord(record, true)
  } catch (error) {
    reservation.release()
    throw error
  }
  reservation.release()
  return undefined
}

function stampIdentity(registry: Registry, { metadata }: Draft<KubernetesObject>): void {
  metadata.uid = uuid(registry.scope.random)
  metadata.creationTimestamp = formatTime(registry.scope.clock.now())
  delete metadata.deletionTimestamp
  delete metadata.deletionGracePeriodSeconds
  delete metadata.selfLink
  delete metadata.resourceVersion
}

/** Fills the namespace in; throws where the object names another. */
export function matchNamespace(object: Draft<KubernetesObject>, namespace: string): void {
  const given = object.metadata.namespace
  if (given !== undefined && given !== '' && given !== namespace) {
    throw new ApiError(
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    )
  }
  if (namespace === '') delete object.metadata.namespace
  else object.metadata.namespace = namespace
}

export function writtenRecord(record: StoredRecord, created: boolean): Written {
  return {
    get object() {
      return record.object
    },
    json: () => record.json(),
    created,
    isStored: true,
  }
}

/** `resourceVersion`: the one that stays, where a dry run updates. */
export function writtenDry(object: KubernetesObject, created: boolean, resourceVersion?: string): Written {
  if (resourceVersion === undefined) return { object, json: () => encodeForStore(object), created, isStored: false }
  return {
    object: { ...object, metadata: { ...object.metadata, resourceVersion } },
    json: () => jsonWithVersion(encodeForStore(object), resourceVersion),
    created,
    isStored: false,
  }
}
