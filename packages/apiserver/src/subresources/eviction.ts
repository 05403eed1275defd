// Eviction: a delete that asks the disruption budgets first.

import type { KindRow } from '@aksel/api/kind-row'
import type { Pod } from '@aksel/api/types/core-v1'
import type { Eviction, PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import { formatTime } from '@aksel/base/clock'
import { draftOf } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { admitAction } from '../admission/request.ts'
import { selects } from '../authorization/rbac.ts'
import type { ResourceCall } from '../call-context.ts'
import { jsonAnswer, successStatus } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { notFoundError } from '../refusals.ts'
import { deleteObject } from '../registry/delete.ts'
import { deleteOptionsOf } from '../registry/delete-options.ts'
import type { StoredRecord } from '../registry/record.ts'
import type { WriteCall } from '../registry/registry.ts'
import { writeOptionsOf } from '../registry/write-options.ts'
import { bodyObject } from '../registry/read-body.ts'
import { writeCallOf, type VerbTools } from '../registry/verbs.ts'
import { subresourceBody } from './body.ts'

export async function evictionSubresource(tools: VerbTools, context: ResourceCall): Promise<Answer> {
  const { row, info } = context
  const options = writeOptionsOf('CreateOptions', info.query)
  const eviction = (await bodyObject(tools, context, subresourceBody(tools, context), options)) as unknown as Eviction
  const name = eviction.metadata?.name
  if (name !== undefined && name !== '' && name !== info.name) {
    throw new ApiError('BadRequest', `name in URL does not match name in Eviction object: ${info.name} != ${name}`)
  }
  const record = await tools.registry.records.get(row, info.namespace, info.name)
  if (record === undefined) throw notFoundError(row, info.name)
  const pod = record.object as Pod
  const base = writeCallOf(context, options)
  const deletion = deleteOptionsOf(tools.registry.schemas, eviction.deleteOptions ?? {}, info.query)
  const dryRun = base.dryRun || deletion.dryRun
  const call = { ...base, dryRun }
  await admitAction(tools.registry, call, {
    name: info.name,
    subresource: 'eviction',
    body: { group: 'policy', version: 'v1', kind: 'Eviction', object: eviction },
  })
  const budgets = tools.registry.kinds.find('policy', 'v1', 'poddisruptionbudgets')
  if (budgets !== undefined && needsBudget(pod)) await spend(tools, budgets, pod, call)
  // The mark is a write of its own, which a wished-for revision would not survive.
  const isPinned = eviction.deleteOptions?.preconditions?.resourceVersion !== undefined
  if (!dryRun && !isPinned) await mark(tools, row, info.name, record, call.fence)
  await deleteObject(tools.registry, call, info.name, deletion)
  return jsonAnswer(201, { ...successStatus(undefined), code: 201 })
}

/** Tells on the pod why it goes; its owner and the disruption controller read it. */
async function mark(
  tools: VerbTools,
  row: KindRow,
  name: string,
  first: StoredRecord,
  fence: WriteCall['fence'],
): Promise<void> {
  let record: StoredRecord | undefined = first
  while (record !== undefined && record.object.metadata.deletionTimestamp === undefined) {
    const next = draftOf(record.object as Pod)
    const others = (next.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget')
    const lastTransitionTime = formatTime(tools.registry.scope.clock.now())
    const why = { reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' }
    const condition = { type: 'DisruptionTarget', status: 'True', ...why, lastTransitionTime }
    next.status = { ...next.status, conditions: [...others, condition] }
    delete next.metadata.resourceVersion
    if ((await tools.registry.records.put(row, next as Pod, record, fence)) !== undefined) return
    record = await tools.registry.records.get(row, first.object.metadata.namespace ?? '', name)
  }
}

/** Pods that are over, not started or on their way out do not disturb anyone. */
function needsBudget(pod: Pod): boolean {
  const phase = pod.status?.phase
  return (
    phase !== 'Succeeded' && phase !== 'Failed' && phase !== 'Pending' && pod.metadata.deletionTimestamp === undefined
  )
}

/** Takes one disruption from the budget that covers the pod. Throws TooManyRequests where there is none left. */
async function spend(
  tools: VerbTools,
  row: KindRow,
  pod: Pod,
  { dryRun, fence }: Pick<WriteCall, 'dryRun' | 'fence'>,
): Promise<void> {
  while (true) {
    const record = await budgetOf(tools, row, pod)
    if (record === undefined) return
    const budget = record.object as PodDisruptionBudget
    if (isUnhealthy(pod) && mayGoUnhealthy(budget)) return
    assertAllowed(budget)
    if (dryRun) return
    const next = draftOf(budget)
    const now = formatTime(tools.registry.scope.clock.now())
    next.status!.disruptionsAllowed -= 1
    next.status!.disruptedPods = { ...next.status!.disruptedPods, [pod.metadata.name]: now }
    delete next.metadata.resourceVersion
    if ((await tools.registry.records.put(row, next as PodDisruptionBudget, record, fence)) !== undefined) return
  }
}

async function budgetOf(tools: VerbTools, row: KindRow, pod: Pod): Promise<StoredRecord | undefined> {
  const all = await tools.registry.records.list(row, pod.metadata.namespace)
  const mine = all.filter((record) => {
    const { selector } = (record.object as PodDisruptionBudget).spec ?? {}
    return selector !== undefined && selects(selector, pod.metadata.labels ?? {})
  })
  if (mine.length > 1) {
    throw new ApiError(
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    )
  }
  return mine[0]
}

function isUnhealthy(pod: Pod): boolean {
  return !(pod.status?.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True')
}

function mayGoUnhealthy(budget: PodDisruptionBudget): boolean {
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
  return currentHealthy >= desiredHealthy && desiredHealthy > 0
}

function assertAllowed(budget: PodDisruptionBudget): void {
  const { status, metadata } = budget
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) {
    throw refused(`The disruption budget ${metadata.name} is still being processed by the server.`, 10)
  }
  if ((status?.disruptionsAllowed ?? 0) > 0) return
  throw refused(
    `The disruption budget ${metadata.name} needs ${status?.desiredHealthy ?? 0} healthy pods and has ${status?.currentHealthy ?? 0} currently`,
  )
}

function refused(cause: string, retryAfterSeconds?: number): ApiError {
  return new ApiError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    details: {
      causes: [{ reason: 'DisruptionBudget', message: cause }],
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    },
  })
}
