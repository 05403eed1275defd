// What may change in a pod after it was created: little, and each part through its own door.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type { Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../types/core-v1.ts'
import { validateAnnotationUpdates } from '../validation/pod-annotations.ts'
import { validateTolerations } from '../validation/taints.ts'

const deadlineMax = 2147483647
const mayChange =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** What an update may not do, beyond making a pod that could not be created. */
export function validatePodUpdate(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateAnnotationUpdates(next.metadata.annotations ?? {}, old.metadata.annotations ?? {}),
  ]
  for (const field of ['containers', 'initContainers'] as const) {
    const [now, before] = [next.spec[field] ?? [], old.spec[field] ?? []]
    if (now.length !== before.length)
      return [...errors, forbidden(`spec.${field}`, 'pod updates may not add or remove containers')]
    errors.push(...validateImages(now, `spec.${field}`))
  }
  const deadline = validateDeadline(next.spec, old.spec)
  if (next.spec.activeDeadlineSeconds !== undefined && deadline.length > 0) return [...errors, ...deadline]
  errors.push(
    ...deadline,
    ...validateTolerationsKept(next.spec, old.spec),
    ...validateGates(next.spec, old.spec),
    ...(isGated(old) ? validatePlacement(next.spec, old.spec) : []),
  )
  if (!deepEqual(frozen(next.spec, old), frozen(old.spec, old))) errors.push(forbidden('spec', mayChange))
  return errors
}

function validateImages(containers: readonly Container[], path: string): readonly FieldError[] {
  return containers.flatMap(({ image = '' }, index) => {
    const at = `${path}[${index}].image`
    if (image === '') return [required(at)]
    return image === image.trim() ? [] : [invalid(at, image, 'must not have leading or trailing whitespace')]
  })
}

/** The spec without what may change. */
function frozen(spec: PodSpec, old: Pod): unknown {
  const {
    activeDeadlineSeconds: _a,
    tolerations: _b,
    schedulingGates: _c,
    terminationGracePeriodSeconds: grace,
    containers,
    initContainers,
    ...others
  } = spec
  const before = old.spec.terminationGracePeriodSeconds
  const mended = before !== undefined && before < 0 && grace === 1
  return {
    ...(isGated(old) ? withoutPlacement(others) : others),
    grace: mended ? before : grace,
    containers: withoutImages(containers),
    initContainers: withoutImages(initContainers),
  }
}

function isGated(pod: Pod): boolean {
  return (pod.spec.schedulingGates ?? []).length > 0
}

function withoutPlacement(spec: Partial<PodSpec>): object {
  const { nodeSelector: _s, affinity, ...others } = spec
  const { nodeAffinity: _n, ...otherAffinity } = affinity ?? {}
  return { ...others, otherAffinity }
}

function withoutImages(containers: readonly Container[] | undefined): unknown {
  return (containers ?? []).map(({ image: _image, ...others }) => others)
}

const onlyAdditions = 'only additions are allowed (no mutations or deletions)'

/** While a pod is gated, where it may run can still be narrowed. */
function validatePlacement(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = []
  const kept = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => next.nodeSelector?.[key] === value)
  if (!kept) errors.push(invalid('spec.nodeSelector', next.nodeSelector ?? null, onlyAdditions))
  const before = termsOf(old.affinity?.nodeAffinity)
  if (before.length === 0) return errors
  const now = termsOf(next.affinity?.nodeAffinity)
  const path = 'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms'
  if (now.length !== before.length) {
    const words = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed'
    return [...errors, invalid(path, now, words)]
  }
  for (const [index, term] of before.entries())
    if (!isNarrower(now[index]!, term)) errors.push(invalid(`${path}[${index}]`, now[index], onlyAdditions))
  return errors
}

function termsOf(affinity: NodeAffinity | undefined): readonly NodeSelectorTerm[] {
  return affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []
}

/** An empty term picks nothing, so nothing may be added to it. */
function isNarrower(next: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const isEmpty = (term: NodeSelectorTerm): boolean =>
    (term.matchExpressions ?? []).length + (term.matchFields ?? []).length === 0
  if (isEmpty(old) && !isEmpty(next)) return false
  return (['matchExpressions', 'matchFields'] as const).every((field) =>
    (old[field] ?? []).every((one) => (next[field] ?? []).some((other) => deepEqual(one, other))),
  )
}

function validateDeadline(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const [now, before] = [next.activeDeadlineSeconds, old.activeDeadlineSeconds]
  const path = 'spec.activeDeadlineSeconds'
  if (now === undefined)
    return before === undefined ? [] : [invalid(path, null, 'must not update from a positive integer to nil value')]
  if (now < 0 || now > deadlineMax) return [invalid(path, now, `must be between 0 and ${deadlineMax}, inclusive`)]
  return before !== undefined && now > before
    ? [invalid(path, now, 'must be less than or equal to previous value')]
    : []
}

function validateGates(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name))
  return (next.schedulingGates ?? []).flatMap(({ name }, index) => {
    if (before.has(name)) return []
    const words = `only deletion is allowed, but found new scheduling gate '${name}'`
    return [forbidden(`spec.schedulingGates[${index}].name`, words)]
  })
}

/** Tolerations may be added, and their seconds may change. */
function validateTolerationsKept(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const strip = ({ tolerationSeconds: _seconds, ...others }: Toleration): unknown => others
  const tolerations = next.tolerations ?? []
  const kept = (old.tolerations ?? []).every((one) => tolerations.some((other) => deepEqual(strip(one), strip(other))))
  return kept
    ? validateTolerations(tolerations, 'spec.tolerations')
    : [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
}

export function validateEphemeralUpdate(next: Pod, old: Pod): readonly FieldError[] {
  const path = 'spec.ephemeralContainers'
  return (old.spec.ephemeralContainers ?? []).flatMap((before) => {
    const now = (next.spec.ephemeralContainers ?? []).find(({ name }) => name === before.name)
    const named = `existing ephemeral containers ${JSON.stringify(before.name)}`
    if (now === undefined) return [forbidden(path, `${named} may not be removed\n`)]
    return deepEqual(now, before) ? [] : [forbidden(path, `${named} may not be changed\n`)]
  })
}
