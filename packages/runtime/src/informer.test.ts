// How long an informer waits before it asks a server again, and how it tells of very many objects.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps } from '@aksel/api/resources'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import type { Client } from '@aksel/client/client'
import { FakeClient } from '@aksel/testing/fake-client'
import { settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import { Informer } from './informer.ts'

test('a server that was away for long and breaks one connection as it comes back is asked again within seconds', async () => {
  const scope = testScope()
  const objects = new FakeClient({ clock: scope.clock, random: scope.random })
  await objects.create(configMaps, { metadata: { name: 'one', namespace: 'default' } })
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const failures: Error[] = [...Array.from({ length: 12 }, () => refused), new Error('the connection broke')]
  const askedMs: number[] = []
  const client = new Proxy<Client>(objects, {
    get(target, name) {
      const member = Reflect.get(target, name) as (...args: unknown[]) => unknown
      if (name !== 'list') return member.bind(target)
      return (...args: unknown[]): unknown => {
        askedMs.push(scope.clock.monotonicMs())
        const failure = failures.shift()
        return failure === undefined ? member.apply(target, args) : Promise.reject(failure)
      }
    },
  })
  const informer = new Informer(scope, client, configMaps)
  const running = informer.run()
  await scope.clock.run(120_000)
  assert.ok(informer.get('default/one') !== undefined)
  assert.equal(askedMs.length, 14)
  const waits = askedMs.map((at, i) => at - (askedMs[i - 1] ?? 0))
  assert.ok(Math.max(...waits) <= 3_000, `waited ${waits.join(', ')} ms`)
  scope.abort()
  await running
})

test('very many objects are told in slices: others get their turn, and changes meanwhile come after, in order', async () => {
  const scope = testScope()
  const client = new FakeClient({ clock: scope.clock, random: scope.random })
  const count = 1000
  for (let index = 0; index < count; index += 1)
    await client.create(configMaps, { metadata: { name: `c${index}`, namespace: 'n' }, data: { value: 'old' } })
  const informer = new Informer(scope, client, configMaps)
  const running = informer.run()
  await informer.synced()
  const told: string[] = []
  const words = (now: ConfigMap | undefined, before: ConfigMap | undefined): string =>
    `${(now ?? before)!.metadata.name} ${before?.data?.['value'] ?? '-'} ${now?.data?.['value'] ?? '-'}`
  const following = informer.follow((now, before) => told.push(words(now, before)), scope.signal)
  const atFirst = told.length
  assert.ok(atFirst > 0 && atFirst < count, `${atFirst} of ${count} at once`)
  // Both the last, which nobody heard of yet, and the first, which was told.
  for (const name of [`c${count - 1}`, 'c0'])
    await client.patch(configMaps, { name, namespace: 'n' }, { kind: 'merge', body: { data: { value: 'new' } } })
  await client.delete(configMaps, { name: 'c1', namespace: 'n' })
  using subscription = await following
  assert.ok(subscription)
  const first = Array.from({ length: count }, (_, index) => `c${index} - old`)
  assert.deepEqual(told, [...first, `c${count - 1} old new`, 'c0 old new', 'c1 old -'])
  await client.create(configMaps, { metadata: { name: 'late', namespace: 'n' }, data: { value: 'now' } })
  await settled()
  assert.equal(told.at(-1), 'late - now')

  const stop = new AbortController()
  const heard: string[] = []
  const ended = informer.follow((now, before) => heard.push(words(now, before)), stop.signal)
  stop.abort(new Error('enough'))
  await assert.rejects(ended, /enough/)
  const soFar = heard.length
  await client.delete(configMaps, { name: 'c2', namespace: 'n' })
  await settled()
  assert.equal(heard.length, soFar)
  scope.abort()
  await running
})
