// The typed client: every call becomes a request on a transport, every refusal an ApiError.

import { pathOf } from '@aksel/api/resource'
import type { KubernetesList, KubernetesObject, ObjectRef, ResourceType } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import type { Status } from '@aksel/base/errors'
import { encodeJson, parseJson } from '@aksel/base/json'
import type { Client, DeleteOptions, ListOptions, Patch, WatchEvent, WatchOptions, WriteOptions } from './client.ts'
import { readBody, readLines } from './response-body.ts'
import type { ApiRequest, ApiResponse, Transport } from './transport.ts'

const patchTypes = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const

export interface ClientOptions {
  /** Sent as `user-agent`; the server names it in its audit log. */
  readonly userAgent?: string
}

export function createClient(transport: Transport, options: ClientOptions = {}): Client {
  return new TypedClient(transport, options.userAgent ?? 'aksel')
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface Call {
  readonly method: string
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

class TypedClient implements Client {
  readonly #transport: Transport
  readonly #userAgent: string

  constructor(transport: Transport, userAgent: string) {
    this.#transport = transport
    this.#userAgent = userAgent
  }

  get<T extends KubernetesObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T> {
    return this.#json<T>({ method: 'GET', path: pathOf(type, ref) })
  }

  list<T extends KubernetesObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<KubernetesList<T>> {
    return this.#json({ method: 'GET', path: pathOf(type, options), query: listQuery(options), signal: options.signal })
  }

  create<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata
    const place = options.subresource === undefined ? {} : { name, subresource: options.subresource }
    const path = pathOf(type, { ...(namespace === undefined ? {} : { namespace }), ...place })
    const query = writeQuery(options)
    return this.#json({ method: 'POST', path, query, body: typed(type, object, options), signal: options.signal })
  }

  update<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = pathOf(type, placeOf(object.metadata, options.subresource))
    const query = writeQuery(options)
    return this.#json({ method: 'PUT', path, query, body: typed(type, object, options), signal: options.signal })
  }

  patch<T extends KubernetesObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const apply =
      patch.kind === 'apply' ? { fieldManager: patch.fieldManager, force: patch.force === true ? true : undefined } : {}
    return this.#json({
      method: 'PATCH',
      path: pathOf(type, placeOf(ref, options.subresource)),
      query: { ...writeQuery(options), ...apply },
      body: patch.body,
      contentType: patchTypes[patch.kind],
      signal: options.signal,
    })
  }

  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    await this.#json({ method: 'DELETE', path: pathOf(type, ref), body: deleteBody(options), signal: options.signal })
  }

  async deleteCollection(type: ResourceType, options: ListOptions & DeleteOptions = {}): Promise<void> {
    const path = pathOf(type, options)
    await this.#json({
      method: 'DELETE',
      path,
      query: listQuery(options),
      body: deleteBody(options),
      signal: options.signal,
    })
  }

  createSubresource<R>(type: ResourceType, ref: ObjectRef, subresource: string, body: unknown): Promise<R> {
    return this.#json({ method: 'POST', path: pathOf(type, { ...ref, subresource }), body })
  }

  async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    const query: Query = {
      ...listQuery(options),
      watch: true,
      allowWatchBookmarks: options.allowBookmarks === true ? true : undefined,
      sendInitialEvents: options.sendInitialEvents,
      timeoutSeconds: options.timeoutSeconds,
    }
    const response = await this.#send({ method: 'GET', path: pathOf(type, options), query, signal: options.signal })
    for await (const event of response.events ?? eventsOf(response.body)) {
      if (event.type === 'ERROR') throw ApiError.fromStatus(event.object as Status)
      yield event as WatchEvent<T>
    }
  }

  send(request: Partial<ApiRequest> & { readonly path: string }): Promise<ApiResponse> {
    const headers = { 'user-agent': this.#userAgent, ...request.headers }
    return this.#transport.send({ method: 'GET', ...request, headers })
  }

  async #json<R>(call: Call): Promise<R> {
    const response = await this.#send(call)
    return (response.value === undefined ? parseJson(await readBody(response.body)) : response.value()) as R
  }

  async #send({ method, path, query = {}, body, contentType, signal }: Call): Promise<ApiResponse> {
    const response = await this.#transport.send({
      method,
      path: withQuery(path, query),
      headers: {
        accept: 'application/json',
        'user-agent': this.#userAgent,
        ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
      },
      ...(body === undefined ? {} : { body: encodeJson(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
    if (response.status < 300) return response
    throw await refusalOf(response)
  }
}

async function* eventsOf(
  body: ApiResponse['body'],
): AsyncGenerator<{ readonly type: string; readonly object: unknown }> {
  for await (const line of readLines(body)) yield parseJson(line) as { readonly type: string; readonly object: unknown }
}

/** What a response of 300 or more says; a body that is no Status becomes the message. */
async function refusalOf(response: ApiResponse): Promise<ApiError> {
  const text = new TextDecoder().decode(await readBody(response.body))
  try {
    const status = parseJson(text) as Partial<Status> | null
    if (status?.kind === 'Status') return ApiError.fromStatus({ ...status, code: status.code ?? response.status })
  } catch {
    // No JSON: a proxy or a server that is going down answered in its own words.
  }
  return ApiError.fromStatus({
    code: response.status,
    message: text.trim() === '' ? `status ${response.status}` : text,
  })
}

/** Objects from a list carry no kind; the server wants one. */
function typed<T extends KubernetesObject>(type: ResourceType<T>, object: T, options: WriteOptions): unknown {
  if (object.kind !== undefined && object.apiVersion !== undefined) return object
  if (options.subresource !== undefined && options.subresource !== 'status') return object
  const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`
  return { kind: type.kind, apiVersion, ...object }
}

function placeOf(
  ref: { readonly name: string; readonly namespace?: string },
  subresource: string | undefined,
): { readonly name: string; readonly namespace?: string; readonly subresource?: string } {
  return {
    name: ref.name,
    ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
    ...(subresource === undefined ? {} : { subresource }),
  }
}

function listQuery(options: ListOptions): Query {
  const { labelSelector, fieldSelector, limit, resourceVersion, resourceVersionMatch } = options
  return { labelSelector, fieldSelector, limit, continue: options.continue, resourceVersion, resourceVersionMatch }
}

function writeQuery(options: WriteOptions): Query {
  return { dryRun: options.dryRun === true ? 'All' : undefined, fieldManager: options.fieldManager }
}

function deleteBody({ gracePeriodSeconds, propagationPolicy, preconditions }: DeleteOptions): unknown {
  if (gracePeriodSeconds === undefined && propagationPolicy === undefined && preconditions === undefined)
    return undefined
  return { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions }
}

function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) params.set(name, String(value))
  const text = params.toString()
  return text === '' ? path : `${path}?${text}`
}
