// Carries out what `model/actions.ts` describes.

import type { Order } from '../model/actions.ts'
import { call, CallError, callJson, clusterCall } from './api.ts'
import { evictOrder, planDrain, type DrainPlan } from '../model/actions.ts'

/** Rejects with the server's refusal. */
export async function sendOrder(cluster: string, { method, path, body, contentType }: Order): Promise<void> {
  await call(clusterCall(cluster, path), {
    method,
    ...(body === undefined ? {} : { body }),
    ...(contentType === undefined ? {} : { contentType }),
  })
}

export interface DrainProgress {
  readonly left: number
  readonly total: number
  /** What a disruption budget says, while it holds a pod back. */
  readonly waiting: string
}

const BUDGET_MS = 2000

/** Until all that is to go is gone. A budget that says no is asked again, as kubectl does. */
export async function drain(
  cluster: string,
  node: string,
  signal: AbortSignal,
  seen: (progress: DrainProgress) => void,
): Promise<DrainPlan> {
  const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`
  const read = async (): Promise<DrainPlan> =>
    planDrain(
      (await callJson<{ readonly items: Parameters<typeof planDrain>[0] }>(clusterCall(cluster, path), { signal }))
        .items,
    )
  let plan = await read()
  const total = plan.evict.length
  while (plan.evict.length > 0) {
    let waiting = ''
    for (const pod of plan.evict) {
      try {
        await sendOrder(cluster, evictOrder(pod))
      } catch (error) {
        if (!(error instanceof CallError) || (error.status !== 429 && error.status !== 404)) throw error
        if (error.status === 429) waiting = `${pod.metadata.namespace}/${pod.metadata.name}: ${error.message}`
      }
    }
    seen({ left: plan.evict.length, total, waiting })
    await new Promise((resolve) => setTimeout(resolve, waiting === '' ? 700 : BUDGET_MS))
    signal.throwIfAborted()
    plan = await read()
  }
  seen({ left: 0, total, waiting: '' })
  return plan
}
