// Azure's errors by name: one function each, with the status, code and words that clients know.

import { ArmError, type ArmErrorOptions } from '@aksel/base/errors'

/** The AKS service answers with a flat body where Resource Manager wraps it in `error`. */
export class AksError extends ArmError {
  readonly subcode: string

  constructor(
    status: number,
    code: string,
    message: string,
    options: ArmErrorOptions & { readonly subcode?: string } = {},
  ) {
    super(status, code, message, options)
    this.name = 'AksError'
    this.subcode = options.subcode ?? ''
  }

  toFlatBody(): Readonly<Record<string, unknown>> {
    const { code, message, subcode, target, details } = this
    return { code, details: details ?? null, message, subcode, ...(target === undefined ? {} : { target }) }
  }
}

export function groupNotFound(name: string): ArmError {
  return new ArmError(404, 'ResourceGroupNotFound', `Resource group '${name}' could not be found.`)
}

/** `type` is the full type and name, `Microsoft.ContainerService/managedClusters/c1`. */
export function resourceNotFound(type: string, group: string): ArmError {
  return new ArmError(
    404,
    'ResourceNotFound',
    `The Resource '${type}' under resource group '${group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
  )
}

export function parentNotFound(action: 'read' | 'write', type: string, parentId: string): ArmError {
  return new ArmError(
    404,
    'ParentResourceNotFound',
    `Failed to perform '${action}' on resource(s) of type '${type}', because the parent resource '${parentId}' could not be found.`,
  )
}

export function poolNotFound(pool: string, clusterId: string): AksError {
  return new AksError(404, 'NotFound', `Could not find agent pool '${pool}' in managed cluster '${clusterId}'.`)
}

export function groupBeingDeleted(name: string): ArmError {
  return new ArmError(
    409,
    'ResourceGroupBeingDeleted',
    `The resource group '${name}' is in deprovisioning state and cannot perform this operation.`,
  )
}

/** `what` is the state, or `nodepool1 - Updating`. */
export function operationInProgress(what: string): AksError {
  return new AksError(
    409,
    'OperationNotAllowed',
    `Operation is not allowed: Another operation (${what}) is in progress, please wait for it to finish before starting a new operation. See https://aka.ms/aks-pending-operation for more details`,
  )
}

export function notAllowed(message: string): AksError {
  return new AksError(409, 'OperationNotAllowed', message)
}

/** A parameter whose value cannot be: `details` says what is wrong with it. */
export function invalidParameter(parameter: string, details: string): AksError {
  const end = /[.!?]$/.test(details) ? '' : '.'
  return new AksError(
    400,
    'InvalidParameter',
    `The value of parameter ${parameter} is invalid. Error details: ${details}${end} Please see https://aka.ms/aks-naming-rules for more details.`,
    { target: parameter },
  )
}

export function missingParameter(parameter: string): AksError {
  return new AksError(400, 'InvalidParameter', `Required parameter ${parameter} is missing (null).`, {
    target: parameter,
  })
}

export function changeNotAllowed(path: string): AksError {
  return new AksError(400, 'PropertyChangeNotAllowed', `Changing property '${path}' is not allowed.`, { target: path })
}

export function badRequest(message: string, target?: string): AksError {
  return new AksError(400, 'BadRequest', message, target === undefined ? {} : { target })
}

export function preconditionFailed(message: string): AksError {
  return new AksError(412, 'PreconditionFailed', message)
}

export function contentInvalid(message: string): ArmError {
  return new ArmError(
    400,
    'InvalidRequestContent',
    `The request content was invalid and could not be deserialized: '${message}'.`,
  )
}
