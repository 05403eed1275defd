// What a Node may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { cidr, namePart, nonNegative } from './words.ts'

export const nodeExamples: RefusedExamples = {
  kind: 'Node',
  valid: { metadata: { name: 'a' }, spec: { podCIDRs: ['10.244.0.0/24'], providerID: 'aksel://n1' } },
  create: [
    [
      { 'spec.taints': [{ key: 'a', effect: 'Never' }] },
      'metadata.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
    [
      {
        'spec.taints': [
          { key: 'a', effect: 'NoExecute' },
          { key: 'a', effect: 'NoExecute' },
        ],
      },
      'metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoExecute"}: taints must be unique by key and effect pair',
    ],
    [
      { 'spec.podCIDRs': ['10.0.0.0/24', '10.0.1.0/24'] },
      'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.1.0/24"]: may specify no more than one CIDR for each IP family',
    ],
    [{ 'spec.podCIDRs': ['x'] }, `spec.podCIDRs[0]: Invalid value: "x": ${cidr}`],
    [
      { 'status.capacity': { cpu: '-1' } },
      [
        `status.capacity.cpu: Invalid value: "-1": ${nonNegative}`,
        `status.allocatable.cpu: Invalid value: "-1": ${nonNegative}`,
      ],
    ],
  ],
  update: [
    [
      { 'spec.podCIDRs': ['10.244.9.0/24'] },
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    ],
    [
      { 'spec.providerID': 'other' },
      'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
    ],
    [{ 'spec.externalID': 'x' }, 'spec.externalID: Forbidden: may not be updated'],
    [
      { 'spec.taints': [{ key: 'a b', effect: 'NoSchedule' }] },
      `metadata.taints[0].key: Invalid value: "a b": ${namePart}`,
    ],
  ],
  status: [
    [
      {
        'status.addresses': [
          { type: 'InternalIP', address: '10.0.0.1' },
          { type: 'InternalIP', address: '10.0.0.1' },
        ],
      },
      'status.addresses[1]: Duplicate value: {"type":"InternalIP","address":"10.0.0.1"}',
    ],
    [{ 'status.allocatable': { memory: '-1' } }, `status.allocatable.memory: Invalid value: "-1": ${nonNegative}`],
  ],
}
