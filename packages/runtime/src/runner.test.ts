// How loops are run: when they begin, how often, and what a failure costs.

import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { test } from 'node:test'
import { keyOf } from '@aksel/api/resource'
import { configMaps } from '@aksel/api/resources'
import { FakeClient } from '@aksel/testing/fake-client'
import { settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import type { TestScope } from '@aksel/testing/test-scope'
import { createCaches } from './caches.ts'
import { again, done } from './controller.ts'
import type { Controller } from './controller.ts'
import { runControllers } from './runner.ts'
import type { ReconcileReport } from './runner.ts'

interface World extends AsyncDisposable {
  readonly scope: TestScope
  readonly client: FakeClient
  add(name: string): Promise<void>
}

function run(controller: Pick<Controller, 'reconcile'> & Partial<Controller>): World {
  const scope = testScope()
  const client = new FakeClient(scope)
  const caches = createCaches(scope, client)
  const sources = [
    {
      type: configMaps,
      keysOf: (now: { metadata: { name: string } } | undefined) => (now === undefined ? [] : [keyOf(now)]),
    },
  ]
  const running = runControllers(scope, { caches, controllers: [{ name: 'test', sources, ...controller }] })
  return {
    scope,
    client,
    add: async (name) => {
      await client.create(configMaps, { metadata: { name, namespace: 'shop' } })
      await settled()
    },
    async [Symbol.asyncDispose]() {
      scope.abort()
      await running
      await caches[Symbol.asyncDispose]()
    },
  }
}

test('a key that fails comes again with back-off, and the others go on meanwhile', async () => {
  const passes: string[] = []
  await using world = run({
    reconcile: (_scope, key) => {
      passes.push(key)
      if (key === 'shop/bad' && passes.filter((each) => each === key).length < 4) throw new Error('no')
      return Promise.resolve(done)
    },
  })
  await settled()
  await world.add('bad')
  await world.add('good')
  assert.deepEqual(passes, ['shop/bad', 'shop/good'])
  await world.scope.clock.run(1000)
  assert.equal(passes.filter((key) => key === 'shop/bad').length, 4)
  assert.equal(world.scope.lines.filter(({ message }) => message === 'reconcile failed').length, 3)
  assert.equal(world.scope.clock.timerCount, 0)
})

test('a key that asks for it is looked at again, and a pass in between replaces that time', async () => {
  const passes: number[] = []
  await using world = run({
    reconcile: (scope) => {
      passes.push(scope.clock.monotonicMs())
      return Promise.resolve(passes.length < 3 ? again(1000) : done)
    },
  })
  await settled()
  await world.add('a')
  await world.scope.clock.run(400)
  world.client.change(configMaps, 'shop/a', (draft) => {
    draft.data = {}
  })
  await world.scope.clock.run(5000)
  assert.deepEqual(passes, [0, 400, 1400])
})

test('one key is in work once at a time, several keys as often as there are workers', async () => {
  let most = 0
  let running = 0
  await using world = run({
    workers: 2,
    reconcile: async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise<void>((resolve) => world.scope.clock.after(10, resolve))
      running -= 1
      return done
    },
  })
  await settled()
  for (const name of ['a', 'b', 'c']) await world.add(name)
  await world.scope.clock.run(100)
  assert.equal(most, 2)
})

test('every pass is reported on the diagnostics channel', async () => {
  const reports: ReconcileReport[] = []
  const onReport = (message: unknown): void => void reports.push(message as ReconcileReport)
  subscribe('aksel.controller.reconcile', onReport)
  try {
    await using world = run({ reconcile: () => Promise.resolve(done) })
    await settled()
    await world.add('a')
  } finally {
    unsubscribe('aksel.controller.reconcile', onReport)
  }
  assert.deepEqual(
    reports.filter(({ controller }) => controller === 'test').map(({ key, result }) => [key, result]),
    [['shop/a', 'success']],
  )
})

test('a queue of very many keys, for which there is nothing to do, lets others have their turn', async () => {
  let passes = 0
  await using world = run({
    start: (_scope, wake) => {
      for (let index = 0; index < 500; index += 1) wake(`shop/${index}`)
    },
    reconcile: () => {
      passes += 1
      return Promise.resolve(done)
    },
  })
  const seen: number[] = []
  while (passes < 500) {
    await settled()
    seen.push(passes)
  }
  assert.ok(
    seen.every((now, index) => now - (seen[index - 1] ?? 0) <= 100),
    `passes by turn: ${seen.join(', ')}`,
  )
  assert.ok(world)
})
