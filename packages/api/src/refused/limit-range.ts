// What a LimitRange may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { namePart } from './words.ts'

export const limitRangeExamples: RefusedExamples = {
  kind: 'LimitRange',
  valid: {
    metadata: { name: 'a' },
    spec: {
      limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '100m' } }],
    },
  },
  create: [
    [
      { 'spec.limits.0.min.cpu': '2' },
      [
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than default request value 1',
        'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than default limit value 1',
      ],
    ],
    [
      { 'spec.limits.0.maxLimitRequestRatio': { cpu: '500m' } },
      'spec.limits[0].maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1',
    ],
    [{ 'spec.limits.1': { type: 'Container' } }, 'spec.limits[1].type: Duplicate value: "Container"'],
    [
      { 'spec.limits.0': { type: 'Pod', default: { cpu: '1' } } },
      "spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'",
    ],
    [
      { 'spec.limits.0': { type: 'PersistentVolumeClaim' } },
      'spec.limits[0].limits: Required value: either minimum or maximum storage value is required, but neither was provided',
    ],
    [{ 'spec.limits.0.type': 'a b' }, `spec.limits[0].type: Invalid value: "a b": ${namePart}`],
  ],
  update: [
    [
      { 'spec.limits.0.min.cpu': '3' },
      [
        'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than max value 1',
        'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than default request value 1',
        'spec.limits[0].min[cpu]: Invalid value: "3": min value 3 is greater than default limit value 1',
      ],
    ],
  ],
}
