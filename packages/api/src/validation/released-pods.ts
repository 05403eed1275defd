// What a pod may say only where a gate lets it: operators of tolerations, actions of restart rules, users of its own on the
// host's network. What the stored object says already stays allowed.

import { forbidden, invalid, notSupported, type FieldError } from '../field-errors.ts'
import type { Release } from '../kind-row.ts'
import type { Container, PodSpec, Toleration } from '../types/core-v1.ts'

/** A rule of a kind, from where it keeps the specification of its pods. */
export function releasedPods<T>(
  specOf: (object: T) => PodSpec | undefined,
  path: string,
): (next: T, old: T | undefined, release: Release) => readonly FieldError[] {
  return (next, old, release) => {
    const spec = specOf(next)
    return spec === undefined ? [] : releasedPodErrors(spec, old === undefined ? undefined : specOf(old), path, release)
  }
}

function releasedPodErrors(
  spec: PodSpec,
  old: PodSpec | undefined,
  path: string,
  release: Release,
): readonly FieldError[] {
  return [
    ...restartErrors(spec, old, path, release),
    ...hostNetworkErrors(spec, old, path, release),
    ...tolerationErrors(spec.tolerations ?? [], old?.tolerations ?? [], `${path}.tolerations`, release),
  ]
}

const comparing = ['Lt', 'Gt']
/** No sign but a minus, no leading zeros, no minus zero, within 64 bits. */
const decimalInteger = /^(0|-?[1-9]\d{0,18})$/

export function tolerationErrors(
  tolerations: readonly Toleration[],
  old: readonly Toleration[],
  path: string,
  { gates }: Release,
): readonly FieldError[] {
  const mayCompare =
    gates('TaintTolerationComparisonOperators') || old.some(({ operator = '' }) => comparing.includes(operator))
  const operators = ['Equal', 'Exists', ...(mayCompare ? comparing : [])]
  return tolerations.flatMap(({ operator = '', value = '' }, index) => {
    if (operator === '' || operator === 'Equal' || operator === 'Exists') return []
    if (!operators.includes(operator)) return [notSupported(`${path}[${index}].operator`, operator, operators)]
    return decimalInteger.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value)
      ? []
      : [invalid(`${path}[${index}].value`, value, 'must be a valid decimal integer in canonical form')]
  })
}

function restartErrors(
  spec: PodSpec,
  old: PodSpec | undefined,
  path: string,
  { gates }: Release,
): readonly FieldError[] {
  const mayRestartAll =
    gates('RestartAllContainersOnContainerExits') ||
    [...(old?.containers ?? []), ...(old?.initContainers ?? [])].some(usesRestartAll)
  const actions = ['Restart', ...(mayRestartAll ? ['RestartAllContainers'] : [])]
  return (['containers', 'initContainers'] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap(({ restartPolicyRules: rules = [] }, at) =>
      rules.flatMap(({ action }, index) =>
        actions.includes(action)
          ? []
          : [notSupported(`${path}.${field}[${at}].restartPolicyRules[${index}].action`, action, actions)],
      ),
    ),
  )
}

function usesRestartAll({ restartPolicyRules: rules = [] }: Container): boolean {
  return rules.some(({ action }) => action === 'RestartAllContainers')
}

/** Users of its own do not go with the host's network, unless a gate says that the runtime can. */
function hostNetworkErrors(
  spec: PodSpec,
  old: PodSpec | undefined,
  path: string,
  { gates }: Release,
): readonly FieldError[] {
  const both = (one: PodSpec | undefined): boolean => one?.hostUsers === false && one.hostNetwork === true
  if (!both(spec) || both(old) || gates('UserNamespacesHostNetworkSupport')) return []
  return [forbidden(`${path}.hostNetwork`, 'when `pod.Spec.HostUsers` is false')]
}
