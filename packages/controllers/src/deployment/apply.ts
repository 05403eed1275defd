// A deployment's writes: replica sets made and resized, revisions noted, conditions told.

import { deployments, replicaSets } from '@aksel/api/resources'
import type { Deployment, ReplicaSet } from '@aksel/api/types/apps-v1'
import { ApiError, ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { isSame, templateHash } from '../canonical.ts'
import type { ReplacedRevisions } from '../expectations.ts'
import { controllerReference, isControlledBy } from '../owners.ts'
import { writeStatus } from '../parts.ts'
import { assertSelected, isNamespaceTerminating, tell } from '../pod-control.ts'
import type { PodOwner } from '../pod-control.ts'
import { sizeOf } from './plan-scale.ts'
import type { Resize } from './plan-scale.ts'
import { newSetSize } from './plan-rollout.ts'
import { annotationsOfNewSet, hashLabel, isSameTemplate, revisionAnnotation, sizeAnnotations } from './revisions.ts'
import type { Annotations } from './revisions.ts'
import { conditionOf, hasProgressDeadline, setCondition } from './status.ts'
import type { ConditionNews } from './status.ts'

/** One pass over one deployment: the deployment as it stands after the pass's own writes. */
export class DeploymentPass {
  readonly #scope: Scope
  readonly #client: Client
  readonly #replaced: ReplacedRevisions
  /** Sets that this pass created. */
  readonly made: ReplicaSet[] = []
  deployment: Deployment

  constructor(scope: Scope, client: Client, replaced: ReplacedRevisions, deployment: Deployment) {
    this.#scope = scope
    this.#client = client
    this.#replaced = replaced
    this.deployment = deployment
  }

  tell(level: 'Normal' | 'Warning', reason: string, message: string): void {
    const owner: PodOwner = { type: deployments, object: this.deployment, source: 'deployment-controller' }
    tell(this.#scope, this.#client, owner, level, reason, message)
  }

  async setCondition(news: ConditionNews): Promise<void> {
    const { status } = this.deployment
    const conditions = setCondition(status?.conditions, news, this.#scope.clock.now())
    await this.setStatus({ ...status, conditions })
  }

  async setStatus(status: NonNullable<Deployment['status']>): Promise<void> {
    this.deployment = await writeStatus(this.#client, deployments, this.deployment, status)
  }

  /** Sets the size, and with it the annotations that remember what it was a part of. */
  async resize({ set, replicas }: Resize): Promise<ReplicaSet> {
    const annotations = { ...set.metadata.annotations, ...sizeAnnotations(this.deployment) }
    const before = sizeOf(set)
    if (before === replicas && isSame(annotations, set.metadata.annotations)) return set
    const resized = await this.#update(set, { annotations, replicas })
    if (before !== replicas) {
      const verb = replicas > before ? 'up' : 'down'
      this.tell(
        'Normal',
        'ScalingReplicaSet',
        `Scaled ${verb} replica set ${set.metadata.name} from ${before} to ${replicas}`,
      )
    }
    return resized
  }

  /** Brings the new set's annotations up to date, and notes its revision on the deployment. */
  async refreshNewSet(set: ReplicaSet, revision: bigint): Promise<ReplicaSet> {
    const annotations = annotationsOfNewSet(this.deployment, set, revision)
    const minReadySeconds = this.deployment.spec.minReadySeconds ?? 0
    const isCurrent =
      isSame(annotations, set.metadata.annotations ?? {}) && (set.spec.minReadySeconds ?? 0) === minReadySeconds
    const fresh = isCurrent ? set : await this.#update(set, { annotations, minReadySeconds })
    await this.#noteRevision(fresh.metadata.annotations?.[revisionAnnotation])
    if (hasProgressDeadline(this.deployment) && conditionOf(this.deployment.status, 'Progressing') === undefined) {
      const message = `Found new replica set "${set.metadata.name}"`
      await this.setCondition({ type: 'Progressing', status: 'True', reason: 'FoundNewReplicaSet', message })
    }
    return fresh
  }

  /** Makes the set of the current template. Throws after noting a name that is taken, or why it could not be made. */
  async createNewSet(oldSets: readonly ReplicaSet[], revision: bigint): Promise<ReplicaSet> {
    const set = this.#newSet(oldSets, revision)
    const { name } = set.metadata
    let created: ReplicaSet
    try {
      assertSelected(this.deployment.spec.selector, this.deployment.spec.template)
      created = await this.#client.create(replicaSets, set)
    } catch (error) {
      if (isReason(error, 'AlreadyExists')) return this.#takeExisting(set, error)
      if (!isNamespaceTerminating(error)) await this.#tellFailure(name, error as Error)
      throw error
    }
    this.made.push(created)
    const size = sizeOf(created)
    if (size > 0) this.tell('Normal', 'ScalingReplicaSet', `Scaled up replica set ${name} from 0 to ${size}`)
    await this.#noteRevision(String(revision))
    if (hasProgressDeadline(this.deployment)) {
      const message = `Created new replica set "${name}"`
      await this.setCondition({ type: 'Progressing', status: 'True', reason: 'NewReplicaSetCreated', message })
    }
    return created
  }

  async forget(set: ReplicaSet): Promise<void> {
    const { uid } = set.metadata
    await ignoreReason('NotFound', this.#client.delete(replicaSets, set.metadata, { preconditions: { uid: uid! } }))
  }

  #newSet(oldSets: readonly ReplicaSet[], revision: bigint): ReplicaSet {
    const { metadata, spec, status } = this.deployment
    const hash = templateHash(spec.template, status?.collisionCount)
    const labels = { ...spec.template?.metadata?.labels, [hashLabel]: hash }
    const matchLabels = { ...spec.selector?.matchLabels, [hashLabel]: hash }
    return {
      metadata: {
        name: `${metadata.name}-${hash}`,
        namespace: metadata.namespace!,
        labels,
        annotations: annotationsOfNewSet(this.deployment, undefined, revision),
        ownerReferences: [controllerReference(deployments, this.deployment)],
      },
      spec: {
        replicas: newSetSize(this.deployment, oldSets, 0),
        ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
        selector: { ...spec.selector, matchLabels },
        template: { ...spec.template, metadata: { ...spec.template?.metadata, labels } },
      },
    }
  }

  /** The set that has the name: ours from a pass before that the cache does not show, or somebody else's. */
  async #takeExisting(set: ReplicaSet, error: unknown): Promise<ReplicaSet> {
    const existing = await this.#client.get(replicaSets, set.metadata)
    if (isControlledBy(existing, this.deployment) && isSameTemplate(existing.spec.template, set.spec.template)) {
      return existing
    }
    const { status } = this.deployment
    await this.setStatus({ ...status, collisionCount: (status?.collisionCount ?? 0) + 1 })
    throw error
  }

  async #tellFailure(name: string, error: Error): Promise<void> {
    const message = `Failed to create new replica set "${name}": ${error.message}`
    if (hasProgressDeadline(this.deployment)) {
      await this.setCondition({ type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError', message })
    }
    this.tell('Warning', 'ReplicaSetCreateError', message)
  }

  /**
   * The annotation lives on the deployment itself: kubectl shows it as the current revision. Written with the status, which
   * leaves the generation alone.
   */
  async #noteRevision(revision: string | undefined): Promise<void> {
    const { metadata } = this.deployment
    if (revision === undefined || metadata.annotations?.[revisionAnnotation] === revision) return
    const annotations = { ...metadata.annotations, [revisionAnnotation]: revision }
    const next = { ...this.deployment, metadata: { ...metadata, annotations } }
    this.deployment = await this.#client.update(deployments, next, { subresource: 'status' })
  }

  async #update(
    set: ReplicaSet,
    { annotations, ...spec }: { annotations: Annotations; replicas?: number; minReadySeconds?: number },
  ): Promise<ReplicaSet> {
    if (this.#replaced.isStale(set)) throw staleCache(set)
    const next = { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, ...spec } }
    const written = await this.#client.update(replicaSets, next)
    this.#replaced.note(set, written)
    return written
  }
}

function staleCache({ metadata }: ReplicaSet): ApiError {
  return new ApiError('Conflict', `The cache still shows revision ${metadata.resourceVersion} of "${metadata.name}"`)
}
