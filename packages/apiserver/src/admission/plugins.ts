// The admission plug-ins of a cluster, in the order in which they run.

import type { AdmissionPlugin } from './admission.ts'
import { limitRanger } from './limit-ranger.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction, taintNodesByCondition } from './nodes.ts'
import { defaultTolerationSeconds, priority } from './pod-defaults.ts'
import { serviceAccountAdmission } from './service-account.ts'
import { defaultStorageClass, storageObjectInUseProtection } from './storage.ts'

/** Those before the policies and webhooks; quotas come after them, for only what will be stored is charged. */
export const admissionPlugins: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  limitRanger,
  serviceAccountAdmission,
  nodeRestriction,
  taintNodesByCondition,
  priority,
  defaultTolerationSeconds,
  defaultStorageClass,
  storageObjectInUseProtection,
]
