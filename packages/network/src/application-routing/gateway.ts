// One Gateway with the HTTPRoutes that lead to it: routes of its proxy, and what upstream's conditions say of both. Pure.

import type { Namespace, Secret, Service } from '@aksel/api/types/core-v1'
import { matchesSelector } from '@aksel/runtime/selectors'
import { filtersOf } from './gateway-filters.ts'
import { pemOf, serviceBackend } from './ingress.ts'
import type { Condition, Gateway, GatewayListener, HttpRoute, HttpRouteRule, ObjectReference } from './objects.ts'
import type { ParentReference, ReferenceGrant } from './objects.ts'
import { byPrecedence, type Backend, type Certificate, type Listener, type Route } from './routes.ts'

export interface GatewayView {
  readonly routes: readonly HttpRoute[]
  readonly grants: readonly ReferenceGrant[]
  namespace(name: string): Namespace | undefined
  service(namespace: string, name: string): Service | undefined
  secret(namespace: string, name: string): Secret | undefined
}

/** Without the time and the generation: whoever writes it down adds them. */
export type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

export interface ListenerVerdict {
  readonly name: string
  readonly attachedRoutes: number
  readonly conditions: readonly Verdict[]
}

export interface RouteVerdict {
  readonly route: HttpRoute
  readonly parentRef: ParentReference
  readonly conditions: readonly Verdict[]
}

export interface GatewayPlan {
  readonly listeners: readonly Listener[]
  readonly certificates: readonly Certificate[]
  readonly listenerVerdicts: readonly ListenerVerdict[]
  readonly routeVerdicts: readonly RouteVerdict[]
}

const yes = (type: string, reason = type): Verdict => ({ type, status: 'True', reason, message: '' })
const no = (type: string, reason: string, message: string): Verdict => ({ type, status: 'False', reason, message })

export function planGateway(gateway: Gateway, view: GatewayView): GatewayPlan {
  const certificates: Certificate[] = []
  const judged = gateway.spec.listeners.map((listener) => ({
    listener,
    ...judgeListener(gateway, listener, view, certificates),
  }))
  const byListener = new Map<string, Route[]>(judged.map(({ listener }) => [listener.name, []]))
  const attached = new Map<string, number>()
  const routeVerdicts: RouteVerdict[] = []
  for (const route of view.routes.toSorted((left, right) => (ageOf(left) < ageOf(right) ? -1 : 1))) {
    for (const parentRef of route.spec.parentRefs ?? []) {
      if (!isParent(gateway, route, parentRef)) continue
      const verdict = attach(gateway, route, parentRef, view)
      for (const { listener, routes } of verdict.attached) {
        attached.set(listener.name, (attached.get(listener.name) ?? 0) + 1)
        byListener.get(listener.name)!.push(...routes)
      }
      routeVerdicts.push({ route, parentRef, conditions: verdict.conditions })
    }
  }
  return {
    listeners: merged(
      judged.filter(({ isUsable }) => isUsable).map(({ listener }) => listener),
      byListener,
    ),
    certificates,
    listenerVerdicts: judged.map(({ listener, conditions }) => ({
      name: listener.name,
      attachedRoutes: attached.get(listener.name) ?? 0,
      conditions,
    })),
    routeVerdicts,
  }
}

/** Listeners that share a port are one to the proxy: their routes carry the hosts. */
function merged(
  listeners: readonly GatewayListener[],
  byListener: ReadonlyMap<string, readonly Route[]>,
): readonly Listener[] {
  const ports = [...new Set(listeners.map(({ port }) => port))]
  return ports.map((port) => {
    const own = listeners.filter((each) => each.port === port)
    const routes = own.flatMap(({ name }) => byListener.get(name)!).toSorted(byPrecedence)
    return { name: own.map(({ name }) => name).join('-'), port, isTls: own[0]!.protocol === 'HTTPS', routes }
  })
}

function judgeListener(
  gateway: Gateway,
  listener: GatewayListener,
  view: GatewayView,
  certificates: Certificate[],
): { readonly isUsable: boolean; readonly conditions: readonly Verdict[] } {
  const refused = (reason: string, message: string): { isUsable: boolean; conditions: Verdict[] } => ({
    isUsable: false,
    conditions: [
      no('Accepted', reason, message),
      no('Programmed', 'Invalid', message),
      yes('ResolvedRefs'),
      no('Conflicted', 'NoConflicts', ''),
    ],
  })
  if (listener.protocol !== 'HTTP' && listener.protocol !== 'HTTPS') {
    return refused('UnsupportedProtocol', `Protocol ${listener.protocol} is not served here`)
  }
  const others = gateway.spec.listeners.filter((each) => each.port === listener.port && each !== listener)
  const conflict = others.some((each) => each.protocol !== listener.protocol)
    ? 'ProtocolConflict'
    : others.some((each) => each.hostname === listener.hostname)
      ? 'HostnameConflict'
      : undefined
  if (conflict !== undefined) {
    const message = `Another listener of port ${listener.port} wants the same`
    return {
      isUsable: false,
      conditions: [
        no('Accepted', conflict, message),
        no('Programmed', 'Invalid', message),
        yes('ResolvedRefs'),
        yes('Conflicted', conflict),
      ],
    }
  }
  const fault = listener.protocol === 'HTTPS' ? addCertificates(gateway, listener, view, certificates) : undefined
  const accepted = [yes('Accepted'), no('Conflicted', 'NoConflicts', '')]
  if (fault === undefined) return { isUsable: true, conditions: [...accepted, yes('Programmed'), yes('ResolvedRefs')] }
  return { isUsable: false, conditions: [...accepted, no('Programmed', 'Invalid', fault.message), fault] }
}

function addCertificates(
  gateway: Gateway,
  listener: GatewayListener,
  view: GatewayView,
  certificates: Certificate[],
): Verdict | undefined {
  const namespace = gateway.metadata.namespace!
  const mode = listener.tls?.mode ?? 'Terminate'
  if (mode !== 'Terminate') return no('ResolvedRefs', 'InvalidCertificateRef', `TLS mode ${mode} is not served here`)
  const references = listener.tls?.certificateRefs ?? []
  if (references.length === 0)
    return no('ResolvedRefs', 'InvalidCertificateRef', 'An HTTPS listener needs a certificate')
  for (const { name, namespace: other = namespace, kind = 'Secret', group = '' } of references) {
    if (kind !== 'Secret' || group !== '')
      return no('ResolvedRefs', 'InvalidCertificateRef', `${kind} ${name} is no Secret`)
    const from = { group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace }
    if (other !== namespace && !isGranted(view, from, { group: '', kind: 'Secret', name, namespace: other })) {
      return no('ResolvedRefs', 'RefNotPermitted', `No ReferenceGrant in ${other} allows Secret ${name}`)
    }
    const pem = pemOf(view.secret(other, name))
    if (pem === undefined)
      return no('ResolvedRefs', 'InvalidCertificateRef', `Secret ${other}/${name} holds no certificate and key`)
    certificates.push({
      name: `${listener.name}_${other}_${name}.pem`,
      pem,
      hosts: listener.hostname === undefined ? [] : [listener.hostname],
    })
  }
  return undefined
}

function isParent(gateway: Gateway, route: HttpRoute, reference: ParentReference): boolean {
  const {
    group = 'gateway.networking.k8s.io',
    kind = 'Gateway',
    namespace = route.metadata.namespace,
    name,
  } = reference
  const isGateway = group === 'gateway.networking.k8s.io' && kind === 'Gateway'
  return isGateway && name === gateway.metadata.name && namespace === gateway.metadata.namespace
}

function attach(
  gateway: Gateway,
  route: HttpRoute,
  { sectionName, port }: ParentReference,
  view: GatewayView,
): {
  readonly attached: readonly { readonly listener: GatewayListener; readonly routes: readonly Route[] }[]
  readonly conditions: readonly Verdict[]
} {
  const resolved = resolveRoute(route, view)
  const refused = (reason: string, message: string) => ({
    attached: [],
    conditions: [no('Accepted', reason, message), resolved.verdict],
  })
  const named = gateway.spec.listeners.filter(
    (each) => (sectionName === undefined || each.name === sectionName) && (port === undefined || each.port === port),
  )
  if (named.length === 0) return refused('NoMatchingParent', 'No listener of the Gateway has this name or port')
  const open = named.filter((listener) => isAllowed(gateway, listener, route, view))
  if (open.length === 0) return refused('NotAllowedByListeners', 'No listener takes routes of this namespace')
  if (resolved.fault !== undefined) return refused('UnsupportedValue', resolved.fault)
  const attached = open.flatMap((listener) => {
    const hosts = hostsOf(listener.hostname, route.spec.hostnames ?? [])
    if (hosts === undefined) return []
    const routes = hosts.flatMap((host) =>
      resolved.routes.map((each): Route => (host === undefined ? each : { ...each, host, isDeep: true })),
    )
    return [{ listener, routes }]
  })
  if (attached.length === 0)
    return refused('NoMatchingListenerHostname', 'No listener has a hostname in common with the route')
  return { attached, conditions: [yes('Accepted'), resolved.verdict] }
}

function isAllowed(gateway: Gateway, listener: GatewayListener, route: HttpRoute, view: GatewayView): boolean {
  const { from = 'Same', selector } = listener.allowedRoutes?.namespaces ?? {}
  if (from === 'All') return true
  if (from === 'Same') return route.metadata.namespace === gateway.metadata.namespace
  const labels = view.namespace(route.metadata.namespace!)?.metadata.labels ?? {}
  return selector !== undefined && matchesSelector(selector, labels)
}

/** Hosts that both name, the narrower spelling; `[undefined]` for all; undefined where they have none in common. */
export function hostsOf(
  listener: string | undefined,
  route: readonly string[],
): readonly (string | undefined)[] | undefined {
  if (route.length === 0) return [listener]
  if (listener === undefined || listener === '') return route
  const common = route.flatMap((host) => {
    if (host === listener || covers(listener, host)) return [host]
    return covers(host, listener) ? [listener] : []
  })
  return common.length === 0 ? undefined : common
}

function covers(wildcard: string, host: string): boolean {
  return wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1)) && host !== wildcard
}

function ageOf({ metadata }: HttpRoute): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`
}

/** The route's rules once, whichever listeners they hang on. */
function resolveRoute(
  route: HttpRoute,
  view: GatewayView,
): { readonly routes: readonly Route[]; readonly verdict: Verdict; readonly fault?: string } {
  let verdict = yes('ResolvedRefs')
  let fault: string | undefined
  const routes = (route.spec.rules ?? []).flatMap((rule) => {
    const found = (rule.backendRefs ?? []).map((reference) => resolveBackend(route, reference, view))
    const wrong = found.find((each): each is Verdict => 'reason' in each)
    if (wrong !== undefined) verdict = wrong
    const backends = found.filter((each): each is Backend => 'address' in each)
    // A share that leads nowhere is answered with an error, not by the others.
    const isWhole = wrong === undefined
    try {
      return routesOfRule(route, rule, isWhole ? backends : [])
    } catch (error) {
      fault = (error as Error).message
      return []
    }
  })
  return { routes, verdict, ...(fault === undefined ? {} : { fault }) }
}

function routesOfRule(route: HttpRoute, rule: HttpRouteRule, backends: readonly Backend[]): readonly Route[] {
  const filters = filtersOf(rule.filters ?? [])
  const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches
  return matches.map(({ path, headers = [], queryParams = [], method }) => {
    const { type = 'PathPrefix', value = '/' } = path ?? {}
    const kind = type === 'Exact' ? 'exact' : type === 'RegularExpression' ? 'regex' : 'prefix'
    const match = (each: { readonly type?: string; readonly name: string; readonly value: string }) => ({
      name: each.name,
      kind: each.type === 'RegularExpression' ? ('regex' as const) : ('exact' as const),
      value: each.value,
    })
    return {
      owner: `${route.metadata.namespace}/${route.metadata.name}`,
      path: { kind, value: value },
      ...(method === undefined ? {} : { method }),
      headers: headers.map(match),
      query: queryParams.map(match),
      filters,
      backends,
      statusWithout: 500,
    }
  })
}

function resolveBackend(
  route: HttpRoute,
  reference: ObjectReference & { readonly port?: number; readonly weight?: number },
  view: GatewayView,
): Backend | Verdict {
  const own = route.metadata.namespace!
  const { group = '', kind = 'Service', name, namespace = own, port, weight = 1 } = reference
  if (group !== '' || kind !== 'Service')
    return no('ResolvedRefs', 'InvalidKind', `${kind} ${name} cannot be a backend here`)
  const from = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: own }
  if (namespace !== own && !isGranted(view, from, { group: '', kind: 'Service', name, namespace })) {
    return no('ResolvedRefs', 'RefNotPermitted', `No ReferenceGrant in ${namespace} allows Service ${name}`)
  }
  const found = serviceBackend(view.service(namespace, name), port)
  if (typeof found !== 'string') return { ...found, weight }
  return no('ResolvedRefs', 'BackendNotFound', `Service ${namespace}/${name}: ${found}`)
}

function isGranted(
  { grants }: GatewayView,
  from: { readonly group: string; readonly kind: string; readonly namespace: string },
  to: { readonly group: string; readonly kind: string; readonly name: string; readonly namespace: string },
): boolean {
  return grants.some(
    ({ metadata, spec }) =>
      metadata.namespace === to.namespace &&
      spec.from.some(
        (each) => each.group === from.group && each.kind === from.kind && each.namespace === from.namespace,
      ) &&
      spec.to.some(
        (each) =>
          each.group === to.group && each.kind === to.kind && (each.name === undefined || each.name === to.name),
      ),
  )
}
