// What a ClusterRoleBinding may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const clusterRoleBindingExamples: RefusedExamples = {
  kind: 'ClusterRoleBinding',
  valid: {
    metadata: { name: 'a' },
    roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' },
    subjects: [{ kind: 'ServiceAccount', name: 'sa', namespace: 'x' }],
  },
  create: [
    [{ 'roleRef.kind': 'Role' }, 'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
    [{ 'subjects.0.namespace': undefined }, 'subjects[0].namespace: Required value'],
    [{ 'roleRef.name': '' }, 'roleRef.name: Required value'],
    [
      { 'roleRef.apiGroup': 'mine' },
      'roleRef.apiGroup: Unsupported value: "mine": supported values: "rbac.authorization.k8s.io"',
    ],
  ],
  update: [
    [
      { 'roleRef.name': 'edit' },
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef',
    ],
  ],
}
