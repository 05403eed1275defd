// HorizontalPodAutoscaler: replicas by load. Stored as v2; v1 is a narrower view of the same objects.

import { draftOf, type Draft } from '@aksel/base/draft'
import { parseQuantity } from '@aksel/base/quantity'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { KindRules, WriteContext } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { HorizontalPodAutoscaler as OldAutoscaler } from '../types/autoscaling-v1.ts'
import type { HorizontalPodAutoscaler, HPAScalingRules, MetricSpec, MetricTarget } from '../types/autoscaling-v2.ts'
import { pathSegment } from '../validation/names.ts'
import { complain, inRange, nonNegative, oneOf, positive, requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { fromNewAutoscaler, toNewAutoscaler } from './autoscaler-conversion.ts'
import { targetsText } from './autoscaler-cells.ts'

const sources = {
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
  External: 'external',
} as const

function setDefaults({ spec }: Draft<HorizontalPodAutoscaler>): void {
  spec.minReplicas ??= 1
  if ((spec.metrics ?? []).length === 0) {
    spec.metrics = [
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } },
    ]
  }
  const behavior = spec.behavior
  if (behavior === undefined) return
  if (behavior.scaleUp !== undefined) {
    behavior.scaleUp.stabilizationWindowSeconds ??= 0
    behavior.scaleUp.selectPolicy ??= 'Max'
    behavior.scaleUp.policies ??= [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ]
  }
  if (behavior.scaleDown !== undefined) {
    behavior.scaleDown.selectPolicy ??= 'Max'
    behavior.scaleDown.policies ??= [{ type: 'Percent', value: 100, periodSeconds: 15 }]
  }
}

function validate(
  { spec }: HorizontalPodAutoscaler,
  { release }: WriteContext,
  old?: HorizontalPodAutoscaler,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const min = spec.minReplicas ?? 1
  const least = release.gates('HPAScaleToZero') || old?.spec.minReplicas === 0 ? 0 : 1
  if (min < least) errors.push(invalid('spec.minReplicas', min, `must be greater than or equal to ${least}`))
  // What is not there cannot be measured by its own load.
  if (min === 0 && least === 0 && !(spec.metrics ?? []).some(({ type }) => type === 'Object' || type === 'External'))
    errors.push(
      forbidden(
        'spec.metrics',
        'must specify at least one Object or External metric to support scaling to zero replicas',
      ),
    )
  if (spec.maxReplicas < 1) errors.push(invalid('spec.maxReplicas', spec.maxReplicas, 'must be greater than 0'))
  if (spec.maxReplicas < min)
    errors.push(invalid('spec.maxReplicas', spec.maxReplicas, 'must be greater than or equal to `minReplicas`'))
  for (const field of ['kind', 'name'] as const) {
    const value = spec.scaleTargetRef[field]
    if (value === '') errors.push(required(`spec.scaleTargetRef.${field}`))
    else errors.push(...complain(`spec.scaleTargetRef.${field}`, value, pathSegment(value)))
  }
  for (const [index, metric] of (spec.metrics ?? []).entries())
    errors.push(...validateMetric(metric, `spec.metrics[${index}]`))
  errors.push(
    ...validateRules(spec.behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...validateRules(spec.behavior?.scaleDown, 'spec.behavior.scaleDown'),
  )
  return errors
}

function validateMetric(metric: MetricSpec, path: string): readonly FieldError[] {
  if (metric.type === '') return [required(`${path}.type`, 'must specify a metric source type')]
  const wrong = oneOf(metric.type, Object.keys(sources), `${path}.type`)
  if (wrong.length > 0) return wrong
  const field = sources[metric.type as keyof typeof sources]
  const errors: FieldError[] = []
  for (const other of Object.values(sources)) {
    if (other !== field && metric[other] !== undefined)
      errors.push(forbidden(`${path}.${other}`, 'must populate the given metric source only'))
  }
  const source = metric[field]
  if (source === undefined)
    return [...errors, required(`${path}.${field}`, 'must populate information for the given metric source')]
  if ('container' in source && source.container === '')
    errors.push(required(`${path}.${field}.container`, 'must specify a container'))
  if ('name' in source && source.name === '')
    errors.push(required(`${path}.${field}.name`, 'must specify a resource name'))
  if ('metric' in source && source.metric.name === '')
    errors.push(required(`${path}.${field}.metric.name`, 'must specify a metric name'))
  const at = `${path}.${field}.target`
  return [...errors, ...validateTarget(source.target, at), ...validateAim(field, source.target, at)]
}

function validateTarget(target: MetricTarget, path: string): readonly FieldError[] {
  const errors: FieldError[] =
    target.type === ''
      ? [required(`${path}.type`, 'must specify a metric target type')]
      : [...oneOf(target.type, ['AverageValue', 'Utilization', 'Value'], `${path}.type`)]
  for (const part of ['value', 'averageValue'] as const) {
    const amount = target[part]
    if (amount !== undefined && parseQuantity(amount).nano <= 0n)
      errors.push(invalid(`${path}.${part}`, String(amount), 'must be positive'))
  }
  if (target.averageUtilization !== undefined && target.averageUtilization < 1)
    errors.push(...positive(target.averageUtilization, `${path}.averageUtilization`))
  return errors
}

/** What each sort of metric aims at. */
function validateAim(field: string, target: MetricTarget, path: string): readonly FieldError[] {
  const { value, averageValue, averageUtilization } = target
  switch (field) {
    case 'pods':
      return averageValue === undefined || parseQuantity(averageValue).nano <= 0n
        ? [required(`${path}.averageValue`, 'must specify a positive target averageValue')]
        : []
    case 'object':
      return value === undefined && averageValue === undefined
        ? [required(`${path}.averageValue`, 'must set either a target value or averageValue')]
        : []
    case 'external':
      if (value === undefined && averageValue === undefined)
        return [required(`${path}.averageValue`, 'must set either a target value for metric or a per-pod target')]
      return value !== undefined && averageValue !== undefined
        ? [forbidden(`${path}.value`, 'may not set both a target value for metric and a per-pod target')]
        : []
    default:
      if (averageUtilization === undefined && averageValue === undefined)
        return [required(`${path}.averageUtilization`, 'must set either a target raw value or a target utilization')]
      return averageUtilization !== undefined && averageValue !== undefined
        ? [forbidden(`${path}.averageValue`, 'may not set both a target raw value and a target utilization')]
        : []
  }
}

function validateRules(rules: HPAScalingRules | undefined, path: string): readonly FieldError[] {
  if (rules === undefined) return []
  const errors: FieldError[] = [
    ...inRange(rules.stabilizationWindowSeconds, { min: 0, max: 3600 }, `${path}.stabilizationWindowSeconds`),
  ]
  errors.push(...oneOf(rules.selectPolicy, ['Disabled', 'Max', 'Min'], `${path}.selectPolicy`))
  const policies = rules.policies ?? []
  if (policies.length === 0) errors.push(required(`${path}.policies`, 'must specify at least one Policy'))
  for (const [index, policy] of policies.entries()) {
    const at = `${path}.policies[${index}]`
    errors.push(
      ...requiredOneOf(policy.type, ['Percent', 'Pods'], `${at}.type`),
      ...positive(policy.value, `${at}.value`),
    )
    errors.push(...inRange(policy.periodSeconds, { min: 1, max: 1800 }, `${at}.periodSeconds`))
  }
  return errors
}

const columns = [
  nameColumn,
  column('Reference', 'What it scales.'),
  column('Targets', 'What is measured, and what it aims at.'),
  column('MinPods', 'Fewest pods.'),
  column('MaxPods', 'Most pods.'),
  column('Replicas', 'Pods there are.'),
  ageColumn,
]

export const horizontalPodAutoscalerRules: KindRules<HorizontalPodAutoscaler> = {
  group: 'autoscaling',
  version: 'v2',
  kind: 'HorizontalPodAutoscaler',
  default: setDefaults,
  validateCreate: (autoscaler, context) => validate(autoscaler, context),
  validateUpdate: (next, old, context) => validate(next, context, old),
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<HorizontalPodAutoscaler>['spec']
      },
      validateUpdate: ({ status }) =>
        (['currentReplicas', 'desiredReplicas'] as const).flatMap((field) =>
          nonNegative(status?.[field], `status.${field}`),
        ),
    },
  },
  columns,
  cells: (autoscaler, nowMs) => [
    autoscaler.metadata.name,
    `${autoscaler.spec.scaleTargetRef.kind}/${autoscaler.spec.scaleTargetRef.name}`,
    targetsText(autoscaler),
    autoscaler.spec.minReplicas === undefined ? '<unset>' : String(autoscaler.spec.minReplicas),
    String(autoscaler.spec.maxReplicas),
    String(autoscaler.status?.currentReplicas ?? 0),
    ageOf(autoscaler.metadata.creationTimestamp, nowMs),
  ],
}

export const oldHorizontalPodAutoscalerRules: KindRules<OldAutoscaler> = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  storedAs: {
    groupVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    toStored: toNewAutoscaler,
    fromStored: fromNewAutoscaler,
  },
  default({ spec }) {
    spec.minReplicas ??= 1
  },
  validateCreate: (autoscaler, context) =>
    validate(toNewAutoscaler(autoscaler) as unknown as HorizontalPodAutoscaler, context),
  columns,
  cells: (autoscaler, nowMs) =>
    horizontalPodAutoscalerRules.cells!(toNewAutoscaler(autoscaler) as unknown as HorizontalPodAutoscaler, nowMs),
}
