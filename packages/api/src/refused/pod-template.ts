// What a PodTemplate may not say or change, each by an example with upstream's words.

import type { RefusedExamples } from './examples.ts'
import { labelValue } from './words.ts'

export const podTemplateExamples: RefusedExamples = {
  kind: 'PodTemplate',
  valid: {
    metadata: { name: 'a' },
    template: {
      spec: { containers: [{ name: 'a', image: 'b' }] },
    },
  },
  create: [
    [{ 'template.spec.containers.0.image': '' }, 'template.spec.containers[0].image: Required value'],
    [{ 'template.metadata.labels': { a: 'b c' } }, `template.labels: Invalid value: "b c": ${labelValue}`],
    [
      { 'template.spec.restartPolicy': 'Maybe' },
      'template.spec.restartPolicy: Unsupported value: "Maybe": supported values: "Always", "OnFailure", "Never"',
    ],
  ],
  update: [[{ 'template.spec.containers.0.image': '' }, 'template.spec.containers[0].image: Required value']],
}
