// The log driver keeps the contract of the store, with everything in one segment and with many small ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeContract } from './contract.ts'
import { openLogStore } from './log-store.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { testScope } from './test-scope.ts'

storeContract('log', async () => {
  const scope = testScope()
  return await openLogStore(scope, { disk: new SimulatedDisk(scope.random), directory: '/store' })
})

const small = { segmentBytes: 2_000, slackBytes: 4_000, batchBytes: 500 }
storeContract('log, in small segments,', async () => {
  const scope = testScope()
  return await openLogStore(scope, { disk: new SimulatedDisk(scope.random), directory: '/store', limits: small })
})

test('a log store says how large it is: it grows by what is written', async () => {
  const scope = testScope()
  await using store = await openLogStore(scope, { disk: new SimulatedDisk(scope.random), directory: '/store' })
  const before = await store.sizeBytes!()
  await store.transact({ guards: [], writes: [{ kind: 'put', key: 'a', value: new Uint8Array(5000) }] })
  const after = await store.sizeBytes!()
  assert.ok(after >= before + 5000, `${before} to ${after}`)
})
