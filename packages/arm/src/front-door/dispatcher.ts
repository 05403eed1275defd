// Requests of our own to the rows: what a deployment orders goes the way of any client's request, without a socket.

import findMyWay from 'find-my-way'
import { ArmError } from '@aksel/base/errors'
import { childScope, type Scope } from '@aksel/base/scope'
import { AksError } from '../azure-errors.ts'
import { judgeApiVersion } from './api-versions.ts'
import type { ArmRequest, ArmResponse, Caller, Route } from './route.ts'

export interface OwnRequest {
  readonly method: Route['method']
  /** Path and query. */
  readonly url: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly caller: Caller
  /** Scheme and host that answers name. */
  readonly origin: string
  readonly correlationId: string
}

/** Answers like the front door; refusals are answers, not errors. */
export type Ask = (request: OwnRequest) => Promise<ArmResponse>

export class Dispatcher {
  readonly #scope: Scope
  readonly #router = findMyWay({ caseSensitive: false, ignoreTrailingSlash: true, maxParamLength: 512 })

  constructor(scope: Scope) {
    this.#scope = scope
  }

  add(routes: readonly Route[]): void {
    for (const route of routes) this.#router.on(route.method, route.path, () => {}, route)
  }

  /** Whether anything answers there. */
  serves(method: Route['method'], path: string): boolean {
    return this.#router.find(method, path) !== null
  }

  readonly ask: Ask = async (request) => {
    try {
      return await this.#handle(request)
    } catch (error) {
      if (!(error instanceof ArmError)) throw error
      return { status: error.status, body: error instanceof AksError ? error.toFlatBody() : error.toBody() }
    }
  }

  async #handle({ method, url, body, headers, caller, origin, correlationId }: OwnRequest): Promise<ArmResponse> {
    const address = new URL(url, origin)
    const found = this.#router.find(method, address.pathname)
    if (found === null) throw notServed(method, address.pathname)
    const query: Record<string, string> = {}
    for (const [name, value] of address.searchParams) query[name.toLowerCase()] = value
    judgeApiVersion(query['api-version'], url)
    const request: ArmRequest = {
      scope: childScope(this.#scope, { correlationId }),
      method,
      params: found.params as Readonly<Record<string, string>>,
      query,
      headers: { ...headers },
      body,
      origin,
      url,
      caller,
      correlationId,
    }
    return (found.store as Route).handle(request)
  }
}

function notServed(method: string, path: string): ArmError {
  return new ArmError(
    404,
    'InvalidResourceType',
    `The request path '${path}' with method '${method}' is not served here.`,
  )
}
