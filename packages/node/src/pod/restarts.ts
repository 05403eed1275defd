// Which of a pod's containers start again, from what the runtime shows of them. Pure.

import { couldRestartAll, matchingRestartRule, restartsAfter, ruledContainers } from '@aksel/api/pod-restarts'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { isSidecar } from './names.ts'
import { currentSandbox, latestRun } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

/** A container that was made and never started, or whose state is lost, starts again whatever the policy. */
export function mayRestart({ spec }: Pod, container: Container, run: ContainerRun): boolean {
  return run.state !== 'CONTAINER_EXITED' || restartsAfter(spec, container, run.exitCode)
}

/** The end of a container for which all of them start anew, until the runs are removed. */
export function restartAllCause({ spec }: Pod, view: RuntimeView): ContainerRun | undefined {
  if (!couldRestartAll(spec)) return undefined
  const sandboxId = currentSandbox(view)?.id
  for (const container of ruledContainers(spec)) {
    const run = latestRun(view, container.name)
    if (run?.state !== 'CONTAINER_EXITED' || run.sandboxId !== sandboxId) continue
    if (matchingRestartRule(container, run.exitCode)?.action === 'RestartAllContainers') return run
  }
  return undefined
}

/** An init container that failed and may not be tried again. */
export function hasFailedInit(pod: Pod, view: RuntimeView): boolean {
  return (pod.spec.initContainers ?? []).some((container) => {
    const run = latestRun(view, container.name)
    if (isSidecar(container) || run?.state !== 'CONTAINER_EXITED' || run.exitCode === 0) return false
    return !mayRestart(pod, container, run)
  })
}
