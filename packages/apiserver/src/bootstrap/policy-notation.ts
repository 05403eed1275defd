// The notation that the bootstrap policy is written in, and its reading:
//
//     read+update,patch: core,apps: pods pods/status [names a b]      get: URLs /livez /healthz/*
//
// `core` is the group '', `read` is get, list, watch; `write` is create, update, patch, delete, deletecollection.

import type { PolicyRule } from '@aksel/api/types/rbac-v1'

export interface PolicyRole {
  /** The role whose aggregation takes these rules: `view`. */
  readonly aggregatedTo?: string
  /** The role is the sum of all that are aggregated to this. */
  readonly aggregates?: string
  readonly rules: readonly string[]
}

const shorthands: Readonly<Record<string, readonly string[]>> = {
  read: ['get', 'list', 'watch'],
  write: ['create', 'delete', 'deletecollection', 'patch', 'update'],
}

export function parseRule(text: string): PolicyRule {
  const match = /^([^:]+): (?:URLs (.+)|([^:]+): ([^[]+?)(?: \[names ([^\]]+)\])?)$/.exec(text)
  if (match === null) throw new Error(`this is no policy rule: "${text}"`)
  const [, verbText = '', urls, groups = '', resources = '', names] = match
  const verbs = verbText.split(/[+,]/).flatMap((verb) => shorthands[verb] ?? [verb])
  if (urls !== undefined) return { verbs, nonResourceURLs: urls.split(' ') }
  return {
    verbs,
    apiGroups: groups.split(',').map((group) => (group === 'core' ? '' : group)),
    resources: resources.split(' '),
    ...(names === undefined ? {} : { resourceNames: names.split(' ') }),
  }
}

const aggregation = (role: string): string => `rbac.authorization.k8s.io/aggregate-to-${role}`

export function aggregationLabel(role: string): Readonly<Record<string, string>> {
  return { [aggregation(role)]: 'true' }
}
