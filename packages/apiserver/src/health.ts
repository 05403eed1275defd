// /livez, /readyz and /healthz: named checks that are really made.

import { textAnswer } from './http/answer.ts'
import type { Answer } from './http/message.ts'
import type { RequestInfo } from './request-info.ts'
import { noSuchPath } from './refusals.ts'

export interface HealthCheck {
  readonly name: string
  /** What is wrong, or undefined. */
  check(): Promise<string | undefined> | string | undefined
}

const roots = ['livez', 'readyz', 'healthz'] as const

export function isHealthPath(path: string): boolean {
  return roots.some((root) => path === `/${root}` || path.startsWith(`/${root}/`))
}

/** `readiness`: checks that only /readyz asks. */
export async function healthAnswer(
  info: RequestInfo,
  liveness: readonly HealthCheck[],
  readiness: readonly HealthCheck[],
): Promise<Answer> {
  const [root = '', name = ''] = info.path.split('/').filter((part) => part !== '')
  const all = root === 'readyz' ? [...liveness, ...readiness] : liveness
  const excluded = new Set(info.query.getAll('exclude'))
  const asked = name === '' ? all.filter((one) => !excluded.has(one.name)) : all.filter((one) => one.name === name)
  if (name !== '' && asked.length === 0) throw noSuchPath()
  const results = await Promise.all(asked.map(async (one) => ({ name: one.name, problem: await one.check() })))
  const failed = results.filter(({ problem }) => problem !== undefined)
  const lines = results.map(({ name: label, problem }) =>
    problem === undefined ? `[+]${label} ok` : `[-]${label} failed: reason withheld`,
  )
  if (failed.length > 0) return textAnswer(500, `${[...lines, `${root} check failed`].join('\n')}\n`)
  return textAnswer(200, info.query.has('verbose') ? `${[...lines, `${root} check passed`].join('\n')}\n` : 'ok')
}
