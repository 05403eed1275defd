// Gathers the rules of cluster roles that others aggregate by label: admin, edit and view grow with what is installed.

import { clusterRoles } from '@aksel/api/resources'
import type { ClusterRole, PolicyRule } from '@aksel/api/types/rbac-v1'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import { matchesSelector } from '@aksel/runtime/selectors'
import { canonicalJson, isSame } from '../canonical.ts'
import type { LoopParts } from '../parts.ts'

export function clusterRoleAggregationController({ client, caches }: LoopParts): Controller {
  const roles = caches.of(clusterRoles)
  const own: Source<ClusterRole> = {
    type: clusterRoles,
    keysOf: (now, before) => {
      if (now !== undefined && before !== undefined && isSame(factsOf(now), factsOf(before))) return []
      return roles.list().flatMap((role) => (role.aggregationRule === undefined ? [] : [role.metadata.name]))
    },
  }
  return {
    name: 'cluster-role-aggregation',
    sources: [own],
    workers: 5,
    async reconcile(_scope, key) {
      const role = roles.get(key)
      if (role === undefined || role.aggregationRule === undefined) return done
      const rules = aggregatedRules(role, roles.list())
      if (!isSame(rules, role.rules ?? [])) await client.update(clusterRoles, { ...role, rules })
      return done
    },
  }
}

function factsOf({ metadata, rules, aggregationRule }: ClusterRole): unknown {
  return { labels: metadata.labels ?? {}, rules: rules ?? [], aggregationRule }
}

/** Rules of every other role that a selector of the role matches, each once, selector by selector in order of names. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const sorted = all.toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
  const rules = new Map<string, PolicyRule>()
  for (const selector of role.aggregationRule?.clusterRoleSelectors ?? []) {
    for (const other of sorted) {
      if (other.metadata.name === role.metadata.name || !matchesSelector(selector, other.metadata.labels)) continue
      for (const rule of other.rules ?? []) {
        const text = canonicalJson(rule)
        if (!rules.has(text)) rules.set(text, rule)
      }
    }
  }
  return [...rules.values()]
}
