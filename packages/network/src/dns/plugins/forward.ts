// Names that other servers know, in the words of CoreDNS' `forward`: which servers, in which order, how many at once.

import { fraction } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import type { Answering, Query } from '../query.ts'
import { liesIn, reply } from '../query.ts'
import { rcodes } from '../wire.ts'
import { askServer, type Server } from '../upstream.ts'

export const forwardPolicies = ['random', 'round_robin', 'sequential'] as const
export type ForwardPolicy = (typeof forwardPolicies)[number]

export interface ForwardOptions {
  readonly servers: readonly Server[]
  /** Names below this zone; `.` for all. */
  readonly from: string
  readonly except: readonly string[]
  readonly policy: ForwardPolicy
  readonly isTcpOnly: boolean
  /** UDP even for what came over TCP. */
  readonly prefersUdp: boolean
  /** More than this at once are refused; 0 for any number. */
  readonly concurrentMax: number
}

export function forward(options: ForwardOptions, next: Answering): Answering {
  let turn = 0
  let open = 0
  const order = (scope: Scope): readonly Server[] => {
    const { servers, policy } = options
    if (servers.length < 2 || policy === 'sequential') return servers
    const first = policy === 'random' ? Math.floor(fraction(scope.random) * servers.length) : turn++ % servers.length
    return [...servers.slice(first), ...servers.slice(0, first)]
  }
  const ask = async (scope: Scope, query: Query): Promise<Buffer> => {
    const transport = options.isTcpOnly ? 'tcp' : options.prefersUdp ? 'udp' : query.transport
    let failure: unknown = new Error(
      'Cannot resolve names outside the cluster: the node has no DNS server that it can reach',
    )
    for (const server of order(scope)) {
      try {
        return await askServer(scope, query.message, server, transport)
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }
  return async (scope, query) => {
    const { name } = query.question
    if (!liesIn(name, options.from) || options.except.some((zone) => liesIn(name, zone))) return next(scope, query)
    if (options.concurrentMax > 0 && open >= options.concurrentMax) {
      scope.log.warn('concurrent queries exceeded maximum', { maximum: options.concurrentMax })
      return reply(query, { rcode: rcodes.refused })
    }
    open += 1
    try {
      return await ask(scope, query)
    } finally {
      open -= 1
    }
  }
}
