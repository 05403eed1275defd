// Gives Endpoints that people write by hand the slices that service proxies read.

import { keyOf } from '@aksel/api/resource'
import { endpoints, endpointSlices, services } from '@aksel/api/resources'
import type { Endpoints, Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { addressFamilies } from '../endpoint-slice/endpoints-of.ts'
import { planSlices } from '../endpoint-slice/plan.ts'
import type { SlicePlan } from '../endpoint-slice/plan.ts'
import { headlessLabel, managedByLabel, serviceNameLabel } from '../endpoint-slice/slice-object.ts'
import { Expectations, ReplacedRevisions } from '../expectations.ts'
import { controllerReference } from '../owners.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating } from '../pod-control.ts'
import { mirroredGroups } from './plan.ts'

const managerName = 'endpointslicemirroring-controller.k8s.io'
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror'
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'
const notCopied = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'endpoints.kubernetes.io/last-change-trigger-time',
])
const mirrorIndex = 'endpoint-slice-mirroring/of'

export function endpointSliceMirroringController(parts: LoopParts): Controller {
  const loop = new MirrorLoop(parts)
  const own: Source<Endpoints> = { type: endpoints, keysOf: (now, before) => [keyOf((now ?? before)!)] }
  const targets: Source<Service> = {
    type: services,
    keysOf: (now, before) =>
      isSame(now?.spec?.selector, before?.spec?.selector) && now !== undefined && before !== undefined
        ? []
        : [keyOf((now ?? before)!)],
  }
  const results: Source<EndpointSlice> = { type: endpointSlices, keysOf: (now, before) => mirrorOf((now ?? before)!) }
  return {
    name: 'endpoint-slice-mirroring',
    sources: [own, targets, results] as unknown as readonly Source[],
    workers: 5,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

/** Key of the Endpoints that a slice mirrors; empty for other slices. */
function mirrorOf({ metadata }: EndpointSlice): readonly string[] {
  const { labels } = metadata
  return labels?.[managedByLabel] === managerName ? [`${metadata.namespace}/${labels[serviceNameLabel] ?? ''}`] : []
}

function isMirrored({ metadata }: Endpoints, service: Service | undefined): boolean {
  return (
    service !== undefined &&
    Object.keys(service.spec?.selector ?? {}).length === 0 &&
    metadata.deletionTimestamp === undefined &&
    metadata.labels?.[skipLabel] !== 'true' &&
    metadata.annotations?.[leaderAnnotation] === undefined
  )
}

class MirrorLoop {
  readonly #parts: LoopParts
  readonly #endpoints: Cache<Endpoints>
  readonly #services: Cache<Service>
  readonly #slices: Cache<EndpointSlice>
  readonly #expectations: Expectations<EndpointSlice>
  readonly #replaced = new ReplacedRevisions()

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#endpoints = parts.caches.of(endpoints)
    this.#services = parts.caches.of(services)
    this.#slices = parts.caches.of(endpointSlices)
    this.#slices.addIndex(mirrorIndex, mirrorOf)
    this.#expectations = new Expectations(this.#slices)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const waitMs = this.#expectations.waitMs(scope.clock, key)
    if (waitMs > 0) return again(waitMs)
    const existing = this.#slices.byIndex(mirrorIndex, key)
    if (existing.some((slice) => this.#replaced.isStale(slice))) return done
    const source = this.#endpoints.get(key)
    if (source === undefined || !isMirrored(source, this.#services.get(key))) {
      for (const slice of existing) await this.#remove(scope, key, slice)
      return done
    }
    for (const family of addressFamilies) {
      const groups = mirroredGroups(source.subsets ?? [], family)
      const own = existing.filter(({ addressType }) => addressType === family)
      const plan = groups.length === 0 ? { create: [], update: [], remove: own } : planSlices(groups, own)
      await this.#apply(scope, key, source, family, own, plan)
    }
    return done
  }

  async #apply(
    scope: Scope,
    key: string,
    source: Endpoints,
    addressType: EndpointSlice['addressType'],
    existing: readonly EndpointSlice[],
    plan: SlicePlan,
  ): Promise<void> {
    const { client } = this.#parts
    const { name, namespace } = source.metadata
    const labels = labelsOf(source)
    const annotations = annotationsOf(source)
    const ownerReferences = [controllerReference(endpoints, source)]
    for (const content of plan.create) {
      const metadata = {
        name: '',
        generateName: `${name}-`,
        namespace: namespace!,
        labels,
        annotations,
        ownerReferences,
      }
      try {
        const made = await client.create(endpointSlices, { metadata, addressType, ...content })
        this.#expectations.created(scope.clock, key, made)
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error
      }
    }
    const changed = new Map(plan.update.map(({ slice, content }) => [slice, content]))
    for (const slice of existing) {
      if (plan.remove.includes(slice)) continue
      const isCurrent = isSame(slice.metadata.labels, labels) && isSame(slice.metadata.annotations ?? {}, annotations)
      if (!changed.has(slice) && isCurrent) continue
      const next = { ...slice, ...changed.get(slice), metadata: { ...slice.metadata, labels, annotations } }
      this.#replaced.note(slice, await client.update(endpointSlices, next))
    }
    for (const slice of plan.remove) await this.#remove(scope, key, slice)
  }

  async #remove(scope: Scope, key: string, slice: EndpointSlice): Promise<void> {
    if (slice.metadata.deletionTimestamp !== undefined) return
    const preconditions = { uid: slice.metadata.uid! }
    await ignoreReason('NotFound', this.#parts.client.delete(endpointSlices, slice.metadata, { preconditions }))
    this.#expectations.deleted(scope.clock, key, slice)
  }
}

function labelsOf({ metadata }: Endpoints): Readonly<Record<string, string>> {
  const { [headlessLabel]: _, ...labels } = metadata.labels ?? {}
  return { ...labels, [serviceNameLabel]: metadata.name, [managedByLabel]: managerName }
}

function annotationsOf({ metadata }: Endpoints): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !notCopied.has(key)))
}
