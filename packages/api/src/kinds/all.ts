// The rules of every kind that has some of its own; all others get the common behaviour.

import type { KindRules } from '../kind-row.ts'
import { configMapRules } from './config-map.ts'
import { leaseRules } from './lease.ts'
import { namespaceRules } from './namespace.ts'
import { nodeRules } from './node.ts'
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleRules } from './rbac.ts'
import { secretRules } from './secret.ts'
import { serviceAccountRules } from './service-account.ts'
import { serviceRules } from './service.ts'

/** Rules differ in the type of their objects; a catalog holds them side by side. */
function plain(rules: { readonly group: string; readonly version: string; readonly kind: string }): KindRules {
  return rules as KindRules
}

export const allRules: readonly KindRules[] = [
  configMapRules,
  leaseRules,
  namespaceRules,
  nodeRules,
  clusterRoleBindingRules,
  clusterRoleRules,
  roleBindingRules,
  roleRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
].map(plain)
