// What a PodTemplate may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'

export const podTemplateExamples: RefusedExamples = {
  kind: 'PodTemplate',
  valid: {
    metadata: { name: 'a' },
    template: {
      spec: { containers: [{ name: 'a', image: 'b' }] },
    },
  },
  create: [[{ 'template.spec.containers.0.image': '' }, 'template.spec.containers[0].image: Required value']],
  update: [],
}
