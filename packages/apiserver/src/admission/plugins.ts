// The admission plug-ins of a cluster, in the order in which they run.

import type { AdmissionPlugin } from './admission.ts'
import { namespaceLifecycle } from './namespace-lifecycle.ts'
import { nodeRestriction, taintNodesByCondition } from './nodes.ts'
import { defaultTolerationSeconds, priority } from './pod-defaults.ts'
import { serviceAccountAdmission } from './service-account.ts'
import { defaultStorageClass, storageObjectInUseProtection } from './storage.ts'

export const admissionPlugins: readonly AdmissionPlugin[] = [
  namespaceLifecycle,
  serviceAccountAdmission,
  nodeRestriction,
  taintNodesByCondition,
  defaultTolerationSeconds,
  priority,
  defaultStorageClass,
  storageObjectInUseProtection,
]
