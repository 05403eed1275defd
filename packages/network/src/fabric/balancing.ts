// What the routers of this host do for load balancers: their tables, the ways to machines that take packets as they are, and
// the probes that tell which backends live.

import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { LoadBalancerBackend, LoadBalancerRule, ProbeNews, StandingLoadBalancer } from '@aksel/provider/fabric'
import { spawnedNft } from '../nft/runner.ts'
import { renderDifference, renderTable, type TableContent } from '../nft/table.ts'
import { linkAddresses } from './allocate.ts'
import { HealthProbes, keyOfTarget, type Ask, type ProbeChange, type ProbeTarget } from './health-probes.ts'
import { ipBatch, type FabricHost } from './host-commands.ts'
import { compileLoadBalancers, routerTable, type BalancingView, type Frontend } from './load-balancer.ts'
import { ProbePorts } from './probe-ports.ts'
import * as plumbing from './plumbing.ts'
import type { LoadBalancerState, NetworkState } from './state.ts'
import { changeOfWays, staleRules, waysOf, type Way } from './ways.ts'

/** Longest that an order waits for the first answers of new backends. */
const FIRST_ANSWERS_MS = 1000

interface Balanced {
  readonly probes: HealthProbes
  readonly ports: ProbePorts
  /** What this process has put into the router's table; absent until it did. */
  applied?: TableContent
  ways?: ReadonlyMap<number, Way>
}

export interface BalancingOptions {
  readonly host: FabricHost
  readonly ask: Ask
  /** A backend was lost or found: the network's table is to be put in force again. */
  readonly onChange: (networkId: string) => void
  readonly onNews: (news: ProbeNews) => void
}

export class Balancing implements Disposable {
  readonly #scope: Scope
  readonly #options: BalancingOptions
  readonly #networks = new Map<string, Balanced>()

  constructor(scope: Scope, options: BalancingOptions) {
    this.#scope = scope
    this.#options = options
    scope.signal.addEventListener('abort', () => this[Symbol.dispose](), { once: true })
  }

  /** True once this process has put the network's table in force. */
  knows({ spec }: NetworkState): boolean {
    return this.#networks.get(spec.id)?.applied !== undefined
  }

  /** Whether this process has put this network's table in force before; what was there may be gone. */
  forget({ spec }: NetworkState): void {
    this.#networks.get(spec.id)?.probes[Symbol.dispose]()
    this.#networks.delete(spec.id)
  }

  /** What stands, as it is shown; a backend that nobody has asked yet counts as lost. */
  standing(network: NetworkState): readonly StandingLoadBalancer[] {
    const probes = this.#networks.get(network.spec.id)?.probes
    const isUp: StandingLoadBalancer['isUp'] = ({ probe }, { address }) =>
      probe === undefined || probes?.isUp({ address, probe }) === true
    return Object.entries(network.loadBalancers)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([id, { address, rules, subnetId, isSubnetNamed = false, owner }]) => ({
        id,
        address,
        rules,
        ...(subnetId === undefined ? {} : { internal: { subnetId, isNamed: isSubnetNamed } }),
        ...(owner === undefined ? {} : { owner }),
        isUp,
      }))
  }

  /** Puts the network's load balancers in force, without those left out; only what differs is changed. */
  async balance(scope: Scope, network: NetworkState, without?: LoadBalancerState): Promise<void> {
    const isFirst = !this.#networks.has(network.spec.id)
    const balanced = this.#balanced(network)
    const frontends = frontendsOf(network, without)
    const targets = targetsOf(frontends, isFirst)
    balanced.ports.set(targets)
    await this.#apply(scope, network, balanced, frontends)
    const isAsked = balanced.probes.set(targets)
    const isOver = new AbortController()
    await Promise.race([isAsked, sleep(scope.clock, FIRST_ANSWERS_MS, isOver.signal).catch(() => {})])
    isOver.abort()
    await this.#apply(scope, network, balanced, frontends)
  }

  /** Puts the same load balancers in force as before, with the backends that live now. */
  async again(scope: Scope, network: NetworkState): Promise<void> {
    const balanced = this.#networks.get(network.spec.id)
    if (balanced !== undefined) await this.#apply(scope, network, balanced, frontendsOf(network))
  }

  [Symbol.dispose](): void {
    for (const { probes } of this.#networks.values()) probes[Symbol.dispose]()
    this.#networks.clear()
  }

  async #apply(scope: Scope, network: NetworkState, balanced: Balanced, frontends: readonly Frontend[]): Promise<void> {
    const { host } = this.#options
    const link = linkAddresses(host.ranges, network.linkIndex)
    const ways = waysOf(network, frontends)
    await this.#lay(scope, network, balanced, ways)
    const wanted = compileLoadBalancers(frontends, viewOf(network, balanced, ways))
    const { applied: before } = balanced
    const shape = routerTable(link)
    const lines = before === undefined ? [renderTable(shape, wanted)] : renderDifference(shape.name, before, wanted)
    // Unknown until it succeeds: after a failure the next call loads the whole table.
    delete balanced.applied
    await spawnedNft({ networkNamespace: plumbing.routerOf(network), run: host.run }).apply(scope, lines)
    balanced.applied = wanted
  }

  async #lay(scope: Scope, network: NetworkState, balanced: Balanced, ways: ReadonlyMap<number, Way>): Promise<void> {
    const { host } = this.#options
    const router = plumbing.routerOf(network)
    const before = balanced.ways
    // A failure half way leaves it unknown: the next call clears first.
    delete balanced.ways
    if (before === undefined) {
      const { stdout } = await host.run(scope, ['ip', '-n', router, '-json', 'rule', 'show'])
      await ipBatch(scope, host, router, staleRules(stdout))
    }
    await ipBatch(scope, host, router, changeOfWays(before ?? new Map(), ways))
    balanced.ways = ways
  }

  #balanced(network: NetworkState): Balanced {
    const id = network.spec.id
    const known = this.#networks.get(id)
    if (known !== undefined) return known
    const ports = new ProbePorts()
    const { router } = linkAddresses(this.#options.host.ranges, network.linkIndex)
    const probes = new HealthProbes(this.#scope, {
      ask: this.#options.ask,
      placeOf: (target) => ({ host: router, port: ports.portOf(target), probe: target.probe }),
      onChange: (change) => {
        this.#options.onChange(id)
        this.#tell(network, change)
      },
    })
    const balanced: Balanced = { probes, ports }
    this.#networks.set(id, balanced)
    return balanced
  }

  #tell(network: NetworkState, { target, isUp, why }: ProbeChange): void {
    const key = keyOfTarget(target)
    for (const { id, rules } of frontendsOf(network)) {
      const isAsked = rules.some(({ probe, backends }) =>
        backends.some(({ address }) => probe !== undefined && keyOfTarget({ address, probe }) === key),
      )
      if (!isAsked) continue
      const { address, probe } = target
      const news = { virtualNetworkId: network.spec.id, loadBalancerId: id, address, probe, isUp }
      this.#options.onNews(why === undefined ? news : { ...news, why })
    }
  }
}

function frontendsOf(network: NetworkState, without?: LoadBalancerState): readonly Frontend[] {
  return Object.entries(network.loadBalancers)
    .filter(([, state]) => state !== without)
    .map(([id, { address, rules, subnetId }]) => ({ id, address, rules, isInternal: subnetId !== undefined }))
}

function targetsOf(frontends: readonly Frontend[], isKnown: boolean): readonly ProbeTarget[] {
  const targets = frontends.flatMap(({ rules }) =>
    rules.flatMap(({ probe, backends }) =>
      probe === undefined ? [] : backends.map(({ address }) => ({ address, probe, isKnown })),
    ),
  )
  return [...new Map(targets.map((target) => [keyOfTarget(target), target])).values()]
}

function viewOf(network: NetworkState, { probes, ports }: Balanced, ways: ReadonlyMap<number, Way>): BalancingView {
  const marks = new Map([...ways].map(([mark, { address }]) => [address, mark]))
  return {
    isUp: ({ probe }: LoadBalancerRule, { address }: LoadBalancerBackend) =>
      probe === undefined || probes.isUp({ address, probe }),
    wayTo: (address) => marks.get(address),
    bridges: network.spec.subnets.map(({ id }) => plumbing.bridgeOf(network, id)),
    probes: ports.places(),
  }
}
