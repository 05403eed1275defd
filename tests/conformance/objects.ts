// Any collection of the API, for the conformance tests: what upstream's tests do with its typed and dynamic clients.

import assert from 'node:assert/strict'
import { request, type RequestOptions } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { Watch } from '@kubernetes/client-node'
import type { ConformanceCluster } from './cluster.ts'
import { watchedSet } from './watched.ts'

export interface AnyObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly [field: string]: unknown
  }
  /** Whatever the kind has; tests reach into it unchecked. */
  readonly [field: string]: ReturnType<typeof JSON.parse>
}

export interface ObjectList {
  readonly metadata: { readonly resourceVersion: string }
  readonly items: readonly AnyObject[]
}

export type PatchType = 'merge' | 'strategic' | 'json' | 'apply'

const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
}

export type Query = Readonly<Record<string, string>>

/** An answer other than a success. */
export class Refusal extends Error {
  readonly code: number
  readonly status: { readonly reason?: string; readonly message?: string }

  constructor(call: string, code: number, body: string) {
    super(`${call}: ${code} ${body}`)
    this.code = code
    this.status = parsed(body)
  }
}

function parsed(body: string): { readonly reason?: string; readonly message?: string } {
  try {
    return JSON.parse(body) as { reason?: string; message?: string }
  } catch {
    return { message: body }
  }
}

/** A call with the administrator's credentials; answers the JSON of a success, rejects with a `Refusal` otherwise. */
export async function call<T>(
  { config }: ConformanceCluster,
  method: string,
  path: string,
  body?: unknown,
  contentType = 'application/json',
  accept = 'application/json',
): Promise<T> {
  const url = new URL(path, config.getCurrentCluster()!.server)
  const options: RequestOptions = { method, headers: {} }
  await config.applyToHTTPSOptions(options)
  const headers = { accept, 'content-type': contentType }
  const { code, text } = await new Promise<{ code: number; text: string }>((resolve, reject) => {
    const going = request(url, { ...options, method, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => resolve({ code: response.statusCode!, text: Buffer.concat(chunks).toString() }))
    })
    going.on('error', reject)
    going.end(body === undefined ? undefined : JSON.stringify(body))
  })
  if (code < 200 || code > 299) throw new Refusal(`${method} ${path}`, code, text)
  return JSON.parse(text) as T
}

/** One collection: of a namespace, of all, or of the cluster. */
export class Objects {
  readonly cluster: ConformanceCluster
  readonly groupVersion: string
  readonly resource: string
  readonly path: string

  /** `groupVersion` is `v1` or `GROUP/VERSION`. */
  constructor(cluster: ConformanceCluster, groupVersion: string, resource: string, namespace?: string) {
    this.cluster = cluster
    this.groupVersion = groupVersion
    this.resource = resource
    const root = groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`
    this.path = `${root}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`
  }

  create(object: object, query: Query = {}): Promise<AnyObject> {
    return call(this.cluster, 'POST', `${this.path}${asked(query)}`, object)
  }

  get(name: string, subresource?: string): Promise<AnyObject> {
    return call(this.cluster, 'GET', this.#of(name, subresource))
  }

  list(query: Query = {}): Promise<ObjectList> {
    return call(this.cluster, 'GET', `${this.path}${asked(query)}`)
  }

  replace(object: AnyObject, subresource?: string): Promise<AnyObject> {
    return call(this.cluster, 'PUT', this.#of(object.metadata.name, subresource), object)
  }

  /** Changes the newest version, again where another was faster. */
  async update(name: string, change: (object: AnyObject) => object, subresource?: string): Promise<AnyObject> {
    for (let tries = 1; ; tries++) {
      const changed = change(await this.get(name)) as AnyObject
      try {
        return await this.replace(changed, subresource)
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 409 || tries === 10) throw error
      }
    }
  }

  patch(name: string, patch: unknown, type: PatchType = 'merge', subresource?: string): Promise<AnyObject> {
    const query = type === 'apply' ? '?fieldManager=test-apply&force=true' : ''
    return call(this.cluster, 'PATCH', `${this.#of(name, subresource)}${query}`, patch, patchTypes[type])
  }

  delete(name: string): Promise<unknown> {
    return call(this.cluster, 'DELETE', this.#of(name))
  }

  deleteCollection(query: Query): Promise<unknown> {
    return call(this.cluster, 'DELETE', `${this.path}${asked(query)}`)
  }

  /** Waits by a watch until a list is as wanted; tells the last one otherwise. */
  async listed(query: Query, isWanted: (items: readonly AnyObject[]) => boolean, waitMs = 30_000): Promise<ObjectList> {
    const lists = new Map<readonly AnyObject[], ObjectList>()
    const items = await watchedSet<AnyObject>(this.cluster.config, {
      path: this.path,
      ...query,
      list: async () => {
        const list = await this.list(query)
        lists.set(list.items, list)
        return list.items
      },
      isWanted,
      waitMs,
    })
    return lists.get(items)!
  }

  async isGone(name: string, waitMs = 30_000): Promise<void> {
    await this.listed({ fieldSelector: `metadata.name=${name}` }, (items) => items.length === 0, waitMs)
  }

  /** What happens from a resource version on. */
  async watch(query: Query): Promise<Following> {
    const following = new Following()
    const abort = await new Watch(this.cluster.config).watch(
      this.path,
      query,
      (type, object: AnyObject) => following.add({ type, object }),
      () => undefined,
    )
    following.stopWith(() => abort.abort())
    return following
  }

  #of(name: string, subresource?: string): string {
    return `${this.path}/${name}${subresource === undefined ? '' : `/${subresource}`}`
  }
}

export interface Change {
  readonly type: string
  readonly object: AnyObject
}

/** The changes that a watch tells, in their order. */
export class Following implements Disposable {
  readonly #changes: Change[] = []
  #wake = Promise.withResolvers<void>()
  #stop = (): void => undefined

  add(change: Change): void {
    if (change.type === 'BOOKMARK') return
    this.#changes.push(change)
    this.#wake.resolve()
    this.#wake = Promise.withResolvers<void>()
  }

  stopWith(stop: () => void): void {
    this.#stop = stop
  }

  /** Takes changes off up to the first that is as wanted and answers them all. */
  async until(isWanted: (change: Change) => boolean, waitMs = 30_000): Promise<readonly Change[]> {
    const seen: Change[] = []
    const end = Date.now() + waitMs
    for (;;) {
      const next = this.#changes.shift()
      if (next === undefined) {
        const timer = new AbortController()
        const late = sleep(Math.max(0, end - Date.now()), 'late', { signal: timer.signal }).catch(() => undefined)
        const woken = await Promise.race([this.#wake.promise, late])
        timer.abort()
        if (woken === 'late') assert.fail(`no such change in ${waitMs} ms; seen ${JSON.stringify(seen)}`)
      } else {
        seen.push(next)
        if (isWanted(next)) return seen
      }
    }
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}

function asked(query: Query): string {
  const text = new URLSearchParams(query).toString()
  return text === '' ? '' : `?${text}`
}

/** Discovery has the version of the group, and in it the resource and its subresources. */
export async function isDiscovered(objects: Objects, subresources: readonly string[] = []): Promise<void> {
  const { cluster, groupVersion, resource } = objects
  const [group] = groupVersion.split('/')
  type Group = { readonly name: string; readonly versions: readonly { readonly groupVersion: string }[] }
  const hasVersion = (found?: Group): boolean =>
    found?.versions.some((each) => each.groupVersion === groupVersion) === true
  const { groups } = await cluster.get<{ readonly groups: readonly Group[] }>('/apis')
  assert.ok(hasVersion(groups.find(({ name }) => name === group)), `/apis has no ${groupVersion}`)
  assert.ok(hasVersion(await cluster.get<Group>(`/apis/${group}`)), `/apis/${group} has no ${groupVersion}`)
  const found = await cluster.get<{ readonly resources: readonly { readonly name: string }[] }>(`/apis/${groupVersion}`)
  const names = found.resources.map(({ name }) => name)
  for (const wanted of [resource, ...subresources.map((each) => `${resource}/${each}`)])
    assert.ok(names.includes(wanted), `${groupVersion} has no ${wanted}`)
}

export interface Operations {
  readonly objects: Objects
  /** The same collection over all namespaces. */
  readonly everywhere?: Objects
  /** Without a name; it is made three times. */
  readonly template: { readonly metadata?: object; readonly [field: string]: unknown }
  /** Lists just this test's objects. */
  readonly query: Query
  readonly patch?: object
  readonly update?: (object: AnyObject) => object
  /** What a kind has besides, such as its status. */
  readonly beforeDelete?: (created: AnyObject) => Promise<void>
}

/** What upstream's tests named "should support … API operations" do with a kind after discovery. */
export async function supportsOperations(wish: Operations): Promise<void> {
  const { objects, everywhere, template, query, patch = {}, update = (object) => object } = wish
  await objects.create(template)
  await objects.create(template)
  const created = await objects.create(template)
  const { name, uid } = created.metadata

  const read = await objects.get(name)
  assert.equal(read.metadata.uid, uid)
  const list = await objects.list(query)
  assert.equal(list.items.length, 3, 'filtered list should have 3 items')
  if (everywhere !== undefined) assert.equal((await everywhere.list(query)).items.length, 3)

  using watch = await objects.watch({ ...query, resourceVersion: list.metadata.resourceVersion })
  using watchOfAll = await (everywhere ?? objects).watch({ ...query, resourceVersion: list.metadata.resourceVersion })

  const patched = await objects.patch(name, { metadata: { annotations: { patched: 'true' } }, ...patch })
  assert.equal(patched.metadata.annotations?.['patched'], 'true')
  assertHolds(patched, patch)
  assertNewer(patched, created)
  const updated = await objects.update(name, (object) =>
    update({ ...object, metadata: annotated(object, { updated: 'true' }) }),
  )
  assert.equal(updated.metadata.annotations?.['updated'], 'true')
  for (const following of [watch, watchOfAll]) {
    const changes = await following.until(({ object }) => object.metadata.annotations?.['patched'] === 'true')
    assert.deepEqual([...new Set(changes.map(({ type }) => type))], ['MODIFIED'])
  }

  await wish.beforeDelete?.(created)

  await objects.delete(name)
  await assert.rejects(objects.get(name), (error) => error instanceof Refusal && error.code === 404)
  assert.equal((await objects.list(query)).items.length, 2, 'filtered list should have 2 items')
  await objects.deleteCollection(query)
  assert.equal((await objects.list(query)).items.length, 0, 'filtered list should have 0 items')
}

/** `metadata` with some annotations more. */
export function annotated(object: AnyObject, annotations: Readonly<Record<string, string>>): AnyObject['metadata'] {
  return { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } }
}

/** `metadata` with some labels more. */
export function labelled(object: AnyObject, labels: Readonly<Record<string, string>>): AnyObject['metadata'] {
  return { ...object.metadata, labels: { ...object.metadata.labels, ...labels } }
}

export function assertNewer(newer: AnyObject, older: AnyObject): void {
  const [now, then] = [newer, older].map(({ metadata }) => BigInt(metadata.resourceVersion))
  assert.ok(now! > then!, `${now} is not newer than ${then}`)
}

/** Every field of `wanted` stands in `object`. */
export function assertHolds(object: unknown, wanted: unknown, path = ''): void {
  if (typeof wanted !== 'object' || wanted === null) return assert.deepEqual(object, wanted, path)
  assert.ok(typeof object === 'object' && object !== null, `${path} is ${String(object)}`)
  for (const [key, value] of Object.entries(wanted))
    assertHolds((object as Readonly<Record<string, unknown>>)[key], value, `${path}.${key}`)
}
