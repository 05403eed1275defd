// A request that was cut off, as by an agent that died, can leave containerd's CRI with a container whose task it has forgotten: then
// it removes neither the container nor its sandbox, for ever. Such a task is ended through containerd itself.

import { isGrpcCode } from '../containerd/grpc.ts'
import type { ContainerRuntime } from './types.ts'

/** More than a pod has containers. */
const TASKS_MAX = 100

/** The same runtime, which ends what stands in the way of a removal. `endTask` resolves when the task is gone. */
export function endingLostTasks(
  runtime: ContainerRuntime,
  endTask: (containerId: string) => Promise<void>,
): ContainerRuntime {
  const insist = async (remove: () => Promise<void>): Promise<void> => {
    for (let tries = 0; ; tries += 1) {
      try {
        return await remove()
      } catch (error) {
        const id = lostTaskOf(error)
        if (id === undefined || tries === TASKS_MAX) throw error
        await endTask(id)
      }
    }
  }
  return new Proxy(runtime, {
    get(target, name) {
      if (name === 'removeContainer') return (id: string) => insist(() => target.removeContainer(id))
      if (name === 'removePodSandbox') return (id: string) => insist(() => target.removePodSandbox(id))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Whose task keeps its container, by containerd's words: `cannot delete running task ID: failed precondition`. */
function lostTaskOf(error: unknown): string | undefined {
  if (!isGrpcCode(error, 'Unknown', 'FailedPrecondition', 'Internal')) return undefined
  return /cannot delete running task ([0-9a-f]{64})\b/.exec(error.details)?.[1]
}
