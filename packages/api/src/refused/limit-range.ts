// What a LimitRange may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

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
  ],
  update: [],
}
