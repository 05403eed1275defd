// PodTemplate: a template on its own, kept and used by nobody in particular.

import type { KindRules } from '../kind-row.ts'
import type { PodTemplate } from '../types/core-v1.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import { column, labelsText, nameColumn } from './columns.ts'
import { defaultTemplate, workloadCells } from './workload.ts'
import { podAddresses, templateWarnings } from '../warnings/pod-template.ts'
import { releasedPods } from '../validation/released-pods.ts'

export const podTemplateRules: KindRules<PodTemplate> = {
  group: '',
  version: 'v1',
  kind: 'PodTemplate',
  generationFields: ['template'],
  default: ({ template }) => defaultTemplate(template),
  warnings: ({ template }) => templateWarnings(template, 'template'),
  validateRelease: releasedPods(({ template }) => template?.spec, 'template.spec'),
  legacyAddresses: ({ template }) => podAddresses(template?.spec, 'template.spec'),
  validateCreate: ({ template }) => (template === undefined ? [] : validateTemplate(template, 'template')),
  columns: [
    nameColumn,
    column('Containers', 'Names of the containers.'),
    column('Images', 'Images of the containers.'),
    column('Pod Labels', 'Labels of its pods.'),
  ],
  cells: ({ metadata, template }) => [
    metadata.name,
    ...workloadCells(template),
    labelsText(template?.metadata?.labels),
  ],
}
