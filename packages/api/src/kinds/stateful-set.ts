// StatefulSet: pods with numbers, names and disks of their own.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { StatefulSet } from '../types/apps-v1.ts'
import type { PodTemplateSpec } from '../types/core-v1.ts'
import { labelName } from '../validation/names.ts'
import { nonNegative, requiredOneOf } from '../validation/values.ts'
import { ageColumn, column, nameColumn } from './columns.ts'
import { setClaimDefaults } from './persistent-volume-claim.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import {
  defaultTemplate,
  replicaScale,
  validateAlwaysRestarting,
  validateSelection,
  workloadCells,
  workloadWideColumns,
} from './workload.ts'
import { claimSpecWarnings } from '../warnings/claims.ts'
import { podAddresses } from '../warnings/pod-template.ts'
import { workloadWarnings } from '../warnings/workloads.ts'
import { releasedPods } from '../validation/released-pods.ts'

function setDefaults({ spec }: Draft<StatefulSet>): void {
  spec.podManagementPolicy ??= 'OrderedReady'
  spec.updateStrategy ??= {}
  spec.updateStrategy.type ??= 'RollingUpdate'
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {}
    spec.updateStrategy.rollingUpdate.partition ??= 0
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {}
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ??= 'Retain'
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ??= 'Retain'
  spec.replicas ??= 1
  spec.revisionHistoryLimit ??= 10
  defaultTemplate(spec.template)
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ??= 'v1'
    claim.kind ??= 'PersistentVolumeClaim'
    setClaimDefaults(claim)
    claim.status ??= {}
    claim.status.phase ??= 'Pending'
  }
}

function validate({ spec }: StatefulSet): readonly FieldError[] {
  const strategy = spec.updateStrategy ?? {}
  const errors: FieldError[] = [
    ...requiredOneOf(spec.podManagementPolicy, ['OrderedReady', 'Parallel'], 'spec.podManagementPolicy'),
    ...requiredOneOf(strategy.type, ['OnDelete', 'RollingUpdate'], 'spec.updateStrategy.type'),
    ...nonNegative(strategy.rollingUpdate?.partition, 'spec.updateStrategy.rollingUpdate.partition'),
    ...nonNegative(spec.replicas, 'spec.replicas'),
    ...nonNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...nonNegative(spec.ordinals?.start, 'spec.ordinals.start'),
    ...validateSelection(spec, 'statefulset'),
    ...validateTemplate(withClaimedVolumes(spec), 'spec.template'),
    ...validateAlwaysRestarting(spec.template, 'StatefulSet'),
  ]
  if (strategy.type === 'OnDelete' && strategy.rollingUpdate !== undefined) {
    errors.push(
      invalid(
        'spec.updateStrategy.rollingUpdate',
        strategy.rollingUpdate,
        "only allowed for updateStrategy 'RollingUpdate'",
      ),
    )
  }
  for (const part of ['whenDeleted', 'whenScaled'] as const) {
    const policy = spec.persistentVolumeClaimRetentionPolicy?.[part]
    errors.push(...requiredOneOf(policy, ['Delete', 'Retain'], `spec.persistentVolumeClaimRetentionPolicy.${part}`))
  }
  return errors
}

/** The template as its pods will have it: each claim template is a volume of that name. */
function withClaimedVolumes({ template, volumeClaimTemplates }: StatefulSet['spec']): PodTemplateSpec {
  const claimed = (volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
  const own = (template.spec?.volumes ?? []).filter(({ name }) => !claimed.includes(name))
  const volumes = claimed.map((name) => ({ name, persistentVolumeClaim: { claimName: name } }))
  return template.spec === undefined
    ? template
    : { ...template, spec: { ...template.spec, volumes: [...own, ...volumes] } }
}

/** Everything else would need other pods or other disks. */
const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

function validateUpdate(next: StatefulSet, old: StatefulSet): readonly FieldError[] {
  const frozen = (spec: object): object =>
    Object.fromEntries(Object.entries(spec).filter(([field]) => !mutable.includes(field)))
  if (deepEqual(frozen(next.spec), frozen(old.spec))) return validate(next)
  return [
    ...validate(next),
    forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
  ]
}

function validateStatus({ status }: StatefulSet, old: StatefulSet): readonly FieldError[] {
  const errors: FieldError[] = []
  const counts = ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const
  for (const field of [...counts, 'observedGeneration', 'collisionCount'] as const)
    errors.push(...nonNegative(status?.[field], `status.${field}`))
  const total = status?.replicas ?? 0
  for (const field of counts) {
    const count = status?.[field] ?? 0
    if (count > total) errors.push(invalid(`status.${field}`, count, 'cannot be greater than status.replicas'))
  }
  const { readyReplicas: ready = 0, availableReplicas: available = 0, collisionCount: collisions } = status ?? {}
  if (available > ready)
    errors.push(invalid('status.availableReplicas', available, 'cannot be greater than status.readyReplicas'))
  const before = old.status?.collisionCount
  if (before !== undefined && (collisions ?? 0) < before)
    errors.push(invalid('status.collisionCount', collisions ?? 0, `cannot be less than ${before}`))
  return errors
}

function setWarnings(set: StatefulSet, old: StatefulSet | undefined): readonly string[] {
  const { revisionHistoryLimit: kept, volumeClaimTemplates: claims = [] } = set.spec
  return [
    ...workloadWarnings(set, old),
    ...claims.flatMap(({ spec }, index) => claimSpecWarnings(spec, `spec.volumeClaimTemplates[${index}].spec`)),
    ...((kept ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ]
}

export const statefulSetRules: KindRules<StatefulSet> = {
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  nameRule: labelName,
  generationFields: ['spec'],
  default: setDefaults,
  validateCreate: validate,
  warnings: setWarnings,
  validateRelease: releasedPods(({ spec }) => spec.template.spec, 'spec.template.spec'),
  legacyAddresses: ({ spec }) => podAddresses(spec.template.spec, 'spec.template.spec'),
  validateUpdate,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<StatefulSet>['spec']
      },
      validateUpdate: validateStatus,
    },
  },
  scale: replicaScale<StatefulSet>(),
  columns: [nameColumn, column('Ready', 'Number of the pod with ready state'), ageColumn, ...workloadWideColumns],
  cells: ({ metadata, spec, status }, nowMs) => [
    metadata.name,
    `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`,
    ageOf(metadata.creationTimestamp, nowMs),
    ...workloadCells(spec.template),
  ],
}
