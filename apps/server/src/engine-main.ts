// Control planes alone, without front door, fabric and machines: what benchmarks and trust tests start and kill. The parts are
// those of the server. It takes its orders over the channel of its parent process.

import { Catalogs } from '@aksel/apiserver/catalogs'
import { Entrance } from '@aksel/apiserver/http/entrance'
import { enableCompileCache } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { OpenApiLibrary } from '@aksel/apiserver/discovery/open-api-library'
import { systemClock, type Clock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { openAuditLog } from './audit-log.ts'
import { EmbeddedEngine } from './embedded-engine.ts'
import { jsonLog } from './json-log.ts'
import { firstPortOf } from './places.ts'
import { checkStoreName, hostName, isShared, openStore } from './open-store.ts'

enableCompileCache()

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    store: { type: 'string', default: 'log' },
    'log-level': { type: 'string', default: 'warn' },
    /** `off`: API servers alone. */
    loops: { type: 'string', default: 'on' },
    /** `sleeps-with-the-process`: no time passes while the process is stopped, as where the whole machine sleeps. */
    clock: { type: 'string', default: 'system' },
  },
})
const dataDir = values.data
if (dataDir === undefined) throw new Error('engine-main needs --data')
const stopping = new AbortController()
const scope: Scope = {
  clock: values.clock === 'system' ? systemClock() : sleepyClock(systemClock()),
  random: systemRandom(),
  log: jsonLog(values['log-level']),
  signal: stopping.signal,
}
await mkdir(join(dataDir, 'server'), { recursive: true, mode: 0o700 })
const store = await openStore(scope, { store: checkStoreName(values.store), dataDir })
const audit = await openAuditLog(scope, join(dataDir, 'server', 'audit.jsonl'))
const engine = await EmbeddedEngine.open(scope, {
  store,
  dataDir,
  privileged: false,
  firstPort: firstPortOf(dataDir),
  audit: audit.write,
  openApi: new OpenApiLibrary(),
  catalogs: new Catalogs(),
  entrance: new Entrance(scope.clock),
  loops: values.loops === 'on',
  ...(isShared(values.store) ? { sharedAs: hostName(dataDir) } : {}),
})
await engine.resume()
const delay = monitorEventLoopDelay({ resolution: 5 })

/** What the parent may ask for. */
const orders = {
  async create(name: string) {
    const id = `/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/${name}`
    await engine.create(scope, {
      id,
      name,
      kubernetesVersion: '1.35.7',
      serviceCidr: '10.0.0.0/16',
      dnsServiceIp: '10.0.0.10',
      fqdn: `${name}.test.aksel`,
    })
    return await engine.kubeconfig(id, 'admin')
  },
  async kubeconfig(name: string) {
    const id = `/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/${name}`
    // Another server may have made it a moment ago: answered once it runs here too.
    await engine.start(scope, id)
    return await engine.kubeconfig(id, 'admin')
  },
  async name() {
    return hostName(dataDir)
  },
  async measureDelay() {
    delay.reset()
    delay.enable()
    return undefined
  },
  async delay() {
    return { p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6 }
  },
  async collectGarbage() {
    for (let i = 0; i < 4; i++) {
      ;(globalThis as { gc?: () => void }).gc?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return process.memoryUsage()
  },
  async revision() {
    return store.revision
  },
  async stop() {
    stopping.abort(new Error('stopped'))
    await engine[Symbol.asyncDispose]()
    await audit[Symbol.asyncDispose]()
    await store[Symbol.asyncDispose]()
    return undefined
  },
} as const

export type EngineOrders = typeof orders

/** A gap of more than a second between two looks at it is no time at all. */
function sleepyClock(clock: Clock): Clock {
  const sleptFromMs = 1_000
  let lastMs = clock.monotonicMs()
  let sleptMs = 0
  const look = (): number => {
    const nowMs = clock.monotonicMs()
    if (nowMs - lastMs > sleptFromMs) sleptMs += nowMs - lastMs
    lastMs = nowMs
    return nowMs - sleptMs
  }
  setInterval(look, 50).unref()
  return { now: () => clock.now(), monotonicMs: look, after: (delayMs, fire) => clock.after(delayMs, fire) }
}

interface Order {
  readonly number: number
  readonly order: keyof EngineOrders
  readonly argument: string
}

process.on('message', ({ number, order, argument }: Order) => {
  orders[order](argument).then(
    (result: unknown) => process.send!({ number, result }),
    (error: unknown) => process.send!({ number, error: error instanceof Error ? error.message : String(error) }),
  )
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })
