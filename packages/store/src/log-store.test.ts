// The log driver keeps the contract of the store, with everything in one segment and with many small ones.

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
