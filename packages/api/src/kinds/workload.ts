// What workloads share: rules on selector and template, scaling, and their cells.

import { invalid, forbidden, notSupported, required, type FieldError } from '../field-errors.ts'
import type { ScaleRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import type { PodTemplateSpec } from '../types/core-v1.ts'
import type { LabelSelector } from '../types/meta-v1.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import { isEmptySelector, selectorPicks, selectorText, validateSelector } from '../validation/selectors.ts'

export interface WorkloadSpec {
  readonly selector?: LabelSelector
  readonly template?: PodTemplateSpec
}

/** `owner` names the kind in upstream's complaint about an empty selector. */
export function validateWorkload({ selector, template }: WorkloadSpec, owner: string): readonly FieldError[] {
  const errors: FieldError[] = []
  if (selector === undefined) errors.push(required('spec.selector'))
  else {
    errors.push(...validateSelector(selector, 'spec.selector'))
    if (isEmptySelector(selector)) errors.push(invalid('spec.selector', selector, `empty selector is invalid for ${owner}`))
  }
  return template === undefined ? [...errors, required('spec.template')] : [...errors, ...validateWorkloadTemplate(selector, template)]
}

function validateWorkloadTemplate(selector: LabelSelector | undefined, template: PodTemplateSpec): readonly FieldError[] {
  const errors: FieldError[] = []
  const labels = template.metadata?.labels ?? {}
  if (!isEmptySelector(selector) && !selectorPicks(selector, labels)) {
    errors.push(invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'))
  }
  errors.push(...validateTemplate(template, 'spec.template'))
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {}
  if (restartPolicy !== undefined && restartPolicy !== 'Always') errors.push(notSupported('spec.template.spec.restartPolicy', restartPolicy, ['Always']))
  if (activeDeadlineSeconds !== undefined) {
    errors.push(forbidden('spec.template.spec.activeDeadlineSeconds', 'activeDeadlineSeconds in ReplicaSet is not Supported'))
  }
  return errors
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
