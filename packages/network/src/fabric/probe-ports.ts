// Ports of a router that lead to what probes ask: addresses of VNets overlap, so that the host cannot ask a node by its own.

import { lowestFree } from '@aksel/base/ipv4'
import type { ProbeTarget } from './health-probes.ts'

const FIRST = 1024
const END = 65_536

interface Place {
  readonly address: string
  readonly port: number
}

export class ProbePorts {
  readonly #ports = new Map<string, number>()
  readonly #places = new Map<number, Place>()
  #next = FIRST

  /** What is asked from now on. Throws where there are no ports for it. */
  set(targets: readonly Pick<ProbeTarget, 'address' | 'probe'>[]): void {
    const wanted = new Map(
      targets.map((target) => [keyOf(target), { address: target.address, port: target.probe.port }]),
    )
    for (const [key, port] of this.#ports) {
      if (wanted.has(key)) continue
      this.#ports.delete(key)
      this.#places.delete(port)
      this.#next = Math.min(this.#next, port)
    }
    for (const [key, place] of wanted) {
      if (this.#ports.has(key)) continue
      const port = lowestFree(this.#next, END, (candidate) => this.#places.has(candidate))
      if (port === undefined)
        throw new Error(`Cannot probe ${place.address}:${place.port}: this VNet has no more ports for probes`)
      this.#ports.set(key, port)
      this.#places.set(port, place)
      this.#next = port + 1
    }
  }

  portOf(target: Pick<ProbeTarget, 'address' | 'probe'>): number {
    return this.#ports.get(keyOf(target)) ?? 0
  }

  /** A copy: what was put in force is compared with what comes later. */
  places(): ReadonlyMap<number, Place> {
    return new Map(this.#places)
  }
}

function keyOf({ address, probe }: Pick<ProbeTarget, 'address' | 'probe'>): string {
  return `${address}:${probe.port}`
}
