// Machines on this host: each a network namespace on the fabric with its own containerd and its own node agent, inside
// a cgroup that enforces the VM size. They outlive the server; it takes them up again.

import { mkdir, rm } from 'node:fs/promises'
import type { Scope } from '@aksel/base/scope'
import { instanceOf } from '@aksel/provider/cloud-instance'
import type { Attachment, Fabric } from '@aksel/provider/fabric'
import { holdsDown, MachineOrderError, type MachineOrder, type OrderOptions } from '@aksel/provider/machine-orders'
import type {
  AddressShortage,
  CredentialsFor,
  Machine,
  MachineProvider,
  MachineSpec,
} from '@aksel/provider/machine-provider'
import type { ScheduledEvents } from '@aksel/provider/scheduled-events'
import { writeDurableFile } from '@aksel/host/durable-file'
import type { Ledger } from '@aksel/host/ledger'
import { emptyDisk, fillDisk, fillMemory, forgetPartition, heal, partition, slow } from './machine-faults.ts'
import { hostHasDisks } from './machine-disk.ts'
import { machinePaths, readRecords, writeRecord, type MachinePaths, type MachineRecord } from './machine-files.ts'
import type { MachinePrograms } from './machine-programs.ts'
import { PodPools } from './pod-pools.ts'

export interface LocalMachinesOptions {
  /** While it lasts, what pods need is looked after. */
  readonly scope: Scope
  readonly ledger: Ledger
  readonly fabric: Fabric
  /** `DATA/machines`. */
  readonly machinesDirectory: string
  /** Parent cgroup of all machines, such as `/aksel`. */
  readonly cgroupRoot: string
  readonly programs: MachinePrograms
  /** The VNet that a subnet id belongs to. */
  readonly virtualNetworkOf: (subnetId: string) => string
  /** Asks the host itself when absent. */
  readonly hostHasDisks?: () => Promise<boolean>
  /** Undoes everything that the ledger holds for the owner. */
  readonly undo: (scope: Scope, owner: string) => Promise<void>
}

/** One megabit: enough for heartbeats, not for work. */
const SLOW_BITS = 1_000_000
/** Below what a node on AKS evicts at. */
const LEAVE_BYTES = 50 * 2 ** 20

/** A short, stable folder name: socket paths below it must fit 107 bytes. */
export type MachineKey = string

export async function openLocalMachines(options: LocalMachinesOptions): Promise<MachineProvider> {
  return new LocalMachines(options, new Map(await readRecords(options.machinesDirectory)))
}

class LocalMachines implements MachineProvider {
  readonly kind = 'local'
  readonly #options: LocalMachinesOptions
  readonly #records: Map<MachineKey, MachineRecord>
  /** One operation per machine at a time: a second caller waits for the first. */
  readonly #turns = new Map<MachineKey, Promise<unknown>>()
  readonly #podPools: PodPools

  constructor(options: LocalMachinesOptions, records: Map<MachineKey, MachineRecord>) {
    this.#options = options
    this.#podPools = new PodPools(options)
    this.#records = records
  }

  create(scope: Scope, wanted: MachineSpec, credentialsFor: CredentialsFor): Promise<Machine> {
    return this.#inTurn(machineKey(wanted.clusterId, wanted.name), async () => {
      const known = this.#records.get(machineKey(wanted.clusterId, wanted.name))
      if (known?.state === 'Running') return this.#bringUp(scope, this.#pathsOf(wanted.clusterId, wanted.name), known)
      const spec = await this.#possible(scope, wanted)
      const paths = this.#pathsOf(spec.clusterId, spec.name, spec)
      await this.#recordFolder(paths)
      await mkdir(paths.root, { recursive: true, mode: 0o700 })
      const creating = await this.#save(paths, { spec, state: 'Creating' })
      const attachment = await this.#attach(scope, paths, spec)
      const credentials = await credentialsFor({ name: spec.name, addresses: addressesOf(attachment) })
      await this.#options.programs.prepare(scope, { paths, spec, attachment, credentials })
      return this.#bringUp(scope, paths, await this.#save(paths, { ...creating, attachment }))
    })
  }

  /** Without a disk of its own where the host has no loop devices: the machine then shares the host's. */
  async #possible(scope: Scope, spec: MachineSpec): Promise<MachineSpec> {
    if (spec.osDiskBytes === undefined || (await (this.#options.hostHasDisks ?? hostHasDisks)())) return spec
    scope.log.warn("a machine shares the host's disk: there are no loop devices", { machine: spec.name })
    const { osDiskBytes: _, ...shared } = spec
    return shared
  }

  /** Once: what is recorded later is undone earlier, and the folder has to go after all that is mounted below it. */
  async #recordFolder(paths: MachinePaths): Promise<void> {
    const { ledger } = this.#options
    const isKnown = ledger.entries(owner(paths)).some(({ object }) => object.kind === 'path')
    if (!isKnown) await ledger.record(owner(paths), { kind: 'path', path: paths.root })
  }

  start(scope: Scope, clusterId: string, name: string): Promise<Machine> {
    const paths = this.#pathsOf(clusterId, name)
    return this.#inTurn(paths.key, async () => this.#bringUp(scope, paths, this.#record(paths, name)))
  }

  stop(scope: Scope, clusterId: string, name: string): Promise<void> {
    const paths = this.#pathsOf(clusterId, name)
    return this.#inTurn(paths.key, async () => {
      const record = this.#record(paths, name)
      await this.#options.programs.shutDown(scope, paths)
      await this.#podPools.letGo(paths.key)
      await this.#options.programs.stop(scope, paths)
      await this.#save(paths, { ...record, state: 'Stopped' })
    })
  }

  order(
    scope: Scope,
    { clusterId, name }: { readonly clusterId: string; readonly name: string },
    order: MachineOrder,
    options: OrderOptions,
  ): Promise<Machine> {
    const paths = this.#pathsOf(clusterId, name)
    return this.#inTurn(paths.key, async () => {
      const record = this.#record(paths, name)
      if (['boot', 'reboot', 'reimage', 'redeploy'].includes(order)) return this.#boot(scope, paths, record, order)
      if (holdsDown(order)) return this.#bringDown(scope, paths, record, order)
      return this.#disturb(scope, paths, record, order, options)
    })
  }

  async announce(
    { clusterId, name }: { readonly clusterId: string; readonly name: string },
    events: ScheduledEvents,
  ): Promise<void> {
    const { events: file } = this.#pathsOf(clusterId, name)
    if (events.events.length === 0) return rm(file, { force: true })
    await writeDurableFile(file, JSON.stringify(events))
  }

  async #boot(scope: Scope, paths: MachinePaths, record: MachineRecord, order: MachineOrder): Promise<Machine> {
    const { heldBy: _, ...free } = record
    if (order === 'boot') return this.#bringUp(scope, paths, free)
    if (order !== 'redeploy') await this.#options.programs.shutDown(scope, paths)
    await this.#down(scope, paths, record)
    if (order === 'reimage') await this.#options.programs.wipe(paths)
    return this.#bringUp(scope, paths, free)
  }

  async #bringDown(scope: Scope, paths: MachinePaths, record: MachineRecord, order: MachineOrder): Promise<Machine> {
    // Written first: the reconciler must not bring up what is about to go down.
    const held = await this.#save(paths, { ...record, heldBy: order })
    if (order !== 'kill') await this.#options.programs.shutDown(scope, paths)
    await this.#down(scope, paths, record)
    // What was to happen has happened.
    await rm(paths.events, { force: true })
    return machineOf(await this.#save(paths, { ...held, state: 'Stopped' }))
  }

  /** What disturbed it goes with its power; what lies on its disk, before that. */
  async #down(scope: Scope, paths: MachinePaths, { attachment }: MachineRecord): Promise<void> {
    await Promise.all([emptyDisk(paths), forgetPartition(paths), this.#podPools.letGo(paths.key)])
    await this.#options.programs.stop(scope, paths)
    if (attachment !== undefined) await heal(scope, { paths, attachment })
  }

  async #disturb(
    scope: Scope,
    paths: MachinePaths,
    record: MachineRecord,
    order: MachineOrder,
    options: OrderOptions,
  ): Promise<Machine> {
    const { spec, attachment, state } = record
    if (attachment === undefined || state !== 'Running') {
      throw new MachineOrderError(`Machine "${spec.name}" does not run: its state is ${state}`)
    }
    const machine = { paths, spec, attachment }
    if (order === 'partition') await partition(scope, machine)
    if (order === 'slow') await slow(scope, machine, { bitsPerSecond: options.bitsPerSecond ?? SLOW_BITS })
    const { leaveBytes = LEAVE_BYTES } = options
    if (order === 'fill' && options.resource === 'memory') await fillMemory(scope, machine, { leaveBytes })
    else if (order === 'fill') await fillDisk(scope, paths, { leaveBytes })
    if (order === 'heal') await heal(scope, machine)
    return machineOf(record)
  }

  delete(scope: Scope, clusterId: string, name: string): Promise<void> {
    const paths = this.#pathsOf(clusterId, name)
    return this.#inTurn(paths.key, async () => {
      const record = this.#records.get(paths.key)
      if (record === undefined) return
      await this.#save(paths, { ...record, state: 'Deleting' })
      await this.#podPools.letGo(paths.key)
      await this.#options.programs.stop(scope, paths)
      await this.#options.fabric.detach(scope, {
        virtualNetworkId: this.#options.virtualNetworkOf(record.spec.subnetId),
        machine: paths.key,
      })
      await this.#options.undo(scope, owner(paths))
      await rm(paths.root, { recursive: true, force: true })
      this.#records.delete(paths.key)
    })
  }

  onAddressShortage(listener: (news: AddressShortage) => void): Disposable {
    return this.#podPools.onShortage(listener)
  }

  list(clusterId?: string): readonly Machine[] {
    const records = [...this.#records.values()]
    return records.filter(({ spec }) => clusterId === undefined || spec.clusterId === clusterId).map(machineOf)
  }

  find(clusterId: string, name: string): Machine | undefined {
    const record = this.#records.get(machineKey(clusterId, name))
    return record === undefined ? undefined : machineOf(record)
  }

  /** Starts what does not run; a machine whose programs still run is only taken up. The network is made again where a reboot took it. */
  async #bringUp(scope: Scope, paths: MachinePaths, record: MachineRecord): Promise<Machine> {
    const attachment = await this.#attach(scope, paths, record.spec)
    try {
      await this.#options.programs.start(scope, { paths, spec: record.spec, attachment })
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      await this.#save(paths, { ...record, attachment, state: 'Failed', failure })
      throw error
    }
    const { failure: _, ...sound } = record
    this.#podPools.follow(this.#options.scope, paths, record.spec)
    return machineOf(await this.#save(paths, { ...sound, attachment, state: 'Running' }))
  }

  #attach(scope: Scope, paths: MachinePaths, { subnetId, podNetwork, boot }: MachineSpec): Promise<Attachment> {
    const kind = podNetwork?.kind ?? 'overlay'
    return this.#options.fabric.attach(scope, {
      virtualNetworkId: this.#options.virtualNetworkOf(subnetId),
      subnetId,
      machine: paths.key,
      ...(kind === 'overlay' ? { podCidr: boot.podCidr } : {}),
      ...(kind === 'overlay' && boot.ipv6 !== undefined ? { ipv6PodCidr: boot.ipv6.podCidr } : {}),
      ...(podNetwork?.kind === 'subnet' ? { podAddresses: podNetwork } : {}),
    })
  }

  #pathsOf(clusterId: string, name: string, made?: MachineSpec): MachinePaths {
    const { machinesDirectory, cgroupRoot } = this.#options
    const key = machineKey(clusterId, name)
    const spec = made ?? this.#records.get(key)?.spec
    return machinePaths(machinesDirectory, cgroupRoot, { key, hasDisk: spec?.osDiskBytes !== undefined })
  }

  #record(paths: MachinePaths, name: string): MachineRecord {
    const record = this.#records.get(paths.key)
    if (record === undefined) throw new Error(`There is no machine "${name}" (folder "${paths.root}")`)
    return record
  }

  async #save(paths: MachinePaths, record: MachineRecord): Promise<MachineRecord> {
    await writeRecord(paths.record, record)
    this.#records.set(paths.key, record)
    return record
  }

  #inTurn<T>(key: MachineKey, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(work, work)
    const settled = turn.then(
      () => undefined,
      () => undefined,
    )
    this.#turns.set(key, settled)
    void settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key)
    })
    return turn
  }
}

function addressesOf({ address, ipv6Address }: Attachment): readonly string[] {
  return [address, ...(ipv6Address === undefined ? [] : [ipv6Address])]
}

function owner(paths: MachinePaths): string {
  return `machine/${paths.key}`
}

function machineOf(record: MachineRecord): Machine {
  const instance = instanceOf(record.spec, record.state)
  return {
    name: record.spec.name,
    clusterId: record.spec.clusterId,
    state: record.state,
    address: record.attachment?.address ?? '',
    simulated: false,
    ...(instance === undefined ? {} : { instance }),
    ...(record.failure === undefined ? {} : { failure: record.failure }),
    ...(record.heldBy === undefined ? {} : { heldBy: record.heldBy }),
  }
}

/** Machine names are unique per cluster only, and a cluster's id is long: eight hex digits of it are enough beside the name's own. */
export function machineKey(clusterId: string, name: string): MachineKey {
  let hash = 0x811c9dc5
  for (const char of clusterId) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193) >>> 0
  return `${hash.toString(16).padStart(8, '0')}-${name.replace(/^aks-/, '')}`
}
