// Asks nodes for their samples, every 15 seconds as long as somebody wants to know, and tells usage from two of them.

import { text } from 'node:stream/consumers'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { anySignal } from '@aksel/base/any-signal'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { NodeConnector } from '../connect-handler.ts'
import { readSamples, type NodeSamples, type Sample } from './samples.ts'
import type { PodUsage, ResourceUsage, Usage } from './usage.ts'

/** As metrics-server, whose default this is. */
const RESOLUTION_MS = 15_000
/** Who asks first waits for two samples this far apart. */
const FIRST_WINDOW_MS = 1000
/** A cluster that nobody watches costs nothing. */
const IDLE_MS = 5 * 60_000
const TIMEOUT_MS = 10_000

interface Watched {
  last: NodeSamples | undefined
  previous: NodeSamples | undefined
  askedMs: number
  /** Resolves when there are two samples, or the node did not answer. */
  readonly first: Promise<void>
}

export class ScrapedUsage implements ResourceUsage {
  readonly #scope: Scope
  readonly #nodes: NodeConnector
  readonly #watched = new Map<string, Watched>()

  constructor(scope: Scope, nodes: NodeConnector) {
    this.#scope = scope
    this.#nodes = nodes
  }

  async ofNodes(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlyMap<string, Usage>> {
    await this.#want(
      nodes.map(({ metadata }) => metadata.name),
      signal,
    )
    const found = nodes.flatMap(({ metadata }) => {
      const { last, previous } = this.#watched.get(metadata.name) ?? {}
      const usage = between(previous?.node, last?.node)
      return usage === undefined ? [] : [[metadata.name, usage] as const]
    })
    return new Map(found)
  }

  async ofPods(pods: readonly Pod[], signal: AbortSignal): Promise<ReadonlyMap<string, PodUsage>> {
    await this.#want(
      pods.flatMap(({ spec }) => spec?.nodeName ?? []),
      signal,
    )
    const found = pods.flatMap(({ metadata, spec }) => {
      const { last, previous } = this.#watched.get(spec?.nodeName ?? '') ?? {}
      const key = `${metadata.namespace}/${metadata.name}`
      const usage = podBetween(previous?.pods.get(key), last?.pods.get(key))
      return usage === undefined ? [] : [[metadata.uid!, usage] as const]
    })
    return new Map(found)
  }

  async #want(names: readonly string[], signal: AbortSignal): Promise<void> {
    const now = this.#scope.clock.monotonicMs()
    const waits = [...new Set(names)].map((name) => {
      const known = this.#watched.get(name)
      if (known !== undefined) {
        known.askedMs = now
        return known.first
      }
      return this.#watch(name, now).first
    })
    const gone = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([Promise.all(waits), gone])
  }

  #watch(name: string, askedMs: number): Watched {
    const { scope } = { scope: this.#scope }
    const first = Promise.withResolvers<void>()
    const watched: Watched = { last: undefined, previous: undefined, askedMs, first: first.promise }
    this.#watched.set(name, watched)
    const run = async (): Promise<void> => {
      await this.#sample(name, watched)
      if (watched.last !== undefined) {
        await sleep(scope.clock, FIRST_WINDOW_MS, scope.signal)
        await this.#sample(name, watched)
      }
      first.resolve()
      while (scope.clock.monotonicMs() - watched.askedMs < IDLE_MS) {
        await sleep(scope.clock, RESOLUTION_MS, scope.signal)
        await this.#sample(name, watched)
      }
    }
    void run()
      .catch((error: unknown) => {
        if (!scope.signal.aborted) scope.log.error('the usage of a node could not be read', { node: name, error })
      })
      .finally(() => {
        first.resolve()
        this.#watched.delete(name)
      })
    return watched
  }

  /** A node that does not answer has no usage until it does. */
  async #sample(name: string, watched: Watched): Promise<void> {
    const { clock, signal, log } = this.#scope
    try {
      const deadline = anySignal([signal, AbortSignal.timeout(TIMEOUT_MS)])
      const request = { method: 'GET', path: '/metrics/resource', signal: deadline }
      const { status, stream } = await this.#nodes.open(name, request)
      stream.end()
      const body = await text(stream)
      if (status !== 200) throw new Error(`the node answered ${status}: ${body}`)
      const samples = readSamples(body, clock.now())
      watched.previous = watched.last
      watched.last = samples
    } catch (error) {
      watched.previous = undefined
      watched.last = undefined
      log.debug('a node did not say what it uses', { node: name, error })
    }
  }
}

function between(previous: Sample | undefined, last: Sample | undefined): Usage | undefined {
  if (previous === undefined || last === undefined || last.atMs <= previous.atMs) return undefined
  // A container that started in between has no window of its own yet.
  if ((last.startMs ?? 0) > previous.atMs || last.cpuSeconds < previous.cpuSeconds) return undefined
  const windowMs = last.atMs - previous.atMs
  const cpuNanoCores = Math.floor(((last.cpuSeconds - previous.cpuSeconds) * 1e12) / windowMs)
  return { atMs: last.atMs, windowMs, cpuNanoCores, memoryBytes: last.memoryBytes }
}

function podBetween(
  previous: ReadonlyMap<string, Sample> | undefined,
  last: ReadonlyMap<string, Sample> | undefined,
): PodUsage | undefined {
  if (last === undefined || last.size === 0) return undefined
  const usage = new Map<string, Usage>()
  for (const [name, sample] of last) {
    const own = between(previous?.get(name), sample)
    if (own === undefined) return undefined
    usage.set(name, own)
  }
  return usage
}
