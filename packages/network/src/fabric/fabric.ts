// VNets on one host: a router namespace each, so that their ranges may overlap, bridges for subnets, machines plugged
// into them, addresses of the host for API servers, and public addresses for load balancers.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import { run, succeeds, type CommandRunner } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import {
  type Attachment,
  type DropNews,
  type Fabric,
  type LoadBalancerSpec,
  type ProbeNews,
  type StandingLoadBalancer,
  type VirtualNetwork,
} from '@aksel/provider/fabric'
import { parseRange } from '@aksel/base/ipv4'
import {
  allocateHostAddress,
  allocateLink,
  allocatePublicRange,
  defaultRanges,
  freshKey,
  hexKey,
  type FabricRanges,
} from './allocate.ts'
import { askBackend } from './ask-backend.ts'
import { Balancing } from './balancing.ts'
import { placeFrontend } from './frontends.ts'
import { Drops } from './drops.ts'
import { Listeners } from './listeners.ts'
import { ipForced, settleAll, type FabricHost } from './host-commands.ts'
import { ipv6AddressOf } from './ipv6.ts'
import { ensureHostNetwork, HOST_OWNER } from './host-network.ts'
import { readHostUse } from './host-use.ts'
import { overlayOf } from './joined-hosts.ts'
import { KeyedLock } from './keyed-lock.ts'
import { Enforcement } from './enforcement.ts'
import { forgetPods, placeMachine, podsOf } from './machine-pods.ts'
import { ensurePeers } from './peer-links.ts'
import { slotsOf } from './slots.ts'
import { ensureMachine, removeMachine } from './machine-link.ts'
import * as plumbing from './plumbing.ts'
import { egressAddresses, Routers } from './router.ts'
import { StateFile, type FabricState, type LoadBalancerState, type NetworkState } from './state.ts'
import { judgeChange, judgeNetwork } from './validation.ts'

export interface FabricOptions {
  readonly ledger: Ledger
  /** Folder for the fabric's own state. */
  readonly stateDir: string
  readonly ranges?: FabricRanges
  readonly run?: CommandRunner
}

type AttachRequest = Parameters<Fabric['attach']>[1]

/** A fabric whose networks live on this host, and go when the host restarts or everything is taken down. */
export interface LocalFabric extends Fabric, Disposable {
  /** Puts every known VNet with its addresses in force again. Control planes listen on those: call it before they start. */
  restore(scope: Scope): Promise<void>
}

/**
 * Takes up what an earlier process made; probes of backends go on until it is disposed or the scope aborts. Nothing on the host
 * changes before the first VNet is ensured or restored.
 */
export async function openFabric(scope: Scope, options: FabricOptions): Promise<LocalFabric> {
  const file = await StateFile.open(join(options.stateDir, 'fabric.json'), () => ({
    key: hexKey(scope.random),
    networks: {},
  }))
  const { ledger, ranges = defaultRanges } = options
  return new HostFabric(scope, { ledger, ranges, run: options.run ?? run }, file)
}

/** Key of the lock on what belongs to the host itself; no ARM id looks like it. */
const HOST_LOCK = 'host'
/** One change at a time of what leads from VNet to VNet. */
const PEERING_LOCK = 'peerings'

class HostFabric implements LocalFabric {
  readonly #host: FabricHost
  readonly #file: StateFile
  readonly #routers: Routers
  readonly #enforcement: Enforcement
  readonly #locks = new KeyedLock()
  readonly #balancing: Balancing
  readonly #probes = new Listeners<ProbeNews>()
  readonly #dropped = new Listeners<DropNews>()
  #hostIsReady = false

  constructor(scope: Scope, host: FabricHost, file: StateFile) {
    this.#host = host
    this.#file = file
    this.#enforcement = new Enforcement(host, new Drops(scope, { onNews: (news) => this.#dropped.tell(news) }))
    this.#balancing = new Balancing(scope, {
      host,
      ask: askBackend,
      onChange: (id) => this.#rebalance(scope, id),
      onNews: (news) => this.#probes.tell(news),
    })
    this.#routers = new Routers(host, file, {
      balancing: this.#balancing,
      emptied: (id) => this.#enforcement.forget(id),
    })
  }

  get #state(): FabricState {
    return this.#file.state
  }

  async restore(scope: Scope): Promise<void> {
    await settleAll(Object.values(this.#state.networks).map(({ spec }) => this.ensureVirtualNetwork(scope, spec)))
  }

  async ensureVirtualNetwork(scope: Scope, spec: VirtualNetwork): Promise<void> {
    judgeNetwork(spec)
    await this.#locks.with(spec.id, async () => {
      const network = this.#state.networks[spec.id] ?? (await this.#addNetwork(scope, spec))
      judgeChange(network, spec)
      const former = egressAddresses(network)
      await settleAll([this.#ensureHost(scope), this.#routers.ensure(scope, network, spec)])
      await this.#routers.followEgress(scope, network, former)
    })
    await this.#enforce(scope, spec.id)
  }

  /** Rules, routes and peerings as the VNet has them now, and those of the VNets that it is or was peered with. */
  async #enforce(scope: Scope, id: string): Promise<void> {
    await this.#locks.with(PEERING_LOCK, async () => {
      const network = this.#state.networks[id]
      if (network?.ready === true) await ensurePeers(scope, this.#host, this.#state, network)
      for (const other of Object.values(this.#state.networks)) {
        const isTouched = other.spec.id === id || other.spec.peerings?.some((peer) => peer.virtualNetworkId === id)
        if (isTouched === true && other.ready) await this.#enforcement.apply(scope, this.#state, other)
      }
    })
  }

  async updateVirtualNetwork(scope: Scope, spec: VirtualNetwork): Promise<void> {
    if (this.#state.networks[spec.id] !== undefined) await this.ensureVirtualNetwork(scope, spec)
  }

  async reservePublicRange(
    _scope: Scope,
    { id, prefixLength }: { readonly id: string; readonly prefixLength: number },
  ): Promise<string> {
    const inUse = await readHostUse()
    const held = (this.#state.publicRanges ??= {})
    held[id] ??= allocatePublicRange(this.#state, this.#host.ranges, inUse, prefixLength)
    await this.#file.save()
    return held[id]
  }

  publicRangeOf(id: string): string | undefined {
    return this.#state.publicRanges?.[id]
  }

  async releasePublicRange(_scope: Scope, id: string): Promise<void> {
    if (this.#state.publicRanges?.[id] === undefined) return
    delete this.#state.publicRanges[id]
    await this.#file.save()
  }

  async deleteVirtualNetwork(scope: Scope, id: string): Promise<void> {
    await this.#locks.with(id, async () => {
      const network = this.#state.networks[id]
      if (network === undefined) return
      for (const [name, machine] of Object.entries(network.machines))
        await removeMachine(scope, this.#host, { network, name, machine })
      await this.#routers.remove(scope, network)
      delete this.#state.networks[id]
      await this.#file.save()
    })
    await this.#enforce(scope, id)
    await this.#locks.with(HOST_LOCK, async () => {
      if (Object.keys(this.#state.networks).length > 0) return
      this.#hostIsReady = false
      await undoAll(scope, { ledger: this.#host.ledger, owner: HOST_OWNER, run: this.#host.run })
    })
  }

  rangeOf(id: string): string | undefined {
    return this.#state.networks[id]?.spec.addressPrefix
  }

  async hostAddress(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly name: string },
  ): Promise<string> {
    return this.#locks.with(request.virtualNetworkId, async () => {
      const network = this.#network(request.virtualNetworkId)
      let address = network.hostAddresses[request.name]
      if (address === undefined) {
        address = allocateHostAddress(this.#state, this.#host.ranges, await readHostUse())
        network.hostAddresses[request.name] = address
        await this.#file.save()
      }
      await this.#routers.expose(scope, network, { kind: 'host', address })
      await this.#enforcement.apply(scope, this.#state, network)
      return address
    })
  }

  async releaseHostAddress(
    scope: Scope,
    { virtualNetworkId, name }: { readonly virtualNetworkId: string; readonly name: string },
  ): Promise<void> {
    await this.#locks.with(virtualNetworkId, async () => {
      const network = this.#state.networks[virtualNetworkId]
      const address = network?.hostAddresses[name]
      if (network === undefined || address === undefined) return
      const link = plumbing.routerOf(network)
      await succeeds(this.#host.run, scope, ['ip', 'addr', 'delete', `${address}/32`, 'dev', link])
      delete network.hostAddresses[name]
      if (network.ready) await this.#routers.joinHosts(scope, network, { hostAddress: address, hosts: [] })
      if (network.ready) await this.#enforcement.apply(scope, this.#state, network)
      await this.#file.save()
    })
  }

  overlayOf({ virtualNetworkId, hostAddress }: Parameters<Fabric['overlayOf']>[0]): ReturnType<Fabric['overlayOf']> {
    const network = this.#state.networks[virtualNetworkId]
    return network === undefined ? undefined : overlayOf(network, hostAddress)
  }

  async joinHosts(
    scope: Scope,
    { virtualNetworkId: id, ...joined }: Parameters<Fabric['joinHosts']>[1],
  ): Promise<void> {
    await this.#locks.with(id, () => this.#routers.joinHosts(scope, this.#network(id), joined))
  }

  async attach(scope: Scope, request: AttachRequest): Promise<Attachment> {
    const network = this.#network(request.virtualNetworkId)
    const subnet = network.spec.subnets.find(({ id }) => id === request.subnetId)
    if (subnet === undefined) {
      throw new Error(
        `Cannot attach "${request.machine}": the VNet ${request.virtualNetworkId} has no subnet ${request.subnetId}`,
      )
    }
    return this.#locks.with(`${request.virtualNetworkId} ${request.machine}`, async () => {
      const machine = placeMachine(scope, this.#state, network, request)
      await this.#file.save()
      // What its pods' own subnet says is in force before they are there.
      if (machine.pods !== undefined && network.ready) await this.#enforcement.apply(scope, this.#state, network)
      const slot = slotsOf(network)[subnet.id]!
      await ensureMachine(scope, this.#host, { network, name: request.machine, machine, slot, subnet })
      const ipv6Address = ipv6AddressOf(subnet, machine.address)
      return {
        networkNamespace: plumbing.namespaceOf(machine),
        address: machine.address,
        prefixLength: parseRange(subnet.addressPrefix).prefixLength,
        gateway: plumbing.gatewayOf(subnet.addressPrefix),
        ...(ipv6Address === undefined ? {} : { ipv6Address }),
        ...podsOf(network, machine),
      }
    })
  }

  async releasePodAddresses(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly machine: string; readonly addresses: readonly string[] },
  ): Promise<void> {
    await this.#locks.with(`${request.virtualNetworkId} ${request.machine}`, async () => {
      const network = this.#state.networks[request.virtualNetworkId]
      const machine = network?.machines[request.machine]
      if (network === undefined || machine === undefined) return
      const going = forgetPods(machine, request.addresses)
      await ipForced(scope, this.#host, plumbing.routerOf(network), plumbing.forgottenPods(going))
      await this.#file.save()
    })
  }

  async detach(scope: Scope, request: { readonly virtualNetworkId: string; readonly machine: string }): Promise<void> {
    await this.#locks.with(`${request.virtualNetworkId} ${request.machine}`, async () => {
      const network = this.#state.networks[request.virtualNetworkId]
      const machine = network?.machines[request.machine]
      if (network === undefined || machine === undefined) return
      await removeMachine(scope, this.#host, { network, name: request.machine, machine })
      delete network.machines[request.machine]
      await this.#file.save()
      if (machine.pods !== undefined && network.ready) await this.#enforcement.apply(scope, this.#state, network)
    })
  }

  async ensureLoadBalancer(scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }> {
    return this.#locks.with(spec.virtualNetworkId, async () => {
      const network = this.#network(spec.virtualNetworkId)
      const known = network.loadBalancers[spec.id]
      const wanted = placeFrontend(
        { state: this.#state, ranges: this.#host.ranges, network },
        spec,
        await readHostUse(),
      )
      if (known !== undefined && known.address !== wanted.address) await this.#hide(scope, network, known)
      if (known === undefined || !isDeepStrictEqual(known, wanted)) {
        network.loadBalancers[spec.id] = wanted
        await this.#file.save()
      }
      await this.#routers.exposeBalancer(scope, network, wanted)
      await this.#balancing.balance(scope, network)
      return { address: wanted.address }
    })
  }

  async deleteLoadBalancer(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly id: string },
  ): Promise<void> {
    await this.#locks.with(request.virtualNetworkId, async () => {
      const network = this.#state.networks[request.virtualNetworkId]
      const balancer = network?.loadBalancers[request.id]
      if (network === undefined || balancer === undefined) return
      if (network.ready) await this.#balancing.balance(scope, network, balancer)
      await this.#hide(scope, network, balancer)
      // Last, so that after a failure the balancer is still known and the deletion can be repeated.
      delete network.loadBalancers[request.id]
      await this.#file.save()
    })
  }

  loadBalancersOf(id: string): readonly StandingLoadBalancer[] {
    const network = this.#state.networks[id]
    return network === undefined ? [] : this.#balancing.standing(network)
  }

  onProbe(listener: (news: ProbeNews) => void): Disposable {
    return this.#probes.add(listener)
  }

  onDrop(listener: (news: DropNews) => void): Disposable {
    return this.#dropped.add(listener)
  }

  [Symbol.dispose](): void {
    this.#enforcement[Symbol.dispose]()
    this.#balancing[Symbol.dispose]()
  }

  /** An address that others share stays. */
  async #hide(scope: Scope, network: NetworkState, balancer: LoadBalancerState): Promise<void> {
    const isNeeded = Object.values(network.loadBalancers).some(
      (other) => other !== balancer && other.address === balancer.address,
    )
    if (!isNeeded) await this.#routers.hideBalancer(scope, network, balancer)
  }

  #rebalance(scope: Scope, id: string): void {
    const network = this.#state.networks[id]
    if (network === undefined) return
    this.#locks
      .with(id, () => this.#balancing.again(scope, network))
      .catch((error: unknown) => {
        if (!scope.signal.aborted) scope.log.error('a lost backend could not be taken out', { error })
      })
  }

  #ensureHost(scope: Scope): Promise<void> {
    return this.#locks.with(HOST_LOCK, async () => {
      if (this.#hostIsReady) return
      await ensureHostNetwork(scope, { ...this.#host, key: this.#state.key })
      this.#hostIsReady = true
    })
  }

  async #addNetwork(scope: Scope, spec: VirtualNetwork): Promise<NetworkState> {
    const inUse = await readHostUse()
    const network: NetworkState = {
      key: freshKey(this.#state, scope.random),
      linkIndex: allocateLink(this.#state, this.#host.ranges, inUse),
      spec,
      ready: false,
      hostAddresses: {},
      machines: {},
      loadBalancers: {},
    }
    this.#state.networks[spec.id] = network
    await this.#file.save()
    return network
  }

  #network(id: string): NetworkState {
    const network = this.#state.networks[id]
    if (network === undefined || !network.ready) throw new Error(`There is no VNet ${id} on this host`)
    return network
  }
}
