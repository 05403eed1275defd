// The rules of every kind that has some of its own; all others get the common behaviour.

import type { KindRules } from '../kind-row.ts'
import { configMapRules } from './config-map.ts'
import { deploymentRules } from './deployment.ts'
import { endpointSliceRules } from './endpoint-slice.ts'
import { leaseRules } from './lease.ts'
import { namespaceRules } from './namespace.ts'
import { nodeRules } from './node.ts'
import { persistentVolumeClaimRules } from './persistent-volume-claim.ts'
import { persistentVolumeRules } from './persistent-volume.ts'
import { podRules } from './pod.ts'
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleRules } from './rbac.ts'
import { replicaSetRules } from './replica-set.ts'
import { reviewRules } from './reviews.ts'
import { secretRules } from './secret.ts'
import { serviceAccountRules } from './service-account.ts'
import { serviceRules } from './service.ts'
import { statefulSetRules } from './stateful-set.ts'
import { storageClassRules } from './storage-class.ts'

export const allRules: readonly KindRules[] = [
  clusterRoleBindingRules,
  clusterRoleRules,
  configMapRules,
  deploymentRules,
  endpointSliceRules,
  leaseRules,
  namespaceRules,
  nodeRules,
  persistentVolumeClaimRules,
  persistentVolumeRules,
  podRules,
  replicaSetRules,
  ...reviewRules,
  roleBindingRules,
  roleRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
  statefulSetRules,
  storageClassRules,
]
