// How a host that joins speaks to the cluster: first to whoever answers, then with its token, then as the node.

import { request } from 'node:https'
import { isIP } from 'node:net'
import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { CommandError } from '../command-error.ts'
import type { ReadClusterInfo } from './discovery.ts'

const INFO_PATH = '/api/v1/namespaces/kube-public/configmaps/cluster-info'
const ANSWER_MS = 15_000
const LOOK_AGAIN_MS = 500

/** `https://10.0.0.1:443` of `10.0.0.1`, `10.0.0.1:6443` or the URL itself. */
export function serverUrl(text: string): URL {
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`)
  if (url === null || url.protocol !== 'https:' || url.hostname === '')
    throw new CommandError(
      `"${text}" is no address of an API server: "HOST", "HOST:PORT" or "https://HOST:PORT" is wanted.`,
      2,
    )
  return url
}

export function clusterInfoReader(server: URL): ReadClusterInfo {
  return async (caPem) => {
    const { status, body } = await get(server, caPem)
    if (status !== 200)
      throw new CommandError(
        `The API server at ${server.host} does not show cluster-info (status ${status}): this is no cluster that other hosts can join.`,
      )
    return (JSON.parse(body) as { readonly data?: Readonly<Record<string, string>> }).data ?? {}
  }
}

function get(server: URL, caPem: string | undefined): Promise<{ readonly status: number; readonly body: string }> {
  const { hostname, port } = server
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(new CommandError(`The API server at ${server.host} cannot be asked: ${error.message}`))
    const asked = request({
      hostname,
      port: port === '' ? 443 : Number(port),
      path: INFO_PATH,
      // Who answers the first question is judged by what he signed, as in kubeadm's discovery by token.
      ...(caPem === undefined ? { rejectUnauthorized: false } : { ca: caPem }),
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      timeout: ANSWER_MS,
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)))
    asked.on('error', fail)
    asked.on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', fail)
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
    })
    asked.end()
  })
}

/** Resolves with the node once it is as wanted; rejects with `late` when that takes longer. */
export async function nodeWhen(
  scope: Scope,
  client: Client,
  wish: {
    readonly name: string
    readonly is: (node: Node) => boolean
    readonly withinMs: number
    readonly late: string
  },
): Promise<Node> {
  const deadline = AbortSignal.timeout(wish.withinMs)
  const signal = anySignal([scope.signal, deadline])
  try {
    while (true) {
      const found = await ignoreReason('NotFound', client.get(nodes, { name: wish.name }))
      if (found !== undefined && wish.is(found)) return found
      const query = { fieldSelector: `metadata.name=${wish.name}`, signal }
      const from = found?.metadata.resourceVersion
      for await (const { object } of client.watch(nodes, {
        ...query,
        ...(from === undefined ? {} : { resourceVersion: from }),
      }))
        if (wish.is(object)) return object
      await sleep(scope.clock, LOOK_AGAIN_MS, signal)
    }
  } catch (error) {
    if (deadline.aborted) throw new CommandError(wish.late)
    throw error
  }
}

export function isReady({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false
}
