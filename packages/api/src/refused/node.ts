// What a Node may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const nodeExamples: RefusedExamples = {
  kind: 'Node',
  valid: { metadata: { name: 'a' }, spec: { podCIDRs: ['10.244.0.0/24'], providerID: 'aksel://n1' } },
  create: [
    [
      { 'spec.taints': [{ key: 'a', effect: 'Never' }] },
      'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
    [
      {
        'spec.taints': [
          { key: 'a', effect: 'NoExecute' },
          { key: 'a', effect: 'NoExecute' },
        ],
      },
      'spec.taints[1]: Duplicate value: {"key":"a","effect":"NoExecute"}',
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
    [
      { 'spec.externalID': 'x' },
      'spec: Forbidden: node updates may only change labels, taints, or capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)',
    ],
  ],
}
