// What may change in a pod after it was created: little, and each part through its own door.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { Container, Pod, PodSpec, Toleration } from '../types/core-v1.ts'
import { nonNegative } from '../validation/values.ts'
import { qosClassOf } from './pod-qos.ts'

const mayChange =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

export function validatePodUpdate(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['containers', 'initContainers'] as const) {
    if ((next.spec[field] ?? []).length !== (old.spec[field] ?? []).length) {
      return [
        forbidden(
          `spec.${field}`,
          `pod updates may not add or remove ${field === 'containers' ? 'containers' : 'init containers'}`,
        ),
      ]
    }
  }
  errors.push(
    ...validateDeadline(next.spec, old.spec),
    ...validateGates(next.spec, old.spec),
    ...validateTolerationsKept(next.spec, old.spec),
  )
  const rest = (spec: PodSpec): unknown => {
    const {
      activeDeadlineSeconds: _a,
      tolerations: _b,
      schedulingGates: _c,
      terminationGracePeriodSeconds,
      containers,
      initContainers,
      ...others
    } = spec
    const grace =
      terminationGracePeriodSeconds !== undefined && terminationGracePeriodSeconds < 0
        ? 1
        : terminationGracePeriodSeconds
    return {
      ...(isGated(old) ? withoutNodeChoice(others, old.spec) : others),
      grace,
      containers: withoutImages(containers),
      initContainers: withoutImages(initContainers),
    }
  }
  if (!deepEqual(rest(next.spec), rest(old.spec))) errors.push(forbidden('spec', mayChange))
  return errors
}

function isGated(pod: Pod): boolean {
  return (pod.spec.schedulingGates ?? []).length > 0
}

/** A gated pod's node selector may gain keys. */
function withoutNodeChoice(spec: Partial<PodSpec>, old: PodSpec): object {
  const { nodeSelector, affinity, ...others } = spec
  const { nodeAffinity: _n, ...otherAffinity } = affinity ?? {}
  const kept = Object.entries(old.nodeSelector ?? {}).every(([key, value]) => nodeSelector?.[key] === value)
  return { ...others, otherAffinity, nodeSelector: kept ? 'kept' : nodeSelector }
}

function withoutImages(containers: readonly Container[] | undefined): unknown {
  return (containers ?? []).map(({ image: _image, ...others }) => others)
}

function validateDeadline(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const [now, before] = [next.activeDeadlineSeconds, old.activeDeadlineSeconds]
  const path = 'spec.activeDeadlineSeconds'
  if (now === undefined)
    return before === undefined ? [] : [invalid(path, null, 'must not update from a positive integer to nil value')]
  if (before !== undefined && now > before) return [invalid(path, now, `must be less than or equal to previous value`)]
  return nonNegative(now, path)
}

function validateGates(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name))
  const added = (next.schedulingGates ?? []).filter(({ name }) => !before.has(name))
  return added.map(({ name }) =>
    forbidden('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${name}'`),
  )
}

/** Tolerations may be added; of a NoExecute one the seconds may change. */
function validateTolerationsKept(next: PodSpec, old: PodSpec): readonly FieldError[] {
  const strip = ({ tolerationSeconds, ...others }: Toleration): unknown =>
    others.effect === 'NoExecute' ? others : { ...others, tolerationSeconds }
  const kept = (old.tolerations ?? []).every((one) =>
    (next.tolerations ?? []).some((other) => deepEqual(strip(one), strip(other))),
  )
  return kept
    ? []
    : [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
}

export function validatePodStatus(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = []
  const [now, before] = [next.status, old.status]
  if ((before?.qosClass ?? '') !== '' && now?.qosClass !== before?.qosClass) {
    errors.push(invalid('status.qosClass', now?.qosClass, 'field is immutable'))
  }
  if ((now?.observedGeneration ?? 0) < 0)
    errors.push(...nonNegative(now?.observedGeneration, 'status.observedGeneration'))
  if (next.spec.restartPolicy === 'Always') return errors
  for (const container of before?.containerStatuses ?? []) {
    const code = container.state?.terminated?.exitCode
    if (code === undefined || (next.spec.restartPolicy === 'OnFailure' && code !== 0)) continue
    const index = (now?.containerStatuses ?? []).findIndex(({ name }) => name === container.name)
    if (index < 0 || now!.containerStatuses![index]!.state?.terminated !== undefined) continue
    const rule = (old.spec.containers ?? []).find(({ name }) => name === container.name)?.restartPolicy
    if (rule === undefined)
      errors.push(
        forbidden(`status.containerStatuses[${index}].state`, 'may not be transitioned to non-terminated state'),
      )
  }
  return errors
}

export function validateEphemeralUpdate(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const before of old.spec.ephemeralContainers ?? []) {
    const index = (next.spec.ephemeralContainers ?? []).findIndex(({ name }) => name === before.name)
    if (index < 0) {
      errors.push(
        forbidden(
          'spec.ephemeralContainers',
          `existing ephemeral containers ${JSON.stringify(before.name)} may not be removed\n`,
        ),
      )
    } else if (!deepEqual(next.spec.ephemeralContainers![index], before)) {
      errors.push(
        forbidden(
          'spec.ephemeralContainers',
          `existing ephemeral containers ${JSON.stringify(before.name)} may not be changed\n`,
        ),
      )
    }
  }
  return errors
}

export function validateResize(next: Pod, old: Pod): readonly FieldError[] {
  const errors: FieldError[] = []
  const rest = (spec: PodSpec): unknown => ({
    ...spec,
    containers: (spec.containers ?? []).map(({ resources: _r, resizePolicy: _p, ...others }) => others),
    initContainers: (spec.initContainers ?? []).map(({ resources, resizePolicy, ...others }) =>
      others.restartPolicy === 'Always' ? others : { ...others, resources, resizePolicy },
    ),
  })
  if (!deepEqual(rest(next.spec), rest(old.spec)))
    errors.push(forbidden('spec', 'only cpu and memory resources are mutable'))
  const before = old.status?.qosClass ?? qosClassOf(old)
  if (qosClassOf(next) !== before)
    errors.push(invalid('spec', before, `Pod QOS Class may not change as a result of resizing`))
  for (const [index, container] of (next.spec.containers ?? []).entries()) {
    for (const part of ['limits', 'requests'] as const) {
      const had = old.spec.containers?.[index]?.resources?.[part] ?? {}
      for (const name of Object.keys(had)) {
        if (container.resources?.[part]?.[name] === undefined)
          errors.push(forbidden(`spec.containers[${index}].resources.${part}`, `resource ${part} cannot be removed`))
      }
    }
  }
  return errors
}
