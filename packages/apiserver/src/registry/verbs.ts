// The verbs on whole objects: get, list, watch, create, update, patch, delete, deletecollection.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import { patchSchemaOf } from '@aksel/api/patch/patch-schema'
import { anySignal } from '@aksel/base/any-signal'
import type { Draft } from '@aksel/base/draft'
import { fraction } from '@aksel/base/ids'
import { ApiError } from '@aksel/base/errors'
import type { ResourceCall } from '../call-context.ts'
import { encodings, negotiateObject, offeredTypes, type Encoding, type Negotiated } from '../http/accept.ts'
import { bytesAnswer, jsonAnswer, successStatus } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { parseBody, readRequestBody } from '../http/request-body.ts'
import { attributesOf } from '../authorization/attributes.ts'
import { assertAllowed } from '../authorization/authorize.ts'
import { methodNotAllowed, notAcceptable, notFoundError } from '../refusals.ts'
import { createObject, writtenRecord } from './create.ts'
import { bodyTypeOf } from './decode.ts'
import { deleteObject } from './delete.ts'
import { deleteOptionsOf, type DeleteOptions } from './delete-options.ts'
import { watchOptionsOf } from './list-options.ts'
import { gather, turnFor } from './gather.ts'
import { listRecords, tooLarge } from './list.ts'
import { appliedObject, configurationOf } from './apply.ts'
import { applyMediaType, decodePatched, patched, patchTypeOf, readPatch } from './patch.ts'
import {
  isStreamed,
  piecesOfList,
  isWholeJson,
  type Presentation,
  presentEvents,
  presentList,
  presentObject,
  wholeListValue,
} from './present.ts'
import { bodyReader, decodeSettings, sentBody } from './read-body.ts'
import { assertNamed, named, newlyApplied, withoutReadVersion } from './sent-identity.ts'
import type { Registry, WriteCall, Written } from './registry.ts'
import { integerOf, resourceVersionOf, selectionOf } from './selection.ts'
import { includeObjectOf } from './table.ts'
import { changeObject } from './update.ts'
import type { EventEncoders } from './event-encoders.ts'
import { watchBody } from './watch.ts'
import { fieldManagerOf, writeOptionsOf, type WriteOptions } from './write-options.ts'

export interface VerbTools {
  readonly registry: Registry
  readonly encoder: EventEncoders
}

/** Upstream's `--min-request-timeout`: a watch without a timeout of its own lives this long, or up to twice. */
const WATCH_MIN_SECONDS = 1800

export function presentationOf(tools: VerbTools, context: ResourceCall): Presentation {
  const { row, info, call } = context
  const protobuf = tools.registry.protobufEncoder
  const isWatch = info.verb === 'watch'
  const offered = encodings.filter(
    (one) => (one !== 'yaml' || !isWatch) && (one !== 'protobuf' || protobuf.canEncode(row.message)),
  )
  return {
    negotiated: negotiated(call.headers['accept'], offered, isWatch ? ';stream=watch' : ''),
    includeObject: includeObjectOf(info.query),
    nowMs: tools.registry.scope.clock.now(),
    protobuf,
    turns: tools.registry.records.turns,
  }
}

function negotiated(accept: string | undefined, offered: readonly Encoding[], suffix: string): Negotiated {
  const found = negotiateObject(accept, offered)
  if (found === undefined) throw notAcceptable(offeredTypes(offered, suffix))
  return found
}

/** Answers of calls that store nothing have no table. */
export function withoutTable(accept: string | undefined): void {
  if (negotiated(accept, encodings, '').form === 'table') throw notAcceptable(offeredTypes(encodings))
}

export function writeCallOf(context: ResourceCall, options: WriteOptions): WriteCall {
  const { row, info, user, warnings, call, annotations, waits } = context
  return {
    options: shownOptions(info.verb, options),
    signal: call.signal,
    ...(call.fence === undefined ? {} : { fence: call.fence }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(waits === undefined ? {} : { waits }),
    row,
    namespace: row.namespaced ? info.namespace : '',
    user,
    dryRun: options.dryRun,
    fieldManager: fieldManagerOf(options.fieldManager, call.headers['user-agent']),
    warnings,
  }
}

const optionKinds: Readonly<Record<string, string>> = {
  create: 'CreateOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions',
}

/** As admission is shown them; a patch is an update to it. */
function shownOptions(verb: string, { dryRun, fieldManager }: WriteOptions): Readonly<Record<string, unknown>> {
  return {
    kind: optionKinds[verb] ?? 'UpdateOptions',
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun ? { dryRun: ['All'] } : {}),
    ...(fieldManager === '' ? {} : { fieldManager }),
  }
}

export async function getVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const wanted = resourceVersionOf(info.query)
  const { records } = tools.registry
  if (wanted !== undefined && !(await records.has(wanted))) throw tooLarge(wanted, records.revision)
  const record = await records.get(row, info.namespace, info.name)
  if (record === undefined) throw notFoundError(row, info.name)
  return presented(200, row, how, writtenRecord(record, false))
}

export async function listVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const list = await listRecords(tools.registry.records, row, info.namespace, info.query)
  const value = isWholeJson(how) ? { value: () => wholeListValue(row, list) } : {}
  if (isStreamed(how, list))
    return { ...encoded(200, how.negotiated, nothing), ...value, body: piecesOfList(row, how, list), isLarge: true }
  return { ...encoded(200, how.negotiated, await presentList(row, how, list)), ...value }
}

const nothing = Buffer.alloc(0)

export async function watchVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info, call } = context
  const { records, scope } = tools.registry
  const how = presentationOf(tools, context)
  const { query } = info
  const { sendInitialEvents, allowBookmarks } = watchOptionsOf(query)
  const selection = selectionOf(row, query)
  const asked = resourceVersionOf(query)
  if (asked !== undefined && !(await records.has(asked))) throw tooLarge(asked, records.revision)
  // Without a version, or from "any", a watch begins with what is there, unless it says otherwise.
  const withInitial = sendInitialEvents ?? (asked === undefined || asked === 0)
  const namespace = row.namespaced ? info.namespace : ''
  if (withInitial) await turnFor(records, row, namespace)
  const found = withInitial ? await gather(records, row, { namespace }, selection) : undefined
  const afterRevision = found?.revision ?? (asked === undefined || asked === 0 ? records.revision : asked)
  const timeoutSeconds = integerOf(query, 'timeoutSeconds') ?? 0
  const body = watchBody(records, scope.clock, {
    row,
    namespace,
    selection,
    afterRevision,
    initial: found?.records ?? [],
    endsInitialEvents: sendInitialEvents === true && allowBookmarks,
    bookmarks: allowBookmarks,
    timeoutMs: (timeoutSeconds > 0 ? timeoutSeconds : WATCH_MIN_SECONDS * (1 + fraction(scope.random))) * 1000,
    // The watch of a custom kind ends when its definition changes, so that the client reads again what it means now.
    signal: row.custom === undefined ? call.signal : anySignal([call.signal, row.custom.retired]),
    measure: tools.registry.metrics.watches.of(row),
    encoder: presentEvents(row, how, () => scope.clock.now(), tools.encoder),
    isWholeJson: isWholeJson(how),
  })
  return {
    status: 200,
    headers: { 'content-type': streamType(how.negotiated), 'cache-control': 'no-cache, private' },
    body,
  }
}

/** Lines of JSON need no word of their own; frames do. */
function streamType({ encoding, contentType }: Negotiated): string {
  return encoding === 'protobuf' ? `${contentType};stream=watch` : contentType
}

export async function createVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const how = presentationOf(tools, context)
  const options = writeOptionsOf('CreateOptions', context.info.query)
  const { read, turns } = await bodyReader(tools, context, bodyTypeOf(context.row), options)
  const write = { ...writeCallOf(context, options), turns }
  return written(context, how, await createObject(tools.registry, write, await read()))
}

export async function updateVerb(tools: VerbTools, context: ResourceCall, subresource = ''): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const options = writeOptionsOf('UpdateOptions', info.query)
  const { read, turns } = await bodyReader(tools, context, bodyTypeOf(row), options)
  let first: Draft<KubernetesObject> | undefined = await read()
  assertNamed(first, info.name)
  return written(
    context,
    how,
    await changeObject(
      tools.registry,
      { ...writeCallOf(context, options), turns },
      {
        name: info.name,
        subresource,
        next: async (current) => {
          // What a try has changed is of no use to the next one, which is rare.
          const body = first ?? (await read())
          first = undefined
          if (current !== undefined) return body
          await assertMayCreate(context)
          return named(row.namespaced ? info.namespace : '', info.name, body)
        },
        mayCreate: subresource === '' && row.allowCreateOnUpdate,
        needsVersion: true,
      },
    ),
  )
}

export async function patchVerb(tools: VerbTools, context: ResourceCall, subresource = ''): Promise<Answer> {
  const { row, info, call } = context
  const { schemas } = tools.registry
  const how = presentationOf(tools, context)
  const type = patchTypeOf(call.headers['content-type'], row)
  if (type === applyMediaType) return applyVerb(tools, context, subresource)
  const options = writeOptionsOf('PatchOptions', info.query)
  const { bytes, turns } = await sentBody(tools, context)
  await turns?.take()
  const read = readPatch(type, bytes)
  const settings = decodeSettings(schemas, context, options)
  return written(
    context,
    how,
    await changeObject(
      tools.registry,
      { ...writeCallOf(context, options), turns },
      {
        name: info.name,
        subresource,
        next: async (current) => {
          await turns?.take()
          const value = patched(() => patchSchemaOf(schemas.tables, row.message), read, current!)
          await turns?.take()
          return withoutReadVersion(decodePatched(settings, bodyTypeOf(row), read, value), current!)
        },
      },
    ),
  )
}

/** Server-side apply: makes the object where there is none. */
async function applyVerb(tools: VerbTools, context: ResourceCall, subresource: string): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const options = writeOptionsOf('PatchOptions', info.query, true)
  const { bytes, turns } = await sentBody(tools, context)
  await turns?.take()
  const configuration = await configurationOf(bytes, options, context.warnings)
  const write = { ...writeCallOf(context, options), turns }
  const result = await changeObject(tools.registry, write, {
    name: info.name,
    subresource,
    ownership: 'settled',
    mayCreate: subresource === '',
    next: async (current) => {
      if (current === undefined) await assertMayCreate(context)
      await turns?.take()
      const object = await appliedObject(tools.registry, write, { configuration, subresource, current })
      if (current === undefined) return newlyApplied(row.namespaced ? info.namespace : '', context, object)
      return withoutReadVersion(object, current)
    },
  })
  return written(context, how, result)
}

/** A PUT or an apply that makes the object needs the right to create it. */
async function assertMayCreate({ authorizer, user, info }: ResourceCall): Promise<void> {
  await assertAllowed(authorizer, { ...attributesOf(user, info), verb: 'create' })
}

export async function deleteVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const options = await readDeleteOptions(tools, context)
  const deletion = await deleteObject(tools.registry, deleteCallOf(context, options), info.name, options)
  if (deletion.kind === 'marked') {
    const answer = written(context, how, deletion.written)
    return options.orphanDependents === false ? { ...answer, status: 202 } : answer
  }
  if (row.deletionAnswersWithObject === true) return written(context, how, deletion.written)
  const { uid } = deletion.written.object.metadata
  const details = {
    name: info.name,
    ...(row.group === '' ? {} : { group: row.group }),
    kind: row.plural,
    ...(uid === undefined ? {} : { uid }),
  }
  return jsonAnswer(200, successStatus(details))
}

export async function deleteCollectionVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info } = context
  const how = presentationOf(tools, context)
  const options = await readDeleteOptions(tools, context)
  const call = deleteCallOf(context, options)
  const list = await listRecords(tools.registry.records, row, info.namespace, info.query)
  for (const record of list.records) {
    const { name, namespace = '' } = record.object.metadata
    try {
      await deleteObject(tools.registry, { ...call, namespace }, name, options)
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'NotFound') throw error
    }
  }
  return encoded(200, how.negotiated, await presentList(row, how, list))
}

function deleteCallOf(context: ResourceCall, { dryRun }: DeleteOptions): WriteCall {
  return writeCallOf(context, { dryRun, fieldManager: '', fieldValidation: 'Ignore', force: false })
}

async function readDeleteOptions(tools: VerbTools, context: ResourceCall): Promise<DeleteOptions> {
  const { schemas, protobuf } = tools.registry
  const bytes = await readRequestBody(context.call.body)
  if (bytes.length === 0) return deleteOptionsOf(schemas, undefined, context.info.query)
  const reading = { decoder: protobuf, message: 'meta/v1.DeleteOptions' }
  const { value } = await parseBody(bytes, context.call.headers['content-type'], reading)
  return deleteOptionsOf(schemas, value, context.info.query)
}

export function written(context: ResourceCall, how: Presentation, result: Written): Answer {
  return presented(result.created ? 201 : 200, context.row, how, result)
}

/** Whoever reads in this process gets the object that the server has. */
function presented(status: number, row: KindRow, how: Presentation, shown: Written): Answer {
  if (!isWholeJson(how))
    return encoded(
      status,
      how.negotiated,
      presentObject(row, how, shown.object, () => shown.json()),
    )
  const answer = encoded(status, how.negotiated, shown.json())
  return shown.isStored ? { ...answer, value: () => shown.object } : answer
}

export function encoded(status: number, how: Negotiated, body: Uint8Array): Answer {
  return bytesAnswer(status, how.contentType, body)
}

export const verbHandlers: Readonly<Record<string, (tools: VerbTools, context: ResourceCall) => Promise<Answer>>> = {
  get: getVerb,
  list: listVerb,
  watch: watchVerb,
  create: createVerb,
  update: (tools, context) => updateVerb(tools, context),
  patch: (tools, context) => patchVerb(tools, context),
  delete: deleteVerb,
  deletecollection: deleteCollectionVerb,
}

/** Runs the verb; throws MethodNotAllowed where the kind does not offer it. */
export function runVerb(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { verb, name } = context.info
  const handler = verbHandlers[verb]
  const isServed = handler !== undefined && (context.row.verbs as readonly string[]).includes(verb)
  if (!isServed || (verb !== 'watch' && onCollections.has(verb) !== (name === ''))) throw methodNotAllowed()
  return handler(tools, context)
}

const onCollections: ReadonlySet<string> = new Set(['list', 'create', 'deletecollection'])
