// From the rules of one listener to what answers on it: the longest zone that holds a name decides where it is asked for.

import type { LocalDnsZone } from '@aksel/provider/local-dns'
import type { Scope } from '@aksel/base/scope'
import { cache, type DnsCache } from '../dns/plugins/cache.ts'
import { forward } from '../dns/plugins/forward.ts'
import { lineOf, log } from '../dns/plugins/log.ts'
import { liesIn, rcodeOf, reply, zoneName, type Answering } from '../dns/query.ts'
import type { Server } from '../dns/upstream.ts'
import { rcodeNames, rcodes } from '../dns/wire.ts'

export interface Destinations {
  readonly ClusterCoreDNS: readonly Server[]
  readonly VnetDNS: readonly Server[]
}

/** What its metrics say; counted by zone. */
export interface ZoneCounts {
  readonly zone: string
  readonly requests: Map<string, number>
  readonly responses: Map<string, number>
  seconds: number
  readonly cache: DnsCache
}

export interface ListenerZones {
  readonly answer: Answering
  readonly counts: readonly ZoneCounts[]
}

/** What CoreDNS holds in 256 shards. */
const CACHE_ENTRIES = 9984

export function listenerZones(zones: readonly LocalDnsZone[], destinations: Destinations): ListenerZones {
  const made = zones
    .map((rules) => zoneAnswering(rules, destinations))
    .toSorted((left, right) => right.counts.zone.length - left.counts.zone.length)
  return {
    counts: made.map(({ counts }) => counts),
    answer(scope, query) {
      const found = made.find(({ counts }) => liesIn(query.question.name, counts.zone))
      return found === undefined ? reply(query, { rcode: rcodes.serverFailure }) : found.answer(scope, query)
    },
  }
}

const policies = { Sequential: 'sequential', RoundRobin: 'round_robin', Random: 'random' } as const
const stales = { Immediate: 'immediate', Verify: 'verify', Disable: 'none' } as const

function zoneAnswering(rules: LocalDnsZone, destinations: Destinations): { answer: Answering; counts: ZoneCounts } {
  const asked = forward(
    {
      servers: destinations[rules.forwardDestination],
      from: '.',
      except: [],
      policy: policies[rules.forwardPolicy],
      isTcpOnly: rules.protocol === 'ForceTCP',
      prefersUdp: rules.protocol === 'PreferUDP',
      concurrentMax: rules.maxConcurrent,
    },
    (_scope, query) => reply(query, { rcode: rcodes.serverFailure }),
  )
  const kept = cache(
    {
      zones: ['.'],
      capacity: CACHE_ENTRIES,
      successTtlSeconds: rules.cacheDurationInSeconds,
      denialTtlSeconds: rules.cacheDurationInSeconds,
      stale: stales[rules.serveStale],
      staleSeconds: rules.serveStaleDurationInSeconds,
    },
    asked,
  )
  const isLogged = rules.queryLogging === 'Log'
  const logged = isLogged ? log({ zones: ['.'], classes: ['all'] }, kept.answer) : errorsOf(kept.answer)
  const counts: ZoneCounts = {
    zone: zoneName(rules.zone),
    requests: new Map(),
    responses: new Map(),
    seconds: 0,
    cache: kept,
  }
  return { answer: counted(counts, logged), counts }
}

/** As CoreDNS' `errors` does: a line for each query that nobody could answer. */
function errorsOf(next: Answering): Answering {
  return async (scope, query) => {
    const startedMs = scope.clock.monotonicMs()
    try {
      return await next(scope, query)
    } catch (error) {
      scope.log.warn(lineOf(query, undefined, (scope.clock.monotonicMs() - startedMs) / 1000), { error })
      throw error
    }
  }
}

function counted(counts: ZoneCounts, next: Answering): Answering {
  return async (scope: Scope, query) => {
    const startedMs = scope.clock.monotonicMs()
    raise(counts.requests, `${query.transport} ${query.question.type}`)
    let rcode = 'SERVFAIL'
    try {
      const answer = await next(scope, query)
      rcode = rcodeNames[rcodeOf(answer)] ?? String(rcodeOf(answer))
      return answer
    } finally {
      raise(counts.responses, rcode)
      counts.seconds += (scope.clock.monotonicMs() - startedMs) / 1000
    }
  }
}

function raise(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
