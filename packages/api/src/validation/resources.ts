// Rules on what containers ask of a node: requests, limits, and the names of resources.

import { compareQuantities, parseQuantity } from '@aksel/base/quantity'
import { duplicate, forbidden, invalid, notFound, required, type FieldError } from '../field-errors.ts'
import type { ResourceRequirements } from '../types/core-v1.ts'
import { qualifiedName } from './names.ts'
import { complain } from './values.ts'

type Quantities = Readonly<Record<string, string | number>>

const standardResources = ['cpu', 'memory', 'ephemeral-storage']

export function isHugePages(name: string): boolean {
  return name.startsWith('hugepages-')
}

/** A name with a domain that is not Kubernetes' own: devices and the like, whole and never overcommitted. */
export function isExtendedResource(name: string): boolean {
  return name.includes('/') && !/^([^/]*\.)?kubernetes\.io\//.test(name) && !name.startsWith('requests.')
}

export function isNegative(quantity: string | number): boolean {
  return parseQuantity(quantity).nano < 0n
}

export function validateQuantity(quantity: string | number, path: string): readonly FieldError[] {
  return isNegative(quantity) ? [invalid(path, String(quantity), 'must be greater than or equal to 0')] : []
}

function validateResourceName(name: string, path: string): readonly FieldError[] {
  const wrong = qualifiedName(name)
  if (wrong.length > 0) return complain(path, name, wrong)
  if (!name.includes('/') && !standardResources.includes(name) && !isHugePages(name)) {
    return [
      invalid(path, name, 'must be a standard resource type or fully qualified'),
      invalid(path, name, 'must be a standard resource for containers'),
    ]
  }
  return []
}

function validateResource(name: string, quantity: string | number, path: string): readonly FieldError[] {
  const errors = [...validateResourceName(name, path), ...validateQuantity(quantity, path)]
  if (isExtendedResource(name) && parseQuantity(quantity).nano % 10n ** 9n !== 0n)
    errors.push(invalid(path, String(quantity), 'must be an integer'))
  return errors
}

export function validateResources(
  requirements: ResourceRequirements | undefined,
  path: string,
  claims: readonly string[],
): readonly FieldError[] {
  const limits: Quantities = requirements?.limits ?? {}
  const requests: Quantities = requirements?.requests ?? {}
  const errors: FieldError[] = []
  for (const [name, quantity] of Object.entries(limits)) {
    errors.push(...validateResource(name, quantity, `${path}.limits[${name}]`))
  }
  for (const [name, quantity] of Object.entries(requests)) {
    errors.push(
      ...validateResource(name, quantity, `${path}.requests[${name}]`),
      ...validateAgainstLimit(name, quantity, limits, path),
    )
  }
  const names = new Set([...Object.keys(limits), ...Object.keys(requests)])
  if ([...names].some(isHugePages) && !names.has('cpu') && !names.has('memory'))
    errors.push(forbidden(path, 'HugePages require cpu or memory'))
  return [...errors, ...validateClaims(requirements?.claims ?? [], `${path}.claims`, claims)]
}

/** Requests against limits alone, for pods as a whole. */
export function validateAgainstLimits(requirements: ResourceRequirements, path: string): readonly FieldError[] {
  return Object.entries(requirements.requests ?? {}).flatMap(([name, quantity]) =>
    validateAgainstLimit(name, quantity, requirements.limits ?? {}, path),
  )
}

function validateClaims(
  claims: readonly { readonly name: string }[],
  path: string,
  ofPod: readonly string[],
): readonly FieldError[] {
  const seen = new Set<string>()
  return claims.flatMap(({ name }, index) => {
    const at = `${path}[${index}]`
    if (name === '') return [required(at)]
    const errors: FieldError[] = seen.has(name) ? [duplicate(at, name)] : []
    seen.add(name)
    if (ofPod.includes(name)) return errors
    const those = ofPod.length === 0 ? ' which is empty' : `: ${ofPod.toSorted().join(', ')}`
    const missing = notFound(at, name)
    const message = `${missing.message}: must be one of the names in pod.spec.resourceClaims${those}`
    return [...errors, { ...missing, message }]
  })
}

function validateAgainstLimit(
  name: string,
  quantity: string | number,
  limits: Quantities,
  path: string,
): readonly FieldError[] {
  const at = `${path}.requests`
  const limit = limits[name]
  const mustMatch = isHugePages(name) || isExtendedResource(name)
  if (limit === undefined)
    return mustMatch ? [required(`${path}.limits`, 'Limit must be set for non overcommitable resources')] : []
  const order = compareQuantities(parseQuantity(quantity), parseQuantity(limit))
  if (mustMatch && order !== 0) return [invalid(at, String(quantity), `must be equal to ${name} limit of ${limit}`)]
  return order > 0 ? [invalid(at, String(quantity), `must be less than or equal to ${name} limit of ${limit}`)] : []
}
