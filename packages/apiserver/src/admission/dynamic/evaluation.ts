// Evaluates the expressions of admission for one request: what they see, the authorizer that answers later, and budgets.

import { costPerCallMax, type Program } from '@aksel/cel/compile'
import {
  AuthorizerValue,
  ResourceCheck,
  type AuthorizationAnswer,
  type AuthorizationQuery,
} from '@aksel/cel/library/authorizer'
import { CelCostError, CelEvaluationError } from '@aksel/cel/problems'
import { requestType, namespaceType } from '@aksel/cel/admission'
import { adapt } from '@aksel/cel/json-values'
import { ObjectValue, type Value } from '@aksel/cel/values'
import type { KindRow } from '@aksel/api/kind-row'
import type { UserInfo } from '../../authentication/user-info.ts'
import type { Attributes, Authorizer } from '../../authorization/attributes.ts'
import { selectedByReview } from '../../authorization/selectors.ts'
import type { AdmissionRequest } from '../admission.ts'
import type { Shown } from './shown.ts'

/** All expressions of one binding together cost more than is allowed. */
export class OutOfBudget extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run')
    this.name = 'OutOfBudget'
  }
}

/** An expression asks what only a call can tell: it is evaluated again when the answer is there. */
class PendingCheck extends Error {
  readonly query: AuthorizationQuery

  constructor(query: AuthorizationQuery) {
    super('the authorizer has not answered yet')
    this.query = query
  }
}

/** The authorizer as expressions ask it, each question once per request. */
export class RequestAuthorizer {
  readonly #authorizer: Authorizer
  readonly #user: UserInfo
  readonly #answers = new Map<string, AuthorizationAnswer>()
  readonly value: AuthorizerValue

  constructor(authorizer: Authorizer, user: UserInfo) {
    this.#authorizer = authorizer
    this.#user = user
    this.value = new AuthorizerValue((query) => {
      const known = this.#answers.get(JSON.stringify(query))
      if (known === undefined) throw new PendingCheck(query)
      return known
    })
  }

  async ask(query: AuthorizationQuery): Promise<void> {
    this.#answers.set(JSON.stringify(query), await this.#answer(query))
  }

  async #answer(query: AuthorizationQuery): Promise<AuthorizationAnswer> {
    try {
      const { verdict, reason } = await this.#authorizer.authorize(this.#attributes(query))
      return { isAllowed: verdict === 'allow', reason }
    } catch (error) {
      return { isAllowed: false, reason: '', error: (error as Error).message }
    }
  }

  #attributes(query: AuthorizationQuery): Attributes {
    const { serviceAccount: account, verb, path } = query
    const { fieldSelector, labelSelector } = selectedByReview(selectorsOf(query))
    const user: UserInfo =
      account === undefined
        ? this.#user
        : {
            name: `system:serviceaccount:${account.namespace}:${account.name}`,
            groups: ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`, 'system:authenticated'],
          }
    return {
      user,
      verb,
      isResource: path === undefined,
      group: query.group ?? '',
      version: '*',
      resource: query.resource ?? '',
      subresource: query.subresource ?? '',
      namespace: query.namespace ?? '',
      name: query.name ?? '',
      path: path ?? '',
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
    }
  }
}

function selectorsOf({ fieldSelector, labelSelector }: AuthorizationQuery): Parameters<typeof selectedByReview>[0] {
  return {
    ...(fieldSelector === undefined ? {} : { fieldSelector: { rawSelector: fieldSelector } }),
    ...(labelSelector === undefined ? {} : { labelSelector: { rawSelector: labelSelector } }),
  }
}

export interface Composed {
  readonly name: string
  readonly program: Program
}

/** What the expressions of one policy, or the conditions of one webhook, see of one request. */
export class Evaluation {
  readonly #authorizer: RequestAuthorizer
  readonly #bindings: Record<string, unknown>
  readonly operation: AdmissionRequest['operation']
  #budget: number

  constructor(options: {
    readonly request: AdmissionRequest
    readonly row: KindRow
    readonly shown: Shown
    readonly authorizer: RequestAuthorizer
    readonly namespace?: unknown
    readonly params?: unknown
    readonly variables?: readonly Composed[]
    readonly budget: number
  }) {
    const { request, row, shown, authorizer } = options
    this.#authorizer = authorizer
    this.#budget = options.budget
    this.operation = request.operation
    this.#bindings = {
      object: shown.object,
      oldObject: shown.old,
      request: adapt(requestOf(request, row, shown), requestType),
      namespaceObject: options.namespace === undefined ? null : adapt(namespaceView(options.namespace), namespaceType),
      params: options.params ?? null,
      authorizer: authorizer.value,
      'authorizer.requestResource': new ResourceCheck(authorizer.value, {
        group: row.group,
        resource: row.plural,
        ...(request.subresource === '' ? {} : { subresource: request.subresource }),
        ...(request.namespace === '' ? {} : { namespace: request.namespace }),
        ...(request.name === '' ? {} : { name: request.name }),
      }),
    }
    this.#bindings['variables'] = new Variables(options.variables ?? [], this.#bindings, (cost) => this.#spend(cost))
  }

  /** The object that later expressions see. */
  show(object: unknown): void {
    this.#bindings['object'] = object
  }

  /** Forgets what variables were: they are computed anew from what is shown now. */
  restartVariables(variables: readonly Composed[]): void {
    this.#bindings['variables'] = new Variables(variables, this.#bindings, (cost) => this.#spend(cost))
  }

  #spend(cost: number): void {
    this.#budget -= cost
    if (this.#budget < 0) throw new OutOfBudget()
  }

  /** Throws CelEvaluationError and CelCostError for this expression alone, OutOfBudget for all that follow too. */
  async evaluate(program: Program): Promise<Value> {
    while (true) {
      try {
        let spent = 0
        try {
          const { value } = program.evaluate(this.#bindings, {
            costMax: costPerCallMax,
            onCost: (cost) => (spent = cost),
          })
          return value
        } finally {
          this.#spend(spent)
        }
      } catch (error) {
        if (!(error instanceof PendingCheck)) throw error
        await this.#authorizer.ask(error.query)
      }
    }
  }
}

/** `variables.NAME`: computed when first asked for, at most once. */
class Variables extends ObjectValue {
  readonly typeName = 'kubernetes.variables'
  readonly #composed: ReadonlyMap<string, Program>
  readonly #bindings: Readonly<Record<string, unknown>>
  readonly #spend: (cost: number) => void
  readonly #known = new Map<string, { readonly value: Value } | { readonly error: Error }>()

  constructor(
    composed: readonly Composed[],
    bindings: Readonly<Record<string, unknown>>,
    spend: (cost: number) => void,
  ) {
    super()
    this.#composed = new Map(composed.map(({ name, program }) => [name, program]))
    this.#bindings = bindings
    this.#spend = spend
  }

  get(field: string): Value | undefined {
    let known = this.#known.get(field)
    if (known === undefined) {
      const program = this.#composed.get(field)
      if (program === undefined) return undefined
      known = this.#compute(field, program)
      this.#known.set(field, known)
    }
    if ('error' in known) throw known.error
    return known.value
  }

  #compute(field: string, program: Program): { readonly value: Value } | { readonly error: Error } {
    try {
      return { value: program.evaluate(this.#bindings, { onCost: this.#spend }).value }
    } catch (error) {
      if (error instanceof CelCostError) return { error }
      if (!(error instanceof CelEvaluationError)) throw error
      const text = `composited variable ${JSON.stringify(field)} fails to evaluate: ${error.message}`
      return { error: new CelEvaluationError(text) }
    }
  }

  has(field: string): boolean {
    return this.#composed.has(field)
  }

  fieldNames(): readonly string[] {
    return [...this.#composed.keys()]
  }
}

/** The request as AdmissionReview has it, without the objects. */
export function requestOf(request: AdmissionRequest, row: KindRow, shown: Shown): Record<string, unknown> {
  const { subresource, name, namespace, operation, user, dryRun, options } = request
  const own = request.row
  const requestKind =
    row === own || request.body !== undefined || subresource === 'scale'
      ? shown.kind
      : { group: own.group, version: own.version, kind: own.kind }
  return {
    kind: shown.kind,
    resource: { group: row.group, version: row.version, resource: row.plural },
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind,
    requestResource: { group: own.group, version: own.version, resource: own.plural },
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      ...(user.groups.length === 0 ? {} : { groups: user.groups }),
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    dryRun,
    ...(options === undefined ? {} : { options }),
  }
}

/** A namespace by the names that expressions know; `UID` is spelled as upstream spells it. */
function namespaceView(namespace: unknown): unknown {
  const { metadata, ...rest } = namespace as { readonly metadata: Readonly<Record<string, unknown>> }
  return { ...rest, metadata: { ...metadata, UID: metadata['uid'] } }
}
