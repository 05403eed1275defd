// The ranges of service addresses: what ServiceCIDRs offer, and an IPAddress object for every address that is taken, as
// upstream's MultiCIDRServiceAllocator keeps them. The objects are the truth; what is here was read from them.

import type { KindRow } from '@aksel/api/kind-row'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Service } from '@aksel/api/types/core-v1'
import type { IPAddress, ServiceCIDR } from '@aksel/api/types/networking-v1'
import { standardAddress } from '@aksel/api/validation/addresses'
import { formatTime } from '@aksel/base/clock'
import { uuid } from '@aksel/base/ids'
import { formatIp, parseIp, parseRange, rangeHolds, sizeOfRange, type IpRange } from '@aksel/base/ip-range'
import type { Scope } from '@aksel/base/scope'
import type { Fence } from '@aksel/runtime/fenced-client'
import { freeIn } from './free-value.ts'
import type { RecordStore } from './record-store.ts'

export const managedByLabel = 'ipaddress.kubernetes.io/managed-by'
const familyLabel = 'ipaddress.kubernetes.io/ip-family'
const allocator = 'ipallocator.k8s.io'

export interface ServiceRangeParts {
  readonly scope: Scope
  readonly records: RecordStore
  readonly addressRow: KindRow
  readonly rangeRow: KindRow
  readonly serviceRow: KindRow
  /** The ranges that are there before any ServiceCIDR is, the cluster's default family first. */
  readonly serviceCidrs: readonly string[]
}

export type IpFamilyName = 'IPv4' | 'IPv6'

interface Range extends IpRange {
  readonly cidr: string
}

/** Of a larger range only the first so many addresses are given by chance; all can be asked for. */
const GIVEN_MAX = 2 ** 32

export class ServiceRanges {
  /** Address to the service that holds it (`namespace/name`), or another parent's text. */
  readonly held = new Map<string, string>()
  readonly #parts: ServiceRangeParts
  readonly #ranges = new Map<string, readonly Range[]>()
  /** Addresses whose objects are on their way out. */
  readonly #leaving = new Map<string, Promise<void>>()

  constructor(parts: ServiceRangeParts) {
    this.#parts = parts
  }

  /** Reads what is there, makes what is missing, and follows changes until the scope ends. */
  async fill(): Promise<void> {
    const { records, rangeRow, addressRow, serviceRow, scope, serviceCidrs } = this.#parts
    this.#ranges.set('', serviceCidrs.flatMap(rangesOf))
    for (const record of await records.list(rangeRow)) this.#learn(record.object as ServiceCIDR)
    records.onChange(rangeRow, scope.signal, (changes) => {
      for (const { type, record } of changes) {
        if (type === 'DELETED') this.#ranges.delete(record.object.metadata.name)
        else this.#learn(record.object as ServiceCIDR)
      }
    })
    for (const record of await records.list(addressRow)) {
      const address = record.object as IPAddress
      this.held.set(address.metadata.name, parentOf(address))
    }
    records.onChange(addressRow, scope.signal, (changes) => {
      for (const { type, record } of changes) {
        const address = record.object as IPAddress
        if (type === 'DELETED') this.#lost(address)
        else this.held.set(address.metadata.name, parentOf(address))
      }
    })
    await this.#repair(await records.list(serviceRow).then((found) => found.map((record) => record.object)))
  }

  /** What is wrong with asking for this address; '' where nothing is. */
  complaint(value: string): string {
    const ranges = this.#all()
    const address = parseIp(value)
    const range = address === undefined ? undefined : ranges.find((one) => rangeHolds(one, address))
    if (range === undefined) {
      const shown = ranges
        .filter(({ family }) => address === undefined || family === address.family)
        .map(({ cidr }) => cidr)
        .join(', ')
      return `failed to allocate IP ${value}: the provided IP (${value}) is not in the valid range. The range of valid IPs is ${shown}`
    }
    const offset = address!.value - range.first
    // IPv6 has no broadcast address.
    const isEdge = offset === 0n || (range.family === 4 && offset === sizeOfRange(range) - 1n)
    return isEdge ? `failed to allocate IP ${value}: the provided network address is not usable` : ''
  }

  free(name: IpFamilyName): string | undefined {
    for (const range of this.#all()) {
      const { family, first } = range
      if (family !== (name === 'IPv4' ? 4 : 6)) continue
      const size = Math.min(Number(sizeOfRange(range)), GIVEN_MAX)
      const last = family === 4 ? size - 2 : size - 1
      const toAddress = (offset: number): string => formatIp({ family, value: first + BigInt(offset) })
      // The lower band is left to those who ask for an address: upstream's min(max(16, size / 16), 256).
      const reserved = Math.min(Math.max(16, Math.floor(size / 16)), 256)
      const { random } = this.#parts.scope
      const middle = Math.min(reserved, last)
      const value =
        freeIn(random, middle, last, this.held, toAddress) ?? freeIn(random, 1, middle, this.held, toAddress)
      if (value !== undefined) return value
    }
    return undefined
  }

  /** Makes the address's object. False where another has it. */
  async claim(
    address: string,
    service: { readonly namespace: string; readonly name: string },
    fence?: Fence,
  ): Promise<boolean> {
    await this.#leaving.get(address)
    const { records, addressRow } = this.#parts
    const wanted = this.#object(address, service)
    const current = await records.get(addressRow, '', address)
    if (current !== undefined) return parentOf(current.object as IPAddress) === parentOf(wanted)
    return (await records.put(addressRow, wanted, undefined, fence)) !== undefined
  }

  /** Removes the address's object; the address can be had again when it is gone. */
  release(address: string): void {
    const { records, addressRow, scope } = this.#parts
    const remove = async (): Promise<void> => {
      const record = await records.get(addressRow, '', address)
      if (record !== undefined) await records.delete(addressRow, record, undefined)
    }
    const leaving = remove()
      .catch((error: unknown) => scope.log.warn('an IPAddress object was left behind', { address, error }))
      .finally(() => {
        this.held.delete(address)
        this.#leaving.delete(address)
      })
    this.#leaving.set(address, leaving)
  }

  /** Waits until an address that is being freed is free. */
  async settled(address: string): Promise<void> {
    await this.#leaving.get(address)
  }

  #all(): readonly Range[] {
    const ranges = [...this.#ranges.values()].flat()
    const seen = new Set<string>()
    return ranges.filter(({ cidr }) => !seen.has(cidr) && seen.add(cidr))
  }

  /** Ranges of ServiceCIDRs that are neither going nor said to be unready. */
  #learn({ metadata, spec, status }: ServiceCIDR): void {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready')
    const isOut = metadata.deletionTimestamp !== undefined || ready?.status === 'False'
    this.#ranges.set(metadata.name, isOut ? [] : (spec.cidrs ?? []).flatMap(rangesOf))
  }

  /** Somebody deleted an address's object: it is made again where a service still has the address. */
  #lost(address: IPAddress): void {
    const { records, serviceRow, scope } = this.#parts
    const { name } = address.metadata
    if (this.#leaving.has(name)) return
    this.held.delete(name)
    const { resource, namespace = '', name: service } = address.spec.parentRef
    if (resource !== 'services') return
    const restore = async (): Promise<void> => {
      const record = await records.get(serviceRow, namespace, service)
      if (record === undefined || !addressesOf(record.object).includes(name)) return
      this.held.set(name, serviceText(namespace, service))
      await this.claim(name, { namespace, name: service })
    }
    void restore().catch((error: unknown) => scope.log.warn('an IPAddress object is missing', { address: name, error }))
  }

  /** After a crash between two writes: services have their objects, and objects of ours have their services. */
  async #repair(services: readonly KubernetesObject[]): Promise<void> {
    const { records, addressRow } = this.#parts
    const wanted = new Map<string, KubernetesObject>()
    for (const service of services) {
      for (const address of addressesOf(service)) wanted.set(address, service)
    }
    for (const [address, { metadata }] of wanted) {
      if (!this.held.has(address))
        await this.claim(address, { namespace: metadata.namespace ?? '', name: metadata.name })
      this.held.set(address, serviceText(metadata.namespace ?? '', metadata.name))
    }
    for (const record of await records.list(addressRow)) {
      const { name, labels } = record.object.metadata
      if (labels?.[managedByLabel] === allocator && !wanted.has(name))
        await records.delete(addressRow, record, undefined)
    }
  }

  #object(address: string, { namespace, name }: { readonly namespace: string; readonly name: string }): IPAddress {
    const { clock, random } = this.#parts.scope
    const object = {
      kind: 'IPAddress',
      apiVersion: 'networking.k8s.io/v1',
      metadata: {
        name: address,
        uid: uuid(random),
        creationTimestamp: formatTime(clock.now()),
        labels: { [familyLabel]: address.includes(':') ? 'IPv6' : 'IPv4', [managedByLabel]: allocator },
      },
      spec: { parentRef: { resource: 'services', namespace, name } },
    }
    return object
  }
}

/** Of a service; a headless one has none. */
function addressesOf(service: KubernetesObject): readonly string[] {
  const addresses = ((service as Service).spec.clusterIPs ?? []).map(standardAddress)
  return addresses.filter((address) => parseIp(address) !== undefined)
}

/** The holder as the pools name it: `namespace/name` for a service. */
function parentOf({ spec }: IPAddress): string {
  const { group = '', resource, namespace = '', name } = spec.parentRef
  return group === '' && resource === 'services'
    ? serviceText(namespace, name)
    : `${group}/${resource} ${namespace}/${name}`
}

function serviceText(namespace: string, name: string): string {
  return `${namespace}/${name}`
}

function rangesOf(cidr: string): readonly Range[] {
  const range = parseRange(cidr)
  return range === undefined ? [] : [{ ...range, cidr }]
}
