// What workloads are told of: their template, and names that become parts of host names.

import type { ObjectMeta } from '../types/meta-v1.ts'
import type { PodTemplateSpec } from '../types/core-v1.ts'
import { nameWarnings, templateWarnings } from './pod-template.ts'

interface Workload {
  readonly metadata: ObjectMeta & { readonly name: string }
  readonly spec?: { readonly template?: PodTemplateSpec }
}

/** Whether anything that was specified changed: else nobody hears of it again. */
export function isRespecified(object: Workload, old: Workload | undefined): boolean {
  return old === undefined || object.metadata.generation !== old.metadata.generation
}

export function workloadWarnings(object: Workload, old: Workload | undefined): readonly string[] {
  return isRespecified(object, old) ? templateWarnings(object.spec?.template, 'spec.template') : []
}

/** For kinds whose pods are called after them. */
export function namedWorkloadWarnings(object: Workload, old: Workload | undefined): readonly string[] {
  const name = old === undefined ? nameWarnings(object.metadata.name, 'Pod names and hostnames') : []
  return [...name, ...workloadWarnings(object, old)]
}
