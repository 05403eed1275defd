// Which logs there are to follow: a container has one for each of its runs.

export interface LogSource {
  readonly pod: string
  readonly container: string
  /** Tells one run from the next; a container that has not started has none to follow yet, and another one once it has. */
  readonly run: string
}

const NO_RUN = 'none'

interface ContainerState {
  readonly name: string
  readonly restartCount?: number
  readonly state?: { readonly waiting?: object }
  readonly lastState?: { readonly terminated?: object }
}

export interface WithContainers {
  readonly metadata: { readonly name: string; readonly uid?: string }
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[]
    readonly initContainers?: readonly { readonly name: string }[]
  }
  readonly status?: {
    readonly containerStatuses?: readonly ContainerState[]
    readonly initContainerStatuses?: readonly ContainerState[]
  }
}

export function logSources(pods: readonly WithContainers[], withInit: boolean): readonly LogSource[] {
  return pods.flatMap(({ metadata: { name: pod, uid = '' }, spec, status }) => {
    const states = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    const containers = [...(withInit ? (spec?.initContainers ?? []) : []), ...(spec?.containers ?? [])]
    return containers.map(({ name }) => ({
      pod,
      container: name,
      run: `${uid} ${runOf(states.find((each) => each.name === name))}`,
    }))
  })
}

/** Whether it has no run yet whose log could be followed. */
export function waitsToStart({ run }: LogSource): boolean {
  return run.endsWith(` ${NO_RUN}`)
}

function runOf(state: ContainerState | undefined): string {
  const count = state?.restartCount ?? 0
  // One that waits to be started again still has the log of its last run, which is followed already.
  const hasRun = count > 0 || state?.lastState?.terminated !== undefined
  const waits = state === undefined || state.state?.waiting !== undefined
  return waits && !hasRun ? NO_RUN : String(count)
}
