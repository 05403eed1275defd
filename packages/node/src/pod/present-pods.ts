// Pods that have an address on this node, as the runtime knows them: an agent that starts hears of some of them nowhere else.

import type { ContainerRuntime } from '../cri/types.ts'
import { addressesOf } from './runtime-view.ts'
import { podNamespaceLabel, podUidLabel } from './names.ts'

export interface PresentPod {
  readonly uid: string
  readonly namespace: string
  /** Those that the pod had when its sandbox was made. */
  readonly labels: Readonly<Record<string, string>>
  /** Of both families, where the node has both. */
  readonly ips: readonly string[]
}

export async function presentPods(
  runtime: Pick<ContainerRuntime, 'listPodSandboxes' | 'podSandboxStatus'>,
): Promise<readonly PresentPod[]> {
  const ready = (await runtime.listPodSandboxes()).filter(({ state }) => state === 'SANDBOX_READY')
  const found = ready.map(async ({ id, labels }): Promise<readonly PresentPod[]> => {
    const ips = addressesOf((await runtime.podSandboxStatus(id)).network)
    const { [podUidLabel]: uid, [podNamespaceLabel]: namespace = '', ...others } = labels
    return ips.length === 0 || uid === undefined ? [] : [{ uid, namespace, labels: others, ips }]
  })
  return (await Promise.all(found)).flat()
}
