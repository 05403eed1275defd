// VNets on one host: a router namespace each, so that their ranges may overlap, bridges for subnets, machines plugged
// into them, addresses of the host for API servers, and public addresses for load balancers.

import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import { run, succeeds, type CommandRunner } from '@aksel/host/command'
import type { Ledger } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import type { Attachment, Fabric, LoadBalancerSpec, VirtualNetwork } from '@aksel/provider/fabric'
import { parseRange } from '@aksel/base/ipv4'
import {
  allocateHostAddress,
  allocateLink,
  allocateMachineAddress,
  allocatePublicAddress,
  allocatePublicRange,
  defaultRanges,
  freshKey,
  hexKey,
  type FabricRanges,
} from './allocate.ts'
import { settleAll, type FabricHost } from './host-commands.ts'
import { ensureHostNetwork, HOST_OWNER } from './host-network.ts'
import { readHostUse } from './host-use.ts'
import { KeyedLock } from './keyed-lock.ts'
import { ensureMachine, removeMachine } from './machine-link.ts'
import * as plumbing from './plumbing.ts'
import { Routers } from './router.ts'
import { StateFile, type FabricState, type MachineState, type NetworkState } from './state.ts'
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
export interface LocalFabric extends Fabric {
  /** Puts every known VNet with its addresses in force again. Control planes listen on those: call it before they start. */
  restore(scope: Scope): Promise<void>
}

/** Takes up what an earlier process made. Nothing on the host changes before the first VNet is ensured or restored. */
export async function openFabric(scope: Scope, options: FabricOptions): Promise<LocalFabric> {
  const file = await StateFile.open(join(options.stateDir, 'fabric.json'), () => ({
    key: hexKey(scope.random),
    networks: {},
  }))
  const { ledger, ranges = defaultRanges } = options
  return new HostFabric({ ledger, ranges, run: options.run ?? run }, file)
}

/** Key of the lock on what belongs to the host itself; no ARM id looks like it. */
const HOST_LOCK = 'host'

class HostFabric implements LocalFabric {
  readonly #host: FabricHost
  readonly #file: StateFile
  readonly #routers: Routers
  readonly #locks = new KeyedLock()
  #hostIsReady = false

  constructor(host: FabricHost, file: StateFile) {
    this.#host = host
    this.#file = file
    this.#routers = new Routers(host, file)
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
      judgeChange(network.spec, spec)
      await settleAll([this.#ensureHost(scope), this.#routers.ensure(scope, network, spec)])
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

  async releasePublicRange(_scope: Scope, id: string): Promise<void> {
    if (this.#state.publicRanges?.[id] === undefined) return
    delete this.#state.publicRanges[id]
    await this.#file.save()
  }

  async deleteVirtualNetwork(scope: Scope, id: string): Promise<void> {
    await this.#locks.with(id, async () => {
      const network = this.#state.networks[id]
      if (network === undefined) return
      for (const [name, machine] of Object.entries(network.machines)) {
        await removeMachine(scope, this.#host, { network, name, machine })
      }
      await this.#routers.remove(scope, network)
      delete this.#state.networks[id]
      await this.#file.save()
    })
    await this.#locks.with(HOST_LOCK, async () => {
      if (Object.keys(this.#state.networks).length > 0) return
      this.#hostIsReady = false
      await undoAll(scope, { ledger: this.#host.ledger, owner: HOST_OWNER, run: this.#host.run })
    })
  }

  async hostAddress(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly name: string },
  ): Promise<string> {
    return this.#locks.with(request.virtualNetworkId, async () => {
      const network = this.#network(request.virtualNetworkId)
      let address = network.hostAddresses[request.name]
      if (address === undefined) {
        const inUse = await readHostUse()
        address = allocateHostAddress(this.#state, this.#host.ranges, inUse)
        network.hostAddresses[request.name] = address
        await this.#file.save()
      }
      await this.#routers.expose(scope, network, { kind: 'host', address })
      return address
    })
  }

  async attach(scope: Scope, request: AttachRequest): Promise<Attachment> {
    const network = this.#network(request.virtualNetworkId)
    const subnetIndex = network.spec.subnets.findIndex((subnet) => subnet.id === request.subnetId)
    if (subnetIndex < 0) {
      throw new Error(
        `Cannot attach "${request.machine}": the VNet ${request.virtualNetworkId} has no subnet ${request.subnetId}`,
      )
    }
    return this.#locks.with(`${request.virtualNetworkId} ${request.machine}`, async () => {
      const prefix = network.spec.subnets[subnetIndex]!.addressPrefix
      const machine = this.#addMachine(scope, network, request, prefix)
      await this.#file.save()
      await ensureMachine(scope, this.#host, { network, name: request.machine, machine, subnetIndex })
      return {
        networkNamespace: plumbing.namespaceOf(machine),
        address: machine.address,
        prefixLength: parseRange(prefix).prefixLength,
        gateway: plumbing.gatewayOf(prefix),
      }
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
    })
  }

  async ensureLoadBalancer(scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }> {
    return this.#locks.with(spec.virtualNetworkId, async () => {
      const network = this.#network(spec.virtualNetworkId)
      const known = network.loadBalancers[spec.id]
      if (known === undefined || !isDeepStrictEqual(known.rules, spec.rules)) {
        const inUse = await readHostUse()
        const address = known?.address ?? allocatePublicAddress(this.#state, this.#host.ranges, inUse, spec.address)
        network.loadBalancers[spec.id] = { address, rules: spec.rules }
        await this.#file.save()
      }
      const { address } = network.loadBalancers[spec.id]!
      await this.#routers.expose(scope, network, { kind: 'public', address })
      await this.#routers.balance(scope, network, Object.values(network.loadBalancers))
      return { address }
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
      const others = Object.values(network.loadBalancers).filter((other) => other !== balancer)
      if (network.ready) await this.#routers.balance(scope, network, others)
      await succeeds(this.#host.run, scope, ['ip', 'route', 'delete', `${balancer.address}/32`])
      // Last, so that after a failure the balancer is still known and the deletion can be repeated.
      delete network.loadBalancers[request.id]
      await this.#file.save()
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

  /** Without waiting, so that machines attached side by side get different addresses. */
  #addMachine(scope: Scope, network: NetworkState, request: AttachRequest, prefix: string): MachineState {
    const known = network.machines[request.machine]
    if (known === undefined) {
      const machine: MachineState = {
        key: freshKey(this.#state, scope.random),
        subnetId: request.subnetId,
        address: allocateMachineAddress(network, prefix),
        podCidr: request.podCidr,
      }
      network.machines[request.machine] = machine
      return machine
    }
    if (known.subnetId !== request.subnetId) {
      throw new Error(`Cannot attach "${request.machine}" to ${request.subnetId}: it is attached to ${known.subnetId}`)
    }
    known.podCidr = request.podCidr
    return known
  }
}
