// Which versions of the API a server offers: the stable ones, and whatever its operator switched on, by upstream's names.

import type { KindFact } from './tables.ts'

/** `--runtime-config`: `api/all`, `api/ga`, `api/beta`, `api/alpha`, `GROUP/VERSION`, `GROUP/VERSION/RESOURCE`; `v1` for the core group. */
export type RuntimeConfig = Readonly<Record<string, boolean>>

const stages: Readonly<Record<string, RegExp>> = {
  'api/all': /./,
  'api/ga': /^v\d+$/,
  'api/beta': /^v\d+beta\d+$/,
  'api/alpha': /^v\d+alpha\d+$/,
}

/** The most exact word wins: a resource, then its group version, then the stages. Stable versions are on where nothing is said. */
export function isOffered(config: RuntimeConfig, fact: Pick<KindFact, 'group' | 'version' | 'plural'>): boolean {
  const groupVersion = fact.group === '' ? fact.version : `${fact.group}/${fact.version}`
  const named = config[`${groupVersion}/${fact.plural}`] ?? config[groupVersion] ?? config[`api/${groupVersion}`]
  if (named !== undefined) return named
  for (const stage of ['api/ga', 'api/beta', 'api/alpha', 'api/all'] as const) {
    const wanted = config[stage]
    if (wanted !== undefined && stages[stage]!.test(fact.version)) return wanted
  }
  return stages['api/ga']!.test(fact.version)
}

/** Throws for names that mean nothing to this server, as upstream refuses to start with them. */
export function checkRuntimeConfig(config: RuntimeConfig, facts: readonly KindFact[]): void {
  const groupVersions = new Set(facts.map(({ group, version }) => (group === '' ? version : `${group}/${version}`)))
  for (const key of Object.keys(config)) {
    if (Object.hasOwn(stages, key)) continue
    const plain = key.replace(/^api\/(?=v\d)/, '')
    const [group = '', version = ''] = plain.split('/')
    if (groupVersions.has(plain) || groupVersions.has(version === '' ? group : `${group}/${version}`)) continue
    throw new Error(`unknown api groups ${key}`)
  }
}
