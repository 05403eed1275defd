// Keeps the add-on's proxies as Ingresses, Gateways and HTTPRoutes say, and tells these what became of them. It does
// nothing, and watches nothing but classes and definitions, in a cluster without the add-on.

import { customResourceDefinitions, deployments, namespaces, secrets, services } from '@aksel/api/resources'
import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import type { Service } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { done, type Caches, type Controller, type Outcome, type Source } from '@aksel/runtime/controller'
import { planGateway, type GatewayPlan, type Verdict } from './gateway.ts'
import { isOfClass, planIngress } from './ingress.ts'
import { GATEWAY_CLASS, GATEWAY_CONTROLLER, gatewayClasses, gateways, httpRoutes, INGRESS_CLASS } from './objects.ts'
import { ingressClasses, ingresses, NAMESPACE, referenceGrants } from './objects.ts'
import type { Condition, Gateway, HttpRoute, IngressClass } from './objects.ts'
import { contentOf, proxyObjects, type Proxy } from './proxy-objects.ts'

export interface ApplicationRoutingParts {
  readonly client: Client
  readonly caches: Caches
}

const ALL = 'all'
const REPLICAS = 2

export function applicationRouting(parts: ApplicationRoutingParts): Controller {
  const loop = new ApplicationRouting(parts)
  const classes: Source<IngressClass> = { type: ingressClasses, keysOf: () => [ALL] }
  const definitions: Source<CustomResourceDefinition> = {
    type: customResourceDefinitions,
    keysOf: (now, before) => ((now ?? before)!.metadata.name.endsWith('.gateway.networking.k8s.io') ? [ALL] : []),
  }
  return {
    name: 'application-routing',
    sources: [classes, definitions],
    start: (_scope, wake) => loop.start(() => wake(ALL)),
    reconcile: (scope) => loop.reconcile(scope),
  }
}

class ApplicationRouting {
  readonly #client: Client
  readonly #caches: Caches
  readonly #followed = new Set<string>()
  #wake: () => void = () => {}

  constructor({ client, caches }: ApplicationRoutingParts) {
    this.#client = client
    this.#caches = caches
  }

  start(wake: () => void): void {
    this.#wake = wake
  }

  async reconcile(scope: Scope): Promise<Outcome> {
    if (this.#caches.of(ingressClasses).get(INGRESS_CLASS) !== undefined) await this.#ingresses(scope)
    if (this.#hasGateways()) await this.#gateways(scope)
    return done
  }

  #hasGateways(): boolean {
    const definitions = this.#caches.of(customResourceDefinitions)
    return ['gatewayclasses', 'gateways', 'httproutes', 'referencegrants'].every((plural) =>
      definitions
        .get(`${plural}.gateway.networking.k8s.io`)
        ?.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True'),
    )
  }

  /** The kinds are watched from the first time that they matter. */
  async #follow(scope: Scope, types: readonly ResourceType[]): Promise<void> {
    for (const type of types) {
      const cache = this.#caches.of(type)
      await cache.synced(scope.signal)
      if (this.#followed.has(`${type.group}/${type.plural}`)) continue
      this.#followed.add(`${type.group}/${type.plural}`)
      cache.subscribe(() => this.#wake())
    }
  }

  async #ingresses(scope: Scope): Promise<void> {
    await this.#follow(scope, [ingresses, services, secrets, deployments])
    const all = this.#caches.of(ingresses).list()
    const plan = planIngress({ ingresses: all, ...this.#lookups() })
    const labels = { app: 'nginx', 'app.kubernetes.io/managed-by': 'aks-app-routing-operator' }
    const service = await this.#ensure(scope, {
      ...plan,
      namespace: NAMESPACE,
      name: 'nginx',
      replicas: REPLICAS,
      labels,
    })
    const address = service?.status?.loadBalancer?.ingress?.[0]?.ip
    for (const ingress of all.filter(isOfClass)) {
      for (const message of plan.faults.get(keyOf(ingress)) ?? []) {
        const about = referenceTo(ingresses, ingress)
        await recordEvent(scope, this.#client, {
          about,
          type: 'Warning',
          reason: 'Rejected',
          message,
          source: 'nginx-ingress-controller',
        })
      }
      const wanted = address === undefined ? [] : [{ ip: address }]
      if (JSON.stringify(ingress.status?.loadBalancer?.ingress ?? []) === JSON.stringify(wanted)) continue
      await this.#patchStatus(ingresses, ingress, { loadBalancer: { ingress: wanted } })
    }
  }

  #lookups() {
    const [known, secret] = [this.#caches.of(services), this.#caches.of(secrets)]
    return {
      service: (namespace: string, name: string) => known.get(`${namespace}/${name}`),
      secret: (namespace: string, name: string) => secret.get(`${namespace}/${name}`),
    }
  }

  async #gateways(scope: Scope): Promise<void> {
    const types = [gatewayClasses, gateways, httpRoutes, referenceGrants, services, secrets, namespaces, deployments]
    await this.#follow(scope, types)
    const [known] = this.#caches
      .of(gatewayClasses)
      .list()
      .filter(({ spec }) => spec.controllerName === GATEWAY_CONTROLLER)
    if (known === undefined) return
    const accepted = [{ type: 'Accepted', status: 'True', reason: 'Accepted', message: '' }] as const
    await this.#conditions(scope, gatewayClasses, known, known.status?.conditions, accepted, (conditions) => ({
      conditions,
    }))
    const namespaceCache = this.#caches.of(namespaces)
    const view = {
      ...this.#lookups(),
      routes: this.#caches.of(httpRoutes).list(),
      grants: this.#caches.of(referenceGrants).list(),
      namespace: (name: string) => namespaceCache.get(name),
    }
    const parents = new Map<HttpRoute, GatewayPlan['routeVerdicts'][number][]>()
    for (const gateway of this.#caches.of(gateways).list()) {
      if (gateway.spec.gatewayClassName !== known.metadata.name || gateway.metadata.deletionTimestamp !== undefined)
        continue
      const plan = planGateway(gateway, view)
      for (const verdict of plan.routeVerdicts)
        parents.set(verdict.route, [...(parents.get(verdict.route) ?? []), verdict])
      await this.#gateway(scope, gateway, plan)
    }
    for (const route of view.routes) await this.#routeStatus(scope, route, parents.get(route) ?? [])
  }

  async #gateway(scope: Scope, gateway: Gateway, plan: GatewayPlan): Promise<void> {
    const { name, namespace = 'default', uid = '' } = gateway.metadata
    const labels = { 'gateway.networking.k8s.io/gateway-name': name }
    const owner = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', name, uid }
    const proxyName = `${name}-${GATEWAY_CLASS}`
    const service =
      plan.listeners.length === 0
        ? undefined
        : await this.#ensure(scope, { ...plan, namespace, name: proxyName, replicas: REPLICAS, labels, owner })
    const address = service?.status?.loadBalancer?.ingress?.[0]?.ip
    const isReady = (this.#caches.of(deployments).get(`${namespace}/${proxyName}`)?.status?.readyReplicas ?? 0) > 0
    const isAccepted = plan.listenerVerdicts.some(({ conditions }) =>
      conditions.some(({ type, status }) => type === 'Accepted' && status === 'True'),
    )
    const conditions: Verdict[] = [
      isAccepted
        ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' }
        : { type: 'Accepted', status: 'False', reason: 'ListenersNotValid', message: 'No listener can be served' },
      programmed(address, isReady, service !== undefined),
    ]
    const at = (known: readonly Condition[] | undefined, list: readonly Verdict[]) =>
      this.#dated(scope, gateway, known, list)
    const listeners = plan.listenerVerdicts.map((verdict) => ({
      name: verdict.name,
      supportedKinds: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }],
      attachedRoutes: verdict.attachedRoutes,
      conditions: at(
        gateway.status?.listeners?.find((each) => each.name === verdict.name)?.conditions,
        verdict.conditions,
      ),
    }))
    const status = {
      addresses: address === undefined ? [] : [{ type: 'IPAddress', value: address }],
      conditions: at(gateway.status?.conditions, conditions),
      listeners,
    }
    if (JSON.stringify(status) !== JSON.stringify(pick(gateway.status, status)))
      await this.#patchStatus(gateways, gateway, status)
  }

  async #routeStatus(scope: Scope, route: HttpRoute, verdicts: GatewayPlan['routeVerdicts']): Promise<void> {
    const before = route.status?.parents ?? []
    const others = before.filter(({ controllerName }) => controllerName !== GATEWAY_CONTROLLER)
    const own = verdicts.map(({ parentRef, conditions }) => {
      const known = before.find((each) => JSON.stringify(each.parentRef) === JSON.stringify(parentRef))
      return {
        parentRef,
        controllerName: GATEWAY_CONTROLLER,
        conditions: this.#dated(scope, route, known?.conditions, conditions),
      }
    })
    const parents = [...others, ...own]
    if (JSON.stringify(parents) !== JSON.stringify(before)) await this.#patchStatus(httpRoutes, route, { parents })
  }

  async #conditions<T extends KubernetesObject>(
    scope: Scope,
    type: ResourceType<T>,
    object: T,
    before: readonly Condition[] | undefined,
    verdicts: readonly Verdict[],
    statusOf: (conditions: readonly Condition[]) => object,
  ): Promise<void> {
    const conditions = this.#dated(scope, object, before, verdicts)
    if (JSON.stringify(conditions) !== JSON.stringify(before))
      await this.#patchStatus(type, object, statusOf(conditions))
  }

  /** Fields in one order, and the time of the last change of each status. */
  #dated(
    scope: Scope,
    { metadata }: KubernetesObject,
    before: readonly Condition[] = [],
    verdicts: readonly Verdict[],
  ): readonly Condition[] {
    return verdicts.map(({ type, status, reason, message }) => {
      const known = before.find((each) => each.type === type)
      const lastTransitionTime =
        known?.status === status && known.lastTransitionTime !== undefined
          ? known.lastTransitionTime
          : formatTime(scope.clock.now())
      return { type, status, reason, message, observedGeneration: metadata.generation ?? 1, lastTransitionTime }
    })
  }

  async #patchStatus<T extends KubernetesObject>(
    type: ResourceType<T>,
    { metadata }: T,
    status: object,
  ): Promise<void> {
    const { name, namespace } = metadata
    const ref = namespace === undefined ? { name } : { name, namespace }
    await this.#client
      .patch(type, ref, { kind: 'merge', body: { status } }, { subresource: 'status' })
      .catch(unlessGone)
  }

  /** Its Service as it stands; a proxy whose configuration cannot be written stays as it was. */
  async #ensure(scope: Scope, proxy: Proxy): Promise<Service | undefined> {
    try {
      const objects = proxyObjects(proxy)
      await this.#put(secrets, objects.secret)
      await this.#put(deployments, objects.deployment)
      await this.#put(services, objects.service)
    } catch (error) {
      if (isReason(error, 'NotFound', 'Forbidden'))
        scope.log.debug('a proxy was not written, its namespace goes', { error })
      else throw error
    }
    return this.#caches.of(services).get(`${proxy.namespace}/${proxy.name}`)
  }

  async #put<T extends KubernetesObject>(type: ResourceType<T>, object: T): Promise<void> {
    const known = this.#caches.of(type).get(keyOf(object))
    if (known === undefined) {
      await this.#client.create(type, object).catch((error: unknown) => {
        if (!isReason(error, 'AlreadyExists')) throw error
      })
      return
    }
    if (contentOf(known) === contentOf(object)) return
    const { name, namespace } = object.metadata
    const body = { ...object, ...withoutFormer(known, object) }
    await this.#client.patch(type, { name, namespace: namespace! }, { kind: 'merge', body })
  }
}

function programmed(address: string | undefined, isReady: boolean, hasProxy: boolean): Verdict {
  if (!hasProxy) return { type: 'Programmed', status: 'False', reason: 'Invalid', message: 'No listener can be served' }
  if (address === undefined)
    return {
      type: 'Programmed',
      status: 'False',
      reason: 'AddressNotAssigned',
      message: 'The load balancer has no address yet',
    }
  if (!isReady)
    return { type: 'Programmed', status: 'False', reason: 'NoResources', message: 'No pod of the proxy is ready' }
  return { type: 'Programmed', status: 'True', reason: 'Programmed', message: '' }
}

/** A Secret's entries that are wanted no more: a merge takes away what is null. */
function withoutFormer(
  before: KubernetesObject & { readonly data?: object },
  now: KubernetesObject & { readonly data?: object },
): object {
  const { data } = now
  if (data === undefined) return {}
  const gone = Object.keys(before.data ?? {}).filter((name) => !(name in data))
  return { data: { ...data, ...Object.fromEntries(gone.map((name) => [name, null])) } }
}

/** The same fields in the same order, for comparison. */
function pick(before: object | undefined, like: object): object {
  const known = (before ?? {}) as Readonly<Record<string, unknown>>
  return Object.fromEntries(Object.keys(like).map((name) => [name, known[name]]))
}

function unlessGone(error: unknown): void {
  if (!isReason(error, 'NotFound')) throw error
}
