// What a pod asks for, and is held to, as a whole: its containers together, what it says for itself, and what its runtime
// costs beside them. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { quantityMilli, quantityUnits } from '@aksel/base/quantity'
import { isSidecar } from './names.ts'

type Name = 'cpu' | 'memory'
type Read = (resources: Container['resources']) => string | number | undefined

/** Thousandths of a CPU, or bytes. */
export function amountOf(name: Name, value: string | number): number {
  return name === 'cpu' ? quantityMilli(value) : quantityUnits(value)
}

/** What a pod asks for in all: thousandths of a CPU or bytes. A limit without a request asks for as much. */
export function requestOf(pod: Pod, name: Name): number {
  const read: Read = (resources) => resources?.requests?.[name] ?? resources?.limits?.[name]
  const whole = pod.spec.resources?.requests?.[name] ?? pod.spec.resources?.limits?.[name]
  return (whole === undefined ? sumOf(pod, name, read) : amountOf(name, whole)) + overheadOf(pod, name)
}

/** Undefined where something of the pod has no limit. */
export function limitOf(pod: Pod, name: Name): number | undefined {
  const whole = pod.spec.resources?.limits?.[name]
  if (whole !== undefined) return amountOf(name, whole) + overheadOf(pod, name)
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  if (all.some(({ resources }) => resources?.limits?.[name] === undefined)) return undefined
  return sumOf(pod, name, (resources) => resources?.limits?.[name]) + overheadOf(pod, name)
}

/** Of the memory that the pod asks for as a whole, each container's part of what no container names: bytes. */
export function unnamedMemoryOf(pod: Pod): number {
  const whole = pod.spec.resources?.requests?.['memory']
  if (whole === undefined) return 0
  const named = sumOf(pod, 'memory', (resources) => resources?.requests?.['memory'])
  const count = pod.spec.containers.length + (pod.spec.initContainers ?? []).filter(isSidecar).length
  return Math.max(0, Math.floor((quantityUnits(whole) - named) / Math.max(1, count)))
}

function overheadOf({ spec }: Pod, name: Name): number {
  const value = spec.overhead?.[name]
  return value === undefined ? 0 : amountOf(name, value)
}

/** Side-cars run beside the containers, and beside the init steps that follow them. */
function sumOf({ spec }: Pod, name: Name, read: Read): number {
  const of = ({ resources }: Container): number => {
    const value = read(resources)
    return value === undefined ? 0 : amountOf(name, value)
  }
  let sidecars = 0
  let peak = 0
  for (const step of spec.initContainers ?? []) {
    if (isSidecar(step)) sidecars += of(step)
    peak = Math.max(peak, isSidecar(step) ? sidecars : sidecars + of(step))
  }
  return Math.max(
    peak,
    spec.containers.reduce((sum, one) => sum + of(one), sidecars),
  )
}
