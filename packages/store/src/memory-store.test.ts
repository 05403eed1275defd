// The memory driver keeps the contract of the store.

import { storeContract } from './contract.ts'
import { createMemoryStore } from './memory-store.ts'
import { testScope } from './test-scope.ts'

storeContract('memory', async () => createMemoryStore(testScope()))
