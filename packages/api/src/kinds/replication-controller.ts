// ReplicationController: the elder of ReplicaSet, with a selector of equalities.

import { draftOf, type Draft } from '@aksel/base/draft'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { ReplicationController } from '../types/core-v1.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import { selectorPicks } from '../validation/selectors.ts'
import { nonNegative } from '../validation/values.ts'
import { ageColumn, column, labelsText, nameColumn } from './columns.ts'
import { validateReplicaCounts } from './replica-set.ts'
import { defaultTemplate, replicaScale, selectorColumn, workloadCells, workloadWideColumns } from './workload.ts'
import { podAddresses } from '../warnings/pod-template.ts'
import { namedWorkloadWarnings } from '../warnings/workloads.ts'
import { releasedPods } from '../validation/released-pods.ts'

function setDefaults({ metadata, spec }: Draft<ReplicationController>): void {
  spec.replicas ??= 1
  const labels = spec.template?.metadata?.labels
  if (labels !== undefined) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
    if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels }
  }
  defaultTemplate(spec.template)
}

function validate({ spec }: ReplicationController): readonly FieldError[] {
  const errors: FieldError[] = [...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds')]
  const selector = spec.selector ?? {}
  if (Object.keys(selector).length === 0) errors.push(required('spec.selector'))
  errors.push(...nonNegative(spec.replicas, 'spec.replicas'))
  if (spec.template === undefined) return [...errors, required('spec.template')]
  const labels = spec.template.metadata?.labels ?? {}
  if (Object.keys(selector).length > 0 && !selectorPicks({ matchLabels: selector }, labels)) {
    errors.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  }
  errors.push(...validateTemplate(spec.template, 'spec.template'))
  const policy = spec.template.spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']))
  if (spec.template.spec?.activeDeadlineSeconds !== undefined)
    errors.push(
      forbidden(
        'spec.template.spec.activeDeadlineSeconds',
        'activeDeadlineSeconds in ReplicationController is not Supported',
      ),
    )
  return errors
}

const scale = replicaScale<ReplicationController & { readonly spec: { readonly selector?: never } }>()

export const replicationControllerRules: KindRules<ReplicationController> = {
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  storagePrefix: 'controllers',
  defaultPropagation: 'Orphan',
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  warnings: namedWorkloadWarnings,
  validateRelease: releasedPods(({ spec }) => spec?.template?.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec?.template?.spec, 'spec.template.spec'),
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<ReplicationController>['spec']
      },
      validateUpdate: ({ status }) => validateReplicaCounts(status ?? {}),
    },
  },
  scale: {
    toScale(controller) {
      const { selector, ...spec } = controller.spec
      const answer = scale.toScale({ ...controller, spec })
      return {
        ...answer,
        status: { ...answer.status, replicas: answer.status?.replicas ?? 0, selector: labelsText(selector) },
      }
    },
    applyScale(controller, wish) {
      controller.spec.replicas = wish.spec?.replicas ?? 0
    },
  },
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
    labelsText(spec.selector),
  ],
}
