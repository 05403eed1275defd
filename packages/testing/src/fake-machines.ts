// Machines in memory whose nodes are Ready as soon as they start, written into the fake engine's clusters.

import { nodes, pods } from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import { formatTime } from '@aksel/base/clock'
import { formatAddress, parseAddress } from '@aksel/base/ipv4'
import type { Scope } from '@aksel/base/scope'
import { holdsDown, type MachineOrder } from '@aksel/provider/machine-orders'
import type { CredentialsFor, Machine, MachineProvider, MachineSpec } from '@aksel/provider/machine-provider'
import type { ScheduledEvents } from '@aksel/provider/scheduled-events'
import type { FakeClusterEngine } from './fake-cluster-engine.ts'
import { interfered, type Interference } from './interference.ts'

export interface FakeMachinesOptions {
  readonly kind: MachineProvider['kind']
  /** Where nodes register; without it machines have none. */
  readonly engine?: FakeClusterEngine
  readonly interference?: Interference
  /** Machines for which this holds start, and their nodes never become Ready. */
  readonly neverReady?: (name: string) => boolean
}

export class FakeMachines implements MachineProvider {
  readonly kind: MachineProvider['kind']
  readonly specs = new Map<string, MachineSpec>()
  /** What was told of machines, by name. */
  readonly announced = new Map<string, ScheduledEvents>()
  readonly #machines = new Map<string, Machine>()
  readonly #options: FakeMachinesOptions
  #addresses = 3

  constructor(options: FakeMachinesOptions) {
    this.kind = options.kind
    this.#options = options
  }

  create(scope: Scope, spec: MachineSpec, credentialsFor: CredentialsFor): Promise<Machine> {
    return this.#interfered(`create ${spec.name}`, async () => {
      const key = `${spec.clusterId}/${spec.name}`
      const known = this.#machines.get(key)
      if (known !== undefined) return this.#run(scope, key, spec, known)
      this.#addresses += 1
      const address = formatAddress(parseAddress('10.224.0.0') + this.#addresses)
      await credentialsFor({ name: spec.name, addresses: [address] })
      const { clusterId, name } = spec
      const fresh: Machine = { name, clusterId, state: 'Creating', address, simulated: this.kind === 'simulated' }
      return this.#run(scope, key, spec, fresh)
    })
  }

  start(scope: Scope, clusterId: string, name: string): Promise<Machine> {
    return this.#interfered(`start ${name}`, () => {
      const key = `${clusterId}/${name}`
      return this.#run(scope, key, this.specs.get(key)!, this.#known(key))
    })
  }

  announce({ name }: { readonly name: string }, events: ScheduledEvents): Promise<void> {
    return this.#interfered(`announce ${name}`, () => {
      this.announced.set(name, events)
    })
  }

  stop(_scope: Scope, clusterId: string, name: string): Promise<void> {
    return this.#interfered(`stop ${name}`, () => {
      const key = `${clusterId}/${name}`
      this.#machines.set(key, { ...this.#known(key), state: 'Stopped' })
    })
  }

  delete(_scope: Scope, clusterId: string, name: string): Promise<void> {
    return this.#interfered(`delete ${name}`, () => {
      this.#machines.delete(`${clusterId}/${name}`)
      this.specs.delete(`${clusterId}/${name}`)
    })
  }

  order(
    scope: Scope,
    { clusterId, name }: { readonly clusterId: string; readonly name: string },
    order: MachineOrder,
  ): Promise<Machine> {
    return this.#interfered(`order ${order} ${name}`, () => {
      const key = `${clusterId}/${name}`
      const known = this.#known(key)
      if (!holdsDown(order)) {
        const { heldBy: _, ...free } = known
        return this.#run(scope, key, this.specs.get(key)!, free)
      }
      const held: Machine = { ...known, state: 'Stopped', heldBy: order }
      this.#machines.set(key, held)
      return held
    })
  }

  list(clusterId?: string): readonly Machine[] {
    return [...this.#machines.values()].filter((machine) => clusterId === undefined || machine.clusterId === clusterId)
  }

  find(clusterId: string, name: string): Machine | undefined {
    return this.#machines.get(`${clusterId}/${name}`)
  }

  /** Ends pods that were told to end, as a node agent would. */
  endPods(clusterId: string): void {
    const client = this.#options.engine?.client(clusterId)
    for (const pod of client?.peekAll(pods) ?? []) {
      if (pod.metadata.deletionTimestamp !== undefined) client!.objects.remove(pods, keyOf(pod))
    }
  }

  #interfered<T>(call: string, work: () => T | Promise<T>): Promise<T> {
    return interfered(this.#options.interference ?? {}, `machines.${call}`, work)
  }

  #known(key: string): Machine {
    const known = this.#machines.get(key)
    if (known === undefined) throw new Error(`There is no machine "${key}"`)
    return known
  }

  #run(scope: Scope, key: string, spec: MachineSpec, machine: Machine): Machine {
    const running: Machine = { ...machine, state: 'Running' }
    this.#machines.set(key, running)
    this.specs.set(key, spec)
    this.#register(scope, spec, running)
    return running
  }

  #register(scope: Scope, spec: MachineSpec, machine: Machine): void {
    const client = this.#options.engine?.client(spec.clusterId)
    if (client === undefined) return
    const ready = this.#options.neverReady?.(spec.name) !== true
    const at = formatTime(scope.clock.now())
    const known = client.peek(nodes, spec.name)
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: at }]
    const addresses = [{ type: 'InternalIP', address: machine.address }]
    if (known !== undefined) {
      client.put(nodes, { ...known, status: { ...known.status, conditions, addresses } })
      return
    }
    client.put(nodes, {
      metadata: { name: spec.name, labels: { ...spec.labels } },
      spec: { podCIDR: spec.boot.podCidr, taints: spec.taints },
      status: { conditions, addresses },
    })
  }
}
