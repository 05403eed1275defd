// The rules of every kind that has some of its own; all others get the common behaviour.

import type { KindRules } from '../kind-row.ts'
import { configMapRules } from './config-map.ts'
import { deploymentRules } from './deployment.ts'
import { leaseRules } from './lease.ts'
import { namespaceRules } from './namespace.ts'
import { nodeRules } from './node.ts'
import { podRules } from './pod.ts'
import { replicaSetRules } from './replica-set.ts'
import { secretRules } from './secret.ts'
import { serviceAccountRules } from './service-account.ts'
import { serviceRules } from './service.ts'

export const allRules: readonly KindRules[] = [
  configMapRules,
  deploymentRules,
  leaseRules,
  namespaceRules,
  nodeRules,
  podRules,
  replicaSetRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
]
