// What a RoleBinding may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { subdomain } from './words.ts'

export const roleBindingExamples: RefusedExamples = {
  kind: 'RoleBinding',
  valid: {
    metadata: { name: 'a' },
    roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' },
    subjects: [{ kind: 'User', name: 'ann' }],
  },
  create: [
    [
      { 'subjects.0.kind': 'Robot' },
      'subjects[0].kind: Unsupported value: "Robot": supported values: "Group", "ServiceAccount", "User"',
    ],
    [{ 'subjects.0.name': '' }, 'subjects[0].name: Required value'],
    [
      { 'subjects.0.apiGroup': 'mine' },
      'subjects[0].apiGroup: Unsupported value: "mine": supported values: "rbac.authorization.k8s.io"',
    ],
    [{ subjects: [{ kind: 'ServiceAccount', name: 'A' }] }, `subjects[0].name: Invalid value: "A": ${subdomain}`],
  ],
  update: [
    [
      { 'roleRef.name': 'edit' },
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef',
    ],
  ],
}
