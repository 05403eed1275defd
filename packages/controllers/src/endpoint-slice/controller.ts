// Keeps the endpoint slices of services with selectors in step with their pods.

import { keyOf } from '@aksel/api/resource'
import { endpointSlices, nodes, pods, services } from '@aksel/api/resources'
import type { Node, Pod, Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { Expectations, ReplacedRevisions } from '../expectations.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating, tell } from '../pod-control.ts'
import { addressFamilies, familiesOf, groupEndpoints } from './endpoints-of.ts'
import type { AddressFamily } from './endpoints-of.ts'
import { asksForShares, cpusByZone, withHints, type Hinted } from './hints.ts'
import { planSlices } from './plan.ts'
import { indexServicePods, servicesWokenBy, selectedPods } from './service-pods.ts'
import { labelsOf, managedByLabel, managerName, newSlice, serviceNameLabel } from './slice-object.ts'

const serviceIndex = 'endpoint-slice/service'

export function endpointSliceController(parts: LoopParts): Controller {
  const loop = new EndpointSliceLoop(parts)
  const known = parts.caches.of(services)
  const own: Source<Service> = { type: services, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const changes: Source<Pod> = { type: pods, keysOf: (now, before) => servicesWokenBy(known, now, before) }
  const slices: Source<EndpointSlice> = {
    type: endpointSlices,
    keysOf: (now, before) => serviceKeyOf((now ?? before)!),
  }
  const machines: Source<Node> = { type: nodes, keysOf: (now, before) => loop.keysOfNode(now, before) }
  return {
    name: 'endpoint-slice',
    sources: [own, changes, slices, machines],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

function nodeFacts(node: Node | undefined): string {
  if (node === undefined) return ''
  const { labels } = node.metadata
  const ready = (node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
  return JSON.stringify([labels, ready, node.status?.allocatable?.['cpu']])
}

function serviceKeyOf({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[serviceNameLabel]
  if (service === undefined || metadata.labels?.[managedByLabel] !== managerName) return []
  return [`${metadata.namespace}/${service}`]
}

class EndpointSliceLoop {
  readonly #parts: LoopParts
  readonly #services: Cache<Service>
  readonly #pods: Cache<Pod>
  readonly #nodes: Cache<Node>
  readonly #slices: Cache<EndpointSlice>
  readonly #expectations: Expectations<EndpointSlice>
  readonly #replaced = new ReplacedRevisions()
  /** By service and family: what people were told last of its hints; '' when all was well. */
  readonly #toldHints = new Map<string, string>()
  /** Processors by zone; counted anew after a change of a node. */
  #zoneCpus: { readonly counted: ReadonlyMap<string, number> | undefined } | undefined

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#services = parts.caches.of(services)
    this.#pods = parts.caches.of(pods)
    this.#nodes = parts.caches.of(nodes)
    this.#slices = parts.caches.of(endpointSlices)
    this.#slices.addIndex(serviceIndex, serviceKeyOf)
    indexServicePods(this.#services, this.#pods)
    this.#expectations = new Expectations(this.#slices)
  }

  /** What nodes can do, and where they are, matters to services whose endpoints are shared out; a pod's zone is known before it runs. */
  keysOfNode(now: Node | undefined, before: Node | undefined): readonly string[] {
    if (nodeFacts(now) === nodeFacts(before)) return []
    this.#zoneCpus = undefined
    return this.#services.list().filter(asksForShares).map(keyOf)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const service = this.#services.get(key)
    // What is left of a deleted service goes with its owner; what lost its selector stays, as upstream leaves it.
    if (service === undefined) {
      this.#expectations.forget(key)
      for (const family of addressFamilies) this.#toldHints.delete(`${key}/${family}`)
    }
    const selector = service?.spec.selector
    if (service === undefined || selector === undefined || service.spec.type === 'ExternalName') return done
    if (service.metadata.deletionTimestamp !== undefined) return done
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    if (waitMs > 0) return again(waitMs)
    await this.#nodes.synced(scope.signal)
    const existing = this.#slices.byIndex(serviceIndex, key)
    if (existing.some((slice) => this.#replaced.isStale(slice))) return done
    try {
      await this.#apply(scope, key, service, existing)
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
    return done
  }

  async #apply(scope: Scope, key: string, service: Service, existing: readonly EndpointSlice[]): Promise<void> {
    const families = familiesOf(service)
    const members = selectedPods(this.#pods, service)
    for (const family of families) {
      const own = existing.filter(({ addressType }) => addressType === family)
      await this.#applyFamily(scope, key, { service, members, family, existing: own })
    }
    for (const slice of existing) {
      if (!families.includes(slice.addressType as AddressFamily)) await this.#remove(scope, key, slice)
    }
  }

  async #applyFamily(scope: Scope, key: string, { service, members, family, existing }: FamilyWork): Promise<void> {
    const { client } = this.#parts
    const found = groupEndpoints(service, members, (name) => this.#nodes.get(name), family)
    const hinted = withHints(service, found, asksForShares(service) ? this.#cpus() : undefined)
    this.#tellHints(scope, `${key}/${family}`, service, family, hinted)
    const { groups } = hinted
    const plan = planSlices(groups, existing)
    for (const content of plan.create) {
      this.#expectations.created(
        scope.clock,
        key,
        await client.create(endpointSlices, newSlice(service, family, content)),
      )
    }
    const labels = labelsOf(service)
    const changed = new Map(plan.update.map(({ slice, content }) => [slice, content]))
    for (const slice of existing) {
      if (plan.remove.includes(slice)) continue
      const content = changed.get(slice)
      if (content === undefined && isSame(slice.metadata.labels, labels)) continue
      const next = { ...slice, ...content, metadata: { ...slice.metadata, labels } }
      this.#replaced.note(slice, await client.update(endpointSlices, next))
    }
    for (const slice of plan.remove) await this.#remove(scope, key, slice)
  }

  #cpus(): ReadonlyMap<string, number> | undefined {
    this.#zoneCpus ??= { counted: cpusByZone(this.#nodes.list()) }
    return this.#zoneCpus.counted
  }

  #tellHints(scope: Scope, id: string, service: Service, family: AddressFamily, { isShared, refused }: Hinted): void {
    const before = this.#toldHints.get(id)
    if (!isShared && refused === undefined) {
      if (before === '') this.#say(scope, service, family, 'Warning', 'Topology Aware Hints has been disabled')
      this.#toldHints.delete(id)
      return
    }
    const news = refused ?? ''
    if (before === news) return
    this.#toldHints.set(id, news)
    if (refused === undefined) this.#say(scope, service, family, 'Normal', 'Topology Aware Hints has been enabled')
    else this.#say(scope, service, family, 'Warning', refused)
  }

  #say(scope: Scope, object: Service, family: AddressFamily, level: 'Normal' | 'Warning', what: string): void {
    const reason = level === 'Normal' ? 'TopologyAwareHintsEnabled' : 'TopologyAwareHintsDisabled'
    const owner = { type: services, object, source: 'endpoint-slice-controller' }
    tell(scope, this.#parts.client, owner, level, reason, `${what}, addressType: ${family}`)
  }

  async #remove(scope: Scope, key: string, slice: EndpointSlice): Promise<void> {
    if (slice.metadata.deletionTimestamp !== undefined) return
    const preconditions = { uid: slice.metadata.uid! }
    try {
      await ignoreReason('NotFound', this.#parts.client.delete(endpointSlices, slice.metadata, { preconditions }))
    } catch (error) {
      if (!isReason(error, 'Conflict')) throw error
    }
    this.#expectations.deleted(scope.clock, key, slice)
    this.#replaced.forget(slice)
  }
}

interface FamilyWork {
  readonly service: Service
  readonly members: readonly Pod[]
  readonly family: AddressFamily
  readonly existing: readonly EndpointSlice[]
}
