// Large bodies, whatever they are sent as: others get their turn between the steps that each of them takes.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestServer, type AskOptions, type TestServer } from '../test-server.ts'

const maps = '/api/v1/namespaces/default/configmaps'
const patchOf = (type: string): AskOptions => ({ method: 'PATCH', headers: { 'content-type': type } })

/** Rounds of the event loop that pass until the answer. */
async function roundsOf(server: TestServer, path: string, options: AskOptions): Promise<number> {
  let rounds = 0
  let isOver = false
  const count = (): void => {
    if (isOver) return
    rounds += 1
    setImmediate(count)
  }
  setImmediate(count)
  const { status, text } = await server.ask(path, options)
  isOver = true
  assert.ok(status < 300, text)
  return rounds
}

void test('a thousand faults and more are refused before anybody is asked about them; a few are not', async () => {
  await using server = await startTestServer()
  const wide = (faults: number): unknown => ({
    metadata: { name: 'wide' },
    data: Object.fromEntries(Array.from({ length: 8_000 }, (_, at) => [`${at < faults ? 'k ' : 'k'}${at}`, 'value'])),
  })
  // Admission would say that there is no such namespace.
  const nowhere = '/api/v1/namespaces/nowhere/configmaps'
  const many = await server.ask(nowhere, { body: wide(2_000) })
  assert.equal(many.status, 422)
  assert.match(String(many.json['message']), /^ConfigMap "wide" is invalid: \[data\[k 0\]: .*, and more\]$/)
  const few = await server.ask(nowhere, { body: wide(900) })
  assert.deepEqual([few.status, few.json['message']], [404, 'namespaces "nowhere" not found'])
  const { details } = (await server.ask(maps, { body: wide(900) })).json as { details: { causes: readonly unknown[] } }
  assert.equal(details.causes.length, 900)
  assert.equal((await server.ask(maps, { body: wide(0) })).status, 201)
})

void suite('a large body', () => {
  const map = (bytes: number): Readonly<Record<string, unknown>> => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'large' },
    data: { text: 'x'.repeat(bytes) },
  })
  const ways: readonly (readonly [string, string, AskOptions])[] = [
    ['a new object', maps, {}],
    ['an update', `${maps}/large`, { method: 'PUT' }],
    ['a merge patch', `${maps}/large`, patchOf('application/merge-patch+json')],
    ['a strategic merge patch', `${maps}/large`, patchOf('application/strategic-merge-patch+json')],
    ['an apply', `${maps}/large?fieldManager=own&force=true`, patchOf('application/apply-patch+yaml')],
  ]
  for (const [what, path, options] of ways) {
    void test(`that is ${what} is read, merged, recorded and judged in rounds of its own`, async () => {
      const rounds: number[] = []
      for (const bytes of [10, 100_000]) {
        await using server = await startTestServer()
        if (path !== maps) await server.ask(maps, { body: map(5) })
        rounds.push(await roundsOf(server, path, { ...options, body: map(bytes) }))
      }
      const [small, large] = rounds as [number, number]
      assert.ok(large >= small + 4, `${small} and ${large} rounds`)
    })
  }
})
