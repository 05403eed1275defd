// What the status of a namespace says while it is deleted.

import type { Namespace, NamespaceCondition, NamespaceStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { withCondition } from '../parts.ts'
import { versionedName } from './contents.ts'
import type { Remains } from './contents.ts'

export interface DeletionFacts {
  readonly discoveryFailures: readonly string[]
  readonly contentFailures: readonly string[]
  readonly remains: readonly Remains[]
}

export function isEmptied({ discoveryFailures, contentFailures, remains }: DeletionFacts): boolean {
  return discoveryFailures.length + contentFailures.length === 0 && remains.every(({ objects }) => objects.length === 0)
}

interface News {
  readonly type: string
  readonly isTrue: boolean
  readonly trueReason: string
  readonly falseReason: string
  readonly trueMessage: string
  readonly falseMessage: string
}

export function judgeDeletion(namespace: Namespace, facts: DeletionFacts, nowMs: number): NamespaceStatus {
  const lastTransitionTime = formatTime(nowMs)
  let conditions: readonly NamespaceCondition[] = namespace.status?.conditions ?? []
  for (const news of newsOf(facts)) {
    conditions = withCondition(conditions, {
      type: news.type,
      status: news.isTrue ? 'True' : 'False',
      reason: news.isTrue ? news.trueReason : news.falseReason,
      message: news.isTrue ? news.trueMessage : news.falseMessage,
      lastTransitionTime,
    })
  }
  return { phase: 'Terminating', conditions }
}

function newsOf({ discoveryFailures, contentFailures, remains }: DeletionFacts): readonly News[] {
  const counts = remains
    .filter(({ objects }) => objects.length > 0)
    .map(({ type, objects }) => `${versionedName(type)} has ${objects.length} resource instances`)
  const finalizers = new Map<string, number>()
  for (const finalizer of remains.flatMap(({ objects }) =>
    objects.flatMap(({ metadata }) => metadata.finalizers ?? []),
  )) {
    finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
  }
  const held = [...finalizers]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, count]) => `${name} in ${count} resource instances`)
  return [
    {
      type: 'NamespaceDeletionDiscoveryFailure',
      isTrue: discoveryFailures.length > 0,
      trueReason: 'DiscoveryFailed',
      falseReason: 'ResourcesDiscovered',
      trueMessage: `Discovery failed for some groups, ${discoveryFailures.length} failing: ${discoveryFailures.join(', ')}`,
      falseMessage: 'All resources successfully discovered',
    },
    {
      type: 'NamespaceDeletionGroupVersionParsingFailure',
      isTrue: false,
      trueReason: 'GroupVersionParsingFailed',
      falseReason: 'ParsedGroupVersions',
      trueMessage: '',
      falseMessage: 'All legacy kube types successfully parsed',
    },
    {
      type: 'NamespaceDeletionContentFailure',
      isTrue: contentFailures.length > 0,
      trueReason: 'ContentDeletionFailed',
      falseReason: 'ContentDeleted',
      trueMessage: `Failed to delete all resource types, ${contentFailures.length} remaining: ${contentFailures.join(', ')}`,
      falseMessage: 'All content successfully deleted, may be waiting on finalization',
    },
    {
      type: 'NamespaceContentRemaining',
      isTrue: counts.length > 0,
      trueReason: 'SomeResourcesRemain',
      falseReason: 'ContentRemoved',
      trueMessage: `Some resources are remaining: ${counts.join(', ')}`,
      falseMessage: 'All content successfully removed',
    },
    {
      type: 'NamespaceFinalizersRemaining',
      isTrue: held.length > 0,
      trueReason: 'SomeFinalizersRemain',
      falseReason: 'ContentHasNoFinalizers',
      trueMessage: `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
      falseMessage: 'All content-preserving finalizers finished',
    },
  ]
}

/** How long to wait before looking again: half of what the slowest pod may take, as upstream. */
export function recheckMs({ remains }: DeletionFacts): number {
  const estimates = remains.flatMap(({ type, objects }) =>
    objects.map(({ metadata }) =>
      type.plural === 'pods'
        ? (metadata.deletionGracePeriodSeconds ?? 30)
        : (metadata.finalizers ?? []).length > 0
          ? 15
          : 0,
    ),
  )
  return (Math.floor(Math.max(0, ...estimates) / 2) + 1) * 1000
}
