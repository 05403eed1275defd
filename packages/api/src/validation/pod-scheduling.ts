// Rules on where a pod may run: affinity, spreading, gates.

import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type {
  Affinity,
  NodeSelector,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from '../types/core-v1.ts'
import { dnsLabel, labelValue, qualifiedName } from './names.ts'
import { isEmptySelector, validateSelector } from './selectors.ts'
import { validateTolerations } from './taints.ts'
import { complain, positive } from './values.ts'
import { validateLabels } from './metadata.ts'

export function validateScheduling(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...validateLabels(spec.nodeSelector, `${path}.nodeSelector`)]
  if (spec.affinity !== undefined) errors.push(...validateAffinity(spec.affinity, `${path}.affinity`))
  errors.push(...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`))
  errors.push(...validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`))
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    errors.push(
      ...complain(
        `${path}.readinessGates[${index}].conditionType`,
        gate.conditionType,
        qualifiedName(gate.conditionType),
      ),
    )
  }
  const gates = new Set<string>()
  for (const [index, { name }] of (spec.schedulingGates ?? []).entries()) {
    errors.push(...complain(`${path}.schedulingGates[${index}]`, name, qualifiedName(name)))
    if (gates.has(name)) errors.push(duplicate(`${path}.schedulingGates[${index}]`, name))
    gates.add(name)
  }
  if (gates.size > 0 && (spec.nodeName ?? '') !== '') {
    errors.push(forbidden(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared'))
  }
  return errors
}

function validateAffinity(affinity: Affinity, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity
  const needed = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  if (needed !== undefined)
    errors.push(...validateNodeSelector(needed, `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`))
  for (const [index, { weight, preference }] of (
    nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []
  ).entries()) {
    const at = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
    errors.push(...validateWeight(weight, `${at}.weight`), ...validateTerm(preference, `${at}.preference`))
  }
  for (const [name, rules] of [
    ['podAffinity', podAffinity],
    ['podAntiAffinity', podAntiAffinity],
  ] as const) {
    for (const [index, term] of (rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []).entries()) {
      errors.push(...validatePodTerm(term, `${path}.${name}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`))
    }
    for (const [index, { weight, podAffinityTerm }] of (
      rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []
    ).entries()) {
      const at = `${path}.${name}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
      errors.push(
        ...validateWeight(weight, `${at}.weight`),
        ...validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`),
      )
    }
  }
  return errors
}

function validateWeight(weight: number, path: string): readonly FieldError[] {
  return weight >= 1 && weight <= 100 ? [] : [invalid(path, weight, 'must be in the range 1-100')]
}

export function validateNodeSelector({ nodeSelectorTerms }: NodeSelector, path: string): readonly FieldError[] {
  if (nodeSelectorTerms.length === 0)
    return [required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')]
  return nodeSelectorTerms.flatMap((term, index) => validateTerm(term, `${path}.nodeSelectorTerms[${index}]`))
}

function validateTerm(term: NodeSelectorTerm, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [index, { key, operator, values = [] }] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    } else if (operator === 'Gt' || operator === 'Lt') {
      if (values.length !== 1)
        errors.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    } else errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    errors.push(...complain(`${at}.key`, key, qualifiedName(key)))
    for (const [place, value] of values.entries())
      errors.push(...complain(`${at}.values[${place}]`, value, labelValue(value)))
  }
  for (const [index, { key, operator, values = [] }] of (term.matchFields ?? []).entries()) {
    const at = `${path}.matchFields[${index}]`
    if (operator !== 'In' && operator !== 'NotIn')
      errors.push(invalid(`${at}.operator`, operator, 'not a valid selector operator'))
    else if (values.length !== 1)
      errors.push(
        required(`${at}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"),
      )
    if (key !== 'metadata.name') errors.push(invalid(`${at}.key`, key, 'not a valid field selector key'))
  }
  return errors
}

function validatePodTerm(term: PodAffinityTerm, path: string): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ]
  for (const [index, name] of (term.namespaces ?? []).entries())
    errors.push(...complain(`${path}.namespaces[${index}]`, name, dnsLabel(name)))
  if (term.topologyKey === '') errors.push(required(`${path}.topologyKey`, 'can not be empty'))
  else errors.push(...complain(`${path}.topologyKey`, term.topologyKey, qualifiedName(term.topologyKey)))
  if (
    (term.matchLabelKeys ?? []).length + (term.mismatchLabelKeys ?? []).length > 0 &&
    isEmptySelector(term.labelSelector)
  ) {
    errors.push(forbidden(`${path}.matchLabelKeys`, 'must not be specified when labelSelector is not set'))
  }
  return errors
}

function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): readonly FieldError[] {
  const pairs = new Set<string>()
  return constraints.flatMap((constraint, index) => {
    const at = `${path}[${index}]`
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint
    const errors: FieldError[] = [...positive(maxSkew, `${at}.maxSkew`)]
    if (topologyKey === '') errors.push(required(`${at}.topologyKey`, 'can not be empty'))
    else errors.push(...complain(`${at}.topologyKey`, topologyKey, qualifiedName(topologyKey)))
    if (whenUnsatisfiable !== 'DoNotSchedule' && whenUnsatisfiable !== 'ScheduleAnyway') {
      errors.push(notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']))
    }
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`
    if (pairs.has(pair)) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair))
    pairs.add(pair)
    errors.push(...positive(minDomains, `${at}.minDomains`))
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      errors.push(
        invalid(
          `${at}.minDomains`,
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        ),
      )
    }
    return [...errors, ...validateSelector(constraint.labelSelector, `${at}.labelSelector`)]
  })
}
