// How long an informer waits before it asks a server again.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps } from '@aksel/api/resources'
import type { Client } from '@aksel/client/client'
import { FakeClient } from '@aksel/testing/fake-client'
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
