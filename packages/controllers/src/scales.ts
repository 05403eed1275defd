// The scale subresource of any workload, built-in or custom: how many pods it wants, and a way to say another number.

import { groupVersionOf, pathOf } from '@aksel/api/resource'
import type { ResourceType } from '@aksel/api/resource'
import { deployments, replicaSets, replicationControllers, statefulSets } from '@aksel/api/resources'
import type { Scale } from '@aksel/api/types/autoscaling-v1'
import { ApiError } from '@aksel/base/errors'
import type { Status } from '@aksel/base/errors'
import { encodeJson, parseJson } from '@aksel/base/json'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { resourceOf } from './discovery.ts'

/** A workload, as owner references and autoscalers name it. */
export interface WorkloadRef {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

const builtIn: readonly ResourceType[] = [deployments, replicaSets, replicationControllers, statefulSets]

export class Scales {
  readonly #client: Client
  readonly #known = new Map<string, ResourceType>(builtIn.map((type) => [`${groupVersionOf(type)}/${type.kind}`, type]))

  constructor(client: Client) {
    this.#client = client
  }

  /** Rejects with NotFound where there is no such workload, or its kind has no scale. */
  async get(ref: WorkloadRef): Promise<Scale> {
    return (await this.#call('GET', await this.#path(ref))) as Scale
  }

  /** Against the revision that was read. */
  async set(ref: WorkloadRef, scale: Scale, replicas: number): Promise<void> {
    const body = { kind: 'Scale', apiVersion: 'autoscaling/v1', ...scale, spec: { ...scale.spec, replicas } }
    await this.#call('PUT', await this.#path(ref), body)
  }

  async #path({ apiVersion, kind, namespace, name }: WorkloadRef): Promise<string> {
    const key = `${apiVersion}/${kind}`
    const type = this.#known.get(key) ?? (await this.#discover(apiVersion, kind))
    this.#known.set(key, type)
    return pathOf(type, { namespace, name, subresource: 'scale' })
  }

  async #discover(apiVersion: string, kind: string): Promise<ResourceType> {
    const found = await resourceOf(this.#client, apiVersion, kind)
    if (found !== undefined) return found
    throw new ApiError('NotFound', `no matches for kind "${kind}" in version "${apiVersion}"`)
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const headers = { accept: 'application/json', 'content-type': 'application/json' }
    const request = { method, path, headers, ...(body === undefined ? {} : { body: encodeJson(body) }) }
    const response = await this.#client.send(request)
    const answer = parseJson(await readBody(response.body))
    if (response.status >= 300) throw ApiError.fromStatus(answer as Status)
    return answer
  }
}
