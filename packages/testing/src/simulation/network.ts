// The network between the processes of a simulated cluster and its server: it delays, loses, repeats and parts, by seed.

import { anySignal } from '@aksel/base/any-signal'
import type { Clock } from '@aksel/base/clock'
import { sleep } from '@aksel/base/clock'
import { fraction, type Random } from '@aksel/base/ids'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'

export interface NetworkFaults {
  /** Chance that a request never arrives. */
  readonly lostRequests: number
  /** Chance that the answer to a request that took effect is lost; creations by generated names are spared, as no client can repeat those. */
  readonly lostAnswers: number
  /** Chance that a request arrives twice. */
  readonly repeated: number
  /** Up to so much virtual time each way, in milliseconds. */
  readonly delayMs: number
  /** Chance, with every piece that a watch delivers, that it breaks off. */
  readonly brokenWatches: number
}

export const noNetworkFaults: NetworkFaults = {
  lostRequests: 0,
  lostAnswers: 0,
  repeated: 0,
  delayMs: 0,
  brokenWatches: 0,
}

/** How long a process waits for an answer that does not come. */
const TIMEOUT_MS = 5000

export class SimulatedNetwork {
  faults: NetworkFaults = noNetworkFaults
  /** Creations of pods whose outcome nobody was told: each may have made a pod that its maker does not know of yet. */
  unanswered = 0
  readonly #clock: Clock
  readonly #random: Random
  readonly #parted = new Set<string>()
  readonly #watches = new Map<AbortController, string>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** Cuts a process off, watches included, until it is joined again. */
  part(process: string): void {
    this.#parted.add(process)
    this.breakWatches(process)
  }

  join(process?: string): void {
    if (process === undefined) this.#parted.clear()
    else this.#parted.delete(process)
  }

  /** Of one process, or of all when the server dies. */
  breakWatches(process?: string): void {
    for (const [watch, of] of this.#watches) if (process === undefined || of === process) watch.abort(broken())
  }

  /** `server` is asked for every request: a server that was started anew is another. */
  transportOf(process: string, server: () => Transport): Transport {
    return { send: (request) => this.#send(process, server, request) }
  }

  async #send(process: string, server: () => Transport, request: ApiRequest): Promise<ApiResponse> {
    const { faults } = this
    await this.#delay(request)
    if (this.#parted.has(process) || this.#happens(faults.lostRequests)) {
      await sleep(this.#clock, TIMEOUT_MS, request.signal)
      throw new Error(`${request.method} ${request.path}: no answer within ${TIMEOUT_MS} ms`)
    }
    const isWatch = /[?&]watch=/.test(request.path)
    if (isWatch) return this.#watch(process, server, request)
    const response = await this.#deliver(server, request)
    const answer = { ...response, body: replay(await collect(response.body)) }
    if (this.#happens(faults.repeated) && request.method !== 'POST') await collect((await server().send(request)).body)
    await this.#delay(request)
    if (request.method !== 'POST' && (this.#parted.has(process) || this.#happens(faults.lostAnswers))) throw broken()
    return answer
  }

  async #deliver(server: () => Transport, request: ApiRequest): Promise<ApiResponse> {
    const makesPod = request.method === 'POST' && request.path.includes('/pods')
    try {
      const response = await server().send(request)
      if (makesPod && response.status >= 500) this.unanswered += 1
      return response
    } catch (error) {
      if (makesPod) this.unanswered += 1
      throw error
    }
  }

  async #watch(process: string, server: () => Transport, request: ApiRequest): Promise<ApiResponse> {
    const stop = new AbortController()
    const signal = request.signal === undefined ? stop.signal : anySignal([request.signal, stop.signal])
    const response = await server().send({ ...request, signal })
    this.#watches.set(stop, process)
    const { events } = response
    const faulty = events === undefined ? {} : { events: this.#pieces(events, stop) }
    return { ...response, body: this.#pieces(response.body, stop), ...faulty }
  }

  async *#pieces<T>(body: AsyncIterable<T>, stop: AbortController): AsyncGenerator<T> {
    try {
      for await (const piece of body) {
        if (stop.signal.aborted || this.#happens(this.faults.brokenWatches)) throw broken()
        yield piece
      }
      if (stop.signal.aborted) throw broken()
    } finally {
      this.#watches.delete(stop)
      stop.abort(broken())
    }
  }

  async #delay({ signal }: ApiRequest): Promise<void> {
    const { delayMs } = this.faults
    if (delayMs > 0) await sleep(this.#clock, fraction(this.#random) * delayMs, signal)
  }

  #happens(chance: number): boolean {
    return chance > 0 && fraction(this.#random) < chance
  }
}

function broken(): Error {
  return new Error('the connection was lost')
}

async function collect(body: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return pieces
}

async function* replay(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}
