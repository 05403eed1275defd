// What the server does when time passes: events go, watches get bookmarks and end. Time stands still but where a test moves it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps, events } from '@aksel/api/resources'
import type { Client } from '@aksel/client/client'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { EVENT_LIFE_MS } from './event-expiry.ts'
import { startTestServer } from './test-server.ts'

function report(client: Client, name: string): Promise<unknown> {
  return client.create(events, {
    metadata: { name, namespace: 'default' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'web' },
    reason: 'Pulled',
    message: 'm',
    type: 'Normal',
    reportingComponent: 'kubelet',
    reportingInstance: 'n1',
  })
}

void test('an event goes an hour after it was last written, and no younger one with it', async () => {
  const clock = new SimulatedClock()
  using scope = testScope({ clock })
  await using server = await startTestServer({ scope })
  const client = server.client()
  await report(client, 'old')
  await clock.run(EVENT_LIFE_MS / 2)
  await report(client, 'young')
  const { metadata } = await client.list(events)
  const watch = client.watch(events, { resourceVersion: metadata.resourceVersion!, timeoutSeconds: 36_000 })
  const deleted = (async () => {
    for await (const { type, object } of watch) return `${type} ${object.metadata.name}`
    return 'nothing'
  })()
  await clock.run(EVENT_LIFE_MS / 2 + 600_000)
  assert.equal(await deleted, 'DELETED old')
  assert.deepEqual(
    (await client.list(events)).items.map((item) => item.metadata.name),
    ['young'],
  )
})

void test('a quiet watch gets a bookmark with the version that it has reached, and ends in time', async () => {
  const clock = new SimulatedClock()
  using scope = testScope({ clock })
  await using server = await startTestServer({ scope })
  const client = server.client()
  const { metadata } = await client.list(configMaps)
  const options = { resourceVersion: metadata.resourceVersion!, allowBookmarks: true, timeoutSeconds: 100 }
  const seen: string[] = []
  const reading = (async () => {
    for await (const { type, object } of client.watch(configMaps, options)) {
      seen.push(`${type} ${object.metadata.resourceVersion}`)
      // Only what was delivered is told in a bookmark: the change first, then the minute.
      if (type === 'ADDED') clock.advance(60_000)
      else clock.advance(40_000)
    }
  })()
  const { metadata: made } = await client.create(configMaps, { metadata: { name: 'a', namespace: 'default' } })
  await reading
  assert.deepEqual(seen, [`ADDED ${made.resourceVersion}`, `BOOKMARK ${made.resourceVersion}`])
})
