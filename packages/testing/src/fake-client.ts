// An in-memory Client with the server's rules that loops lean on: revisions, conflicts, selectors, generated names, graceful
// and held-back deletion, watches. It validates, defaults and authorizes nothing.

import { keyOf, qualifiedName } from '@aksel/api/resource'
import type { KubernetesList, KubernetesObject, ObjectRef, ResourceType } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import type { Clock } from '@aksel/base/clock'
import { draftOf } from '@aksel/base/draft'
import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { nameSuffix, uuid } from '@aksel/base/ids'
import type { Random } from '@aksel/base/ids'
import { encodeJson } from '@aksel/base/json'
import type {
  Client,
  DeleteOptions,
  ListOptions,
  Patch,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '@aksel/client/client'
import type { ApiRequest, ApiResponse } from '@aksel/client/transport'
import { matchesSelector, parseSelector } from '@aksel/runtime/selectors'
import { discoveryOf } from './fake-discovery.ts'
import { scaleCall } from './fake-scale.ts'
import { FakeObjects } from './fake-objects.ts'
import { jsonPatch } from '@aksel/api/patch/json-patch'
import { mergePatch } from '@aksel/api/patch/merge-patch'
import { patchSchemaOf, type PatchSchema } from '@aksel/api/patch/patch-schema'
import { strategicMergePatch } from '@aksel/api/patch/strategic-merge-patch'
import { loadTables } from '@aksel/api/tables'

export interface FakeCall {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete'
  readonly type: ResourceType
  readonly name: string
  readonly subresource: string | undefined
}

export interface FakeClientOptions {
  readonly clock: Clock
  readonly random: Random
  /** Absent: a memory of its own. Several clients on one memory are several processes on one server. */
  readonly objects?: FakeObjects
  /** Called before every call; what it throws, the call rejects with. */
  readonly before?: (call: FakeCall) => void
  /** Called after every write took effect and before it is answered; what it throws, the call rejects with. */
  readonly after?: (call: FakeCall) => void
  /** Answers paths that no stored kind serves, metrics for one; undefined for those it does not know. */
  readonly respond?: (path: string) => unknown
}

type AnyObject = KubernetesObject & { readonly spec?: Record<string, unknown>; readonly status?: unknown }

export class FakeClient implements Client {
  readonly objects: FakeObjects
  /** Every write that took effect, in order. */
  readonly writes: FakeCall[] = []
  readonly #options: FakeClientOptions

  constructor(options: FakeClientOptions) {
    this.#options = options
    this.objects = options.objects ?? new FakeObjects()
  }

  /** What is stored, read without counting as a call; undefined when there is none. */
  peek<T extends KubernetesObject>(type: ResourceType<T>, key: string): T | undefined {
    return this.objects.kind(type).get(key) as T | undefined
  }

  peekAll<T extends KubernetesObject>(type: ResourceType<T>, namespace?: string): readonly T[] {
    const all = [...this.objects.kind(type).values()] as unknown as T[]
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace)
  }

  /** Stores an object as it is, status included, as if another component had written it. */
  put<T extends KubernetesObject>(type: ResourceType<T>, object: T): T {
    const known = this.objects.kind(type).get(keyOf(object))
    const metadata =
      known === undefined ? { ...this.#newMeta(), ...object.metadata } : { ...known.metadata, ...object.metadata }
    return this.objects.write(type, { ...object, metadata }) as T
  }

  /** Changes a stored object in place, status included. */
  change<T extends KubernetesObject>(type: ResourceType<T>, key: string, edit: (draft: Draft<T>) => void): T {
    const draft = draftOf(this.objects.find(type, key) as T)
    edit(draft)
    return this.#store(type, draft as T, this.objects.find(type, key)) as T
  }

  async get<T extends KubernetesObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T> {
    this.#before('get', type, ref.name)
    return this.objects.find(type, keyOf({ metadata: ref })) as T
  }

  async list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<KubernetesList<T>> {
    this.#before('list', type, '')
    const items = this.peekAll(type, options.namespace).filter((object) => isSelected(object, options))
    return { metadata: { resourceVersion: this.objects.revision }, items }
  }

  async create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { generateName, name: given } = object.metadata
    const isNamed = given !== undefined && given !== ''
    const name = isNamed ? given : `${generateName ?? ''}${nameSuffix(this.#options.random)}`
    this.#before('create', type, name, options)
    const metadata = { ...object.metadata, ...this.#newMeta(), name }
    const full = { ...object, metadata }
    if (this.peek(type, keyOf(full)) !== undefined) {
      throw new ApiError('AlreadyExists', `${qualifiedName(type)} "${name}" already exists`, { details: { name } })
    }
    this.#refuseInDyingNamespace(type, full)
    if (options.dryRun === true) return full
    const stored = this.objects.write(type, initialState(type, full)) as T
    this.#after('create', type, name, options)
    return stored
  }

  async update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { name, resourceVersion, uid } = object.metadata
    this.#before('update', type, name, options)
    const known = this.objects.find(type, keyOf(object))
    const isStale = resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion
    if (isStale || (uid !== undefined && uid !== known.metadata.uid)) throw conflict(type, name)
    const stored = this.#store(type, mergeFor(known, object, options.subresource), known)
    this.#after('update', type, name, options)
    return stored as T
  }

  async patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const schema = patch.kind === 'strategic' ? await patchSchema(type) : undefined
    this.#before('patch', type, ref.name, options)
    const known = this.objects.find(type, keyOf({ metadata: ref }))
    const patched = patchedBy(known, patch, schema) as KubernetesObject
    const { uid, resourceVersion } = patched.metadata
    if (uid !== known.metadata.uid || resourceVersion !== known.metadata.resourceVersion) throw conflict(type, ref.name)
    const stored = this.#store(type, mergeFor(known, patched, options.subresource), known)
    this.#after('patch', type, ref.name, options)
    return stored as T
  }

  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    this.#before('delete', type, ref.name)
    const known = this.objects.find(type, keyOf({ metadata: ref })) as AnyObject
    const { uid, resourceVersion } = options.preconditions ?? {}
    const isOther = uid !== undefined && uid !== known.metadata.uid
    if (isOther || (resourceVersion !== undefined && resourceVersion !== known.metadata.resourceVersion)) {
      throw conflict(type, ref.name)
    }
    this.#delete(type, known, options)
    this.#after('delete', type, ref.name)
  }

  async deleteCollection(type: ResourceType, options: ListOptions & DeleteOptions = {}): Promise<void> {
    const { items } = await this.list(type, options)
    for (const object of items) this.#delete(type, object, options)
    this.#after('delete', type, '')
  }

  async createSubresource<R>(type: ResourceType, ref: ObjectRef, subresource: string, body: unknown): Promise<R> {
    this.#before('create', type, ref.name, { subresource })
    const known = this.objects.find(type, keyOf({ metadata: ref })) as AnyObject
    if (subresource === 'eviction') this.#delete(type, known, {})
    else if (subresource === 'binding') {
      const nodeName = (body as { readonly target: { readonly name: string } }).target.name
      this.objects.write(type, { ...known, spec: { ...known.spec, nodeName } } as KubernetesObject)
    } else throw new ApiError('NotFound', `the fake client does not serve ${type.plural}/${subresource}`)
    this.#after('create', type, ref.name, { subresource })
    return { kind: 'Status', apiVersion: 'v1', status: 'Success' } as R
  }

  async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    this.#before('watch', type, '')
    const wants = (object: KubernetesObject | undefined): object is KubernetesObject =>
      object !== undefined &&
      (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
      isSelected(object, options)
    const from = Number(options.resourceVersion ?? this.objects.revision)
    for await (const { now, before, revision } of this.objects.changes(type, from, options.signal)) {
      if (wants(now)) yield { type: wants(before) ? 'MODIFIED' : 'ADDED', object: now as T }
      else if (wants(before)) {
        const metadata = { ...before.metadata, resourceVersion: String(revision) }
        yield { type: 'DELETED', object: { ...before, metadata } as T }
      }
    }
  }

  /** Answers discovery, the scale of objects with replicas, and what `respond` knows. */
  async send(request: Partial<ApiRequest> & { readonly path: string }): Promise<ApiResponse> {
    const scale = scaleCall(this.objects.types, request)
    if (scale !== undefined) {
      const { type, ref, replicas } = scale
      this.#before(replicas === undefined ? 'get' : 'update', type, ref.name, { subresource: 'scale' })
      const key = keyOf({ metadata: ref })
      if (replicas !== undefined && this.peek(type, key) !== undefined) {
        this.change(type, key, (draft) => Object.assign((draft as Draft<AnyObject>).spec!, { replicas }))
        this.#after('update', type, ref.name, { subresource: 'scale' })
      }
      return answer(this.peek(type, key) === undefined ? undefined : scale.answer(this.peek(type, key)!))
    }
    return answer(this.#options.respond?.(request.path) ?? discoveryOf(this.objects.types, request.path))
  }

  #before(verb: FakeCall['verb'], type: ResourceType, name: string, options: WriteOptions = {}): void {
    this.#options.before?.({ verb, type, name, subresource: options.subresource })
  }

  #after(verb: FakeCall['verb'], type: ResourceType, name: string, options: WriteOptions = {}): void {
    const call = { verb, type, name, subresource: options.subresource }
    this.writes.push(call)
    this.#options.after?.(call)
  }

  #newMeta(): { uid: string; creationTimestamp: string; generation: number } {
    const { clock, random } = this.#options
    return { uid: uuid(random), creationTimestamp: formatTime(clock.now()), generation: 1 }
  }

  #refuseInDyingNamespace(type: ResourceType, { metadata }: KubernetesObject): void {
    if (!type.namespaced) return
    const namespace = [...this.objects.types].find(({ plural, group }) => plural === 'namespaces' && group === '')
    const found = namespace === undefined ? undefined : this.peek(namespace, metadata.namespace!)
    if (found?.metadata.deletionTimestamp === undefined) return
    const message = `${qualifiedName(type)} "${metadata.name}" is forbidden: unable to create new content in namespace ${metadata.namespace} because it is being terminated`
    throw new ApiError('Forbidden', message, { details: { causes: [{ reason: 'NamespaceTerminating', message }] } })
  }

  #store(type: ResourceType, next: KubernetesObject, known: KubernetesObject): KubernetesObject {
    if (isEqual(withoutRevision(next), withoutRevision(known))) return known
    const isDead = next.metadata.deletionTimestamp !== undefined && !isHeldBack(type, next)
    const grew = !isEqual(desiredOf(next), desiredOf(known)) ? 1 : 0
    const generation = (known.metadata.generation ?? 1) + grew
    const stored = this.objects.write(type, { ...next, metadata: { ...next.metadata, generation } })
    if (isDead && isGone(next)) this.objects.remove(type, keyOf(next))
    return stored
  }

  #delete(type: ResourceType, known: AnyObject, options: DeleteOptions): void {
    const finalizers = new Set(known.metadata.finalizers)
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion')
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan')
    const graceSeconds = graceOf(type, known, options)
    const next = { ...known, metadata: { ...known.metadata, finalizers: [...finalizers] } }
    if (graceSeconds === 0 && !isHeldBack(type, next)) return this.objects.remove(type, keyOf(known))
    const deletionTimestamp =
      known.metadata.deletionTimestamp ?? formatTime(this.#options.clock.now() + graceSeconds * 1000)
    const metadata = { ...next.metadata, deletionTimestamp, deletionGracePeriodSeconds: graceSeconds }
    const status = type.plural === 'namespaces' ? { status: { ...(known.status as object), phase: 'Terminating' } } : {}
    this.objects.write(type, { ...next, ...status, metadata } as KubernetesObject)
  }
}

/** Seconds a pod gets to end; a pod that runs nowhere, or no more, gets none. */
function graceOf(type: ResourceType, known: AnyObject, { gracePeriodSeconds }: DeleteOptions): number {
  if (type.plural !== 'pods' || known.spec?.nodeName === undefined) return 0
  const phase = (known.status as { phase?: string } | undefined)?.phase
  if (phase === 'Succeeded' || phase === 'Failed') return 0
  return gracePeriodSeconds ?? (known.spec.terminationGracePeriodSeconds as number | undefined) ?? 30
}

function answer(body: unknown): ApiResponse {
  const found = body ?? new ApiError('NotFound', 'the server could not find the requested resource').toStatus()
  return { status: body === undefined ? 404 : 200, headers: {}, body: pieces(encodeJson(found)) }
}

function isHeldBack(type: ResourceType, object: AnyObject): boolean {
  const own = type.plural === 'namespaces' ? ((object.spec?.finalizers ?? []) as unknown[]) : []
  return own.length > 0 || (object.metadata.finalizers ?? []).length > 0
}

function isGone({ metadata }: KubernetesObject): boolean {
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0
}

function initialState(type: ResourceType, object: AnyObject): KubernetesObject {
  if (type.group !== '') return object
  const withStatus = (status: object): KubernetesObject =>
    ({ ...object, status: object.status ?? status }) as KubernetesObject
  if (type.plural === 'pods') return withStatus({ phase: 'Pending' })
  if (type.plural === 'persistentvolumes' || type.plural === 'persistentvolumeclaims')
    return withStatus({ phase: 'Pending' })
  if (type.plural !== 'namespaces') return object
  return {
    ...object,
    spec: { finalizers: ['kubernetes'], ...object.spec },
    status: { phase: 'Active' },
  } as KubernetesObject
}

/** A write of an object leaves its status alone; a write of a subresource changes only that. */
function mergeFor(known: AnyObject, sent: AnyObject, subresource: string | undefined): KubernetesObject {
  // Annotations and finalizers may be written with the status, as in a real server; the revision of a deployment is.
  if (subresource === 'status' || subresource === 'approval') {
    const { annotations, finalizers } = sent.metadata
    const { annotations: _old, finalizers: _gone, ...rest } = known.metadata
    const metadata = {
      ...rest,
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
    }
    return { ...known, metadata, status: sent.status } as KubernetesObject
  }
  if (subresource === 'finalize') return { ...known, spec: sent.spec } as KubernetesObject
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = known.metadata
  const fixed = {
    ...(uid === undefined ? {} : { uid }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
  }
  const { status: _, ...rest } = sent
  const status = known.status === undefined ? {} : { status: known.status }
  return { ...rest, ...status, metadata: { ...sent.metadata, ...fixed } } as KubernetesObject
}

function patchedBy(known: KubernetesObject, patch: Patch, schema: PatchSchema | undefined): unknown {
  if (patch.kind === 'merge') return mergePatch(known, patch.body)
  if (patch.kind === 'json') return jsonPatch(known, patch.body)
  if (schema !== undefined) return strategicMergePatch(known as unknown as Record<string, unknown>, patch.body, schema)
  throw new ApiError('UnsupportedMediaType', `the fake client does not know patches of kind "${patch.kind}"`)
}

async function patchSchema({ group, version, kind }: ResourceType): Promise<PatchSchema> {
  const tables = await loadTables('1.35')
  const fact = tables.kinds.find((each) => each.group === group && each.version === version && each.kind === kind)
  if (fact === undefined) throw new ApiError('NotFound', `the tables have no kind "${kind}"`)
  return patchSchemaOf(tables, fact.msg)
}

function isSelected(object: KubernetesObject, { labelSelector, fieldSelector }: ListOptions): boolean {
  if (labelSelector !== undefined && !matchesSelector(parseSelector(labelSelector), object.metadata.labels))
    return false
  const terms = (fieldSelector ?? '').split(',').filter((term) => term !== '')
  return terms.every((term) => matchesField(object, term))
}

function matchesField(object: KubernetesObject, term: string): boolean {
  const [, path, operator, wanted] = /^([^!=]+)(!=|==?)(.*)$/.exec(term) ?? []
  let value: unknown = object
  for (const part of path!.split('.')) value = (value as Record<string, unknown> | undefined)?.[part]
  return ((value ?? '') === wanted) === (operator !== '!=')
}

function desiredOf(object: AnyObject): unknown {
  const { metadata: _, status: __, ...rest } = object
  return { ...rest, deletion: object.metadata.deletionTimestamp }
}

function withoutRevision(object: KubernetesObject): unknown {
  const { resourceVersion: _, generation: __, ...metadata } = object.metadata
  return { ...object, metadata }
}

function isEqual(left: unknown, right: unknown): boolean {
  return JSON.stringify(sorted(left)) === JSON.stringify(sorted(right))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}

function conflict(type: ResourceType, name: string): ApiError {
  return new ApiError(
    'Conflict',
    `Operation cannot be fulfilled on ${qualifiedName(type)} "${name}": the object has been modified; please apply your changes to the latest version and try again`,
    { details: { name } },
  )
}

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
