// The status of one container: its state, its last state, its counts, in upstream's words.

import type { Container, ContainerState, ContainerStateTerminated, ContainerStatus } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isSidecar } from './names.ts'
import type { Amounts } from './resize.ts'
import { isRunning } from './runtime-view.ts'
import type { ContainerRun } from './runtime-view.ts'

export interface ContainerFacts {
  /** Newest first. */
  readonly runs: readonly ContainerRun[]
  readonly isInit: boolean
  /** Why a container that never ran does not run: `ContainerCreating` or `PodInitializing`. */
  readonly pendingReason: string
  readonly waiting?: { readonly reason: string; readonly message?: string }
  readonly probes: (run: ContainerRun) => { readonly started: boolean; readonly ready: boolean }
  /** What a running container is held to. */
  readonly inForce: (run: ContainerRun) => Amounts
  /** A resize was refused: the node gives what it gave before. */
  readonly isRefused: boolean
  readonly terminationMessage: (run: ContainerRun) => string
  /** The pod is over; nothing waits any more. */
  readonly ended: boolean
  /** What the API shows now: stands in where the runtime has forgotten the container. */
  readonly known: ContainerStatus | undefined
}

export function containerStatus(container: Container, facts: ContainerFacts): ContainerStatus {
  const [run, before] = facts.runs
  if (run === undefined) return neverRan(container, facts)
  const verdict = isRunning(run) ? facts.probes(run) : { started: false, ready: false }
  const state = stateOf(run, facts)
  const last = lastState(run, before, state, facts)
  // An init container is ready when it has done its work, not while it runs.
  const runsOnce = facts.isInit && !isSidecar(container)
  const completed = run.state === 'CONTAINER_EXITED' && run.exitCode === 0
  return {
    name: container.name,
    state,
    lastState: last,
    ready: runsOnce ? completed : verdict.ready && verdict.started,
    restartCount: run.attempt,
    image: run.image === '' ? (container.image ?? '') : run.image,
    imageID: run.imageRef,
    containerID: `containerd://${run.id}`,
    started: runsOnce ? isRunning(run) : verdict.started,
    ...(isRunning(run) ? resourcesInForce(container, facts.inForce(run), facts.isRefused) : resourcesOf(container)),
    ...mountsOf(container),
  }
}

function neverRan(container: Container, facts: ContainerFacts): ContainerStatus {
  const known = facts.known
  // The pod ended before the container began, or the runtime forgot one that had ended.
  if (known?.state?.terminated !== undefined) return known
  const lost = facts.ended && known?.containerID !== undefined
  return {
    name: container.name,
    state: lost ? { terminated: unknownEnd } : { waiting: facts.waiting ?? { reason: facts.pendingReason } },
    lastState: {},
    ready: false,
    restartCount: known?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
    started: false,
    ...resourcesOf(container),
    ...mountsOf(container),
  }
}

const unknownEnd: ContainerStateTerminated = {
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
}

function stateOf(run: ContainerRun, facts: ContainerFacts): ContainerState {
  switch (run.state) {
    case 'CONTAINER_RUNNING':
      return { running: { startedAt: formatTime(run.startedAtMs) } }
    case 'CONTAINER_EXITED':
      if (facts.waiting !== undefined && !facts.ended) return { waiting: facts.waiting }
      return { terminated: terminatedOf(run, facts) }
    case 'CONTAINER_CREATED':
    case 'CONTAINER_UNKNOWN':
      return { waiting: facts.waiting ?? { reason: facts.pendingReason } }
    default:
      return run.state satisfies never
  }
}

function lastState(
  run: ContainerRun,
  before: ContainerRun | undefined,
  state: ContainerState,
  facts: ContainerFacts,
): ContainerState {
  const ended = state.terminated === undefined && run.state === 'CONTAINER_EXITED' ? run : before
  if (ended?.state === 'CONTAINER_EXITED') return { terminated: terminatedOf(ended, facts) }
  return {}
}

function terminatedOf(run: ContainerRun, facts: ContainerFacts): ContainerStateTerminated {
  const message = facts.terminationMessage(run)
  return {
    exitCode: run.exitCode,
    reason: run.reason === '' ? (run.exitCode === 0 ? 'Completed' : 'Error') : run.reason,
    ...(message === '' ? {} : { message }),
    startedAt: formatTime(run.startedAtMs === 0 ? run.createdAtMs : run.startedAtMs),
    finishedAt: formatTime(run.finishedAtMs),
    containerID: `containerd://${run.id}`,
  }
}

function resourcesInForce(
  container: Container,
  { requests, limits }: Amounts,
  isRefused: boolean,
): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  const allocated = isRefused ? requests : container.resources?.requests
  // Also where nothing is asked for: it tells the API server that this node can resize.
  return {
    ...(allocated === undefined ? {} : { allocatedResources: allocated }),
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
  }
}

function resourcesOf(container: Container): Pick<ContainerStatus, 'allocatedResources' | 'resources'> {
  const { requests, limits } = container.resources ?? {}
  if (requests === undefined && limits === undefined) return {}
  return {
    ...(requests === undefined ? {} : { allocatedResources: requests }),
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
  }
}

function mountsOf(container: Container): Pick<ContainerStatus, 'volumeMounts'> {
  const mounts = container.volumeMounts ?? []
  if (mounts.length === 0) return {}
  return {
    volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({
      name,
      mountPath,
      ...(readOnly === true ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
    })),
  }
}
