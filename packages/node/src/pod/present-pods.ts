// Pods that have an address on this node, as the runtime knows them: an agent that starts hears of some of them nowhere else.

import type { ContainerRuntime } from '../cri/types.ts'
import { podNamespaceLabel, podUidLabel } from './names.ts'

export interface PresentPod {
  readonly uid: string
  readonly namespace: string
  /** Those that the pod had when its sandbox was made. */
  readonly labels: Readonly<Record<string, string>>
  readonly ip: string
}

export async function presentPods(
  runtime: Pick<ContainerRuntime, 'listPodSandboxes' | 'podSandboxStatus'>,
): Promise<readonly PresentPod[]> {
  const ready = (await runtime.listPodSandboxes()).filter(({ state }) => state === 'SANDBOX_READY')
  const found = ready.map(async ({ id, labels }): Promise<readonly PresentPod[]> => {
    const ip = (await runtime.podSandboxStatus(id)).network?.ip ?? ''
    const { [podUidLabel]: uid, [podNamespaceLabel]: namespace = '', ...others } = labels
    return ip === '' || uid === undefined ? [] : [{ uid, namespace, labels: others, ip }]
  })
  return (await Promise.all(found)).flat()
}
