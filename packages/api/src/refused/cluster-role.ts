// What a ClusterRole may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const clusterRoleExamples: RefusedExamples = {
  kind: 'ClusterRole',
  valid: {
    metadata: { name: 'a' },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
  },
  create: [
    [
      {
        rules: [{ verbs: ['get'], resources: ['pods'] }],
      },
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
    ],
    [
      { aggregationRule: {} },
      'aggregationRule.clusterRoleSelectors: Required value: at least one clusterRoleSelector required if aggregationRule is non-nil',
    ],
  ],
  update: [],
}
