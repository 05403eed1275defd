// One simulated node among many: it registers, renews its lease, says how it is, and holds the pods that are bound to it.

import { leases, nodes } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import type { Node } from '@aksel/api/types/core-v1'
import { formatMicroTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { recordEvent } from '@aksel/runtime/event-recorder'
import type { DueQueue } from './due-queue.ts'
import { judgeFaults, type NodeFaults } from './faults.ts'
import { freshNode, nodeConditions, nodeStatus } from './node-status.ts'
import { PodAddresses } from './pod-addresses.ts'
import { HollowPods } from './hollow-pods.ts'
import type { WriteLanes } from './write-lanes.ts'

const LEASE_NAMESPACE = 'kube-node-lease'
const LEASE_SECONDS = 40
const RENEW_MS = 10_000
/** The kubelet says how it is at least this often. */
const REPORT_MS = 300_000
const RETRY_MS = 1000

export interface HollowNodeOptions {
  /** Speaks as this node; asked for every write, because a control plane may have been started anew. */
  readonly client: () => Client
  readonly spec: MachineSpec
  readonly address: string
}

/** Shared by all nodes of a cluster. */
export interface FleetParts {
  readonly due: DueQueue
  readonly lanes: WriteLanes
}

export class HollowNode {
  readonly name: string
  readonly pods: HollowPods
  readonly #scope: Scope
  readonly #options: HollowNodeOptions
  readonly #parts: FleetParts
  #lease: Lease | undefined
  #node: Node | undefined
  #registered = false
  #wasSilent = false
  #saidDiskFull = false
  #timers: Disposable[] = []

  /** `scope` ends when the machine is stopped. */
  constructor(scope: Scope, options: HollowNodeOptions, parts: FleetParts) {
    this.#scope = scope
    this.#options = options
    this.#parts = parts
    this.name = options.spec.name
    this.pods = new HollowPods(scope, {
      client: options.client,
      nodeName: this.name,
      nodeAddress: options.address,
      addresses: new PodAddresses(options.spec.boot.podCidr),
      faults: () => this.faults(),
      node: () => this.#node,
      ...parts,
    })
  }

  faults(): NodeFaults {
    return judgeFaults(this.#node, this.#scope.clock.now())
  }

  /** Tries until it stands; renewals are spread over their period by `phase`, from 0 to 1. */
  start(phase: number): void {
    this.#attempt('registration failed', async () => {
      await this.#register()
      await this.#renew()
      this.#registered = true
      this.#later(RENEW_MS * (0.5 + phase / 2), () => this.#keepLease())
      this.#later(REPORT_MS * (0.5 + phase / 2), () => this.#keepReporting())
    })
  }

  stop(): void {
    for (const timer of this.#timers) timer[Symbol.dispose]()
    this.#timers = []
    this.pods.stop()
  }

  /** Its own object as it stands now: orders for faults come with it. */
  observe(node: Node | undefined): void {
    this.#node = node
    if (node !== undefined) this.#follow()
  }

  /** Lives by what is ordered: silence, a full disk, and back to health. */
  #follow(): void {
    const faults = this.faults()
    const cameBack = this.#wasSilent && !faults.silent
    this.#wasSilent = faults.silent
    if (this.#registered && !faults.silent && (cameBack || faults.diskFull !== this.#saidDiskFull)) {
      this.#attempt('status not written', async () => {
        await this.#report()
        if (cameBack) await this.#renew()
      })
    }
    if (faults.changesAfterMs !== undefined) this.#later(faults.changesAfterMs + 1, () => this.#follow())
    this.pods.driveAll()
  }

  async #register(): Promise<void> {
    const { spec, address, client } = this.#options
    try {
      await client().create(nodes, freshNode(spec))
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
    }
    const status = nodeStatus({ spec, address, nowMs: this.#scope.clock.now(), diskFull: false })
    const patch = { kind: 'strategic', body: { status } } as const
    await client().patch(nodes, { name: spec.name }, patch, { subresource: 'status' })
  }

  async #report(): Promise<void> {
    const { spec, address, client } = this.#options
    const { diskFull } = this.faults()
    if (diskFull !== this.#saidDiskFull) await this.#tellDisk(diskFull)
    this.#saidDiskFull = diskFull
    const facts = { spec, address, nowMs: this.#scope.clock.now(), diskFull, before: this.#node }
    const patch = { kind: 'strategic', body: { status: { conditions: nodeConditions(facts) } } } as const
    await client().patch(nodes, { name: spec.name }, patch, { subresource: 'status' })
  }

  #tellDisk(isFull: boolean): Promise<void> {
    const reason = isFull ? 'NodeHasDiskPressure' : 'NodeHasNoDiskPressure'
    // The kubelet names a node by its name where others put the uid: that is where kubectl describe looks.
    const about = { apiVersion: 'v1', kind: 'Node', name: this.name, uid: this.name }
    const message = `Node ${this.name} status is now: ${reason}`
    const news = { about, type: 'Normal', reason, message, source: 'kubelet', host: this.name } as const
    return recordEvent(this.#scope, this.#options.client(), news)
  }

  #keepReporting(): void {
    if (!this.faults().silent) this.#attempt('status not written', () => this.#report())
    this.#later(REPORT_MS, () => this.#keepReporting())
  }

  #keepLease(): void {
    if (!this.faults().silent) this.#attempt('lease not renewed', () => this.#renew(), { once: true })
    this.#later(RENEW_MS, () => this.#keepLease())
  }

  async #renew(): Promise<void> {
    const client = this.#options.client()
    const ref = { namespace: LEASE_NAMESPACE, name: this.name }
    const spec = {
      holderIdentity: this.name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: formatMicroTime(this.#scope.clock.now()),
    }
    const fresh: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: ref, spec }
    try {
      this.#lease =
        this.#lease === undefined
          ? await client.create(leases, fresh)
          : await client.update(leases, { ...this.#lease, spec })
    } catch (error) {
      if (isReason(error, 'AlreadyExists', 'Conflict')) this.#lease = await client.get(leases, ref)
      else if (isReason(error, 'NotFound')) this.#lease = undefined
      else throw error
      if (this.#lease === undefined) this.#lease = await client.create(leases, fresh)
      else this.#lease = await client.update(leases, { ...this.#lease, spec })
    }
  }

  /** In a lane; again a second later when it fails, unless something later does it anyway. */
  #attempt(what: string, work: () => Promise<void>, how: { readonly once?: boolean } = {}): void {
    const { signal, log } = this.#scope
    if (signal.aborted) return
    const running = this.#parts.lanes.run(async () => {
      if (!signal.aborted) await work()
    })
    running.catch((error: unknown) => {
      if (signal.aborted) return
      log.warn(what, { error })
      if (how.once !== true) this.#later(RETRY_MS, () => this.#attempt(what, work))
    })
  }

  #later(delayMs: number, run: () => void): void {
    if (this.#scope.signal.aborted) return
    const timer = this.#parts.due.after(delayMs, () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
      if (!this.#scope.signal.aborted) run()
    })
    this.#timers.push(timer)
  }
}
