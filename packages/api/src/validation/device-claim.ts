// What a claim of devices may ask for: requests, constraints between them, and settings for drivers.

import { compileDeviceExpression } from '@aksel/cel/devices'
import { forbidden, invalid, notSupported, required, tooLong, type FieldError } from '../field-errors.ts'
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceSelector,
  DeviceSubRequest,
} from '../types/resource-v1.ts'
import {
  validateConfiguration,
  validateDeviceToleration,
  validateFullAttributeName,
  validateLabelName,
} from './device-names.ts'
import { validateList } from './lists.ts'
import { dnsSubdomain } from './names.ts'
import { complain } from './values.ts'

export const requestsMax = 32
const constraintsMax = 32
export const configMax = 32
export const selectorsMax = 32
const alternativesMax = 8
const expressionMaxBytes = 10 * 1024

/** Each request's name with the names of its alternatives. */
export type RequestNames = ReadonlyMap<string, ReadonlySet<string>>

export function requestNamesOf({ requests }: DeviceClaim): RequestNames {
  return new Map(
    requests.map(({ name, firstAvailable = [] }) => [name, new Set(firstAvailable.map((one) => one.name))]),
  )
}

export function validateDeviceClaim(claim: DeviceClaim, path: string): readonly FieldError[] {
  const names = requestNamesOf(claim)
  return [
    ...validateList(claim.requests, `${path}.requests`, {
      max: requestsMax,
      item: validateRequest,
      key: ({ name }) => name,
    }),
    ...validateList(claim.constraints, `${path}.constraints`, {
      max: constraintsMax,
      item: (constraint, at) => validateConstraint(constraint, at, names),
    }),
    ...validateList(claim.config, `${path}.config`, {
      max: configMax,
      item: (config, at) => [
        ...validateReferences(config.requests, `${at}.requests`, names),
        ...validateConfiguration(config, at),
      ],
    }),
  ]
}

function validateRequest(request: DeviceRequest, path: string): readonly FieldError[] {
  const { name, exactly, firstAvailable = [] } = request
  const errors: FieldError[] = [...validateLabelName(name, `${path}.name`)]
  const words = 'exactly one of `exactly` or `firstAvailable` is required'
  if (exactly === undefined && firstAvailable.length === 0) errors.push(required(path, words))
  else if (exactly !== undefined && firstAvailable.length > 0)
    errors.push(invalid(path, undefined, `${words}, but multiple fields are set`))
  else if (exactly !== undefined) errors.push(...validateWish(exactly, `${path}.exactly`))
  else {
    const rules = {
      max: alternativesMax,
      item: (one: DeviceSubRequest, at: string) => [
        ...validateLabelName(one.name, `${at}.name`),
        ...validateWish(one, at),
      ],
      key: (one: DeviceSubRequest) => one.name,
    }
    errors.push(...validateList(firstAvailable, `${path}.firstAvailable`, rules))
  }
  return errors
}

type Wish = Omit<DeviceSubRequest, 'name'>

function validateWish(wish: Wish, path: string): readonly FieldError[] {
  const { deviceClassName: className, allocationMode: mode, count = 0 } = wish
  const errors: FieldError[] =
    className === ''
      ? [required(`${path}.deviceClassName`)]
      : [...complain(`${path}.deviceClassName`, className, dnsSubdomain(className))]
  errors.push(...validateSelectors(wish.selectors, `${path}.selectors`))
  if (mode === 'All') {
    if (count !== 0) errors.push(invalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'"))
  } else if (mode === 'ExactCount') {
    if (count <= 0) errors.push(invalid(`${path}.count`, count, 'must be greater than zero'))
  } else errors.push(notSupported(`${path}.allocationMode`, mode, ['All', 'ExactCount']))
  for (const [index, toleration] of (wish.tolerations ?? []).entries())
    errors.push(...validateDeviceToleration(toleration, `${path}.tolerations[${index}]`))
  return errors
}

/** An expression that no scheduler could evaluate is refused before one tries. */
export function validateSelectors(
  selectors: readonly DeviceSelector[] | undefined,
  path: string,
): readonly FieldError[] {
  return validateList(selectors, path, {
    max: selectorsMax,
    item({ cel }, at) {
      if (cel === undefined) return [required(`${at}.cel`)]
      if (cel.expression.length > expressionMaxBytes) return [tooLong(`${at}.cel.expression`, expressionMaxBytes)]
      if (cel.expression === '') return [required(`${at}.cel.expression`)]
      const judged = compileDeviceExpression(cel.expression)
      if (judged.complaint === undefined) return []
      const field = `${at}.cel.expression`
      return [judged.isTooDear ? forbidden(field, judged.complaint) : invalid(field, cel.expression, judged.complaint)]
    },
  })
}

function validateConstraint(constraint: DeviceConstraint, path: string, names: RequestNames): readonly FieldError[] {
  const errors: FieldError[] = [...validateReferences(constraint.requests, `${path}.requests`, names)]
  const { matchAttribute, distinctAttribute } = constraint
  if (matchAttribute !== undefined)
    return [...errors, ...validateFullAttributeName(matchAttribute, `${path}.matchAttribute`)]
  if (distinctAttribute !== undefined)
    return [...errors, ...validateFullAttributeName(distinctAttribute, `${path}.distinctAttribute`)]
  return [...errors, required(`${path}.matchAttribute`)]
}

export function validateReferences(
  requests: readonly string[] | undefined,
  path: string,
  names: RequestNames,
): readonly FieldError[] {
  return validateList(requests, path, {
    max: requestsMax,
    item: (name, at) => validateReference(name, at, names),
    key: (name) => name,
  })
}

const mustExist =
  "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

/** `request` or `request/alternative`. */
export function validateReference(reference: string, path: string, names: RequestNames): readonly FieldError[] {
  const parts = reference.split('/')
  if (parts.length > 2) return [invalid(path, reference, mustExist)]
  const errors: FieldError[] = parts.flatMap((part) => validateLabelName(part, path))
  const alternatives = names.get(parts[0]!)
  const isThere = alternatives !== undefined && (parts.length === 1 || alternatives.has(parts[1]!))
  return isThere ? errors : [...errors, invalid(path, reference, mustExist)]
}
