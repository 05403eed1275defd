// The static policy of the CPU manager: a container of a Guaranteed pod that asks for whole CPUs has them alone; all others
// share the rest. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityMilli } from '@aksel/base/quantity'
import type { Refusal } from '../pod/admission.ts'
import { isSidecar } from '../pod/names.ts'
import { qosOf } from '../pod/resources.ts'
import type { CpuSet } from './cpu-set.ts'
import { without } from './cpu-set.ts'

/** By pod uid, then by container: CPUs that it has alone. */
export type Assignments = ReadonlyMap<string, ReadonlyMap<string, CpuSet>>

export interface CpuPool {
  /** All CPUs of the machine. */
  readonly all: CpuSet
  /** How many of the first are never given away: what the machine's own programs keep, in whole CPUs. */
  readonly reserved: number
  readonly assigned: Assignments
}

/** Whole CPUs that the container has alone; 0: it shares. */
export function exclusiveCpus(pod: Pod, { resources }: Container): number {
  if (qosOf(pod) !== 'Guaranteed') return 0
  const value = resources?.requests?.['cpu'] ?? resources?.limits?.['cpu']
  const milli = value === undefined ? 0 : quantityMilli(value)
  return milli > 0 && milli % 1000 === 0 ? milli / 1000 : 0
}

export function sharedCpus({ all, assigned }: CpuPool): CpuSet {
  return without(
    all,
    [...assigned.values()].flatMap((own) => [...own.values()].flat()),
  )
}

/** What the pod's containers get; a refusal in upstream's words where there is not enough. */
export function assignCpus(pool: CpuPool, pod: Pod): ReadonlyMap<string, CpuSet> | Refusal {
  const own = new Map<string, CpuSet>()
  let free: CpuSet = sharedCpus(pool).filter((cpu) => !pool.all.slice(0, pool.reserved).includes(cpu))
  // What ends before the others begin is used again by them.
  let reusable: CpuSet = []
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    const wanted = exclusiveCpus(pod, container)
    if (wanted === 0) continue
    const candidates = [...reusable, ...without(free, reusable)]
    if (candidates.length < wanted) return tooFew(wanted, candidates.length)
    const cpus = candidates.slice(0, wanted).toSorted((left, right) => left - right)
    own.set(container.name, cpus)
    const isInit = pod.spec.initContainers?.includes(container) === true && !isSidecar(container)
    reusable = isInit ? [...new Set([...reusable, ...cpus])] : without(reusable, cpus)
    free = without(free, cpus)
  }
  return own
}

function tooFew(requested: number, available: number): Refusal {
  const why = `not enough cpus available to satisfy request: requested=${requested}, available=${available}`
  return { reason: 'UnexpectedAdmissionError', message: `Allocate failed due to ${why}, which is unexpected` }
}
