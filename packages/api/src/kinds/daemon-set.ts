// DaemonSet: one pod of a template on every node that it suits.

import { draftOf, type Draft } from '@aksel/base/draft'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { DaemonSet, DaemonSetUpdateStrategy } from '../types/apps-v1.ts'
import { selectorText } from '../validation/selectors.ts'
import { intOrPercent, nonNegative, notOver100Percent, plainNumber, unchanged } from '../validation/values.ts'
import { ageColumn, column, labelsText, nameColumn } from './columns.ts'
import { defaultTemplate, selectorColumn, validateWorkload, workloadCells, workloadWideColumns } from './workload.ts'
import { podAddresses } from '../warnings/pod-template.ts'
import { workloadWarnings } from '../warnings/workloads.ts'
import { releasedPods } from '../validation/released-pods.ts'

function setDefaults({ spec }: Draft<DaemonSet>): void {
  spec.updateStrategy ??= {}
  spec.updateStrategy.type ??= 'RollingUpdate'
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {}
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0
  }
  spec.revisionHistoryLimit ??= 10
  defaultTemplate(spec.template)
}

function validateStrategy({ type, rollingUpdate }: DaemonSetUpdateStrategy): readonly FieldError[] {
  const path = 'spec.updateStrategy.rollingUpdate'
  if (type === 'OnDelete') return []
  if (type !== 'RollingUpdate') return [notSupported('spec.updateStrategy.type', type, ['RollingUpdate', 'OnDelete'])]
  if (rollingUpdate === undefined) return [required(path)]
  const { maxUnavailable, maxSurge } = rollingUpdate
  const errors: FieldError[] = []
  for (const [field, value] of [
    ['maxUnavailable', maxUnavailable],
    ['maxSurge', maxSurge],
  ] as const) {
    errors.push(...intOrPercent(value, `${path}.${field}`), ...notOver100Percent(value, `${path}.${field}`))
  }
  const [hasUnavailable, hasSurge] = [plainNumber(maxUnavailable) !== 0, plainNumber(maxSurge) !== 0]
  if (hasUnavailable && hasSurge)
    errors.push(invalid(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero'))
  else if (!hasUnavailable && !hasSurge)
    errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'))
  return errors
}

function validate({ spec }: DaemonSet): readonly FieldError[] {
  const errors: FieldError[] = [...validateWorkload(spec, 'daemonset', 'DaemonSet')]
  if ((spec.template.spec?.ephemeralContainers ?? []).length > 0) {
    errors.push(forbidden('spec.template.spec.ephemeralContainers', 'ephemeral containers not allowed in pod template'))
  }
  return [
    ...errors,
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...validateStrategy(spec.updateStrategy ?? {}),
    ...nonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
  ]
}

const counts = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const

export const daemonSetRules: KindRules<DaemonSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  warnings: workloadWarnings,
  validateRelease: releasedPods(({ spec }) => spec?.template?.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec?.template?.spec, 'spec.template.spec'),
  validateUpdate: (next, old) => [
    ...validate(next),
    ...unchanged(next.spec.selector, old.spec.selector, 'spec.selector'),
  ],
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<DaemonSet>['spec']
      },
      validateUpdate: ({ status }) => counts.flatMap((field) => nonNegative(status?.[field], `status.${field}`)),
    },
  },
  columns: [
    nameColumn,
    column('Desired', 'Nodes that shall run it.', 'integer'),
    column('Current', 'Nodes that run it.', 'integer'),
    column('Ready', 'Nodes where its pod is ready.', 'integer'),
    column('Up-to-date', 'Nodes with a pod of the newest template.', 'integer'),
    column('Available', 'Nodes whose pod has been ready long enough.', 'integer'),
    column('Node Selector', 'Labels of the nodes it suits.'),
    ageColumn,
    ...workloadWideColumns,
    selectorColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    status?.desiredNumberScheduled ?? 0,
    status?.currentNumberScheduled ?? 0,
    status?.numberReady ?? 0,
    status?.updatedNumberScheduled ?? 0,
    status?.numberAvailable ?? 0,
    labelsText(spec.template.spec?.nodeSelector),
    ageOf(metadata.creationTimestamp, nowMs),
    ...workloadCells(spec.template),
    selectorText(spec.selector),
  ],
}
