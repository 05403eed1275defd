// Whether a pod that names this node may run on it. Who sets `nodeName` by hand goes around the scheduler, so the node looks
// once more, before anything of the pod is made: upstream's general predicates, in its words. Pure.

import type { Container, ContainerPort, Pod } from '@aksel/api/types/core-v1'
import { isSidecar } from './names.ts'
import { amountOf, requestOf } from './totals.ts'

export interface Refusal {
  readonly reason: string
  readonly message: string
}

export interface NodeRoom {
  /** Of the node, as quantities. */
  readonly allocatable: Readonly<Record<string, string | number>>
  readonly maxPods: number
  /** The pods that were let in before and have not ended. */
  readonly admitted: readonly Pod[]
}

/** Why the pod is refused for good; undefined when it may run. */
export function judgeAdmission(pod: Pod, { allocatable, maxPods, admitted }: NodeRoom): Refusal | undefined {
  const others = admitted.filter(({ metadata, status }) => metadata.uid !== pod.metadata.uid && !isOver(status?.phase))
  if (others.length + 1 > maxPods) return lacking('pods', { requested: 1, used: others.length, capacity: maxPods })
  for (const name of ['cpu', 'memory'] as const) {
    const requested = requestOf(pod, name)
    const used = others.reduce((sum, other) => sum + requestOf(other, name), 0)
    const capacity = amountOf(name, allocatable[name] ?? 0)
    if (requested > 0 && requested + used > capacity) return lacking(name, { requested, used, capacity })
  }
  const taken = others.flatMap(hostPorts)
  if (hostPorts(pod).some((port) => taken.some((other) => clash(port, other)))) {
    const message = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    return { reason: 'NodePorts', message }
  }
  return undefined
}

/** Let in by an earlier pass, maybe of an agent that has gone since. */
export function wasAdmitted({ status }: Pod): boolean {
  return status?.startTime !== undefined
}

function isOver(phase: string | undefined): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

function lacking(name: string, amounts: { requested: number; used: number; capacity: number }): Refusal {
  const { requested, used, capacity } = amounts
  const message = `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${used}, capacity: ${capacity}`
  return { reason: `OutOf${name}`, message }
}

function hostPorts({ spec }: Pod): readonly ContainerPort[] {
  const containers: readonly Container[] = [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)]
  return containers.flatMap(({ ports }) => ports ?? []).filter(({ hostPort }) => (hostPort ?? 0) > 0)
}

function clash(left: ContainerPort, right: ContainerPort): boolean {
  if (left.hostPort !== right.hostPort || (left.protocol ?? 'TCP') !== (right.protocol ?? 'TCP')) return false
  const [one, other] = [addressOf(left), addressOf(right)]
  return one === other || one === ANY || other === ANY
}

const ANY = '0.0.0.0'

function addressOf({ hostIP }: ContainerPort): string {
  return hostIP === undefined || hostIP === '' || hostIP === '::' ? ANY : hostIP
}
