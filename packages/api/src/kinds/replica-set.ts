// ReplicaSet: as many pods of one template as asked for.

import { draftOf, type Draft } from '@aksel/base/draft'
import { invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ReplicaSet } from '../types/apps-v1.ts'
import { selectorText } from '../validation/selectors.ts'
import { nonNegative, unchanged } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import {
  defaultTemplate,
  replicaScale,
  selectorColumn,
  validateWorkload,
  workloadCells,
  workloadWideColumns,
} from './workload.ts'
import { podAddresses } from '../warnings/pod-template.ts'
import { namedWorkloadWarnings } from '../warnings/workloads.ts'
import { releasedPods } from '../validation/released-pods.ts'

function validateSpec({ spec }: ReplicaSet): readonly FieldError[] {
  return [
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...validateWorkload(spec, 'deployment'),
  ]
}

export interface ReplicaCounts {
  readonly replicas?: number
  readonly fullyLabeledReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly observedGeneration?: number
}

/** The counts of a replica set or a replication controller must agree. */
export function validateReplicaCounts(status: ReplicaCounts): readonly FieldError[] {
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = status
  const errors: FieldError[] = []
  for (const field of [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'observedGeneration',
  ] as const) {
    errors.push(...nonNegative(status[field], `status.${field}`))
  }
  const cannotExceed = 'cannot be greater than status.replicas'
  if (fullyLabeledReplicas > replicas)
    errors.push(invalid('status.fullyLabeledReplicas', fullyLabeledReplicas, cannotExceed))
  if (readyReplicas > replicas) errors.push(invalid('status.readyReplicas', readyReplicas, cannotExceed))
  if (availableReplicas > replicas) errors.push(invalid('status.availableReplicas', availableReplicas, cannotExceed))
  if (availableReplicas > readyReplicas)
    errors.push(invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'))
  return errors
}

export const replicaSetRules: KindRules<ReplicaSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  generationFields: ['spec'],
  default({ spec }) {
    spec.replicas ??= 1
    defaultTemplate(spec.template)
  },
  validateCreate: validateSpec,
  warnings: namedWorkloadWarnings,
  validateRelease: releasedPods(({ spec }) => spec?.template?.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec?.template?.spec, 'spec.template.spec'),
  validateUpdate: (next, old) => [
    ...validateSpec(next),
    ...unchanged(next.spec.selector, old.spec.selector, 'spec.selector'),
  ],
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<ReplicaSet>['spec']
      },
      validateUpdate: (next) => validateReplicaCounts(next.status ?? {}),
    },
  },
  scale: replicaScale<ReplicaSet>(),
  columns: [
    nameColumn,
    column('Desired', 'Pods wanted.', 'integer'),
    column('Current', 'Pods there are.', 'integer'),
    column('Ready', 'Pods that are ready.', 'integer'),
    ageColumn,
    ...workloadWideColumns,
    selectorColumn,
  ],
  selectableFields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    spec.replicas ?? 0,
    status?.replicas ?? 0,
    status?.readyReplicas ?? 0,
    ageOf(metadata.creationTimestamp, nowMs),
    ...workloadCells(spec.template),
    selectorText(spec.selector),
  ],
}
