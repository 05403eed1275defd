// Deployment: replicas of a template, replaced little by little when the template changes.

import { draftOf, type Draft } from '@aksel/base/draft'
import { forbidden, invalid, notSupported, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Deployment, DeploymentStrategy } from '../types/apps-v1.ts'
import { selectorText } from '../validation/selectors.ts'
import { intOrPercent, nonNegative, notOver100Percent, plainNumber, unchanged } from '../validation/values.ts'
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

function setDefaults({ spec }: Draft<Deployment>): void {
  spec.replicas ??= 1
  spec.strategy ??= {}
  spec.strategy.type ??= 'RollingUpdate'
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {}
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%'
    spec.strategy.rollingUpdate.maxSurge ??= '25%'
  }
  spec.revisionHistoryLimit ??= 10
  spec.progressDeadlineSeconds ??= 600
  defaultTemplate(spec.template)
}

function validateSpec({ spec }: Deployment): readonly FieldError[] {
  const errors: FieldError[] = [...nonNegative(spec.replicas, 'spec.replicas'), ...validateWorkload(spec, 'deployment')]
  errors.push(...validateStrategy(spec.strategy ?? {}), ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'))
  errors.push(...nonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'))
  const deadline = spec.progressDeadlineSeconds
  errors.push(...nonNegative(deadline, 'spec.progressDeadlineSeconds'))
  if (deadline !== undefined && deadline <= (spec.minReadySeconds ?? 0)) {
    errors.push(invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'))
  }
  return errors
}

function validateStrategy({ type, rollingUpdate }: DeploymentStrategy): readonly FieldError[] {
  const path = 'spec.strategy.rollingUpdate'
  if (type === 'Recreate')
    return rollingUpdate === undefined
      ? []
      : [forbidden(path, "may not be specified when strategy `type` is 'Recreate'")]
  if (type !== 'RollingUpdate') return [notSupported('spec.strategy.type', type, ['Recreate', 'RollingUpdate'])]
  const { maxUnavailable, maxSurge } = rollingUpdate ?? {}
  const errors: FieldError[] = [
    ...intOrPercent(maxUnavailable, `${path}.maxUnavailable`),
    ...intOrPercent(maxSurge, `${path}.maxSurge`),
  ]
  if (errors.length === 0 && plainNumber(maxUnavailable) === 0 && plainNumber(maxSurge) === 0) {
    errors.push(invalid(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'))
  }
  return [...errors, ...notOver100Percent(maxUnavailable, `${path}.maxUnavailable`)]
}

function validateStatus({ status = {} }: Deployment, old: Deployment): readonly FieldError[] {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0, collisionCount } = status
  const errors: FieldError[] = []
  for (const field of [
    'observedGeneration',
    'replicas',
    'updatedReplicas',
    'readyReplicas',
    'availableReplicas',
    'unavailableReplicas',
    'collisionCount',
  ] as const) {
    errors.push(...nonNegative(status[field], `status.${field}`))
  }
  const cannotExceed = 'cannot be greater than status.replicas'
  if (updatedReplicas > replicas) errors.push(invalid('status.updatedReplicas', updatedReplicas, cannotExceed))
  if (readyReplicas > replicas) errors.push(invalid('status.readyReplicas', readyReplicas, cannotExceed))
  if (availableReplicas > replicas) errors.push(invalid('status.availableReplicas', availableReplicas, cannotExceed))
  if (availableReplicas > readyReplicas)
    errors.push(invalid('status.availableReplicas', availableReplicas, 'cannot be greater than readyReplicas'))
  const before = old.status?.collisionCount
  if (before !== undefined && (collisionCount ?? 0) < before) {
    errors.push(invalid('status.collisionCount', collisionCount ?? 0, `cannot be less than ${before}`))
  }
  return errors
}

export const deploymentRules: KindRules<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  generationFields: ['spec', 'metadata.annotations'],
  default: setDefaults,
  validateCreate: validateSpec,
  warnings: namedWorkloadWarnings,
  validateRelease: releasedPods(({ spec }) => spec?.template?.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec?.template?.spec, 'spec.template.spec'),
  validateUpdate: (next, old) => [
    ...validateSpec(next),
    ...unchanged(next.spec.selector, old.spec.selector, 'spec.selector'),
  ],
  ignoredFields: { status: ['metadata.labels'] },
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<Deployment>['spec']
        if (old.metadata.labels === undefined) delete next.metadata.labels
        else next.metadata.labels = { ...old.metadata.labels }
      },
      validateUpdate: validateStatus,
    },
  },
  scale: replicaScale<Deployment>(),
  columns: [
    nameColumn,
    column('Ready', 'Ready pods, of those wanted.'),
    column('Up-to-date', 'Pods of the newest template.'),
    column('Available', 'Pods that have been ready long enough.'),
    ageColumn,
    ...workloadWideColumns,
    selectorColumn,
  ],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    status?.updatedReplicas ?? 0,
    status?.availableReplicas ?? 0,
    ageOf(metadata.creationTimestamp, nowMs),
    ...workloadCells(spec.template),
    selectorText(spec.selector),
  ],
}
