// The history of a workload's template, kept as controller revisions that kubectl shows and goes back to.

import { controllerRevisions } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { ControllerRevision } from '@aksel/api/types/apps-v1'
import type { PodTemplateSpec } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { isSame, templateHash } from './canonical.ts'
import { controllerReference } from './owners.ts'

/** A workload as its history sees it. */
export interface Versioned {
  readonly type: ResourceType
  readonly object: KubernetesObject
  readonly template: PodTemplateSpec
  /** Label of a revision that holds the hash its name ends in. */
  readonly hashLabel: string
  readonly collisionCount: number | undefined
}

/** The template as a strategic patch on the workload, which is how kubectl goes back to it. */
function dataOf(template: PodTemplateSpec): NonNullable<ControllerRevision['data']> {
  return { spec: { template: { ...template, $patch: 'replace' } } }
}

/** Undefined where the stored data are no such patch. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec | undefined {
  const template = (data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } } | undefined)?.spec?.template
  if (template === undefined) return undefined
  const { $patch: _, ...rest } = template
  return rest
}

function newRevision(owner: Versioned, number: number, collisionCount: number | undefined): ControllerRevision {
  const data = dataOf(owner.template)
  const hash = templateHash(data, collisionCount)
  const { annotations, name, namespace } = owner.object.metadata
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace: namespace!,
      labels: { ...owner.template?.metadata?.labels, [owner.hashLabel]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerReference(owner.type, owner.object)],
    },
    data,
    revision: number,
  }
}

export interface NewestRevision {
  readonly revision: ControllerRevision
  readonly collisionCount: number | undefined
}

/** The revision of the template as it is now, made or moved to the end of the history where that is needed. */
export async function newestRevision(
  client: Client,
  owner: Versioned,
  history: readonly ControllerRevision[],
): Promise<NewestRevision> {
  const sorted = byRevision(history)
  const next = (sorted.at(-1)?.revision ?? 0) + 1
  const wanted = dataOf(owner.template)
  const equal = sorted.filter(({ data }) => isSame(data, wanted)).at(-1)
  const { collisionCount } = owner
  if (equal === undefined) return create(client, owner, next, collisionCount)
  if (equal === sorted.at(-1)) return { revision: equal, collisionCount }
  return { revision: await client.update(controllerRevisions, { ...equal, revision: next }), collisionCount }
}

async function create(
  client: Client,
  owner: Versioned,
  number: number,
  collisionCount: number | undefined,
): Promise<NewestRevision> {
  const revision = newRevision(owner, number, collisionCount)
  try {
    return { revision: await client.create(controllerRevisions, revision), collisionCount }
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
  // Ours from a pass that the cache does not show yet, or another's: then the next name is tried.
  const existing = await client.get(controllerRevisions, revision.metadata)
  if (isSame(existing.data, revision.data)) return { revision: existing, collisionCount }
  return create(client, owner, number, (collisionCount ?? 0) + 1)
}

/** Revisions past the limit that are not in use, oldest first. */
export function revisionsPast(
  limit: number,
  history: readonly ControllerRevision[],
  isLive: (revision: ControllerRevision) => boolean,
): readonly ControllerRevision[] {
  const unused = history.filter((revision) => !isLive(revision))
  return byRevision(unused).slice(0, Math.max(0, unused.length - limit))
}

export async function forgetRevision(client: Client, { metadata }: ControllerRevision): Promise<void> {
  await ignoreReason('NotFound', client.delete(controllerRevisions, metadata))
}

function byRevision(history: readonly ControllerRevision[]): readonly ControllerRevision[] {
  return history.toSorted((left, right) => (left.revision ?? 0) - (right.revision ?? 0))
}
