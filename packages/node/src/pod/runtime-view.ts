// What the runtime knows of one pod: all its sandboxes and containers, newest first. The agent's only memory of what runs.

import { isGrpcCode } from '../containerd/grpc.ts'
import type { ContainerRuntime, ContainerState, ContainerStatusEntry, SandboxStatus } from '../cri/types.ts'
import { hashAnnotation, podUidLabel, restartCountAnnotation } from './names.ts'

export interface SandboxRun {
  readonly id: string
  readonly attempt: number
  readonly ready: boolean
  /** Milliseconds since the Unix epoch, as all times here. */
  readonly createdAtMs: number
  /** Empty where the pod uses the node's network or has none yet. */
  readonly ips: readonly string[]
  /** Of its runtime class; absent for the runtime's default. */
  readonly handler?: string
}

export interface ContainerRun {
  readonly id: string
  readonly sandboxId: string
  readonly name: string
  /** The restart count: 0 for the first. */
  readonly attempt: number
  readonly state: ContainerState
  readonly hash: string
  readonly image: string
  readonly imageRef: string
  readonly createdAtMs: number
  /** 0 where it has not started. */
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly exitCode: number
  readonly reason: string
  readonly message: string
  readonly annotations: Readonly<Record<string, string>>
}

export interface RuntimeView {
  readonly sandboxes: readonly SandboxRun[]
  readonly containers: readonly ContainerRun[]
}

export const emptyView: RuntimeView = { sandboxes: [], containers: [] }

/** Statuses of containers that have ended: they never change, so they are asked for once. */
export type EndedStatuses = Map<string, ContainerStatusEntry>

export async function observePod(runtime: ContainerRuntime, uid: string, ended: EndedStatuses): Promise<RuntimeView> {
  const labels = { [podUidLabel]: uid }
  const [sandboxes, containers] = await Promise.all([runtime.listPodSandboxes(labels), runtime.listContainers(labels)])
  const [sandboxRuns, containerRuns] = await Promise.all([
    Promise.all(sandboxes.map(({ id }) => unlessGone(sandboxRun(runtime, id)))),
    Promise.all(containers.map(({ id, podSandboxId }) => unlessGone(containerRun(runtime, id, podSandboxId, ended)))),
  ])
  const known = new Set(containers.map(({ id }) => id))
  for (const id of ended.keys()) if (!known.has(id)) ended.delete(id)
  return { sandboxes: sandboxRuns.flat().toSorted(newestFirst), containers: containerRuns.flat().toSorted(newestFirst) }
}

/** The newest run of a container, in any sandbox of the pod. */
export function latestRun(view: RuntimeView, name: string): ContainerRun | undefined {
  return view.containers.find((run) => run.name === name)
}

/** The newest sandbox, ready or not. */
export function currentSandbox(view: RuntimeView): SandboxRun | undefined {
  return view.sandboxes[0]
}

export function isRunning(run: ContainerRun | undefined): run is ContainerRun {
  return run?.state === 'CONTAINER_RUNNING'
}

async function sandboxRun(runtime: ContainerRuntime, id: string): Promise<SandboxRun> {
  const status = await runtime.podSandboxStatus(id)
  return {
    id,
    attempt: status.metadata.attempt,
    ready: status.state === 'SANDBOX_READY',
    createdAtMs: milliseconds(status.createdAt),
    ips: addressesOf(status.network),
    ...((status.runtimeHandler ?? '') === '' ? {} : { handler: status.runtimeHandler }),
  }
}

/** The first is of the cluster's first family; none for a pod on the node's own network. */
export function addressesOf(network: SandboxStatus['network']): readonly string[] {
  const main = network?.ip ?? ''
  return main === '' ? [] : [main, ...(network?.additionalIps ?? []).map(({ ip }) => ip)]
}

async function containerRun(
  runtime: ContainerRuntime,
  id: string,
  sandboxId: string,
  ended: EndedStatuses,
): Promise<ContainerRun> {
  const status = ended.get(id) ?? (await runtime.containerStatus(id))
  if (status.state === 'CONTAINER_EXITED') ended.set(id, status)
  return {
    id,
    sandboxId,
    name: status.metadata.name,
    attempt: Number(status.annotations[restartCountAnnotation] ?? status.metadata.attempt),
    state: status.state,
    hash: status.annotations[hashAnnotation] ?? '',
    image: status.image?.image ?? '',
    imageRef: status.imageRef,
    createdAtMs: milliseconds(status.createdAt),
    startedAtMs: milliseconds(status.startedAt),
    finishedAtMs: milliseconds(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message: status.message,
    annotations: status.annotations,
  }
}

/** What was listed may be removed before it is asked for. */
async function unlessGone<T>(call: Promise<T>): Promise<readonly T[]> {
  try {
    return [await call]
  } catch (error) {
    if (isGrpcCode(error, 'NotFound')) return []
    throw error
  }
}

function newestFirst(
  left: { readonly createdAtMs: number; readonly attempt: number },
  right: { readonly createdAtMs: number; readonly attempt: number },
): number {
  return right.attempt - left.attempt || right.createdAtMs - left.createdAtMs
}

function milliseconds(nanoseconds: number): number {
  return Math.floor(nanoseconds / 1e6)
}
