// RuntimeClass: by what means containers are run.

import type { KindRules } from '../kind-row.ts'
import { required, type FieldError } from '../field-errors.ts'
import { ageOf } from '../times.ts'
import type { RuntimeClass } from '../types/node-v1.ts'
import { dnsLabel } from '../validation/names.ts'
import { validateLabels } from '../validation/metadata.ts'
import { validateQuantity } from '../validation/resources.ts'
import { tolerationErrors } from '../validation/released-pods.ts'
import { validateTolerations } from '../validation/taints.ts'
import { complain, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { nodeLabelWarning } from '../warnings/node-labels.ts'

function validate({ handler, overhead, scheduling }: RuntimeClass): readonly FieldError[] {
  const errors: FieldError[] =
    handler === '' ? [required('handler')] : [...complain('handler', handler, dnsLabel(handler))]
  for (const [name, quantity] of Object.entries(overhead?.podFixed ?? {}))
    errors.push(...validateQuantity(quantity, `overhead.podFixed[${name}]`))
  errors.push(...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'))
  return [...errors, ...validateTolerations(scheduling?.tolerations ?? [], 'scheduling.tolerations')]
}

export const runtimeClassRules: KindRules<RuntimeClass> = {
  group: 'node.k8s.io',
  version: 'v1',
  kind: 'RuntimeClass',
  validateCreate: validate,
  validateRelease: ({ scheduling }, old, release) =>
    tolerationErrors(
      scheduling?.tolerations ?? [],
      old?.scheduling?.tolerations ?? [],
      'scheduling.tolerations',
      release,
    ),
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const old = nodeLabelWarning(key)
      return old === undefined ? [] : [`scheduling.nodeSelector: ${old}`]
    }),
  validateUpdate: (next, old) => [...validate(next), ...unchanged(next.handler, old.handler, 'handler')],
  columns: [nameColumn, column('Handler', 'Name of the runtime on the node.'), ageColumn],
  cells: ({ metadata, handler }, nowMs) => [metadata.name, handler, ageOf(metadata.creationTimestamp, nowMs)],
}
