// Addresses of a simulated node's pod range.

/** Lowest free first; the first two belong to the network and its gateway. */
export class PodAddresses {
  readonly #base: number
  readonly #size: number
  readonly #byPod = new Map<string, string>()
  readonly #taken = new Set<string>()
  /** No lower offset is free. */
  #lowest = 2

  constructor(podCidr: string) {
    const [address, bits] = podCidr.split('/') as [string, string]
    this.#base = address.split('.').reduce((value, part) => value * 256 + Number(part), 0)
    this.#size = 2 ** (32 - Number(bits))
  }

  of(pod: string, known: string | undefined): string {
    const mine = this.#byPod.get(pod) ?? known
    if (mine !== undefined) return this.#give(pod, mine)
    for (let offset = this.#lowest; offset < this.#size - 1; offset += 1) {
      const address = this.#at(offset)
      if (this.#taken.has(address)) continue
      this.#lowest = offset + 1
      return this.#give(pod, address)
    }
    throw new Error(`No address is left in the pod range for pod "${pod}"`)
  }

  release(pod: string): void {
    const address = this.#byPod.get(pod)
    if (address === undefined) return
    this.#byPod.delete(pod)
    this.#taken.delete(address)
    this.#lowest = 2
  }

  #give(pod: string, address: string): string {
    this.#byPod.set(pod, address)
    this.#taken.add(address)
    return address
  }

  #at(offset: number): string {
    const value = this.#base + offset
    return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
  }
}
