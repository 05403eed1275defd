// The resizes of one pod over time: what is in force, what is refused, what goes on. The kernel is changed through the
// runtime and the pod's own cgroup; what is in force stands in the container's annotation and, later, in the pod's status.

import type { Pod } from '@aksel/api/types/core-v1'
import { quantityUnits } from '@aksel/base/quantity'
import type { Scope } from '@aksel/base/scope'
import { readCgroupUsage } from '@aksel/host/cgroup-usage'
import { resourcesAnnotation } from './names.ts'
import { makePodCgroup, podCgroup } from './pod-cgroup.ts'
import { tellPod } from './pod-host.ts'
import type { PodHost } from './pod-host.ts'
import {
  changedResources,
  judgePolicies,
  judgeRoom,
  resizesOf,
  type Amounts,
  type ContainerResize,
  type Refusal,
} from './resize.ts'
import { linuxResources } from './resources.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'
import { requestOf } from './totals.ts'

export interface ResizeState {
  readonly refused: Refusal | undefined
  /** Undefined: nothing goes on. The message says what keeps it from its end, where something does. */
  readonly going: { readonly message?: string } | undefined
}

const RETRY_MS = 10_000

export class PodResizes {
  readonly #scope: Scope
  readonly #host: PodHost
  readonly #inForce = new Map<string, Amounts>()
  #whole: Amounts | undefined
  #retryAtMs = 0
  #state: ResizeState = { refused: undefined, going: undefined }

  constructor(scope: Scope, host: PodHost) {
    this.#scope = scope
    this.#host = host
  }

  /** When to try again what did not succeed. */
  get retryAtMs(): number | undefined {
    return this.#state.going?.message === undefined ? undefined : this.#retryAtMs
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
    const changed = wanted.flatMap(({ run, container }) =>
      changedResources(this.inForce(pod, run), container.resources ?? {}),
    )
    const refused =
      judgePolicies(pod, changed, this.#host.managers?.fixed ?? {}) ??
      judgeRoom(pod, { allocatable: this.#host.volumes.allocatable, taken: this.#takenByOthers(pod) })
    if (refused !== undefined) {
      this.#state = { refused, going: undefined }
      return []
    }
    this.#state = { refused: undefined, going: this.#state.going ?? {} }
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
      // Told, and tried again: what stands in the way may go, as memory that is used now.
      const { message } = error as Error
      if (this.#state.going?.message !== message) {
        this.#scope.log.info('a pod was not resized', { error })
        const summary = { ...summaryOf(pod), error: message }
        const news = { reason: 'ResizeError', message: `Pod resize error: ${JSON.stringify(summary)}` } as const
        tellPod(this.#scope, this.#host, { pod, type: 'Warning', ...news })
      }
      this.#state = { refused: undefined, going: { message } }
      this.#retryAtMs = this.#scope.clock.now() + RETRY_MS
      return []
    }
  }

  /** A pod's bounds grow before its containers' do, and shrink after them: a child may never have more than its parent. */
  async #update(pod: Pod, wanted: readonly ContainerResize[]): Promise<void> {
    const { cgroupRoot, capacity, runtime } = this.#host
    await this.#refuseBelowUsage(pod, wanted)
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

  /** Less memory than is used now would end the pod's processes: upstream waits until they use less. */
  async #refuseBelowUsage(pod: Pod, wanted: readonly ContainerResize[]): Promise<void> {
    const path = podCgroup(this.#host.cgroupRoot, pod)
    for (const { run, container, how } of wanted) {
      const bytes = shrunk(this.inForce(pod, run), container.resources ?? {})
      if (bytes === undefined || how === 'restart') continue
      const used = (await readCgroupUsage(`${path}/${run.id}`))?.usageBytes ?? 0
      if (used >= bytes) {
        const what = `container "${container.name}" memory limit (${bytes}) below current usage (${used})`
        throw new Error(`attempting to set ${what}`)
      }
    }
    const bytes = shrunk(this.wholeInForce(pod), pod.spec.resources ?? {})
    const used = bytes === undefined ? 0 : ((await readCgroupUsage(path))?.usageBytes ?? 0)
    if (bytes !== undefined && used >= bytes)
      throw new Error(`attempting to set pod memory limit (${bytes}) below current usage (${used})`)
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

/** Bytes of the new limit of memory where it is lower than before. */
function shrunk(before: Amounts, after: Amounts): number | undefined {
  const [old, now] = [before, after].map(({ limits }) => limits?.['memory'])
  if (now === undefined || (old !== undefined && quantityUnits(old) <= quantityUnits(now))) return undefined
  return quantityUnits(now)
}

function summaryOf(pod: Pod): object {
  return {
    ...(pod.spec.resources === undefined ? {} : { resources: amountsOf(pod.spec.resources) }),
    containers: pod.spec.containers.map(({ name, resources }) => ({ name, resources: amountsOf(resources ?? {}) })),
  }
}
