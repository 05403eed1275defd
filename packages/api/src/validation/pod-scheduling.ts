// Rules on where a pod may run: affinity, spreading, gates.

import { duplicate, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type {
  Affinity,
  NodeSelector,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  TopologySpreadConstraint,
} from '../types/core-v1.ts'
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from './names.ts'
import { validateSelector } from './selectors.ts'
import { validateTolerations } from './taints.ts'
import { complain, oneOf } from './values.ts'

export function validateScheduling(spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
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
    // A wish that no node can meet is no error: its values are not judged.
    errors.push(...validateWeight(weight, `${at}.weight`), ...validateTerm(preference, `${at}.preference`, true))
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

function validateTerm(term: NodeSelectorTerm, path: string, anyValue = false): readonly FieldError[] {
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
    for (const [place, value] of anyValue ? [] : values.entries())
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
    else
      for (const [place, value] of values.entries())
        errors.push(...complain(`${at}.values[${place}]`, value, dnsSubdomain(value)))
  }
  return errors
}

function validatePodTerm(term: PodAffinityTerm, path: string): readonly FieldError[] {
  const errors: FieldError[] = [
    ...validateSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateSelector(term.namespaceSelector, `${path}.namespaceSelector`),
  ]
  for (const name of term.namespaces ?? []) errors.push(...complain(`${path}.namespace`, name, dnsLabel(name)))
  errors.push(...validateLabelKeys(term, path))
  if (term.topologyKey === '') errors.push(required(`${path}.topologyKey`, 'can not be empty'))
  return [...errors, ...complain(`${path}.topologyKey`, term.topologyKey, qualifiedName(term.topologyKey))]
}

/** Keys whose values are taken from the incoming pod. */
function validateLabelKeys(term: PodAffinityTerm, path: string): readonly FieldError[] {
  const { matchLabelKeys: match = [], mismatchLabelKeys: mismatch = [], labelSelector } = term
  const errors: FieldError[] = []
  for (const [field, keys] of [
    ['matchLabelKeys', match],
    ['mismatchLabelKeys', mismatch],
  ] as const) {
    if (keys.length > 0 && labelSelector === undefined)
      errors.push(forbidden(`${path}.${field}`, 'must not be specified when labelSelector is not set'))
    for (const [index, key] of keys.entries())
      errors.push(...complain(`${path}.${field}[${index}]`, key, qualifiedName(key)))
  }
  const both = match.find((key) => mismatch.includes(key))
  if (both !== undefined) {
    const words = 'exists in both matchLabelKeys and mismatchLabelKeys'
    errors.push(invalid(`${path}.matchLabelKeys[${match.indexOf(both)}]`, both, words))
  }
  return errors
}

function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): readonly FieldError[] {
  const pairs = new Set<string>()
  return constraints.flatMap((constraint, index) => {
    const at = `${path}[${index}]`
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint
    const errors: FieldError[] = maxSkew > 0 ? [] : [invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero')]
    if (topologyKey === '') errors.push(required(`${at}.topologyKey`, 'can not be empty'))
    else errors.push(...complain(`${at}.topologyKey`, topologyKey, qualifiedName(topologyKey)))
    errors.push(...oneOf(whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], `${at}.whenUnsatisfiable`))
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`
    if (pairs.has(pair)) errors.push(duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair))
    pairs.add(pair)
    if (minDomains !== undefined && minDomains <= 0)
      errors.push(invalid(`${at}.minDomains`, minDomains, 'must be greater than zero'))
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule') {
      const words = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`
      errors.push(invalid(`${at}.minDomains`, minDomains, words))
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const)
      errors.push(...oneOf(constraint[field], ['Honor', 'Ignore'], `${at}.${field}`))
    errors.push(...validateSpreadKeys(constraint, `${at}.matchLabelKeys`))
    return [...errors, ...validateSelector(constraint.labelSelector, `${at}.labelSelector`)]
  })
}

function validateSpreadKeys(
  { matchLabelKeys = [], labelSelector }: TopologySpreadConstraint,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  if (matchLabelKeys.length > 0 && labelSelector === undefined)
    errors.push(forbidden(path, 'must not be specified when labelSelector is not set'))
  const used = new Set([
    ...Object.keys(labelSelector?.matchLabels ?? {}),
    ...(labelSelector?.matchExpressions ?? []).map(({ key }) => key),
  ])
  for (const [index, key] of matchLabelKeys.entries()) {
    errors.push(...complain(`${path}[${index}]`, key, qualifiedName(key)))
    if (used.has(key)) errors.push(invalid(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector'))
  }
  return errors
}
