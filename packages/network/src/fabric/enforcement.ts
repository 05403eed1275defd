// Puts a VNet's security rules, egress and user-defined routes in force in its router.

import type { Scope } from '@aksel/base/scope'
import { spawnedNft } from '../nft/runner.ts'
import { linkAddresses } from './allocate.ts'
import type { Drops } from './drops.ts'
import { ipBatch, ipForced, type FabricHost } from './host-commands.ts'
import { KeyedLock } from './keyed-lock.ts'
import { peerLinksOf } from './peer-links.ts'
import { nowhereLink, routerOf } from './plumbing.ts'
import { podPlacesOf } from './pod-places.ts'
import { renderSecurity } from './security-table.ts'
import { slotsOf } from './slots.ts'
import type { FabricState, NetworkState } from './state.ts'
import { routeChange, standingRules, subnetTables, tableOf } from './subnet-routes.ts'

type Wanted = Parameters<typeof routeChange>[0]

export class Enforcement implements Disposable {
  readonly #host: FabricHost
  readonly #drops: Drops
  /** What this process has put in force, by VNet; absent until it did. */
  readonly #security = new Map<string, string>()
  readonly #routes = new Map<string, string>()
  readonly #locks = new KeyedLock()

  constructor(host: FabricHost, drops: Drops) {
    this.#host = host
    this.#drops = drops
  }

  [Symbol.dispose](): void {
    this.#drops[Symbol.dispose]()
  }

  forget(id: string): void {
    this.#drops.forget(id)
    this.#security.delete(id)
    this.#routes.delete(id)
  }

  /** Idempotent. What was asked for first is in force first: each call looks at the VNet when its turn comes. */
  async apply(scope: Scope, state: FabricState, network: NetworkState): Promise<void> {
    await this.#locks.with(network.spec.id, () => this.#apply(scope, state, network))
  }

  async #apply(scope: Scope, state: FabricState, network: NetworkState): Promise<void> {
    const slots = slotsOf(network)
    const hostAddresses = Object.values(network.hostAddresses)
    const peerLinks = peerLinksOf(state, network)
    const uplink = linkAddresses(this.#host.ranges, network.linkIndex).host
    const places = podPlacesOf(network)
    const routes = { tables: subnetTables({ network: network.spec, slots, hostAddresses, uplink }), places }
    await this.#once(
      this.#security,
      network,
      renderSecurity({ network: network.spec, slots, hostAddresses, peerLinks, podPlaces: places }),
      (script) => spawnedNft({ networkNamespace: routerOf(network), run: this.#host.run }).apply(scope, [script]),
    )
    await this.#once(this.#routes, network, JSON.stringify(routes), () => this.#route(scope, network, routes))
    this.#drops.follow(network)
  }

  async #once(
    applied: Map<string, string>,
    { spec }: NetworkState,
    wanted: string,
    apply: (wanted: string) => Promise<void>,
  ): Promise<void> {
    if (applied.get(spec.id) === wanted) return
    // Unknown until it succeeds.
    applied.delete(spec.id)
    await apply(wanted)
    applied.set(spec.id, wanted)
  }

  async #route(scope: Scope, network: NetworkState, wanted: Wanted): Promise<void> {
    const { tables } = wanted
    const router = routerOf(network)
    const shown = await this.#host.run(scope, ['ip', '-n', router, '-json', 'rule', 'show'])
    if (tables.length > 0) await ipForced(scope, this.#host, router, nowhereLink())
    const { prepare, lead, forget } = routeChange(wanted, standingRules(shown.stdout))
    // A process that ended midway may have left a table that nothing leads to.
    const left = tables.flatMap(({ slot }) => [tableOf(slot, 0), tableOf(slot, 1)])
    const unused = left.filter((table) => !forget.includes(`route flush table ${table}`))
    await ipForced(
      scope,
      this.#host,
      router,
      unused.map((table) => `route flush table ${table}`),
    )
    await ipBatch(scope, this.#host, router, [...prepare, ...lead])
    await ipForced(scope, this.#host, router, forget)
  }
}
