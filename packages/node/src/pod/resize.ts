// In-place resize: what of a running pod's containers must change for its specification to be in force, and whether the
// node has room for it. Pure.

import type { Container, ContainerResizePolicy, Pod, ResourceRequirements } from '@aksel/api/types/core-v1'
import { quantityMilli } from '@aksel/base/quantity'
import { isSidecar } from './names.ts'
import { qosOf } from './resources.ts'
import { isRunning, latestRun } from './runtime-view.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'
import { amountOf, requestOf } from './totals.ts'

/** Requests and limits of one container. */
export type Amounts = Pick<ResourceRequirements, 'requests' | 'limits'>

export interface ContainerResize {
  readonly run: ContainerRun
  readonly container: Container
  /** `restart`: a resource changed whose resize policy asks for it. */
  readonly how: 'update' | 'restart'
}

const resizable = ['cpu', 'memory'] as const

/** Running containers whose amounts in force are not those of the specification. */
export function resizesOf(
  pod: Pod,
  view: RuntimeView,
  inForce: (run: ContainerRun) => Amounts,
): readonly ContainerResize[] {
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)]
  return containers.flatMap((container): readonly ContainerResize[] => {
    const run = latestRun(view, container.name)
    if (!isRunning(run)) return []
    const changed = changedResources(inForce(run), container.resources ?? {})
    if (changed.length === 0) return []
    const restarts = changed.some((name) => policyOf(container.resizePolicy ?? [], name) === 'RestartContainer')
    return [{ run, container, how: restarts ? 'restart' : 'update' }]
  })
}

function policyOf(policies: readonly ContainerResizePolicy[], name: string): string {
  return policies.find(({ resourceName }) => resourceName === name)?.restartPolicy ?? 'NotRequired'
}

/** Names of what differs. */
export function changedResources(before: Amounts, after: Amounts): readonly string[] {
  return resizable.filter((name) =>
    (['requests', 'limits'] as const).some((list) => !equal(before[list]?.[name], after[list]?.[name])),
  )
}

function equal(left: string | number | undefined, right: string | number | undefined): boolean {
  if (left === undefined || right === undefined) return left === right
  return quantityMilli(left) === quantityMilli(right)
}

/** What a Guaranteed pod has alone cannot change while it runs; `changed` names what would. Upstream's words. */
export function judgePolicies(
  pod: Pod,
  changed: readonly string[],
  fixed: Readonly<Partial<Record<'cpu' | 'memory', string>>>,
): Refusal | undefined {
  if (qosOf(pod) !== 'Guaranteed') return undefined
  const policy = resizable.filter((name) => changed.includes(name)).flatMap((name) => fixed[name] ?? [])[0]
  if (policy === undefined) return undefined
  return { reason: 'Infeasible', message: `Resize is infeasible for Guaranteed Pods alongside ${policy}` }
}

export interface Room {
  /** Of the node, as quantities. */
  readonly allocatable: Readonly<Record<string, string | number>>
  /** Requests of all other pods of the node: thousandths of a CPU, and bytes. */
  readonly taken: { readonly cpu: number; readonly memory: number }
}

export interface Refusal {
  /** Never on this node, or not while the others are here. */
  readonly reason: 'Infeasible' | 'Deferred'
  readonly message: string
}

/** Undefined where the pod's wish fits; upstream's words where it does not. */
export function judgeRoom(pod: Pod, { allocatable, taken }: Room): Refusal | undefined {
  for (const name of resizable) {
    const wanted = requestOf(pod, name)
    const capacity = amountOf(name, allocatable[name] ?? 0)
    if (wanted > capacity) {
      const message = `Node didn't have enough capacity: ${name}, requested: ${wanted}, capacity: ${capacity}`
      return { reason: 'Infeasible', message }
    }
    if (wanted + taken[name] > capacity)
      return { reason: 'Deferred', message: `Node didn't have enough resource: ${name}` }
  }
  return undefined
}
