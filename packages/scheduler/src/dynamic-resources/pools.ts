// The devices that drivers offer, pool by pool, as one node sees them.

import type { Node, NodeSelector } from '@aksel/api/types/core-v1'
import type { CounterSet, Device, ResourceSlice } from '@aksel/api/types/resource-v1'
import { matchesNode } from '@aksel/runtime/node-selectors'

export interface OfferedDevice {
  /** `driver/pool/device` */
  readonly id: string
  readonly driver: string
  readonly pool: string
  readonly device: Device
  readonly nodeName: string | undefined
  readonly nodeSelector: NodeSelector | undefined
}

export interface Pool {
  /** `driver/pool` */
  readonly id: string
  readonly counterSets: ReadonlyMap<string, CounterSet>
  /** Its driver is about to publish the rest. */
  readonly isIncomplete: boolean
  /** Why nothing may be taken of it. */
  readonly invalid: string | undefined
  /** Of the newest generation, for whichever node. */
  readonly devices: readonly OfferedDevice[]
}

export interface NodePool {
  readonly pool: Pool
  /** Those that the node reaches. */
  readonly devices: readonly OfferedDevice[]
}

export function idOf(of: { readonly driver: string; readonly pool: string; readonly device: string }): string {
  return `${of.driver}/${of.pool}/${of.device}`
}

export class Pools {
  readonly all: readonly Pool[]
  readonly #byId: ReadonlyMap<string, OfferedDevice>
  readonly #local = new Map<string, Map<Pool, OfferedDevice[]>>()
  readonly #shared = new Map<Pool, OfferedDevice[]>()
  readonly #byNode = new WeakMap<Node, readonly NodePool[]>()

  constructor(slices: readonly ResourceSlice[]) {
    this.all = poolsOf(slices)
    const byId = new Map<string, OfferedDevice>()
    for (const pool of this.all)
      for (const device of pool.devices) {
        byId.set(device.id, device)
        let at = this.#shared
        if (device.nodeName !== undefined) {
          at = this.#local.get(device.nodeName) ?? new Map<Pool, OfferedDevice[]>()
          this.#local.set(device.nodeName, at)
        }
        const known = at.get(pool)
        if (known === undefined) at.set(pool, [device])
        else known.push(device)
      }
    this.#byId = byId
  }

  device(id: string): OfferedDevice | undefined {
    return this.#byId.get(id)
  }

  /** In order of driver and pool; those without a device for the node are left out. */
  for(node: Node): readonly NodePool[] {
    const known = this.#byNode.get(node)
    if (known !== undefined) return known
    const own = this.#local.get(node.metadata.name)
    const found: NodePool[] = []
    for (const pool of this.all) {
      const local = own?.get(pool) ?? []
      const shared = (this.#shared.get(pool) ?? []).filter(
        ({ nodeSelector }) => nodeSelector === undefined || matchesNode(nodeSelector, node),
      )
      if (local.length + shared.length > 0) found.push({ pool, devices: [...local, ...shared] })
    }
    this.#byNode.set(node, found)
    return found
  }
}

function poolsOf(slices: readonly ResourceSlice[]): readonly Pool[] {
  const byPool = new Map<string, ResourceSlice[]>()
  for (const slice of slices) {
    // One that got past validation, as from an older store, is no offer.
    if (slice.spec?.pool === undefined) continue
    const id = `${slice.spec.driver}/${slice.spec.pool.name}`
    const known = byPool.get(id)
    if (known === undefined) byPool.set(id, [slice])
    else known.push(slice)
  }
  return [...byPool].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([id, all]) => poolOf(id, all))
}

function poolOf(id: string, all: readonly ResourceSlice[]): Pool {
  const generation = all.reduce((most, { spec }) => Math.max(most, spec.pool.generation), 0)
  const slices = all
    .filter(({ spec }) => spec.pool.generation === generation)
    .toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
  const devices = slices.flatMap((slice) => (slice.spec.devices ?? []).map((device) => offered(slice, device)))
  const names = new Set<string>()
  const twice = devices.find(({ device }) => names.size === names.add(device.name).size)
  return {
    id,
    devices,
    counterSets: new Map(slices.flatMap(({ spec }) => (spec.sharedCounters ?? []).map((set) => [set.name, set]))),
    isIncomplete: slices.length !== slices[0]!.spec.pool.resourceSliceCount,
    invalid: twice === undefined ? undefined : `duplicate device name ${twice.device.name} in pool ${twice.pool}`,
  }
}

function offered({ spec }: ResourceSlice, device: Device): OfferedDevice {
  const { driver, pool } = spec
  const place = spec.perDeviceNodeSelection === true ? device : spec
  const of = { driver, pool: pool.name, device: device.name }
  const { nodeName, nodeSelector } = place
  return { ...of, id: idOf(of), device, nodeName: nodeName === '' ? undefined : nodeName, nodeSelector }
}
