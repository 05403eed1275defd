// Any object by its kind, through the stock client: made, changed, read, listed, taken away; and what a refusal says.

import assert from 'node:assert/strict'
import { KubernetesObjectApi, PatchStrategy, type KubeConfig, type KubernetesObject } from '@kubernetes/client-node'

/** An object as tests write and look into it. */
export type Loose = KubernetesObject & { readonly [key: string]: unknown }

export class Objects {
  readonly #api: KubernetesObjectApi

  constructor(config: KubeConfig) {
    this.#api = KubernetesObjectApi.makeApiClient(config)
  }

  create(object: Loose): Promise<Loose> {
    return this.#api.create(object)
  }

  read(object: Loose): Promise<Loose> {
    return this.#api.read(object as never)
  }

  replace(object: Loose): Promise<Loose> {
    return this.#api.replace(object)
  }

  /** A merge patch: the fields that the object has. */
  merge(object: Loose): Promise<Loose> {
    return this.#api.patch(object, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch)
  }

  async delete(object: Loose): Promise<void> {
    await this.#api.delete(object)
  }

  async list(apiVersion: string, kind: string, labelSelector: string, namespace?: string): Promise<readonly Loose[]> {
    const { items } = await this.#api.list(
      apiVersion,
      kind,
      namespace,
      undefined,
      undefined,
      undefined,
      undefined,
      labelSelector,
    )
    return items as Loose[]
  }
}

/** The message of the Status with which a call is refused. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    const { body } = error as { readonly body?: unknown }
    if (body === undefined) throw error
    const status = (typeof body === 'string' ? JSON.parse(body) : body) as { readonly message?: string }
    return status.message ?? ''
  }
  return assert.fail('the call was not refused')
}
