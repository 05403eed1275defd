// Keeps the node's nftables table as Services and EndpointSlices say. Woken by their watches, it changes what differs.

import { endpointSlices, services } from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { sleep } from '@aksel/base/clock'
import type { IpFamily } from '@aksel/base/ip-range'
import type { Scope } from '@aksel/base/scope'
import { run, type CommandRunner } from '@aksel/host/command'
import type { Cache, Caches } from '@aksel/runtime/controller'
import { spawnedNft, type NftRunner } from '../nft/runner.ts'
import { familyOf } from '../nft/family.ts'
import { renderTable, type TableShape } from '../nft/table.ts'
import { HealthServers } from './health-servers.ts'
import { localHealthOf } from './endpoints.ts'
import { compileService, type CompileOptions, type ServiceRows } from './compile.ts'
import { RowTable, type RowChange } from './row-table.ts'
import { proxyTable, type ProxyTableOptions } from './table.ts'

export interface ServiceProxyOptions extends Omit<CompileOptions, 'family'>, ProxyTableOptions {
  /** The node has addresses of both families: its ranges of the other one. */
  readonly ipv6?: ProxyTableOptions
  readonly caches: Caches
  /** For single changes: an `InteractiveNft`. */
  readonly nft: NftRunner
  /** For loading the whole table; a program start in the caller's network namespace when absent. */
  readonly loader?: NftRunner
  readonly run?: CommandRunner
  /** Tells load balancers of this node's health, in the network namespace of this process; nobody is told when absent. */
  readonly servesHealth?: boolean
  /** Called when the table is in force for the first time. */
  readonly onSynced?: () => void
}

const SERVICE_NAME = 'kubernetes.io/service-name'
const BY_SERVICE = 'service'
const RETRY_MS = 1000

/** Runs until the scope aborts. The table stays in force afterwards: an agent that restarts finds services working. */
export async function runServiceProxy(scope: Scope, options: ServiceProxyOptions): Promise<void> {
  const loop = new ProxyLoop(options)
  await loop.run(scope)
}

/** One family's table. */
interface Face {
  readonly family: IpFamily
  readonly shape: TableShape
  readonly table: RowTable
}

const nothing: ServiceRows = { rows: [], spreads: [] }

class ProxyLoop {
  readonly #options: ServiceProxyOptions
  readonly #slices: Cache<EndpointSlice>
  readonly #dirty = new Set<string>()
  readonly #faces: readonly Face[]
  readonly #run: CommandRunner
  #health: HealthServers | undefined
  #wake: () => void = () => {}

  constructor(options: ServiceProxyOptions) {
    this.#options = options
    this.#run = options.run ?? run
    this.#faces = [
      { family: 4, shape: proxyTable(options), table: new RowTable() },
      ...(options.ipv6 === undefined
        ? []
        : [{ family: 6, shape: proxyTable(options.ipv6, 6), table: new RowTable(6) } as const]),
    ]
    this.#slices = options.caches.of(endpointSlices)
    this.#slices.addIndex(BY_SERVICE, (slice) => [serviceKeyOf(slice)].filter((key) => key !== undefined))
  }

  async run(scope: Scope): Promise<void> {
    const serviceCache = this.#options.caches.of(services)
    await Promise.all([serviceCache.synced(scope.signal), this.#slices.synced(scope.signal)])
    using _services = serviceCache.subscribe((now, before) => this.#mark(keyOf((now ?? before)!)))
    using _slices = this.#slices.subscribe((now, before) => {
      for (const slice of [now, before]) {
        const key = slice === undefined ? undefined : serviceKeyOf(slice)
        if (key !== undefined) this.#mark(key)
      }
    })
    scope.signal.addEventListener('abort', () => this.#wake(), { once: true })
    using health = this.#options.servesHealth === true ? new HealthServers(scope) : undefined
    this.#health = health
    let loaded = false
    while (!scope.signal.aborted) {
      const change = this.#takeChange()
      try {
        if (!loaded) await this.#load(scope)
        else await this.#options.nft.apply(scope, change.lines)
        await this.#forgetFlows(scope, change.staleFlows)
        health?.updated()
        if (!loaded) this.#options.onSynced?.()
        loaded = true
      } catch (error) {
        if (scope.signal.aborted) return
        scope.log.error('services could not be put in force, the whole table is loaded again', { error })
        loaded = false
        await sleep(scope.clock, RETRY_MS, scope.signal).catch(() => {})
        continue
      }
      if (this.#dirty.size === 0 && !scope.signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  #mark(key: string): void {
    this.#dirty.add(key)
    this.#wake()
  }

  #takeChange(): Omit<RowChange, 'again'> {
    const changes = this.#faces.map(() => new Map<string, ServiceRows>())
    const cache = this.#options.caches.of(services)
    for (const key of this.#dirty) {
      const service = cache.get(key)
      const slices = this.#slices.byIndex(BY_SERVICE, key)
      for (const [at, { family }] of this.#faces.entries()) {
        const options = { ...this.#options, family }
        changes[at]!.set(key, service === undefined ? nothing : compileService(service, slices, options))
      }
      this.#health?.set(key, service && localHealthOf(service, slices, this.#options.node.name))
    }
    this.#dirty.clear()
    const made = this.#faces.map(({ table }, at) => table.replace(changes[at]!))
    for (const key of made.flatMap(({ again }) => again)) this.#dirty.add(key)
    return {
      lines: made.flatMap(({ lines }) => lines),
      staleFlows: made.flatMap(({ staleFlows }) => staleFlows),
    }
  }

  async #load(scope: Scope): Promise<void> {
    const loader = this.#options.loader ?? spawnedNft({ run: this.#run })
    const tables = this.#faces.map(({ shape, table }) => renderTable(shape, table.content()))
    await loader.apply(scope, tables)
  }

  /** UDP has no end of a connection: the kernel would go on sending to a backend that is gone. */
  async #forgetFlows(scope: Scope, flows: RowChange['staleFlows']): Promise<void> {
    const orders = flows.map(({ frontend, backend }) => {
      const family = familyOf(frontend) === 6 ? ['-f', 'ipv6'] : []
      return ['-D', ...family, '-p', 'udp'].concat('--orig-dst', frontend, '--reply-src', backend)
    })
    if (orders.length > 1) {
      // One program for all of them: each costs more than the change of the table. conntrack knows batches from 1.4.7 on, and
      // opens its input by name, which a socket refuses.
      const input = orders.map((order) => `${order.join(' ')}\n`).join('')
      const isDone = await this.#run(scope, ['sh', '-c', 'cat | conntrack -R -'], { input }).then(
        () => true,
        () => false,
      )
      if (isDone) return
    }
    for (const order of orders) {
      // Exit code 1 says that there was no such flow.
      await this.#run(scope, ['conntrack', ...order]).catch((error: unknown) =>
        scope.log.debug('no flow was forgotten', { error }),
      )
    }
  }
}

function serviceKeyOf(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME]
  return name === undefined ? undefined : `${slice.metadata.namespace}/${name}`
}
