// `authorizer.group('apps').resource('deployments').check('create').allowed()`: asks the cluster's own authorizer.

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from '../functions.ts'
import { dnsLabel, dnsSubdomain } from '@aksel/base/names'
import { CelEvaluationError } from '../problems.ts'
import { exactly, plus, scaled, traversalFactor, type CostRange } from '../cost-ranges.ts'
import { opaque } from '../types.ts'
import { OpaqueValue, sizeOf } from '../values.ts'

/** A question to the authorizer, about the caller or a service account. */
export interface AuthorizationQuery {
  /** Undefined: whoever makes the request. */
  readonly serviceAccount: { readonly namespace: string; readonly name: string } | undefined
  readonly verb: string
  readonly path?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

export interface AuthorizationAnswer {
  readonly isAllowed: boolean
  readonly reason: string
  readonly error?: string
}

export type Authorize = (query: AuthorizationQuery) => AuthorizationAnswer

const prefix = 'kubernetes.authorization.'
export const authorizerType = opaque(`${prefix}Authorizer`)
export const resourceCheckType = opaque(`${prefix}ResourceCheck`)

/** A receiver alone: it has no fields, and equals only itself. */
abstract class Receiver extends OpaqueValue {
  equals(other: OpaqueValue): boolean {
    return other === this
  }
}

export class AuthorizerValue extends Receiver {
  readonly typeName = `${prefix}Authorizer`
  readonly authorize: Authorize
  readonly serviceAccount: AuthorizationQuery['serviceAccount']

  constructor(authorize: Authorize, serviceAccount?: AuthorizationQuery['serviceAccount']) {
    super()
    this.authorize = authorize
    this.serviceAccount = serviceAccount
  }
}

type ResourceQuery = Omit<AuthorizationQuery, 'verb' | 'serviceAccount'>

class PathCheck extends Receiver {
  readonly typeName = `${prefix}PathCheck`
  readonly authorizer: AuthorizerValue
  readonly path: string

  constructor(authorizer: AuthorizerValue, path: string) {
    super()
    this.authorizer = authorizer
    this.path = path
  }
}

class GroupCheck extends Receiver {
  readonly typeName = `${prefix}GroupCheck`
  readonly authorizer: AuthorizerValue
  readonly group: string

  constructor(authorizer: AuthorizerValue, group: string) {
    super()
    this.authorizer = authorizer
    this.group = group
  }
}

export class ResourceCheck extends Receiver {
  readonly typeName = `${prefix}ResourceCheck`
  readonly authorizer: AuthorizerValue
  readonly query: ResourceQuery

  constructor(authorizer: AuthorizerValue, query: ResourceQuery) {
    super()
    this.authorizer = authorizer
    this.query = query
  }

  with(more: ResourceQuery): ResourceCheck {
    return new ResourceCheck(this.authorizer, { ...this.query, ...more })
  }
}

class Decision extends Receiver {
  readonly typeName = `${prefix}Decision`
  readonly answer: AuthorizationAnswer

  constructor(answer: AuthorizationAnswer) {
    super()
    this.answer = answer
  }
}

function nonEmpty(text: string, what: string): string {
  if (text.trim() === '') throw new CelEvaluationError(`${what} must not be empty`)
  return text
}

function forServiceAccount(authorizer: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  if (dnsSubdomain(name).length > 0) throw new CelEvaluationError('Invalid service account name')
  if (dnsLabel(namespace).length > 0) throw new CelEvaluationError('Invalid service account namespace')
  return new AuthorizerValue(authorizer.authorize, { namespace, name })
}

function ask(authorizer: AuthorizerValue, query: Omit<AuthorizationQuery, 'serviceAccount'>): Decision {
  return new Decision(authorizer.authorize({ ...query, serviceAccount: authorizer.serviceAccount }))
}

/** Two checks fit into one evaluation's budget, a third does not. */
const checkCost = 350_000

function selectorRange(size: CostRange): CostRange {
  const requirements = scaled(scaled(size, 0.5), 50)
  return plus(exactly(10), plus(scaled(size, traversalFactor), requirements))
}

const selectorCost: CostOf = ([, selector]) => selectorRange(exactly(sizeOf(selector!))).max
const selectorEstimate: EstimateOf = ({ args }) => selectorRange(args[0]!.size)

const authorizer = `${prefix}Authorizer`
const resourceCheck = `${prefix}ResourceCheck`
const decision = `${prefix}Decision`

export const authorizerFunctions: readonly FunctionDeclaration[] = [
  declare('path', {
    [`${authorizer}.(string) -> ${prefix}PathCheck`]: (from: AuthorizerValue, path: string) =>
      new PathCheck(from, nonEmpty(path, 'path')),
  }),
  declare('group', {
    [`${authorizer}.(string) -> ${prefix}GroupCheck`]: (from: AuthorizerValue, group: string) =>
      new GroupCheck(from, group),
  }),
  declare('serviceAccount', { [`${authorizer}.(string, string) -> ${authorizer}`]: forServiceAccount }),
  declare('resource', {
    [`${prefix}GroupCheck.(string) -> ${resourceCheck}`]: (from: GroupCheck, resource: string) =>
      new ResourceCheck(from.authorizer, { group: from.group, resource: nonEmpty(resource, 'resource') }),
  }),
  ...(['subresource', 'namespace', 'name'] as const).map((field) =>
    declare(field, {
      [`${resourceCheck}.(string) -> ${resourceCheck}`]: (from: ResourceCheck, text: string) =>
        from.with({ [field]: text }),
    }),
  ),
  ...(['fieldSelector', 'labelSelector'] as const).map((field) =>
    declare(
      field,
      {
        [`${resourceCheck}.(string) -> ${resourceCheck}`]: (from: ResourceCheck, text: string) =>
          from.with({ [field]: text }),
      },
      { cost: selectorCost, estimate: selectorEstimate },
    ),
  ),
  declare(
    'check',
    {
      [`${prefix}PathCheck.(string) -> ${decision}`]: (from: PathCheck, verb: string) =>
        ask(from.authorizer, { verb, path: from.path }),
      [`${resourceCheck}.(string) -> ${decision}`]: (from: ResourceCheck, verb: string) =>
        ask(from.authorizer, { ...from.query, verb }),
    },
    { cost: () => checkCost, estimate: () => exactly(checkCost) },
  ),
  declare('allowed', { [`${decision}.() -> bool`]: ({ answer }: Decision) => answer.isAllowed }),
  declare('reason', { [`${decision}.() -> string`]: ({ answer }: Decision) => answer.reason }),
  declare('errored', { [`${decision}.() -> bool`]: ({ answer }: Decision) => answer.error !== undefined }),
  declare('error', { [`${decision}.() -> string`]: ({ answer }: Decision) => answer.error ?? '' }),
]
