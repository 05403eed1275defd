// Names that the kinds of dynamic resource allocation share: drivers, pools, attributes, and settings for drivers.

import { invalid, notSupported, required, tooLong, type FieldError } from '../field-errors.ts'
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from './names.ts'
import { complain } from './values.ts'
import type { DeviceConfiguration, DeviceTaint, DeviceToleration } from '../types/resource-v1.ts'
import { stringifyJson } from '@aksel/base/json'

const driverNameMax = 63
const poolNameMax = 253
const identifierMax = 32
const parametersMaxBytes = 10 * 1024

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
const identifierComplaint =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')"

export function validateDriverName(name: string, path: string): readonly FieldError[] {
  if (name === '') return [required(path)]
  const long: readonly FieldError[] = name.length > driverNameMax ? [tooLong(path, driverNameMax)] : []
  return [...long, ...complain(path, name, dnsSubdomain(name.toLowerCase()))]
}

/** One or more subdomains joined by slashes. */
export function validatePoolName(name: string, path: string): readonly FieldError[] {
  if (name === '') return [required(path)]
  const long: readonly FieldError[] = name.length > poolNameMax ? [tooLong(path, poolNameMax)] : []
  return [...long, ...name.split('/').flatMap((part) => complain(path, part, dnsSubdomain(part)))]
}

export function validateLabelName(name: string, path: string): readonly FieldError[] {
  return complain(path, name, dnsLabel(name))
}

function validateIdentifier(id: string, path: string): readonly FieldError[] {
  const long: readonly FieldError[] = id.length > identifierMax ? [tooLong(path, identifierMax)] : []
  return identifier.test(id) ? long : [...long, invalid(path, id, identifierComplaint)]
}

/** An identifier, perhaps behind a driver's name. */
export function validateAttributeName(name: string, path: string): readonly FieldError[] {
  const parts = name.split('/')
  if (parts.length > 2) return [invalid(path, name, 'must not contain more than one slash')]
  if (parts.length === 1) return validateIdentifier(name, path)
  const [domain = '', id = ''] = parts
  return [
    ...(domain === '' ? [invalid(path, '', 'the domain must not be empty')] : validateDriverName(domain, path)),
    ...(id === '' ? [invalid(path, '', 'the name must not be empty')] : validateIdentifier(id, path)),
  ]
}

export function validateFullAttributeName(name: string, path: string): readonly FieldError[] {
  const errors = validateAttributeName(name, path)
  if (name.includes('/')) return errors
  return [...errors, invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash')]
}

/** Settings that only a driver understands. */
export function validateConfiguration({ opaque }: DeviceConfiguration, path: string): readonly FieldError[] {
  if (opaque === undefined) return [required(`${path}.opaque`)]
  return [
    ...validateDriverName(opaque.driver, `${path}.opaque.driver`),
    ...validateParameters(opaque.parameters, `${path}.opaque.parameters`),
  ]
}

/** A JSON object of limited size. */
export function validateParameters(
  parameters: unknown,
  path: string,
  maxBytes: number = parametersMaxBytes,
): readonly FieldError[] {
  if (parameters === undefined || parameters === null) return [required(path)]
  if (typeof parameters !== 'object' || Array.isArray(parameters))
    return [invalid(path, '<value omitted>', 'parameters must be a valid JSON object')]
  return stringifyJson(parameters).length > maxBytes ? [tooLong(path, maxBytes)] : []
}

const taintEffects = ['NoExecute', 'NoSchedule', 'None']

export function validateDeviceTaint({ key, value = '', effect }: DeviceTaint, path: string): readonly FieldError[] {
  const errors: FieldError[] = [...complain(`${path}.key`, key, qualifiedName(key))]
  errors.push(...complain(`${path}.value`, value, labelValue(value)))
  if (effect === '') errors.push(required(`${path}.effect`))
  else if (!taintEffects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, taintEffects))
  return errors
}

export function validateDeviceToleration(toleration: DeviceToleration, path: string): readonly FieldError[] {
  const { key = '', operator = '', value = '', effect = '' } = toleration
  const errors: FieldError[] = key === '' ? [] : [...complain(`${path}.key`, key, qualifiedName(key))]
  if (operator === 'Exists') {
    if (value !== '') errors.push(invalid(`${path}.value`, value, 'must be empty for operator `Exists`'))
  } else if (operator === 'Equal') {
    errors.push(...complain(`${path}.value`, value, labelValue(value)))
    if (key === '') errors.push(required(`${path}.key`, 'must not be empty when using operator `Equal`'))
  } else if (operator === '') errors.push(required(`${path}.operator`))
  else errors.push(notSupported(`${path}.operator`, operator, ['Equal', 'Exists']))
  if (effect !== '' && !taintEffects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, taintEffects))
  return errors
}
