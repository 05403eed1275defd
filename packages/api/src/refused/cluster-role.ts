// What a ClusterRole may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue } from './words.ts'

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
    [
      { 'rules.0.resources': [] },
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
    [
      {
        rules: [{ verbs: ['get'], nonResourceURLs: ['/a'], resources: ['pods'] }],
      },
      'rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs',
    ],
    [
      {
        aggregationRule: {
          clusterRoleSelectors: [{ matchLabels: { a: 'b c' } }],
        },
      },
      `aggregationRule.clusterRoleSelectors[0].matchLabels: Invalid value: "b c": ${labelValue}`,
    ],
  ],
  update: [
    [
      {
        rules: [{ apiGroups: [''], resources: ['pods'] }],
      },
      'rules[0].verbs: Required value: verbs must contain at least one value',
    ],
  ],
}
