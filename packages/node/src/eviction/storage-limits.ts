// Local storage that a pod may not use more of: limits of its containers, of all of them together, and of its emptyDirs.
// The order and the words are upstream's. Pure.

import type { Container, Pod } from '@aksel/api/types/core-v1'
import { canonicalQuantity, formatQuantity, quantityOfUnits, quantityUnits } from '@aksel/base/quantity'
import { isSidecar } from '../pod/names.ts'
import type { PodUsage } from './rank.ts'

const STORAGE = 'ephemeral-storage'

/** Whether anything of this pod's local storage is limited, so that it has to be measured. */
export function hasStorageLimit(pod: Pod): boolean {
  const limits = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(
    ({ resources }) => resources?.limits?.[STORAGE] !== undefined,
  )
  return limits || (pod.spec.volumes ?? []).some(({ emptyDir }) => sizeLimitOf(emptyDir?.sizeLimit) > 0)
}

/** What the pod did that it may not; undefined while it keeps its limits. */
export function brokenStorageLimit(pod: Pod, usage: PodUsage): string | undefined {
  return brokenVolume(pod, usage) ?? brokenTotal(pod, usage) ?? brokenContainer(pod, usage)
}

function brokenVolume(pod: Pod, usage: PodUsage): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = sizeLimitOf(emptyDir?.sizeLimit)
    if (limit === 0 || (usage.emptyDirBytes.get(name) ?? 0) <= limit) continue
    return `Usage of EmptyDir volume "${name}" exceeds the limit "${canonicalQuantity(emptyDir!.sizeLimit!)}". `
  }
  return undefined
}

function brokenTotal(pod: Pod, usage: PodUsage): string | undefined {
  const inits = pod.spec.initContainers ?? []
  const sum = [...pod.spec.containers, ...inits.filter(isSidecar)].reduce((total, one) => total + limitOf(one), 0)
  const limit = Math.max(sum, ...inits.filter((one) => !isSidecar(one)).map(limitOf))
  if (limit === 0 || usage.diskBytes <= limit) return undefined
  const text = formatQuantity(quantityOfUnits(limit, 'BinarySI'))
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${text}. `
}

function brokenContainer(pod: Pod, usage: PodUsage): string | undefined {
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    const limit = limitOf(container)
    const used = usage.containers.find(({ name }) => name === container.name)?.diskBytes ?? 0
    if (limit === 0 || used <= limit) continue
    const text = canonicalQuantity(container.resources!.limits![STORAGE]!)
    return `Container ${container.name} exceeded its local ephemeral storage limit "${text}". `
  }
  return undefined
}

function limitOf({ resources }: Container): number {
  const value = resources?.limits?.[STORAGE]
  return value === undefined ? 0 : quantityUnits(value)
}

function sizeLimitOf(value: string | number | undefined): number {
  return value === undefined ? 0 : quantityUnits(value)
}
