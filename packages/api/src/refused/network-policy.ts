// What a NetworkPolicy may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const networkPolicyExamples: RefusedExamples = {
  kind: 'NetworkPolicy',
  valid: { metadata: { name: 'a' }, spec: { podSelector: {}, egress: [{}] } },
  create: [
    [
      {
        'spec.egress': [{ to: [{}] }],
      },
      'spec.egress[0].to[0]: Required value: must specify a peer',
    ],
    [
      {
        'spec.egress': [
          {
            to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/9'] } }],
          },
        ],
      },
      'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/9": must be a strict subset of `cidr`',
    ],
    [
      {
        'spec.egress': [{ ports: [{ port: 90, endPort: 80 }] }],
      },
      'spec.egress[0].ports[0].endPort: Invalid value: 90: must be greater than or equal to `port`',
    ],
  ],
  update: [],
}
