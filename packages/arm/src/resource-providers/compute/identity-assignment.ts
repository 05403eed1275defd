// What a change of a scale set says about its identities, as `az vmss identity assign` and `remove` send it.

import { ArmError } from '@aksel/base/errors'
import { badRequest } from '../../azure-errors.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'

export interface Assignment {
  readonly id: string
  /** False: it is taken away. */
  readonly isKept: boolean
}

/** Those that are not named stay. Throws BadRequest where something else is to be changed. */
export function readAssignment(body: unknown): readonly Assignment[] {
  const { identity, ...others } = readObject(body)
  const other = Object.keys(others)[0]
  if (other !== undefined)
    throw badRequest(
      `Scale sets of AKS follow their agent pools: of a scale set 'identity' can be changed here, and not '${other}'.`,
      other,
    )
  const given = readObject(identity, "property 'identity'")
  const type = textAt(given, 'type') ?? 'UserAssigned'
  const types = type.split(',').map((one) => one.trim().toLowerCase())
  if (types.includes('systemassigned'))
    throw badRequest('Scale sets have no system-assigned identity here: assign one of your own.', 'identity.type')
  return Object.entries(objectAt(given, 'userAssignedIdentities')).map(([id, value]) => ({
    id,
    isKept: types.includes('userassigned') && isObject(value),
  }))
}

export function identityNotFound(scaleSetId: string, id: string): ArmError {
  // Told by another service, and handed on as text.
  const inner = `{"error":{"code":"BadRequest","message":"Resource '${id}' was not found."}}`
  return new ArmError(
    400,
    'FailedIdentityOperation',
    `Identity operation for resource '${scaleSetId}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '${inner}'.'.`,
  )
}
