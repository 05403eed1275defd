// The resizes of one pod over time: what is in force, what is refused, what goes on. The kernel is changed through the
// runtime and the pod's own cgroup; what is in force stands in the container's annotation and, later, in the pod's status.

import type { Pod } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { resourcesAnnotation } from './names.ts'
import { makePodCgroup } from './pod-cgroup.ts'
import { tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import { changedResources, judgeRoom, resizesOf, type Amounts, type ContainerResize, type Refusal } from './resize.ts'
import { linuxResources } from './resources.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'
import { requestOf } from './totals.ts'

export interface ResizeState {
  readonly refused: Refusal | undefined
  /** Undefined: nothing goes on. The message says what keeps it from its end, where something does. */
  readonly going: { readonly message?: string } | undefined
}

export class PodResizes {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #inForce = new Map<string, Amounts>()
  #whole: Amounts | undefined
  #state: ResizeState = { refused: undefined, going: undefined }

  constructor(scope: Scope, host: PodHost) {
    this.#scope = scope
    this.#host = host
  }

  get state(): ResizeState {
    return this.#state
  }

  /** What the kernel holds this container to. */
  inForce(pod: Pod, run: ContainerRun): Amounts {
    const known = this.#inForce.get(run.id)
    if (known !== undefined) return known
    const amounts = told(pod, run) ?? parsed(run.annotations[resourcesAnnotation]) ?? {}
    this.#inForce.set(run.id, amounts)
    return amounts
  }

  /** What the kernel holds the pod as a whole to: what its cgroup was made with, or what the last agent said. */
  wholeInForce(pod: Pod): Amounts {
    return (this.#whole ??= amountsOf(pod.status?.resources ?? pod.spec.resources ?? {}))
  }

  /** Resizes what can be resized while it runs, and returns the containers that must restart for it. */
  async bring(pod: Pod, view: RuntimeView): Promise<readonly ContainerResize[]> {
    this.#forgetAllBut(view)
    const wanted = resizesOf(pod, view, (run) => this.inForce(pod, run))
    const isWhole = changedResources(this.wholeInForce(pod), pod.spec.resources ?? {}).length > 0
    if (wanted.length === 0 && !isWhole) {
      this.#state = { refused: undefined, going: undefined }
      return []
    }
    const refused = judgeRoom(pod, { allocatable: this.#host.volumes.allocatable, taken: this.#takenByOthers(pod) })
    if (refused !== undefined) {
      this.#state = { refused, going: undefined }
      return []
    }
    this.#state = { refused: undefined, going: {} }
    try {
      await this.#update(pod, wanted)
      const restarts = wanted.filter(({ how }) => how === 'restart')
      if (restarts.length === 0) {
        this.#state = { refused: undefined, going: undefined }
        tellPod(this.#scope, this.#host, {
          pod,
          type: 'Normal',
          reason: 'ResizeCompleted',
          message: `Pod resize completed: ${JSON.stringify(summaryOf(pod))}`,
        })
      }
      return restarts
    } catch (error) {
      this.#state = { refused: undefined, going: { message: (error as Error).message } }
      throw error
    }
  }

  /** A pod's bounds grow before its containers' do, and shrink after them: a child may never have more than its parent. */
  async #update(pod: Pod, wanted: readonly ContainerResize[]): Promise<void> {
    const { cgroupRoot, capacity, runtime } = this.#host
    await makePodCgroup(cgroupRoot, pod, capacity).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EINVAL' && error.code !== 'EBUSY') throw error
    })
    for (const { run, container, how } of wanted) {
      if (how === 'restart') continue
      const { oomScoreAdj: _, ...resources } = linuxResources(pod, container, capacity)
      await runtime.updateContainerResources(run.id, resources)
      this.#inForce.set(run.id, amountsOf(container.resources ?? {}))
    }
    if (wanted.every(({ how }) => how === 'update')) {
      await makePodCgroup(cgroupRoot, pod, capacity)
      this.#whole = amountsOf(pod.spec.resources ?? {})
    }
  }

  #takenByOthers(pod: Pod): { readonly cpu: number; readonly memory: number } {
    const others = this.#host.pods().filter(({ metadata }) => metadata.uid !== pod.metadata.uid)
    const sum = (name: 'cpu' | 'memory'): number => others.reduce((total, other) => total + requestOf(other, name), 0)
    return { cpu: sum('cpu'), memory: sum('memory') }
  }

  #forgetAllBut(view: RuntimeView): void {
    const known = new Set(view.containers.map(({ id }) => id))
    for (const id of this.#inForce.keys()) if (!known.has(id)) this.#inForce.delete(id)
  }
}

/** What the status says of this very run: an agent that restarted finds there what the last one brought into force. */
function told({ status }: Pod, run: ContainerRun): Amounts | undefined {
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])]
  const own = statuses.find(({ containerID }) => containerID === `containerd://${run.id}`)
  return own?.resources === undefined ? undefined : amountsOf(own.resources)
}

function parsed(text: string | undefined): Amounts | undefined {
  return text === undefined ? undefined : amountsOf(JSON.parse(text) as Amounts)
}

function amountsOf({ requests, limits }: Amounts): Amounts {
  return { ...(requests === undefined ? {} : { requests }), ...(limits === undefined ? {} : { limits }) }
}

function summaryOf(pod: Pod): object {
  return {
    ...(pod.spec.resources === undefined ? {} : { resources: amountsOf(pod.spec.resources) }),
    containers: pod.spec.containers.map(({ name, resources }) => ({ name, resources: amountsOf(resources ?? {}) })),
  }
}
