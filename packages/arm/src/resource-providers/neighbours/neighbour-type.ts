// A row per type of neighbour: resources that clusters and their clients name, kept as they are written. Nothing runs behind them.

import { ArmError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Json } from '../../records.ts'

export interface MadeContext {
  readonly scope: Scope
  readonly id: string
  readonly name: string
  readonly subscriptionId: string
  readonly tenantId: string
  readonly envelope: Json
}

export interface NeighbourType {
  readonly namespace: string
  /** `registries` */
  readonly path: string
  readonly nameForm: RegExp
  /** What names look like, for the refusal. */
  readonly nameWords: string
  /** What stands beside `properties`: `sku`, `identity`, `kind`. */
  readonly envelope?: readonly string[]
  /** Throws where the properties cannot be. */
  readonly judge?: (properties: Json, envelope: Json) => void
  /** What the service adds to a new one, and keeps when it is written again. */
  readonly made: (context: MadeContext) => Json
  /** Secrets that only an action tells, by the action's name. */
  readonly secrets?: Readonly<Record<string, (scope: Scope) => Json>>
  /** The refusal of a name that is taken, for names that are unique in the world. */
  readonly taken?: (name: string) => ArmError
  /** Defaults of properties that the client may set. */
  readonly defaults?: Json
}

/** As a `Warning` header says of properties without effect. */
export const NOTHING_BEHIND = { warning: '199 aksel "recorded without effect: nothing runs behind this resource"' }

export function invalidName(type: NeighbourType, name: string): ArmError {
  return new ArmError(
    400,
    'InvalidResourceName',
    `Resource name '${name}' is invalid for the type '${type.namespace}/${type.path}': ${type.nameWords}.`,
  )
}

export function invalidProperty(path: string, why: string): ArmError {
  return new ArmError(400, 'InvalidParameterValue', `The value of '${path}' is invalid: ${why}.`, { target: path })
}
