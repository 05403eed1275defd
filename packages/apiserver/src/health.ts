// /livez, /readyz and /healthz: named checks that are really made, one by one or all together, as upstream words them.

import { labelText, type Counter, type Labels, type MetricsRegistry } from './metrics.ts'
import { textAnswer } from './http/answer.ts'
import type { Answer } from './http/message.ts'
import type { RequestInfo } from './request-info.ts'

const healthcheck = 'kubernetes_healthcheck'
const healthchecksTotal = 'kubernetes_healthchecks_total'
/** What `/metrics/slis` shows. */
export const healthFamilies: ReadonlySet<string> = new Set([healthcheck, healthchecksTotal])

export interface HealthCheck {
  readonly name: string
  /** What is wrong, or undefined. */
  check(): Promise<string | undefined> | string | undefined
}

/** Counts what probes were told: under upstream's names, by check and by the path that was asked. */
export class HealthMetrics {
  readonly #last = new Map<string, readonly [Labels, number]>()
  readonly #totals: Counter

  constructor(registry: MetricsRegistry) {
    registry.gauge(healthcheck, 'This metric records the result of a single healthcheck.', () => [
      ...this.#last.values(),
    ])
    this.#totals = registry.counter(healthchecksTotal, 'This metric records the results of all healthcheck.')
  }

  observe(name: string, type: string, succeeded: boolean): void {
    const labels = { name, type }
    this.#last.set(labelText(labels), [labels, succeeded ? 1 : 0])
    this.#totals.add(labelText({ name, status: succeeded ? 'success' : 'error', type }))
  }
}

export interface HealthParts {
  readonly liveness: readonly HealthCheck[]
  /** Checks that only /readyz asks. */
  readonly readiness: readonly HealthCheck[]
  readonly health: HealthMetrics
}

const roots = ['livez', 'readyz', 'healthz'] as const

export function isHealthPath(path: string): boolean {
  return roots.some((root) => path === `/${root}` || path.startsWith(`/${root}/`))
}

/** Every path that is answered: the sums, and each check by name. */
export function healthPaths({ liveness, readiness }: Pick<HealthParts, 'liveness' | 'readiness'>): readonly string[] {
  return roots.flatMap((root) => {
    const all = root === 'readyz' ? [...liveness, ...readiness] : liveness
    return [`/${root}`, ...all.map(({ name }) => `/${root}/${name}`)]
  })
}

/** Undefined for a check that does not exist. */
export async function healthAnswer(
  info: RequestInfo,
  { liveness, readiness, health }: HealthParts,
): Promise<Answer | undefined> {
  const [root = '', ...rest] = info.path.split('/').filter((part) => part !== '')
  const all = root === 'readyz' ? [...liveness, ...readiness] : liveness
  if (rest.length > 0) return oneAnswer(all.find((one) => one.name === rest.join('/')))
  const excluded = info.query.getAll('exclude').flatMap((names) => names.split(','))
  const lines: string[] = []
  let hasFailed = false
  for (const one of all) {
    if (excluded.includes(one.name)) {
      lines.push(`[+]${one.name} excluded: ok`)
      continue
    }
    const problem = await judged(one)
    health.observe(one.name, root, problem === undefined)
    hasFailed ||= problem !== undefined
    // Why is for the log and for those who may ask the check by itself.
    lines.push(problem === undefined ? `[+]${one.name} ok` : `[-]${one.name} failed: reason withheld`)
  }
  const unknown = excluded.filter((name) => name !== '' && !all.some((one) => one.name === name))
  if (unknown.length > 0) {
    const shown = unknown.map((name) => JSON.stringify(name)).join(',')
    lines.push(`warn: some health checks cannot be excluded: no matches for ${shown}`)
  }
  if (hasFailed) return textAnswer(500, `${[...lines, `${root} check failed`].join('\n')}\n`)
  return textAnswer(200, info.query.has('verbose') ? `${[...lines, `${root} check passed`].join('\n')}\n` : 'ok')
}

async function oneAnswer(one: HealthCheck | undefined): Promise<Answer | undefined> {
  if (one === undefined) return undefined
  const problem = await judged(one)
  return problem === undefined ? textAnswer(200, 'ok') : textAnswer(500, `internal server error: ${problem}\n`)
}

async function judged(one: HealthCheck): Promise<string | undefined> {
  try {
    return await one.check()
  } catch (error) {
    return (error as Error).message
  }
}
