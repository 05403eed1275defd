// Custom kinds for conformance tests: definitions with names of their own, and calls as a client without types makes them.

import { request, type RequestOptions } from 'node:https'
import assert from 'node:assert/strict'
import type { KubeConfig } from '@kubernetes/client-node'
import { watched } from './watched.ts'

export interface Called {
  readonly status: number
  readonly body: Loose
  /** Of the `Warning` header, without their quotes. */
  readonly warnings: readonly string[]
}

export type Loose = { readonly [key: string]: Loose } & readonly Loose[] & string

export interface Call {
  readonly method?: string
  /** An object is sent as JSON, text as it is. */
  readonly body?: object | string
  /** `application/json` when absent. */
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

export const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
export const mergePatch = 'application/merge-patch+json'
export const jsonPatch = 'application/json-patch+json'
export const applyPatch = 'application/apply-patch+yaml'

/** Any status is an answer. */
export async function callApi(config: KubeConfig, path: string, options: Call = {}): Promise<Called> {
  const { body, type = 'application/json', headers = {} } = options
  const own: RequestOptions = {}
  await config.applyToHTTPSOptions(own)
  const method = options.method ?? (body === undefined ? 'GET' : 'POST')
  const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const url = new URL(path, config.getCurrentCluster()!.server)
    const call = request(
      url,
      { ...own, method, headers: { ...headers, ...(sent === undefined ? {} : { 'content-type': type }) } },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const warnings = [...String(response.headers['warning'] ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)]
          resolve({
            status: response.statusCode ?? 0,
            // Paths that nobody serves answer in plain text.
            body: (/^[{[]/.test(text) ? JSON.parse(text) : { text }) as Loose,
            warnings: warnings.map(([, words]) => words!.replaceAll(/\\(.)/g, '$1')),
          })
        })
      },
    )
    call.on('error', reject)
    call.end(sent)
  })
}

/** The body of an answer that is as it should be. */
export async function expectCall(config: KubeConfig, path: string, options: Call = {}, status = 200): Promise<Loose> {
  const called = await callApi(config, path, options)
  assert.equal(called.status, status, JSON.stringify(called.body))
  return called.body
}

export interface TestKind {
  readonly group: string
  readonly plural: string
  readonly kind: string
  /** The definition's name. */
  readonly name: string
  /** Of the objects of a version, in a namespace or in the cluster. */
  path(version: string, namespace?: string): string
}

let made = 0

export interface KindWish {
  readonly group?: string
  readonly kind?: string
  readonly scope?: 'Namespaced' | 'Cluster'
  readonly versions?: readonly object[]
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: object
}

/** A version with a schema; anything goes when there is none. */
export function version(name: string, schema?: object, more: object = {}): object {
  const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  return { name, served: true, storage: true, schema: { openAPIV3Schema: schema ?? open }, ...more }
}

/** Makes a definition and waits until it is established. */
export async function installKind(config: KubeConfig, wish: KindWish = {}): Promise<TestKind> {
  made += 1
  const suffix = `${Date.now().toString(36)}${made}`
  const kind = wish.kind ?? `E2e-test-${suffix}-crd`
  const group = wish.group ?? `${suffix}.example.com`
  const plural = `${kind.toLowerCase()}s`
  const name = `${plural}.${group}`
  const body = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name, ...(wish.labels === undefined ? {} : { labels: wish.labels }) },
    spec: {
      group,
      scope: wish.scope ?? 'Namespaced',
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: wish.versions ?? [version('v1')],
      ...wish.spec,
    },
  }
  await expectCall(config, definitions, { body }, 201)
  await established(config, name)
  return {
    group,
    plural,
    kind,
    name,
    path: (of, namespace) =>
      `/apis/${group}/${of}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`,
  }
}

interface Conditions {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

export async function established(config: KubeConfig, name: string): Promise<void> {
  await watched<Conditions>(config, {
    path: definitions,
    name,
    isWanted: (definition) =>
      (definition?.status?.conditions ?? []).some(({ type, status }) => type === 'Established' && status === 'True'),
    waitMs: 30_000,
  })
}

/** Deletes a definition and waits until it is gone. */
export async function removeKind(config: KubeConfig, name: string): Promise<void> {
  await expectCall(config, `${definitions}/${name}`, { method: 'DELETE' })
  await watched(config, { path: definitions, name, isWanted: (one) => one === undefined, waitMs: 30_000 })
}
