// Makes the claims for devices that pods ask for by template, and lets claims go when the last pod that holds them is done.

import { keyOf } from '@aksel/api/resource'
import { pods, resourceClaims, resourceClaimTemplates } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim, ResourceClaimTemplate } from '@aksel/api/types/resource-v1'
import { ApiError, ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import { isSame } from '../canonical.ts'
import { controllerReference, isControlledBy } from '../owners.ts'
import type { LoopParts } from '../parts.ts'
import { isNamespaceTerminating, tell } from '../pod-control.ts'
import { isTerminating } from '../pod-facts.ts'
import { claimFinalizer, isDone, judgeClaim, podClaimAnnotation } from './judge.ts'

type PodClaim = NonNullable<Pod['spec']['resourceClaims']>[number]
type ClaimStatuses = NonNullable<NonNullable<Pod['status']>['resourceClaimStatuses']>

const byTemplate = 'resource-claim/template'
const byOwner = 'resource-claim/owner'
const byHolder = 'resource-claim/holder'

/** Keys are `pod/NAMESPACE/NAME` and `claim/NAMESPACE/NAME`. */
export function resourceClaimController(parts: LoopParts): Controller {
  const loop = new ResourceClaimLoop(parts)
  const own: Source<Pod> = { type: pods, keysOf: (now, before) => loop.keysOfPod(now, before) }
  const claims: Source<ResourceClaim> = {
    type: resourceClaims,
    keysOf: (now, before) => [
      ...(now === undefined ? [] : [`claim/${keyOf(now)}`]),
      // A claim that went while its pod waits is made again.
      ...(now === undefined ? ownerOf(before!).map((key) => `pod/${key}`) : []),
    ],
  }
  const templates: Source<ResourceClaimTemplate> = {
    type: resourceClaimTemplates,
    keysOf: (now) => (now === undefined ? [] : loop.podsOfTemplate(keyOf(now))),
  }
  return {
    name: 'resource-claim',
    sources: [own, claims, templates] as unknown as readonly Source[],
    workers: 10,
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

function ownerOf({ metadata }: ResourceClaim): readonly string[] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  return owner?.kind === 'Pod' ? [`${metadata.namespace}/${owner.name}`] : []
}

function templatesOf({ metadata, spec }: Pod): readonly string[] {
  return (spec?.resourceClaims ?? []).flatMap(({ resourceClaimTemplateName: name }) =>
    name === undefined ? [] : [`${metadata.namespace}/${name}`],
  )
}

class ResourceClaimLoop {
  readonly #parts: LoopParts
  readonly #pods: Cache<Pod>
  readonly #claims: Cache<ResourceClaim>
  readonly #templates: Cache<ResourceClaimTemplate>

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#pods = parts.caches.of(pods)
    this.#claims = parts.caches.of(resourceClaims)
    this.#templates = parts.caches.of(resourceClaimTemplates)
    this.#pods.addIndex(byTemplate, templatesOf)
    this.#claims.addIndex(byOwner, ownerOf)
    this.#claims.addIndex(byHolder, ({ metadata, status }) =>
      (status?.reservedFor ?? []).map(({ name }) => `${metadata.namespace}/${name}`),
    )
  }

  keysOfPod(now: Pod | undefined, before: Pod | undefined): readonly string[] {
    const pod = (now ?? before)!
    if ((pod.spec?.resourceClaims ?? []).length === 0) return []
    const key = keyOf(pod)
    if (now !== undefined && !isDone(now)) return [`pod/${key}`]
    const held = [...this.#claims.byIndex(byHolder, key), ...this.#claims.byIndex(byOwner, key)]
    return [...new Set(held.map((claim) => `claim/${keyOf(claim)}`))]
  }

  podsOfTemplate(key: string): readonly string[] {
    return this.#pods.byIndex(byTemplate, key).map((pod) => `pod/${keyOf(pod)}`)
  }

  async reconcile(scope: Scope, key: string): Promise<Outcome> {
    const slash = key.indexOf('/')
    const rest = key.slice(slash + 1)
    if (key.startsWith('pod/')) await this.#pod(scope, rest)
    else await this.#claim(rest)
    return done
  }

  async #pod(scope: Scope, key: string): Promise<void> {
    const pod = this.#pods.get(key)
    if (pod === undefined || isTerminating(pod) || isDone(pod)) return
    const statuses: ClaimStatuses[number][] = []
    for (const wish of pod.spec?.resourceClaims ?? []) {
      if (wish.resourceClaimTemplateName === undefined) continue
      try {
        const claim = await this.#claimFor(pod, wish)
        statuses.push({ name: wish.name, resourceClaimName: claim.metadata.name })
      } catch (error) {
        if (isNamespaceTerminating(error)) return
        const owner = { type: pods, object: pod, source: 'resource_claim' }
        const message = `PodResourceClaim ${wish.name}: ${(error as Error).message}`
        tell(scope, this.#parts.client, owner, 'Warning', 'FailedResourceClaimCreation', message)
        throw error
      }
    }
    const present = pod.status?.resourceClaimStatuses ?? []
    // Entries of others, for claims that need none, stay as they are.
    const others = present.filter(({ name }) => !statuses.some((status) => status.name === name))
    const wanted = [...others, ...statuses]
    if (isSame(byName(present), byName(wanted))) return
    const { uid, resourceVersion } = pod.metadata
    const body = { metadata: { uid, resourceVersion }, status: { resourceClaimStatuses: wanted } }
    await ignoreReason(
      'NotFound',
      this.#parts.client.patch(pods, pod.metadata, { kind: 'merge', body }, { subresource: 'status' }),
    )
  }

  /** The claim that was made for this entry of the pod, or a new one. */
  async #claimFor(pod: Pod, wish: PodClaim): Promise<ResourceClaim> {
    const known = pod.status?.resourceClaimStatuses?.find(({ name }) => name === wish.name)?.resourceClaimName
    const isIts = (claim: ResourceClaim): boolean =>
      isControlledBy(claim, pod) && claim.metadata.annotations?.[podClaimAnnotation] === wish.name
    const own = this.#claims.byIndex(byOwner, keyOf(pod)).filter(isIts)
    const found = own.find(({ metadata }) => metadata.name === known) ?? own[0]
    if (found !== undefined) return found
    const { namespace } = pod.metadata
    // Made a moment ago, perhaps, by us or by who led before: the server is asked before there are two.
    const live = await this.#parts.client.list(resourceClaims, { namespace: namespace! })
    return live.items.find(isIts) ?? (await this.#create(pod, wish))
  }

  async #create(pod: Pod, wish: PodClaim): Promise<ResourceClaim> {
    const { namespace, name } = pod.metadata
    const template = this.#templates.get(`${namespace}/${wish.resourceClaimTemplateName}`)
    if (template === undefined) {
      const missing = `resourceclaimtemplate.resource.k8s.io "${wish.resourceClaimTemplateName}" not found`
      throw new ApiError('NotFound', `resource claim template "${wish.resourceClaimTemplateName}": ${missing}`)
    }
    const { labels, annotations } = template.spec?.metadata ?? {}
    return this.#parts.client.create(resourceClaims, {
      metadata: {
        name: '',
        generateName: `${name}-${wish.name}-`,
        namespace: namespace!,
        ...(labels === undefined ? {} : { labels }),
        annotations: { ...annotations, [podClaimAnnotation]: wish.name },
        ownerReferences: [controllerReference(pods, pod)],
      },
      spec: template.spec.spec,
    })
  }

  async #claim(key: string): Promise<void> {
    const cached = this.#claims.get(key)
    if (cached === undefined) return
    const unsure = new Map<string, Pod | undefined>()
    const first = judgeClaim({ claim: cached, podOf: (pod) => this.#pods.get(pod) })
    if (first.status === undefined && !first.dropFinalizer && !first.isDeleted) return
    // Pods that the cache does not show may be new: the server is asked before a claim is taken from them.
    for (const { name } of cached.status?.reservedFor ?? []) {
      const { namespace } = cached.metadata
      const podKey = `${namespace}/${name}`
      if (this.#pods.get(podKey) === undefined)
        unsure.set(
          podKey,
          await ignoreReason('NotFound', this.#parts.client.get(pods, { namespace: namespace!, name })),
        )
    }
    const verdict = judgeClaim({ claim: cached, podOf: (pod) => this.#pods.get(pod) ?? unsure.get(pod) })
    try {
      await this.#write(cached, verdict)
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  async #write(claim: ResourceClaim, verdict: ReturnType<typeof judgeClaim>): Promise<void> {
    const { client } = this.#parts
    let now = claim
    if (verdict.status !== undefined)
      now = await client.update(resourceClaims, { ...claim, status: verdict.status }, { subresource: 'status' })
    if (verdict.dropFinalizer) {
      const finalizers = (now.metadata.finalizers ?? []).filter((each) => each !== claimFinalizer)
      now = await client.update(resourceClaims, { ...now, metadata: { ...now.metadata, finalizers } })
    }
    if (verdict.isDeleted)
      await client.delete(resourceClaims, claim.metadata, { preconditions: { uid: claim.metadata.uid! } })
  }
}

function byName(statuses: ClaimStatuses): readonly unknown[] {
  return statuses.toSorted((left, right) => (left.name < right.name ? -1 : 1))
}
