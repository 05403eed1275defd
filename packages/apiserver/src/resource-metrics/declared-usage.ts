// On simulated nodes nothing runs that could be measured: a pod says itself what it would use, in an annotation.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Node } from '@aksel/api/types/core-v1'
import { parseJson } from '@aksel/base/json'
import { tryParseQuantity } from '@aksel/base/quantity'
import type { Clock } from '@aksel/base/clock'
import type { PodUsage, ResourceUsage, Usage } from './usage.ts'

/** `{"cpu":"250m","memory":"64Mi"}` for each container; `{"containers":{"web":{…}}}` names them. */
export const usageAnnotation = 'aksel.dev/simulated-usage'

const WINDOW_MS = 15_000

interface Declared {
  readonly cpu?: string
  readonly memory?: string
}

type Declaration = Declared & { readonly containers?: Readonly<Record<string, Declared>> }

export class DeclaredUsage implements ResourceUsage {
  readonly #clock: Clock
  readonly #pods: () => Promise<readonly Pod[]>

  constructor(clock: Clock, pods: () => Promise<readonly Pod[]>) {
    this.#clock = clock
    this.#pods = pods
  }

  /** The sum of its pods'. */
  async ofNodes(nodes: readonly Node[]): Promise<ReadonlyMap<string, Usage>> {
    const byNode = Map.groupBy(await this.#pods(), ({ spec }) => spec?.nodeName ?? '')
    const atMs = this.#clock.now()
    return new Map(
      nodes.map(({ metadata }) => {
        const usages = (byNode.get(metadata.name) ?? []).flatMap((pod) => [...usageOf(pod, atMs).values()])
        const sum = (of: (usage: Usage) => number): number => usages.reduce((total, usage) => total + of(usage), 0)
        const usage: Usage = {
          atMs,
          windowMs: WINDOW_MS,
          cpuNanoCores: sum(({ cpuNanoCores }) => cpuNanoCores),
          memoryBytes: sum(({ memoryBytes }) => memoryBytes),
        }
        return [metadata.name, usage] as const
      }),
    )
  }

  ofPods(pods: readonly Pod[]): Promise<ReadonlyMap<string, PodUsage>> {
    const atMs = this.#clock.now()
    const known = pods
      .map((pod) => [pod.metadata.uid!, usageOf(pod, atMs)] as const)
      .filter(([, usage]) => usage.size > 0)
    return Promise.resolve(new Map(known))
  }
}

/** Of its running containers. */
function usageOf(pod: Pod, atMs: number): PodUsage {
  const declaration = declarationOf(pod)
  const running = (pod.status?.containerStatuses ?? []).filter(({ state }) => state?.running !== undefined)
  return new Map(
    running.map(({ name }) => {
      const { cpu, memory } = declaration.containers?.[name] ?? declaration
      const usage = { atMs, windowMs: WINDOW_MS, cpuNanoCores: nanoOf(cpu), memoryBytes: nanoOf(memory) / 1e9 }
      return [name, usage] as const
    }),
  )
}

/** What cannot be read counts as not said. */
function declarationOf({ metadata }: Pod): Declaration {
  const text = metadata.annotations?.[usageAnnotation]
  if (text === undefined) return {}
  try {
    const value = parseJson(Buffer.from(text))
    return typeof value === 'object' && value !== null ? (value as Declaration) : {}
  } catch {
    return {}
  }
}

function nanoOf(quantity: unknown): number {
  const parsed = typeof quantity === 'string' || typeof quantity === 'number' ? tryParseQuantity(quantity) : undefined
  return Math.max(0, Number(parsed?.nano ?? 0n))
}
