// Finds what answers a request: a resource's verb, a subresource, a review, a relay to a node, or a document.

import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { CallContext, ResourceCall } from './call-context.ts'
import { admitConnect } from './admission/request.ts'
import type { ConnectHandler } from './connect-handler.ts'
import { connect, isConnect } from './connect-route.ts'
import { overWebSocket } from './connect/watch-socket.ts'
import type { Documents } from './discovery/documents.ts'
import { healthAnswer, healthFamilies, isHealthPath, type HealthParts } from './health.ts'
import { deprecationWarning, type ObservedDeprecation } from './deprecation.ts'
import { encodings, negotiateObject, offeredTypes } from './http/accept.ts'
import { errorAnswer, jsonAnswer, textAnswer } from './http/answer.ts'
import type { MetricsRegistry } from './metrics.ts'
import type { Outcome, Route } from './pipeline.ts'
import type { RequestMetrics } from './request-metrics.ts'
import { methodNotAllowed, notAcceptable } from './refusals.ts'
import { runVerb, type VerbTools } from './registry/verbs.ts'
import type { ReviewHandler } from './reviews/reviews.ts'
import { runSubresource, type SubresourceHandlers } from './subresources/subresources.ts'

/** What other parts of a control plane tell of themselves: JSON for a path below /debug/, undefined for one they do not know. */
export type DebugAnswers = (path: string) => unknown

export interface RouteParts extends HealthParts {
  readonly scope: Scope
  readonly tools: VerbTools
  readonly documents: Documents
  /** Answers for what another API server serves; undefined for the rest. */
  readonly elsewhere: (context: CallContext) => Promise<Outcome> | undefined
  readonly metrics: MetricsRegistry
  readonly requests: RequestMetrics
  readonly subresources: SubresourceHandlers
  /** By `group/plural`. */
  readonly reviews: Readonly<Record<string, ReviewHandler>>
  readonly connect: ConnectHandler | undefined
  readonly debug?: DebugAnswers | undefined
  /** Tables of flow control, as text; undefined for a path that is none of them. */
  readonly dump: (path: string, query: URLSearchParams) => string | undefined
  readonly onDeprecatedUse?: ((use: ObservedDeprecation) => void) | undefined
}

export function routeOf(parts: RouteParts): Route {
  return async (context) => {
    const remote = parts.elsewhere(context)
    if (remote !== undefined) return remote
    if (!context.info.isResource) return pathRoute(parts, context)
    try {
      return await resourceRoute(parts, context)
    } catch (error) {
      if (!isReason(error, 'MethodNotAllowed')) throw error
      const answer = errorAnswer(error)
      return { ...answer, headers: { ...answer.headers, allow: allowedMethods(parts, context).join(', ') } }
    }
  }
}

const methodOf: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
}

/** What may be done with the path instead. */
function allowedMethods({ tools }: RouteParts, { info }: CallContext): readonly string[] {
  const row = tools.registry.kinds.find(info.group, info.version, info.resource)
  if (row === undefined) return []
  const all: readonly string[] = info.subresource === '' ? row.verbs : (row.subresources[info.subresource]?.verbs ?? [])
  const collection = new Set(['list', 'watch', 'create', 'deletecollection'])
  const here =
    info.subresource !== ''
      ? all
      : all.filter((verb) => (info.name === '' ? collection.has(verb) : !collection.has(verb)))
  return [...new Set(here.map((verb) => methodOf[verb]!))].sort()
}

async function pathRoute(parts: RouteParts, { call, info }: CallContext): Promise<Outcome | undefined> {
  if (call.method !== 'GET' && call.method !== 'HEAD')
    return (await parts.documents.answer(call, info)) === undefined ? undefined : refuseMethod()
  if (info.path.startsWith('/debug/')) {
    const dump = parts.dump(info.path, info.query)
    if (dump !== undefined) return textAnswer(200, dump)
    const told = parts.debug?.(info.path)
    return told === undefined ? undefined : jsonAnswer(200, told)
  }
  if (isHealthPath(info.path)) return healthAnswer(info, parts)
  if (info.path === '/metrics' || info.path === '/metrics/slis') {
    const only = info.path === '/metrics' ? undefined : healthFamilies
    const answer = textAnswer(200, await parts.metrics.text(only))
    return { ...answer, headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }
  }
  return parts.documents.answer(call, info)
}

/** The caller is told, and so are who reads the audit log and who reads the metrics. */
function noteDeprecation(
  { requests, onDeprecatedUse, scope }: RouteParts,
  { row, info, warnings, annotations }: ResourceCall,
): void {
  const warning = row.deprecated === undefined ? row.custom?.deprecation : deprecationWarning(row, row.deprecated)
  if (warning === undefined) return
  const { removedIn } = row.deprecated ?? {}
  warnings.add(warning)
  requests.useDeprecated(row, info.subresource, removedIn ?? '')
  annotations?.set('k8s.io/deprecated', 'true')
  if (removedIn === undefined) return
  annotations?.set('k8s.io/removed-release', removedIn)
  if (['get', 'list', 'watch'].includes(info.verb)) return
  const { group, version, plural: resource } = row
  onDeprecatedUse?.({ group, version, resource, removedIn, lastSeenMs: scope.clock.now() })
}

function refuseMethod(): never {
  throw methodNotAllowed()
}

async function resourceRoute(parts: RouteParts, base: CallContext): Promise<Outcome | undefined> {
  const { info } = base
  const row = parts.tools.registry.kinds.find(info.group, info.version, info.resource)
  if (row === undefined) return undefined
  // Upstream routes neither to resources, but through their proxies.
  if ((base.call.method === 'HEAD' || base.call.method === 'OPTIONS') && info.subresource !== 'proxy')
    throw methodNotAllowed()
  const isNamespacePath = info.namespace !== '' && !(info.resource === 'namespaces' && info.group === '')
  if (isNamespacePath && !row.namespaced) return undefined
  const context: ResourceCall = { ...base, row }
  noteDeprecation(parts, context)
  const review = parts.reviews[`${row.group}/${row.plural}`]
  if (row.namespaced && info.namespace === '') {
    // Without a namespace there are only the lists over all of them.
    if (info.name !== '') return undefined
    if (info.verb !== 'list' && info.verb !== 'watch') throw methodNotAllowed()
  }
  if (row.virtual || review !== undefined) {
    const isOffered =
      (row.verbs as readonly string[]).includes(info.verb) && (info.verb !== 'create' || info.name === '')
    if (!isOffered || review === undefined) throw methodNotAllowed()
    // A review is no object that a table could show.
    if (info.verb === 'create' && negotiateObject(base.call.headers['accept'])?.form !== 'object')
      throw notAcceptable(offeredTypes(encodings))
    return review(parts.tools, context)
  }
  if (info.subresource === '') {
    const answer = await runVerb(parts.tools, context)
    return info.verb === 'watch' ? overWebSocket(context.call, answer) : answer
  }
  if (isConnect(info.subresource)) {
    await admitConnect(parts.tools.registry, context)
    return connect(parts.scope, parts.connect, context)
  }
  return runSubresource(parts.tools, context, parts.subresources)
}
