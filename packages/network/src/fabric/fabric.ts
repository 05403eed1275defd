// VNets on one host: a router namespace each, so that their ranges may overlap, bridges for subnets, machines plugged
// into them, addresses of the host for API servers, and public addresses for load balancers.

import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Scope } from '@aksel/base/scope'
import { run, succeeds, type CommandRunner } from '@aksel/host/command'
import type { HostObject, Ledger } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import type { Attachment, Fabric, LoadBalancerSpec, VirtualNetwork } from '@aksel/provider/fabric'
import { parseRange } from '../ipv4.ts'
import { spawnedNft } from '../nft/runner.ts'
import { renderDifference, renderTable, type TableContent } from '../nft/table.ts'
import {
  allocateHostAddress,
  allocateLink,
  allocateMachineAddress,
  allocatePublicAddress,
  defaultRanges,
  freshKey,
  hexKey,
  linkAddresses,
  type FabricRanges,
} from './allocate.ts'
import { ensureHostNetwork, HOST_OWNER } from './host-network.ts'
import { readHostUse } from './host-use.ts'
import { KeyedLock } from './keyed-lock.ts'
import { compileLoadBalancers, routerTable } from './load-balancer.ts'
import * as plumbing from './plumbing.ts'
import { StateFile, type FabricState, type MachineState, type NetworkState } from './state.ts'
import { judgeChange, judgeNetwork } from './validation.ts'

export interface FabricOptions {
  readonly ledger: Ledger
  /** Folder for the fabric's own state. */
  readonly stateDir: string
  readonly ranges?: FabricRanges
  readonly run?: CommandRunner
}

/** Takes up what an earlier process made. Nothing on the host changes before the first VNet is ensured. */
export async function openFabric(scope: Scope, options: FabricOptions): Promise<Fabric> {
  const file = await StateFile.open(join(options.stateDir, 'fabric.json'), () => ({
    key: hexKey(scope.random),
    networks: {},
  }))
  return new HostFabric(options, file)
}

class HostFabric implements Fabric {
  readonly #ledger: Ledger
  readonly #run: CommandRunner
  readonly #ranges: FabricRanges
  readonly #file: StateFile
  readonly #locks = new KeyedLock()
  /** What this process has put into each router's table; absent until it did. */
  readonly #applied = new Map<string, TableContent>()
  #host: Promise<void> | undefined

  constructor(options: FabricOptions, file: StateFile) {
    this.#ledger = options.ledger
    this.#run = options.run ?? run
    this.#ranges = options.ranges ?? defaultRanges
    this.#file = file
  }

  get #state(): FabricState {
    return this.#file.state
  }

  async ensureVirtualNetwork(scope: Scope, spec: VirtualNetwork): Promise<void> {
    judgeNetwork(spec)
    await this.#ensureHost(scope)
    await this.#locks.with(spec.id, async () => {
      let network = this.#state.networks[spec.id]
      if (network === undefined) {
        const inUse = await readHostUse()
        network = {
          key: freshKey(this.#state, scope.random),
          linkIndex: allocateLink(this.#state, this.#ranges, inUse),
          spec,
          ready: false,
          hostAddresses: {},
          machines: {},
          loadBalancers: {},
        }
        this.#state.networks[spec.id] = network
        await this.#file.save()
      }
      judgeChange(network.spec, spec)
      if (network.ready && (await this.#routerStands(network))) await this.#updateRouter(scope, network, spec)
      else await this.#buildRouter(scope, network, spec)
    })
  }

  async deleteVirtualNetwork(scope: Scope, id: string): Promise<void> {
    await this.#locks.with(id, async () => {
      const network = this.#state.networks[id]
      if (network === undefined) return
      for (const name of Object.keys(network.machines)) {
        await undoAll(scope, { ledger: this.#ledger, owner: machineOwner(id, name), run: this.#run })
      }
      await undoAll(scope, { ledger: this.#ledger, owner: networkOwner(id), run: this.#run })
      this.#applied.delete(id)
      delete this.#state.networks[id]
      await this.#file.save()
    })
    if (Object.keys(this.#state.networks).length > 0) return
    this.#host = undefined
    await undoAll(scope, { ledger: this.#ledger, owner: HOST_OWNER, run: this.#run })
  }

  async hostAddress(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly name: string },
  ): Promise<string> {
    return this.#locks.with(request.virtualNetworkId, async () => {
      const network = this.#network(request.virtualNetworkId)
      const known = network.hostAddresses[request.name]
      if (known !== undefined) return known
      const address = allocateHostAddress(this.#state, this.#ranges, await readHostUse())
      network.hostAddresses[request.name] = address
      await this.#file.save()
      await this.#run(scope, ['ip', 'addr', 'replace', `${address}/32`, 'dev', plumbing.routerOf(network)])
      return address
    })
  }

  async attach(
    scope: Scope,
    request: {
      readonly virtualNetworkId: string
      readonly subnetId: string
      readonly machine: string
      readonly podCidr: string
    },
  ): Promise<Attachment> {
    const network = this.#network(request.virtualNetworkId)
    const subnetIndex = network.spec.subnets.findIndex((subnet) => subnet.id === request.subnetId)
    if (subnetIndex < 0) {
      throw new Error(
        `Cannot attach "${request.machine}": the VNet ${request.virtualNetworkId} has no subnet ${request.subnetId}`,
      )
    }
    return this.#locks.with(`${request.virtualNetworkId} ${request.machine}`, async () => {
      const prefix = network.spec.subnets[subnetIndex]!.addressPrefix
      const machine = this.#machine(scope, network, request, prefix)
      await this.#file.save()
      if (!(await this.#machineStands(scope, machine))) {
        await this.#plug(scope, request, { network, machine, subnetIndex, prefix })
      } else {
        await this.#inRouter(scope, network, [plumbing.podRoute(machine, subnetIndex)])
      }
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
      await this.#unplug(scope, network, machine)
      const owner = machineOwner(request.virtualNetworkId, request.machine)
      await undoAll(scope, { ledger: this.#ledger, owner, run: this.#run })
      delete network.machines[request.machine]
      await this.#file.save()
    })
  }

  async ensureLoadBalancer(scope: Scope, spec: LoadBalancerSpec): Promise<{ readonly address: string }> {
    return this.#locks.with(spec.virtualNetworkId, async () => {
      const network = this.#network(spec.virtualNetworkId)
      let balancer = network.loadBalancers[spec.id]
      if (balancer === undefined) {
        const address = allocatePublicAddress(this.#state, this.#ranges, await readHostUse(), spec.address)
        balancer = { address, rules: spec.rules }
        network.loadBalancers[spec.id] = balancer
        await this.#file.save()
        await this.#run(scope, ['ip', '-batch', '-'], { input: `${this.#publicRoute(network, address)}\n` })
      } else if (!isDeepStrictEqual(balancer.rules, spec.rules)) {
        balancer.rules = spec.rules
        await this.#file.save()
      }
      await this.#applyTable(scope, spec.virtualNetworkId, network)
      return { address: balancer.address }
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
      delete network.loadBalancers[request.id]
      await this.#applyTable(scope, request.virtualNetworkId, network)
      await succeeds(this.#run, scope, ['ip', 'route', 'delete', `${balancer.address}/32`])
      // Last, so that a crash before leaves the balancer known and the deletion can be repeated.
      await this.#file.save()
    })
  }

  #ensureHost(scope: Scope): Promise<void> {
    this.#host ??= ensureHostNetwork(scope, {
      ledger: this.#ledger,
      run: this.#run,
      key: this.#state.key,
      ranges: this.#ranges,
    }).catch((error: unknown) => {
      this.#host = undefined
      throw error
    })
    return this.#host
  }

  #network(id: string): NetworkState {
    const network = this.#state.networks[id]
    if (network === undefined || !network.ready) throw new Error(`There is no VNet ${id} on this host`)
    return network
  }

  #machine(
    scope: Scope,
    network: NetworkState,
    request: { readonly machine: string; readonly subnetId: string; readonly podCidr: string },
    prefix: string,
  ): MachineState {
    const known = network.machines[request.machine]
    if (known !== undefined) {
      if (known.subnetId !== request.subnetId) {
        throw new Error(
          `Cannot attach "${request.machine}" to ${request.subnetId}: it is attached to ${known.subnetId}`,
        )
      }
      known.podCidr = request.podCidr
      return known
    }
    const machine: MachineState = {
      key: freshKey(this.#state, scope.random),
      subnetId: request.subnetId,
      address: allocateMachineAddress(network, prefix),
      podCidr: request.podCidr,
    }
    network.machines[request.machine] = machine
    return machine
  }

  async #routerStands(network: NetworkState): Promise<boolean> {
    const name = plumbing.routerOf(network)
    return (await exists(`/run/netns/${name}`)) && (await exists(`/sys/class/net/${name}`))
  }

  /** Makes the router from nothing, after taking down what a crash or a restart of the host left of it. */
  async #buildRouter(scope: Scope, network: NetworkState, spec: VirtualNetwork): Promise<void> {
    const owner = networkOwner(spec.id)
    await undoAll(scope, { ledger: this.#ledger, owner, run: this.#run })
    network.spec = spec
    network.ready = false
    this.#applied.delete(spec.id)
    const name = plumbing.routerOf(network)
    const link = linkAddresses(this.#ranges, network.linkIndex)
    await Promise.all([
      this.#file.save(),
      this.#ledger.record(owner, { kind: 'network-namespace', name }),
      this.#ledger.record(owner, { kind: 'link', name }),
    ])
    await this.#onHost(scope, plumbing.routerOnHost(network, link))
    await Promise.all([
      this.#inRouter(scope, network, plumbing.routerInside(network, link)),
      this.#setForwarding(scope, name),
      this.#applyTable(scope, spec.id, network),
    ])
    await this.#onHost(scope, this.#hostSide(network))
    network.ready = true
    await this.#file.save()
  }

  /** Subnets may be added to a VNet that stands; its table is put in force anew once per process. */
  async #updateRouter(scope: Scope, network: NetworkState, spec: VirtualNetwork): Promise<void> {
    if (spec.subnets.length > network.spec.subnets.length) {
      const first = network.spec.subnets.length
      network.spec = spec
      for (let index = first; index < spec.subnets.length; index += 1) {
        const bridge = ['-n', plumbing.routerOf(network), 'link', 'delete', `br${index}`]
        await succeeds(this.#run, scope, ['ip', ...bridge])
        await this.#inRouter(scope, network, plumbing.subnetBridge(network, index))
      }
      await this.#file.save()
    }
    if (this.#applied.has(spec.id)) return
    // An earlier process may have ended between writing an address down and putting it in force.
    await this.#onHost(scope, this.#hostSide(network))
    await this.#applyTable(scope, spec.id, network)
  }

  /** The VNet's addresses in the host's namespace; both lines may run twice. */
  #hostSide(network: NetworkState): readonly string[] {
    return [
      ...Object.values(network.hostAddresses).map(
        (address) => `addr replace ${address}/32 dev ${plumbing.routerOf(network)}`,
      ),
      ...Object.values(network.loadBalancers).map(({ address }) => this.#publicRoute(network, address)),
    ]
  }

  async #applyTable(scope: Scope, id: string, network: NetworkState): Promise<void> {
    const wanted = compileLoadBalancers(Object.values(network.loadBalancers))
    const before = this.#applied.get(id)
    const nft = spawnedNft({ networkNamespace: plumbing.routerOf(network), run: this.#run })
    // Unknown until it succeeds: a failure in between makes the next call load the whole table.
    this.#applied.delete(id)
    await nft.apply(
      scope,
      before === undefined ? [renderTable(routerTable, wanted)] : renderDifference(routerTable.name, before, wanted),
    )
    this.#applied.set(id, wanted)
  }

  /** Whether the machine's link is up with its address, as seen from inside. */
  async #machineStands(scope: Scope, machine: MachineState): Promise<boolean> {
    const name = plumbing.namespaceOf(machine)
    if (!(await exists(`/run/netns/${name}`))) return false
    const shown = await this.#run(scope, ['ip', '-n', name, '-4', '-o', 'addr', 'show', 'up']).catch(() => ({
      stdout: '',
    }))
    return shown.stdout.includes(` eth0    inet ${machine.address}/`) && (await this.#carries(scope, name))
  }

  async #carries(scope: Scope, name: string): Promise<boolean> {
    const shown = await this.#run(scope, ['ip', '-n', name, '-o', 'link', 'show', 'eth0'])
    return /LOWER_UP/.test(shown.stdout)
  }

  /** The namespace is kept when it stands, because containers live in it; its cable is made anew. */
  async #plug(
    scope: Scope,
    request: { readonly virtualNetworkId: string; readonly machine: string },
    place: { network: NetworkState; machine: MachineState; subnetIndex: number; prefix: string },
  ): Promise<void> {
    const { network, machine } = place
    const owner = machineOwner(request.virtualNetworkId, request.machine)
    const name = plumbing.namespaceOf(machine)
    const object: HostObject = { kind: 'network-namespace', name }
    const isRecorded = this.#ledger.entries(owner).some((entry) => isDeepStrictEqual(entry.object, object))
    if (!isRecorded) await this.#ledger.record(owner, object)
    const stands = await exists(`/run/netns/${name}`)
    if (stands) await this.#unplug(scope, network, machine)
    await this.#onHost(scope, [...(stands ? [] : [`netns add ${name}`]), ...plumbing.machineCable(network, machine)])
    await Promise.all([
      this.#inRouter(scope, network, plumbing.machinePort(machine, place.subnetIndex)),
      this.#batch(scope, name, plumbing.machineInside(machine, place.prefix)),
      this.#setForwarding(scope, name),
    ])
  }

  /** Both ends of the cable go together, wherever one of them is found. */
  async #unplug(scope: Scope, network: NetworkState, machine: MachineState): Promise<void> {
    await succeeds(this.#run, scope, [
      'ip',
      '-n',
      plumbing.routerOf(network),
      'link',
      'delete',
      plumbing.portOf(machine),
    ])
    await succeeds(this.#run, scope, ['ip', '-n', plumbing.namespaceOf(machine), 'link', 'delete', 'eth0'])
  }

  #publicRoute(network: NetworkState, address: string): string {
    const link = linkAddresses(this.#ranges, network.linkIndex)
    return `route replace ${address}/32 via ${link.router} dev ${plumbing.routerOf(network)} src ${link.host}`
  }

  async #setForwarding(scope: Scope, networkNamespace: string): Promise<void> {
    const script = Object.entries(plumbing.FORWARDING_SYSCTLS).map(
      ([name, value]) => `echo ${value} > /proc/sys/${name}`,
    )
    await this.#run(scope, ['nsenter', `--net=/run/netns/${networkNamespace}`, 'sh', '-ec', script.join('\n')])
  }

  #onHost(scope: Scope, lines: readonly string[]): Promise<void> {
    return this.#batch(scope, undefined, lines)
  }

  #inRouter(scope: Scope, network: NetworkState, lines: readonly string[]): Promise<void> {
    return this.#batch(scope, plumbing.routerOf(network), lines)
  }

  async #batch(scope: Scope, networkNamespace: string | undefined, lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return
    const where = networkNamespace === undefined ? [] : ['-n', networkNamespace]
    await this.#run(scope, ['ip', ...where, '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }
}

function networkOwner(id: string): string {
  return `virtual-network/${id}`
}

function machineOwner(id: string, machine: string): string {
  return `virtual-network/${id}/machine/${machine}`
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
