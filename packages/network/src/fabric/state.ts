// What the fabric has handed out: names, addresses, rules. It outlives the server, so that a machine keeps its address
// and a service its public one.

import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LoadBalancerOwner, LoadBalancerRule, VirtualNetwork } from '@aksel/provider/fabric'
import type { OverlayHost } from '@aksel/provider/overlay'

export interface MachineState {
  /** Six hexadecimal digits: its namespace is `aksel-KEY`, its port in the router `m-KEY`. */
  readonly key: string
  readonly subnetId: string
  readonly address: string
  podCidr?: string
  ipv6PodCidr?: string
  /** Addresses that its pods may have, taken from this subnet. */
  pods?: { readonly subnetId: string; readonly addresses: readonly string[] }
}

export interface LoadBalancerState {
  readonly address: string
  readonly rules: readonly LoadBalancerRule[]
  readonly isShared?: boolean
  /** Id of the subnet that its address is one of; absent for public ones. */
  readonly subnetId?: string
  /** The subnet was asked for by name. */
  readonly isSubnetNamed?: boolean
  readonly owner?: LoadBalancerOwner
}

export interface NetworkState {
  /** Six hexadecimal digits: the router's namespace and its link on the host are `aksel-KEY`. */
  readonly key: string
  /** The link between host and router is the n-th /30 of its range. */
  readonly linkIndex: number
  spec: VirtualNetwork
  /** By subnet: the n of its bridge `brN`, which stays while other subnets go. Absent in states older than that: the subnet's place in the list. */
  slots?: Record<string, number>
  /** False while it is being made; what a crash left half made is taken down and made again. */
  ready: boolean
  /** Name → address of the host. */
  readonly hostAddresses: Record<string, string>
  /** Hosts elsewhere whose pods are led to, by the address of their cluster's API server. */
  joined?: Record<string, readonly OverlayHost[]>
  readonly machines: Record<string, MachineState>
  readonly loadBalancers: Record<string, LoadBalancerState>
}

export interface FabricState {
  /** Six hexadecimal digits: the host's own nftables table is `aksel_KEY`. */
  readonly key: string
  /** By ARM resource id. */
  readonly networks: Record<string, NetworkState>
  /** Public ranges that resources hold, by the resource's id. */
  publicRanges?: Record<string, string>
}

/** Keeps the state in one JSON file that is replaced as a whole; saves that wait together share one write. */
export class StateFile {
  readonly state: FabricState
  readonly #path: string
  #saving: Promise<void> | undefined
  #next: Promise<void> | undefined

  private constructor(path: string, state: FabricState) {
    this.#path = path
    this.state = state
  }

  static async open(path: string, initial: () => FabricState): Promise<StateFile> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      const file = new StateFile(path, initial())
      await file.save()
      return file
    }
    return new StateFile(path, JSON.parse(text) as FabricState)
  }

  /** Resolves when everything changed until now is on disk. */
  save(): Promise<void> {
    this.#next ??= this.#after(this.#saving)
    return this.#next
  }

  async #after(previous: Promise<void> | undefined): Promise<void> {
    await previous?.catch(() => {})
    this.#saving = this.#next
    this.#next = undefined
    await this.#write()
  }

  async #write(): Promise<void> {
    const file = await open(`${this.#path}.next`, 'w', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(this.state, null, 2)}\n`)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(`${this.#path}.next`, this.#path)
    const folder = await open(dirname(this.#path), 'r')
    await folder.sync()
    await folder.close()
  }
}
