// Services that come, go, change their backends and take each other's addresses, by seed; and which backends may answer at an address.

import { endpointSlices, services } from '@aksel/api/resources'
import { fraction, type Random } from '@aksel/base/ids'
import type { Question } from './service-caller.ts'
import type { MemoryCaches } from './memory-caches.ts'
import { endpoint, service, slice } from './objects.ts'

const PORTS = [
  { name: 'http', port: 80, protocol: 'TCP' },
  { name: 'talk', port: 53, protocol: 'UDP' },
] as const
export const BACKEND_PORT = 8080
const targets = PORTS.map(({ name, protocol }) => ({ name, port: BACKEND_PORT, protocol }))
/** Backends of one service, at most. */
const MOST = 5

interface Live {
  readonly name: string
  readonly ip: string
  readonly backends: readonly string[]
}

export class ServiceChurn {
  readonly #random: Random
  readonly #caches: MemoryCaches
  readonly #backends: readonly string[]
  readonly #names: string[] = []
  readonly #live = new Map<string, Live>()
  readonly #byAddress = new Map<string, Live>()
  /** Addresses that no service has. */
  readonly #free: string[] = []
  #made = 0

  constructor(random: Random, caches: MemoryCaches, backends: readonly string[]) {
    this.#random = random
    this.#caches = caches
    this.#backends = backends
  }

  fill(count: number): void {
    for (let n = 0; n < count; n += 1) this.#put(this.#freshName(), `10.1.${n >> 8}.${n & 255}`, this.#draw())
  }

  /** Every address that a service has or had. */
  addresses(): readonly string[] {
    return [...this.#byAddress.keys(), ...this.#free]
  }

  some(count: number): readonly string[] {
    return Array.from({ length: count }, () => this.#live.get(this.#anyName())!.ip)
  }

  /** Nobody where no service has the address. */
  backendsAt(ip: string): readonly string[] {
    return this.#byAddress.get(ip)?.backends ?? []
  }

  /** Changes so many services at once; returns the addresses that were touched, with who served each before. */
  change(count: number): ReadonlyMap<string, readonly string[]> {
    const touched = new Map<string, readonly string[]>()
    const touch = (ip: string): void => void (touched.has(ip) || touched.set(ip, this.backendsAt(ip)))
    for (let n = 0; n < count; n += 1) this.#changeOne(touch)
    return touched
  }

  #changeOne(touch: (ip: string) => void): void {
    const one = this.#live.get(this.#anyName())!
    const kind = this.#below(5)
    const free = kind === 0 ? this.#free.pop() : undefined
    touch(free ?? one.ip)
    if (free !== undefined) this.#put(this.#freshName(), free, this.#draw())
    else if (kind === 1) {
      this.#drop(one)
      this.#free.push(one.ip)
    } else if (kind === 2) {
      // Another service has the address at once, told of before the old one's end or after it.
      const isEarly = this.#below(2) === 0
      if (!isEarly) this.#drop(one)
      this.#put(this.#freshName(), one.ip, this.#draw())
      if (isEarly) this.#drop(one)
    } else this.#put(one.name, one.ip, this.#draw())
  }

  #below(end: number): number {
    return Math.floor(fraction(this.#random) * end)
  }

  /** Names of the gone are found out when they are drawn. */
  #anyName(): string {
    while (true) {
      const at = this.#below(this.#names.length)
      const name = this.#names[at]!
      if (this.#live.has(name)) return name
      this.#names[at] = this.#names.at(-1)!
      this.#names.pop()
    }
  }

  #put(name: string, ip: string, backends: readonly string[]): void {
    if (!this.#live.has(name)) this.#names.push(name)
    const one = { name, ip, backends }
    this.#live.set(name, one)
    this.#byAddress.set(ip, one)
    // One that ends and one that is not ready get nothing while others serve; alone, an ending one would.
    const away = this.#backends.filter((each) => !backends.includes(each))
    const idle =
      backends.length === 0
        ? []
        : [endpoint(away[0]!, { conditions: ENDING }), endpoint(away[1]!, { conditions: STARTING })]
    const endpoints = [...backends.map((address) => endpoint(address)), ...idle]
    this.#caches.of(endpointSlices).put(slice(name, endpoints, targets))
    this.#caches.of(services).put(service(name, { clusterIP: ip, ports: PORTS }))
  }

  #drop({ name, ip }: Live): void {
    this.#live.delete(name)
    if (this.#byAddress.get(ip)?.name === name) this.#byAddress.delete(ip)
    this.#caches.of(services).delete(`default/${name}`)
    this.#caches.of(endpointSlices).delete(`default/${name}-abcde`)
  }

  #freshName(): string {
    this.#made += 1
    return `s${this.#made}`
  }

  #draw(): readonly string[] {
    const count = this.#below(MOST + 1)
    const drawn = new Set<string>()
    while (drawn.size < count) drawn.add(this.#backends[this.#below(this.#backends.length)]!)
    return [...drawn]
  }
}

const ENDING = { ready: false, serving: true, terminating: true }
const STARTING = { ready: false, serving: false, terminating: false }

/** Both ports of each address. */
export function questionsOf(addresses: readonly string[]): readonly Question[] {
  return addresses.flatMap((ip) => PORTS.map(({ protocol, port }) => ({ protocol, ip, port })))
}

/** Answers that no state allows: somebody who is no backend, or nobody where there is always one. */
export function wrongAnswers(
  questions: readonly Question[],
  answers: readonly string[],
  states: readonly ((ip: string) => readonly string[])[],
): readonly string[] {
  return questions.flatMap(({ protocol, ip, port }, at) => {
    const answer = answers[at]!
    const allowed = states.map((backendsAt) => backendsAt(ip))
    const isRight = allowed.some((backends) => (backends.length === 0 ? answer === '' : backends.includes(answer)))
    if (isRight) return []
    const wanted = allowed.map((backends) => `[${backends.join(' ')}]`).join(' or ')
    return [`${protocol} ${ip}:${port} was answered by "${answer}", not by ${wanted}`]
  })
}
