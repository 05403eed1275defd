// What workloads share: rules on selector and template, scaling, and their cells.

import type { Draft } from '@aksel/base/draft'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { Cell, Column, ScaleRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import type { PodTemplateSpec } from '../types/core-v1.ts'
import type { LabelSelector } from '../types/meta-v1.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import { containerImages, containerNames, wide } from './columns.ts'
import { setPodSpecDefaults } from './pod-defaults.ts'
import { isEmptySelector, selectorPicks, selectorText, validateSelector } from '../validation/selectors.ts'

export interface WorkloadSpec {
  readonly selector?: LabelSelector
  readonly template?: PodTemplateSpec
}

/** Selector, template and their agreement. `owner` names the kind in upstream's complaint about an empty selector. */
export function validateWorkload(
  spec: WorkloadSpec,
  owner: string,
  deadlineOwner = 'ReplicaSet',
): readonly FieldError[] {
  if (spec.template === undefined) return [...validateSelection(spec, owner), required('spec.template')]
  return [
    ...validateSelection(spec, owner),
    ...validateTemplate(spec.template, 'spec.template'),
    ...validateAlwaysRestarting(spec.template, deadlineOwner),
  ]
}

export function validateSelection({ selector, template }: WorkloadSpec, owner = 'deployment'): readonly FieldError[] {
  if (selector === undefined) return [required('spec.selector')]
  const errors: FieldError[] = [...validateSelector(selector, 'spec.selector')]
  const labels = template?.metadata?.labels ?? {}
  if (isEmptySelector(selector))
    errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${owner}`))
  else if (template !== undefined && !selectorPicks(selector, labels)) {
    errors.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  }
  return errors
}

/** Pods that a controller keeps up may not end on their own. */
export function validateAlwaysRestarting({ spec }: PodTemplateSpec, owner: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const policy = spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always')
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']))
  if (spec?.activeDeadlineSeconds !== undefined) {
    errors.push(
      forbidden('spec.template.spec.activeDeadlineSeconds', `activeDeadlineSeconds in ${owner} is not Supported`),
    )
  }
  return errors
}

export function defaultTemplate(template: Draft<PodTemplateSpec> | undefined): void {
  if (template?.spec !== undefined) setPodSpecDefaults(template.spec)
}

export const workloadWideColumns: readonly Column[] = [
  wide('Containers', 'Names of the containers.'),
  wide('Images', 'Images of the containers.'),
]

export const selectorColumn: Column = wide('Selector', 'Labels of its pods.')

/** Cells of `workloadWideColumns`. */
export function workloadCells(template: PodTemplateSpec | undefined): readonly Cell[] {
  return [containerNames(template?.spec?.containers), containerImages(template?.spec?.containers)]
}

export interface Scalable extends KubernetesObject {
  readonly spec: { readonly replicas?: number; readonly selector?: LabelSelector }
  readonly status?: { readonly replicas?: number }
}

/** Scaling of a kind whose wish is `spec.replicas`. */
export function replicaScale<T extends Scalable>(): ScaleRules<T> {
  return {
    toScale({ metadata, spec, status }) {
      const text = selectorText(spec.selector)
      return {
        kind: 'Scale',
        apiVersion: 'autoscaling/v1',
        metadata: {
          name: metadata.name,
          ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
          ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
          ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
          ...(metadata.creationTimestamp === undefined ? {} : { creationTimestamp: metadata.creationTimestamp }),
        },
        spec: { replicas: spec.replicas ?? 0 },
        status: { replicas: status?.replicas ?? 0, ...(text === '<none>' ? {} : { selector: text }) },
      }
    },
    applyScale(object, scale) {
      ;(object.spec as { replicas?: number }).replicas = scale.spec?.replicas ?? 0
    },
  }
}
