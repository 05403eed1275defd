// The admission plug-ins of a cluster, in the order in which they run.

import type { AdmissionPlugin } from './admission.ts'
import {
  certificateApproval,
  certificateSigning,
  certificateSubjectRestriction,
  clusterTrustBundleAttest,
} from './certificates.ts'
import { deviceAdminAccess } from './device-admin-access.ts'
import { defaultIngressClass } from './ingress-class.ts'
import { limitRanger } from './limit-ranger.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction, taintNodesByCondition } from './nodes.ts'
import { defaultTolerationSeconds, priority } from './pod-defaults.ts'
import { podTopologyLabels } from './pod-topology.ts'
import { podSecurity } from './pod-security/plugin.ts'
import { runtimeClass } from './runtime-class.ts'
import { serviceAccountAdmission } from './service-account.ts'
import { defaultStorageClass, persistentVolumeClaimResize, storageObjectInUseProtection } from './storage.ts'

/** Those before the policies and webhooks; quotas come after them, for only what will be stored is charged. */
export const admissionPlugins: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccountAdmission,
  nodeRestriction,
  taintNodesByCondition,
  podSecurity,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
  persistentVolumeClaimResize,
  runtimeClass,
  certificateApproval,
  certificateSigning,
  clusterTrustBundleAttest,
  certificateSubjectRestriction,
  defaultIngressClass,
  podTopologyLabels,
  deviceAdminAccess,
]
