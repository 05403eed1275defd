// The cluster's own server block: names of the zone from the objects, aliases followed, search paths gone through here so
// that a client's first question brings the answer, and all other names from the node's servers.

import { decode, type Answer } from 'dns-packet'
import { fraction } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { asking, rcodeOf, reply, type Answering, type Query } from './query.ts'
import { rcodes } from './wire.ts'
import { answerFromZone, startOfAuthority, type ZoneAnswer, type ZoneOptions, type ZoneView } from './zone.ts'

export interface ClusterNamesOptions extends ZoneOptions {
  readonly view: ZoneView
  /** Names that are none of the cluster's. */
  readonly elsewhere: Answering
  /** The namespace of the pod with this address, where the node has one. */
  readonly namespaceOf?: (address: string) => string | undefined
  /** Search domains of the node, which stand behind the cluster's in a pod's resolv.conf. */
  readonly nodeSearches?: readonly string[]
}

export interface ClusterNames {
  readonly answer: Answering
  /** What the objects alone say, and will say until they change; undefined where others have to be asked. */
  known(scope: Scope, query: Query): Buffer | undefined
}

/** An external name may lead to another one; more steps than this are a circle. */
const ALIASES_MAX = 8

export function clusterNames(options: ClusterNamesOptions): ClusterNames {
  const paths = searchPaths(options)
  const answer = async (scope: Scope, query: Query, depth = 0): Promise<Buffer> => {
    const found = answerFromZone(options.view, query.question, options)
    if (found.kind === 'elsewhere') return options.elsewhere(scope, query)
    if (found.kind === 'alias') return follow(scope, query, found, depth)
    if (found.kind === 'absent' && depth === 0) {
      const elsewhere = await alongPath(scope, query)
      if (elsewhere !== undefined) return elsewhere
    }
    return written(scope, options, query, found)
  }
  const follow = async (
    scope: Scope,
    query: Query,
    { alias, target }: Extract<ZoneAnswer, { kind: 'alias' }>,
    depth: number,
  ): Promise<Buffer> => {
    if (query.question.type === 'CNAME')
      return reply(query, { rcode: rcodes.noError, isAuthoritative: true, answers: [alias] })
    const next = depth >= ALIASES_MAX ? undefined : asking(query, { name: target.toLowerCase() })
    if (next === undefined) return reply(query, { rcode: rcodes.serverFailure })
    // An alias alone is what a client gets while nobody tells what it leads to.
    const rest = decode(await answer(scope, next, depth + 1))
    const rcode = (rest.flags ?? 0) & 15
    return reply(query, { rcode, isAuthoritative: true, answers: [alias, ...(rest.answers ?? [])] })
  }
  /** The name under the next suffix that has one, behind an alias; undefined where the client is none of ours or finds nothing. */
  const alongPath = async (scope: Scope, query: Query): Promise<Buffer | undefined> => {
    const { name, type } = query.question
    if (type !== 'A' && type !== 'AAAA') return undefined
    for (const candidate of paths(query.client.address, name)) {
      const next = asking(query, { name: candidate })
      if (next === undefined) continue
      const bytes = await answer(scope, next, 1).catch(() => undefined)
      if (bytes === undefined || rcodeOf(bytes) === rcodes.serverFailure) return undefined
      if (rcodeOf(bytes) !== rcodes.noError) continue
      const alias: Answer = { type: 'CNAME', name, ttl: options.ttlSeconds, data: candidate }
      const answers = decode(bytes).answers ?? []
      return reply(query, { rcode: rcodes.noError, isAuthoritative: true, answers: [alias, ...answers] })
    }
    return undefined
  }
  return {
    answer: (scope, query) => answer(scope, query),
    known(scope, query) {
      const found = answerFromZone(options.view, query.question, options)
      if (found.kind === 'elsewhere' || found.kind === 'alias') return undefined
      const { name, type } = query.question
      const mayBePath = found.kind === 'absent' && (type === 'A' || type === 'AAAA')
      if (mayBePath && paths(query.client.address, name).length > 0) return undefined
      return written(scope, options, query, found)
    },
  }
}

function written(scope: Scope, options: ClusterNamesOptions, query: Query, found: ZoneAnswer): Buffer {
  const isAuthoritative = true
  if (found.kind === 'found' && found.answers.length > 0) {
    const { answers, additionals } = found
    return reply(query, { rcode: rcodes.noError, isAuthoritative, answers: shuffled(scope, answers), additionals })
  }
  const authorities = [startOfAuthority(options, Math.floor(scope.clock.now() / 1000))]
  const rcode = found.kind === 'found' ? rcodes.noError : rcodes.noSuchName
  return reply(query, { rcode, isAuthoritative, authorities })
}

/**
 * What a resolver would ask next for a name that it has just asked for under its first suffix. Only for pods of this node,
 * whose namespace tells their first suffix: others may mean the name as it stands.
 */
function searchPaths(options: ClusterNamesOptions): (client: string, name: string) => readonly string[] {
  const { namespaceOf, clusterDomain, nodeSearches = [] } = options
  const suffixes = [`svc.${clusterDomain}`, clusterDomain, ...nodeSearches].map((each) => each.toLowerCase())
  return (client, name) => {
    if (namespaceOf === undefined) return []
    const namespace = namespaceOf(client)
    const first = `.${namespace}.svc.${clusterDomain}`
    if (namespace === undefined || !name.endsWith(first)) return []
    const base = name.slice(0, -first.length)
    const below = suffixes.map((suffix) => `${base}.${suffix}`)
    // A single word is no name of the world's.
    return base.includes('.') ? [...below, base] : below
  }
}

/** Clients tend to take the first address. */
function shuffled(scope: Scope, answers: readonly Answer[]): readonly Answer[] {
  if (answers.length < 2) return answers
  const mixed = [...answers]
  for (let end = mixed.length - 1; end > 0; end -= 1) {
    const other = Math.floor(fraction(scope.random) * (end + 1))
    ;[mixed[end], mixed[other]] = [mixed[other]!, mixed[end]!]
  }
  return mixed
}
