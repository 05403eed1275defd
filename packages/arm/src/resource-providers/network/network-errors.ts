// The refusals of Azure's network provider: one function each, with the code and the words that clients know.

import { ArmError } from '@aksel/base/errors'

export function refused(code: string, message: string): ArmError {
  return new ArmError(400, code, message)
}

/** The body is no such resource: a field has the wrong type. `where` names it. */
export function unreadable(where: string): ArmError {
  return new ArmError(400, 'InvalidRequestFormat', `Cannot parse the request. Error at '${where}'.`)
}

export function missingField(id: string, field: string): ArmError {
  return refused('MissingRequiredProperty', `Required property '${field}' of resource ${id} is missing.`)
}

export function badName(name: string): ArmError {
  return refused(
    'InvalidResourceName',
    `Resource name ${name} is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'.`,
  )
}

export function badPrefix(prefix: string, id: string): ArmError {
  return refused(
    'InvalidAddressPrefixFormat',
    `Address prefix ${prefix} of resource ${id} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.`,
  )
}

export function badCidr(prefix: string, right: string, id: string): ArmError {
  return refused(
    'InvalidCIDRNotation',
    `The address prefix ${prefix} in resource ${id} has an invalid CIDR notation. For the given prefix length, the address prefix should be ${right}.`,
  )
}

export function badReference(id: string, by: string): ArmError {
  return refused(
    'InvalidResourceReference',
    `Resource ${id} referenced by resource ${by} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.`,
  )
}

export function childNotFound(id: string): ArmError {
  return new ArmError(404, 'NotFound', `Resource ${id} not found.`)
}

/** `means` tells how to free it. */
export function inUse(code: string, what: string, users: readonly string[], means: string): ArmError {
  return refused(
    code,
    `${what} cannot be deleted because it is in use by the following resources: ${users.join(', ')}. ${means}`,
  )
}
