// Keeps the pod addresses of running machines that take them as their pods come: what pods have stands in the leases of CNI's host-local.

import { mkdir, readdir } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { anySignal } from '@aksel/base/any-signal'
import type { Scope } from '@aksel/base/scope'
import type { Fabric } from '@aksel/provider/fabric'
import type { AddressShortage, MachineSpec } from '@aksel/provider/machine-provider'
import { changeBelow } from './folder-change.ts'
import type { MachinePaths } from './machine-files.ts'
import type { MachinePrograms } from './machine-programs.ts'
import { keepPool, type PoolHost } from './pod-pool.ts'

export interface PodPoolsOptions {
  readonly fabric: Pick<Fabric, 'attach' | 'releasePodAddresses'>
  readonly programs: Pick<MachinePrograms, 'offer'>
  readonly virtualNetworkOf: (subnetId: string) => string
}

/** The name of the network in the machine's CNI configuration, which host-local keeps leases by. */
const NETWORK = 'aksel'

export class PodPools {
  readonly #options: PodPoolsOptions
  readonly #running = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>()
  readonly #listeners = new Set<(news: AddressShortage) => void>()

  constructor(options: PodPoolsOptions) {
    this.#options = options
  }

  /** Once for each machine, until it is let go or the scope ends. Nothing for those whose addresses stay as they are. */
  follow(scope: Scope, paths: MachinePaths, spec: MachineSpec): void {
    const { podNetwork } = spec
    if (podNetwork?.kind !== 'subnet' || podNetwork.growsTo === undefined || this.#running.has(paths.key)) return
    const stop = new AbortController()
    const own = { ...scope, signal: anySignal([scope.signal, stop.signal]) }
    const done = keepPool(own, this.#hostOf(paths, spec, podNetwork), podNetwork.growsTo).finally(() => {
      this.#running.delete(paths.key)
    })
    this.#running.set(paths.key, { stop, done })
  }

  /** The machine goes down: resolves when nothing is written for it any more. */
  async letGo(key: string): Promise<void> {
    const known = this.#running.get(key)
    known?.stop.abort(new Error('The machine goes down'))
    await known?.done
  }

  onShortage(listener: (news: AddressShortage) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  #hostOf(
    paths: MachinePaths,
    { clusterId, name, subnetId }: MachineSpec,
    wish: { readonly subnetId: string; readonly inBlocks: boolean },
  ): PoolHost {
    const { fabric, programs, virtualNetworkOf } = this.#options
    const place = { virtualNetworkId: virtualNetworkOf(subnetId), machine: paths.key }
    const leases = join(paths.cniStateDirectory, NETWORK)
    let subnet = ''
    let seen: ReadonlySet<string> = new Set()
    return {
      take: async (scope, count) => {
        const attachment = await fabric.attach(scope, { ...place, subnetId, podAddresses: { ...wish, count } })
        subnet = attachment.podSubnetPrefix ?? ''
        return attachment.podAddresses ?? []
      },
      release: (scope, addresses) => fabric.releasePodAddresses(scope, { ...place, addresses }),
      offer: (addresses) => programs.offer(paths, { subnet, addresses }),
      leased: async () => (seen = await readLeases(leases)),
      changed: (scope, atMostMs) => leasesDiffer(scope, { directory: leases, seen, atMostMs }),
      short: (message) => {
        for (const listener of this.#listeners) listener({ clusterId, name, message })
      },
    }
  }
}

async function readLeases(directory: string): Promise<ReadonlySet<string>> {
  await mkdir(directory, { recursive: true })
  return new Set((await readdir(directory)).filter((file) => isIPv4(file)))
}

/** At the next change; at once where there was one since they were seen, before anybody watched. */
async function leasesDiffer(
  scope: Scope,
  {
    directory,
    seen,
    atMostMs,
  }: { readonly directory: string; readonly seen: ReadonlySet<string>; readonly atMostMs: number },
): Promise<void> {
  const enough = new AbortController()
  const signal = anySignal([scope.signal, enough.signal])
  const waiting = changeBelow({ ...scope, signal }, directory, atMostMs)
  const now = await readLeases(directory)
  if (now.size !== seen.size || now.difference(seen).size > 0) enough.abort(new Error('changed'))
  try {
    await waiting
  } catch (error) {
    if (!enough.signal.aborted || scope.signal.aborted) throw error
  }
}
