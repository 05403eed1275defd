// Where an expression is evaluated: what names mean there, what is known of the deployment, and what only its course can tell.

import type { ObjectValue, Value } from './values.ts'

/** Something that only the running deployment can tell. */
export type StateRequest =
  /** `target` is a name of this template's, or a resource id. */
  | {
      readonly kind: 'reference'
      readonly target: string
      readonly apiVersion: string | undefined
      readonly full: boolean
    }
  | {
      readonly kind: 'list'
      /** `listKeys` and the like, as written. */
      readonly action: string
      readonly target: string
      readonly apiVersion: string
      readonly body: Value | undefined
    }

/** Thrown where a state is asked for that is not known yet: whoever evaluates finds it and evaluates again. */
export class StateNeeded extends Error {
  override readonly name = 'StateNeeded'
  readonly request: StateRequest

  constructor(request: StateRequest) {
    super(`The state of '${request.target}' is not known yet`)
    this.request = request
  }
}

export interface UserFunction {
  readonly parameters: readonly string[]
  readonly output: Value
}

/** Where and for whom the deployment runs. */
export interface DeploymentFacts {
  readonly tenantId: string
  readonly subscription: ObjectValue & { readonly subscriptionId: string }
  /** Absent in deployments at subscription scope. */
  readonly resourceGroup?: ObjectValue & { readonly name: string; readonly id: string }
  readonly deployment: ObjectValue
  readonly environment: ObjectValue
  readonly deployer: ObjectValue
  /** Milliseconds since 1970, the same for the whole deployment. */
  readonly nowMs: number
}

export interface Frame {
  readonly facts: DeploymentFacts
  /** Throws ExpressionError where there is no such parameter. */
  readonly parameter: (name: string) => Value
  readonly variable: (name: string) => Value
  /** The turn of the loop of this name, or of the innermost one. */
  readonly loopIndex: (name: string | undefined) => number | undefined
  readonly lambdas: ReadonlyMap<string, Value>
  /** `namespace.name`, lower case. */
  readonly userFunctions: ReadonlyMap<string, UserFunction>
  /** Where states may not be asked for at all: variables, parameters, conditions. */
  readonly state?: (request: StateRequest) => Value | undefined
  /** Only where defaults of parameters are evaluated: `newGuid` and `utcNow` change from time to time. */
  readonly newGuid?: () => string
}
