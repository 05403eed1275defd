// News as events: the same news counts, other news stands beside it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { events, nodes, pods } from '@aksel/api/resources'
import { ApiError } from '@aksel/base/errors'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { recordEvent, referenceTo } from './event-recorder.ts'
import type { EventNews } from './event-recorder.ts'

const pod = { metadata: { name: 'web', namespace: 'shop', uid: 'u-1', resourceVersion: '7' }, spec: { containers: [] } }
const news: EventNews = {
  about: referenceTo(pods, pod),
  type: 'Normal',
  reason: 'Scheduled',
  message: 'Successfully assigned shop/web to node-1',
  source: 'default-scheduler',
}

test('recordEvent() writes an event once and then raises its count', async () => {
  const scope = testScope()
  const client = new FakeClient(scope)
  await recordEvent(scope, client, news)
  scope.clock.advance(5000)
  await recordEvent(scope, client, news)
  await recordEvent(scope, client, { ...news, message: 'other' })
  const [first, second, ...rest] = client.peekAll(events)
  assert.equal(rest.length, 0)
  assert.match(first!.metadata.name, /^web\.[0-9a-f]{16}$/)
  assert.deepEqual(
    [first!.count, first!.firstTimestamp, first!.lastTimestamp],
    [2, '2026-01-01T00:00:00Z', '2026-01-01T00:00:05Z'],
  )
  assert.deepEqual([second!.count, second!.message], [1, 'other'])
  assert.deepEqual(first!.involvedObject, {
    apiVersion: 'v1',
    kind: 'Pod',
    name: 'web',
    namespace: 'shop',
    uid: 'u-1',
    resourceVersion: '7',
  })
})

test('recordEvent() about an object without a namespace writes to default', async () => {
  const scope = testScope()
  const client = new FakeClient(scope)
  await recordEvent(scope, client, { ...news, about: referenceTo(nodes, { metadata: { name: 'node-1' } }) })
  assert.equal(client.peekAll(events)[0]!.metadata.namespace, 'default')
})

test('recordEvent() never fails its caller', async () => {
  const scope = testScope()
  const client = new FakeClient({
    ...scope,
    before: () => {
      throw new ApiError('Forbidden', 'no')
    },
  })
  await recordEvent(scope, client, news)
  assert.equal(scope.lines[0]!.message, 'an event was not recorded')
})
