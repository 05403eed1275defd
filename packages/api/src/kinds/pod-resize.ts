// Resizing a pod that runs: processors and memory of its containers, and nothing else.

import { draftOf, type Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, wholeObject, type FieldError } from '../field-errors.ts'
import type { Release } from '../kind-row.ts'
import type { Container, Pod, ResourceRequirements } from '../types/core-v1.ts'
import { mirrorAnnotation } from '../validation/pod-annotations.ts'
import { qosClassOf } from './pod-qos.ts'

/**
 * Everything but the containers' resources and resize policies, and the pod's own resources where a gate lets them change, is
 * put back without a word, as upstream does.
 */
export function keepAllButResources(next: Draft<Pod>, old: Pod, { gates }: Release): void {
  const spec = draftOf(old.spec) as Draft<Pod>['spec']
  if (gates(podLevelGate)) {
    if (next.spec.resources === undefined) delete spec.resources
    else spec.resources = next.spec.resources
  }
  for (const field of ['containers', 'initContainers'] as const) {
    for (const wanted of next.spec[field] ?? []) {
      const container = (spec[field] ?? []).find(({ name }) => name === wanted.name)
      if (container === undefined) continue
      if (wanted.resources === undefined) delete container.resources
      else container.resources = wanted.resources
      if (wanted.resizePolicy === undefined) delete container.resizePolicy
      else container.resizePolicy = wanted.resizePolicy
    }
  }
  next.spec = spec
  for (const field of ['labels', 'annotations', 'ownerReferences', 'finalizers'] as const) {
    const kept = old.metadata[field]
    if (kept === undefined) delete next.metadata[field]
    else next.metadata[field] = draftOf(kept) as never
  }
}

const podLevelGate = 'InPlacePodLevelResourcesVerticalScaling'

function hasOwn({ spec }: Pod): boolean {
  return Object.keys(spec.resources?.requests ?? {}).length + Object.keys(spec.resources?.limits ?? {}).length > 0
}

/** Pods that cannot be resized at all. */
function refusal(next: Pod, old: Pod, { gates }: Release): FieldError | undefined {
  if (!gates(podLevelGate) && (hasOwn(old) || hasOwn(next)))
    return forbidden(wholeObject, 'pods with pod-level resources cannot be resized')
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined)
    return forbidden(wholeObject, 'static pods cannot be resized')
  return old.spec.os?.name === 'windows' ? forbidden(wholeObject, 'windows pods cannot be resized') : undefined
}

export function validateResize(next: Pod, old: Pod, release: Release): readonly FieldError[] {
  const refused = refusal(next, old, release)
  if (refused !== undefined) return [refused]
  const errors: FieldError[] = []
  const before = old.status?.qosClass ?? qosClassOf(old)
  if (qosClassOf(next) !== before)
    errors.push(
      invalid('spec', next.status?.qosClass ?? before, 'Pod QOS Class may not change as a result of resizing'),
    )
  const running = (old.status?.containerStatuses ?? []).find(({ state }) => state?.running !== undefined)
  if (running !== undefined && running.resources === undefined)
    errors.push(forbidden('spec', 'Pod running on node without support for resize'))
  errors.push(...ownChanges(next, old), ...removals(next, old), ...otherChanges(next, old))
  return errors
}

/** Of the resources of the pod as a whole. */
function ownChanges(next: Pod, old: Pod): readonly FieldError[] {
  const [now, before] = [next.spec.resources, old.spec.resources]
  if (before === undefined && now === undefined) return []
  if (now === undefined) return [forbidden('spec.resources', 'pod-level resources cannot be removed')]
  const errors: FieldError[] = (['requests', 'limits'] as const).flatMap((part) => {
    const lost = Object.keys(before?.[part] ?? {}).some((name) => now[part]?.[name] === undefined)
    return lost ? [forbidden(`spec.resources.${part}`, `pod-level resource ${part} cannot be removed`)] : []
  })
  if (!deepEqual(withoutSizes({ resources: now }), withoutSizes({ resources: before ?? {} })))
    errors.push(forbidden('spec', 'only cpu and memory resources are mutable at pod-level'))
  return errors
}

function removals(next: Pod, old: Pod): readonly FieldError[] {
  return (['initContainers', 'containers'] as const).flatMap((field) =>
    (old.spec[field] ?? []).flatMap((container, index) => {
      if (field === 'initContainers' && container.restartPolicy !== 'Always') return []
      return (['requests', 'limits'] as const).flatMap((part) => {
        const now = next.spec[field]?.[index]?.resources?.[part] ?? {}
        const lost = Object.keys(container.resources?.[part] ?? {}).some((name) => now[name] === undefined)
        const at = `spec.${field}[${index}].resources.${part}`
        return lost ? [forbidden(at, `resource ${part} cannot be removed`)] : []
      })
    }),
  )
}

function otherChanges(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, container] of (next.spec.containers ?? []).entries()) {
    if (!isSameBut(container, old.spec.containers?.[index]))
      errors.push(forbidden('spec', 'only cpu and memory resources are mutable'))
  }
  for (const [index, container] of (next.spec.initContainers ?? []).entries()) {
    const before = old.spec.initContainers?.[index]
    if (container.restartPolicy === 'Always') {
      if (!isSameBut(container, before))
        errors.push(forbidden('spec', 'only cpu and memory resources for sidecar containers are mutable'))
    } else if (!deepEqual(container, before))
      errors.push(forbidden('spec', 'resources for non-sidecar init containers are immutable'))
  }
  return errors
}

/** The same container, but for its processors and memory. */
function isSameBut(next: Container, old: Container | undefined): boolean {
  if (old === undefined) return false
  return deepEqual({ ...next, resources: withoutSizes(next) }, { ...old, resources: withoutSizes(old) })
}

function withoutSizes({ resources = {} }: Pick<Container, 'resources'>): ResourceRequirements {
  const strip = (list: ResourceRequirements['limits']): Record<string, unknown> => {
    const { cpu: _cpu, memory: _memory, ...others } = list ?? {}
    return others
  }
  return { ...resources, limits: strip(resources.limits), requests: strip(resources.requests) } as ResourceRequirements
}
