// What a Role may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const roleExamples: RefusedExamples = {
  kind: 'Role',
  valid: {
    metadata: { name: 'a' },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }],
  },
  create: [
    [{ 'metadata.name': 'a/b' }, `metadata.name: Invalid value: "a/b": may not contain '/'`],
    [
      {
        rules: [{ apiGroups: [''], resources: ['pods'] }],
      },
      'rules[0].verbs: Required value: verbs must contain at least one value',
    ],
    [
      {
        rules: [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }],
      },
      'rules[0].nonResourceURLs: Invalid value: ["/metrics"]: namespaced rules cannot apply to non-resource URLs',
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
