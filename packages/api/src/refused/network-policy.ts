// What a NetworkPolicy may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { cidr, labelValue } from './words.ts'

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
    [
      { 'spec.policyTypes': ['Sideways'] },
      'spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Egress", "Ingress"',
    ],
    [
      { 'spec.policyTypes': ['Ingress', 'Egress', 'Ingress'] },
      'spec.policyTypes: Invalid value: ["Ingress","Egress","Ingress"]: may not specify more than two policyTypes',
    ],
    [
      {
        'spec.egress': [{ ports: [{ protocol: 'HTTP' }] }],
      },
      'spec.egress[0].ports[0].protocol: Unsupported value: "HTTP": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      {
        'spec.egress': [{ ports: [{ port: 'a', endPort: 80 }] }],
      },
      'spec.egress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric',
    ],
    [
      {
        'spec.egress': [{ ports: [{ endPort: 80 }] }],
      },
      'spec.egress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is not specified',
    ],
    [
      {
        'spec.ingress': [
          {
            from: [{ ipBlock: { cidr: 'x' } }],
          },
        ],
      },
      `spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "x": ${cidr}`,
    ],
    [
      {
        'spec.ingress': [
          {
            from: [{ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }],
          },
        ],
      },
      'spec.ingress[0].from[0]: Forbidden: may not specify both ipBlock and another peer',
    ],
    [
      { 'spec.podSelector': { matchLabels: { a: 'b c' } } },
      `spec.podSelector.matchLabels: Invalid value: "b c": ${labelValue}`,
    ],
  ],
  update: [
    [
      {
        'spec.egress': [{ to: [{}] }],
      },
      'spec.egress[0].to[0]: Required value: must specify a peer',
    ],
  ],
}
