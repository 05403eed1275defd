// The embedded engine against the suite of every cluster engine: real API servers over TLS, on a store in memory.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { clusterEngineContract } from '@aksel/provider/cluster-engine-contract'
import { createMemoryStore } from '@aksel/store/memory-store'
import { EmbeddedEngine } from './embedded-engine.ts'

clusterEngineContract('embedded', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'aksel-engine-'))
  const stopping = new AbortController()
  const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stopping.signal }
  const store = createMemoryStore(scope)
  const engine = await EmbeddedEngine.open(scope, { store, dataDir, privileged: false, audit: () => {} })
  return {
    scope,
    engine,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
      stopping.abort(new Error('the test ended'))
      await rm(dataDir, { recursive: true, force: true })
    },
  }
})
