// For tests: makes definitions on a server, and waits for what becomes of them.

import assert from 'node:assert/strict'
import type { Asked, TestServer } from '../test-server.ts'

export const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
export const merge = { 'content-type': 'application/merge-patch+json' }

export type Loose = { readonly [key: string]: Loose } & readonly Loose[]

export function loose(answer: Asked, status = 200): Loose {
  assert.equal(answer.status, status, answer.text)
  return answer.json as unknown as Loose
}

/** Resolves when the definition's status makes the predicate true; `gone` when it is deleted. */
export async function settled(
  server: TestServer,
  name: string,
  wanted: (status: Loose | undefined) => boolean,
): Promise<Loose | undefined> {
  const signal = AbortSignal.timeout(10_000)
  const found = await server.ask(`${crds}/${name}`)
  if (found.status === 404 ? wanted(undefined) : wanted(found.json['status'] as Loose))
    return found.json['status'] as Loose
  const { resourceVersion } = (found.json as unknown as Loose)['metadata'] as unknown as Record<string, string>
  const events = server.client().watch(
    {
      group: 'apiextensions.k8s.io',
      version: 'v1',
      kind: 'CustomResourceDefinition',
      plural: 'customresourcedefinitions',
      namespaced: false,
    },
    { resourceVersion: resourceVersion ?? '0', signal, fieldSelector: `metadata.name=${name}` },
  )
  for await (const event of events) {
    if (event.type === 'BOOKMARK') continue
    const status = event.type === 'DELETED' ? undefined : ((event.object as unknown as Loose)['status'] as Loose)
    if (wanted(status)) return status
  }
  throw new Error(`the watch of ${name} ended`)
}

export function isTrue(status: Loose | undefined, type: string): boolean {
  const conditions = (status?.['conditions'] ?? []) as unknown as readonly { type: string; status: string }[]
  return conditions.some((one) => one.type === type && one.status === 'True')
}

export async function install(server: TestServer, body: object): Promise<string> {
  const made = loose(await server.ask(crds, { body }), 201)
  const { name } = made['metadata'] as unknown as { name: string }
  await settled(server, name, (status) => isTrue(status, 'Established'))
  return name
}
