// Simulated machines: hollow nodes in the server process. They are kept by their records alone and start in no time.

import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { instanceOf } from '@aksel/provider/cloud-instance'
import type {
  CredentialsFor,
  Machine,
  MachineProvider,
  MachineSpec,
  MachineState,
} from '@aksel/provider/machine-provider'
import { holdsDown, MachineOrderError, type MachineOrder } from '@aksel/provider/machine-orders'
import { openFleet, type Fleet } from './fleet.ts'
import { forwardingClient } from './forwarding-client.ts'

export interface SimulatedMachinesOptions {
  /** `DATA/simulated`. */
  readonly directory: string
  /** Speaks to the cluster's API server as this node. */
  readonly clientFor: (clusterId: string, nodeName: string) => Client
  /** Sees the pods and nodes of the whole cluster: one watch serves all nodes. */
  readonly watchClientFor: (clusterId: string) => Client
}

interface Held {
  readonly spec: MachineSpec
  readonly address: string
  state: MachineState
  heldBy?: MachineOrder
  halt?: () => Promise<void>
}

/** `scope` is the life of the server: nodes run until it ends or they are stopped. */
export async function openSimulatedMachines(scope: Scope, options: SimulatedMachinesOptions): Promise<MachineProvider> {
  const machines = new SimulatedMachines(scope, options)
  await machines.load()
  return machines
}

class SimulatedMachines implements MachineProvider {
  readonly kind = 'simulated'
  readonly #scope: Scope
  readonly #options: SimulatedMachinesOptions
  readonly #held = new Map<string, Held>()
  /** By cluster, while any of its nodes runs. */
  readonly #fleets = new Map<string, Fleet>()

  constructor(scope: Scope, options: SimulatedMachinesOptions) {
    this.#scope = scope
    this.#options = options
  }

  async load(): Promise<void> {
    await mkdir(this.#options.directory, { recursive: true })
    for (const name of await readdir(this.#options.directory)) {
      const stored = JSON.parse(await readFile(join(this.#options.directory, name), 'utf8')) as {
        spec: MachineSpec
        address: string
        state: MachineState
        heldBy?: MachineOrder
      }
      this.#held.set(keyOf(stored.spec.clusterId, stored.spec.name), stored)
    }
  }

  async create(_scope: Scope, spec: MachineSpec, credentialsFor: CredentialsFor): Promise<Machine> {
    const key = keyOf(spec.clusterId, spec.name)
    const known = this.#held.get(key)
    if (known?.halt !== undefined) return machineOf(known)
    const held = known ?? { spec, address: this.#freeAddress(spec.clusterId), state: 'Creating' as const }
    this.#held.set(key, held)
    // A node inside the server's process needs no file to prove who it is; that it may join is asked all the same.
    await credentialsFor({ name: spec.name, addresses: [held.address] })
    return this.#run(held)
  }

  async start(_scope: Scope, clusterId: string, name: string): Promise<Machine> {
    return this.#run(this.#known(clusterId, name))
  }

  async stop(_scope: Scope, clusterId: string, name: string): Promise<void> {
    const held = this.#known(clusterId, name)
    await held.halt?.()
    await this.#save(held, 'Stopped')
  }

  /** Faults of a simulated node are orders on its Node, so that everyone sees them; power and disks are ours. */
  async order(
    scope: Scope,
    { clusterId, name }: { readonly clusterId: string; readonly name: string },
    order: MachineOrder,
  ): Promise<Machine> {
    const held = this.#known(clusterId, name)
    if (['partition', 'slow', 'fill', 'heal'].includes(order)) {
      throw new MachineOrderError(`Machine "${name}" is simulated: order "${order}" as a fault of its node`)
    }
    if (order !== 'boot') await this.stop(scope, clusterId, name)
    if (holdsDown(order)) {
      held.heldBy = order
      await this.#save(held, 'Stopped')
      return machineOf(held)
    }
    delete held.heldBy
    return this.#run(held)
  }

  async delete(_scope: Scope, clusterId: string, name: string): Promise<void> {
    const held = this.#held.get(keyOf(clusterId, name))
    if (held === undefined) return
    await held.halt?.()
    await rm(this.#pathOf(held.spec), { force: true })
    this.#held.delete(keyOf(clusterId, name))
  }

  list(clusterId?: string): readonly Machine[] {
    return [...this.#held.values()]
      .filter(({ spec }) => clusterId === undefined || spec.clusterId === clusterId)
      .map(machineOf)
  }

  find(clusterId: string, name: string): Machine | undefined {
    const held = this.#held.get(keyOf(clusterId, name))
    return held === undefined ? undefined : machineOf(held)
  }

  async #run(held: Held): Promise<Machine> {
    if (held.halt !== undefined) return machineOf(held)
    await this.#save(held, 'Running')
    const { clusterId, name } = held.spec
    const client = (): Client => this.#options.clientFor(clusterId, name)
    const fleet = this.#fleetOf(clusterId)
    const { halt } = fleet.add({ client, spec: held.spec, address: held.address })
    held.halt = async () => {
      delete held.halt
      halt()
      if (fleet.size > 0 || this.#fleets.get(clusterId) !== fleet) return
      this.#fleets.delete(clusterId)
      await fleet[Symbol.asyncDispose]()
    }
    return machineOf(held)
  }

  #fleetOf(clusterId: string): Fleet {
    const known = this.#fleets.get(clusterId)
    if (known !== undefined) return known
    const scope = childScope(this.#scope, { component: 'simulated-machines' })
    const fleet = openFleet(
      scope,
      forwardingClient(() => this.#options.watchClientFor(clusterId)),
    )
    this.#fleets.set(clusterId, fleet)
    return fleet
  }

  #known(clusterId: string, name: string): Held {
    const held = this.#held.get(keyOf(clusterId, name))
    if (held === undefined) throw new Error(`There is no simulated machine "${name}"`)
    return held
  }

  async #save(held: Held, state: MachineState): Promise<void> {
    held.state = state
    const { spec, address, heldBy } = held
    await writeFile(this.#pathOf(spec), JSON.stringify({ spec, address, state, heldBy }))
  }

  #pathOf(spec: MachineSpec): string {
    return join(
      this.#options.directory,
      `${encodeURIComponent(keyOf(spec.clusterId, spec.name))}.json`.replaceAll('%2F', '_'),
    )
  }

  /** From 198.18.0.0/15, set aside for benchmarks (RFC 2544): no packet ever goes there. */
  #freeAddress(clusterId: string): string {
    const taken = new Set(this.list(clusterId).map(({ address }) => address))
    for (let index = 1; index < 131_071; index += 1) {
      const address = `198.${18 + Math.floor(index / 65_536)}.${Math.floor(index / 256) % 256}.${index % 256}`
      if (!taken.has(address)) return address
    }
    throw new Error('No address is left for a simulated machine (198.18.0.0/15 is used up)')
  }
}

function keyOf(clusterId: string, name: string): string {
  return `${clusterId}/${name}`
}

function machineOf({ spec, address, state, heldBy }: Held): Machine {
  const instance = instanceOf(spec, state)
  return {
    name: spec.name,
    clusterId: spec.clusterId,
    state,
    address,
    simulated: true,
    ...(instance === undefined ? {} : { instance }),
    ...(heldBy === undefined ? {} : { heldBy }),
  }
}
