// Gives services of type LoadBalancer an address that leads to the nodes.

import { keyOf } from '@aksel/api/resource'
import { nodes, services } from '@aksel/api/resources'
import type { Node, Service } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { canonicalJson } from '../canonical.ts'
import { writeStatus } from '../parts.ts'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { unsupportedAnnotations } from './annotations.ts'
import type { LoadBalancers, ProbeNews } from './load-balancers.ts'
import { internalAddress, isBackend, planLoadBalancer, wantedAddress, wantsLoadBalancer } from './plan.ts'
import { sourcesOf } from './sources.ts'

/** Whose events tell of annotations and probes, as on Azure. */
const PROVIDER = 'azure-cloud-provider'
const finalizer = 'service.kubernetes.io/load-balancer-cleanup'

export interface ServiceLoadBalancerParts extends LoopParts {
  readonly loadBalancers: LoadBalancers
}

export function serviceLoadBalancerController(parts: ServiceLoadBalancerParts): Controller {
  const loop = new ServiceLoadBalancerLoop(parts)
  const known = parts.caches.of(services)
  const own: Source<Service> = { type: services, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const machines: Source<Node> = {
    type: nodes,
    keysOf: (now, before) => (backendFacts(now) === backendFacts(before) ? [] : balancedKeys(known)),
  }
  return {
    name: 'service-load-balancer',
    sources: [own, machines],
    start: (scope) => loop.start(scope),
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

function backendFacts(node: Node | undefined): string {
  return node !== undefined && isBackend(node) ? (internalAddress(node) ?? '') : ''
}

function balancedKeys(known: Cache<Service>): readonly string[] {
  return known.list().filter(wantsLoadBalancer).map(keyOf)
}

class ServiceLoadBalancerLoop {
  readonly #parts: ServiceLoadBalancerParts
  readonly #services: Cache<Service>
  readonly #nodes: Cache<Node>
  /** What was last ensured by uid, so that a change of something else neither calls nor tells anything. */
  readonly #ensured = new Map<string, { readonly text: string; readonly rules: number; readonly address: string }>()

  constructor(parts: ServiceLoadBalancerParts) {
    this.#parts = parts
    this.#services = parts.caches.of(services)
    this.#nodes = parts.caches.of(nodes)
  }

  /** Tells of backends that probes lose and find, as long as the loop runs. */
  start(scope: Scope): void {
    const listening = this.#parts.loadBalancers.onProbe((news) => this.#tellProbe(scope, news))
    scope.signal.addEventListener('abort', () => listening[Symbol.dispose](), { once: true })
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const service = this.#services.get(key)
    if (service === undefined) return done
    if (!wantsLoadBalancer(service)) {
      await this.#cleanUp(scope, service)
      return done
    }
    try {
      await this.#ensure(scope, service)
    } catch (error) {
      // The cache was behind: nothing to tell anybody.
      if (isReason(error, 'Conflict')) throw error
      this.#tell(
        scope,
        service,
        'Warning',
        'SyncLoadBalancerFailed',
        `Error syncing load balancer: failed to ensure load balancer: ${(error as Error).message}`,
      )
      throw error
    }
    return done
  }

  async #ensure(scope: Scope, cached: Service): Promise<void> {
    const uid = cached.metadata.uid!
    const { ranges, warnings } = sourcesOf(cached, this.#parts.loadBalancers.vnetRanges())
    const request = planLoadBalancer(cached, this.#nodes.list(), ranges)
    const text = canonicalJson({ ...request, address: wantedAddress(cached) })
    const known = this.#ensured.get(uid)
    const service = await this.#withFinalizer(cached)
    if (known?.text === text) return this.#setAddress(service, known.address)
    const isFirst = known === undefined || known.rules !== request.rules.length
    if (isFirst) this.#tell(scope, service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer')
    this.#warn(scope, service, warnings)
    const { address } = await this.#parts.loadBalancers.ensure(scope, request)
    await this.#setAddress(service, address)
    this.#ensured.set(uid, { text, rules: request.rules.length, address })
    if (isFirst) this.#tell(scope, service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer')
    else this.#tell(scope, service, 'Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts')
  }

  #warn(scope: Scope, service: Service, warnings: readonly { reason: string; message: string }[]): void {
    for (const { reason, message } of warnings) this.#tell(scope, service, 'Warning', reason, message, PROVIDER)
    for (const { annotation, why } of unsupportedAnnotations(service)) {
      const message = `Annotation ${annotation} is not carried out: ${why}`
      this.#tell(scope, service, 'Warning', 'UnsupportedAnnotation', message, PROVIDER)
    }
  }

  #tellProbe(scope: Scope, { id, address, probe, isUp, why }: ProbeNews): void {
    const service = this.#services.list().find(({ metadata }) => metadata.uid === id)
    if (service === undefined || !wantsLoadBalancer(service)) return
    const node = this.#nodes.list().find((candidate) => internalAddress(candidate) === address)
    const what = `health probe ${probe.protocol.toUpperCase()} ${probe.port}${probe.path ?? ''}`
    const where = `node ${node?.metadata.name ?? address}`
    if (isUp) this.#tell(scope, service, 'Normal', 'HealthProbeUp', `The ${what} of ${where} succeeds`, PROVIDER)
    else {
      const message = `The ${what} of ${where} fails: ${why}. The load balancer sends it nothing`
      this.#tell(scope, service, 'Warning', 'HealthProbeDown', message, PROVIDER)
    }
  }

  /** The finalizer stands before anything is made, so that nothing is left behind. */
  async #withFinalizer(service: Service): Promise<Service> {
    const finalizers = service.metadata.finalizers ?? []
    if (finalizers.includes(finalizer)) return service
    return this.#setFinalizers(service, [...finalizers, finalizer])
  }

  async #cleanUp(scope: Scope, service: Service): Promise<void> {
    const finalizers = service.metadata.finalizers ?? []
    if (!finalizers.includes(finalizer)) return
    const isServedByOther = service.spec.type === 'LoadBalancer' && service.spec.loadBalancerClass !== undefined
    this.#tell(scope, service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer')
    await this.#parts.loadBalancers.remove(scope, service.metadata.uid!)
    this.#ensured.delete(service.metadata.uid!)
    const cleared =
      service.metadata.deletionTimestamp !== undefined || isServedByOther
        ? service
        : await writeStatus(this.#parts.client, services, service, { ...service.status, loadBalancer: {} })
    const rest = finalizers.filter((name) => name !== finalizer)
    await ignoreReason('NotFound', this.#setFinalizers(cleared, rest))
    this.#tell(scope, service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer')
  }

  #setFinalizers(service: Service, finalizers: readonly string[]): Promise<Service> {
    const { resourceVersion } = service.metadata
    const body = { metadata: { resourceVersion, finalizers: finalizers.length === 0 ? null : finalizers } }
    // Through the status, which leaves the specification alone: that is what its role allows.
    return this.#parts.client.patch(services, service.metadata, { kind: 'merge', body }, { subresource: 'status' })
  }

  async #setAddress(service: Service, address: string): Promise<void> {
    const loadBalancer = { ingress: [{ ip: address, ipMode: 'VIP' }] }
    await writeStatus(this.#parts.client, services, service, { ...service.status, loadBalancer })
  }

  #tell(
    scope: Scope,
    object: Service,
    level: 'Normal' | 'Warning',
    reason: string,
    message: string,
    source = 'service-controller',
  ): void {
    tell(scope, this.#parts.client, { type: services, object, source }, level, reason, message)
  }
}
