// A pod's own fields and resources as text, for its environment and its downward API files.

import type { Container, ObjectFieldSelector, Pod, ResourceFieldSelector } from '@aksel/api/types/core-v1'
import { parseQuantity } from '@aksel/base/quantity'
import { allContainers } from './names.ts'

export interface PodAddresses {
  readonly podIps: readonly string[]
  readonly hostIps: readonly string[]
}

/** What a container may use where it names no limit: the node's allocatable. */
export type Allocatable = Readonly<Record<string, number | string>>

/** Throws in upstream's words where the path names nothing. */
export function fieldValue(pod: Pod, { fieldPath }: ObjectFieldSelector, addresses: PodAddresses): string {
  const { metadata, spec } = pod
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath)
  if (subscript !== null) return metadata[subscript[1] as 'labels' | 'annotations']?.[subscript[2]!] ?? ''
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid ?? ''
    case 'metadata.labels':
      return formatMap(metadata.labels)
    case 'metadata.annotations':
      return formatMap(metadata.annotations)
    case 'spec.nodeName':
      return spec.nodeName ?? ''
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? ''
    case 'status.hostIP':
      return addresses.hostIps[0] ?? ''
    case 'status.hostIPs':
      return addresses.hostIps.join(',')
    case 'status.podIP':
      return addresses.podIps[0] ?? ''
    case 'status.podIPs':
      return addresses.podIps.join(',')
    default:
      throw new Error(`unsupported fieldPath: ${fieldPath}`)
  }
}

/** `key="value"` lines in the order of their keys, as in downward API files. */
function formatMap(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

/** Whole divisors, rounded up. */
export function resourceValue(
  pod: Pod,
  own: Container | undefined,
  selector: ResourceFieldSelector,
  allocatable: Allocatable,
): string {
  const container =
    selector.containerName === undefined || selector.containerName === ''
      ? own
      : allContainers(pod).find(({ name }) => name === selector.containerName)
  if (container === undefined) throw new Error(`container ${selector.containerName} not found`)
  const [list, resource] = split(selector.resource)
  const stated = container.resources?.[list]?.[resource]
  const amount = stated ?? (list === 'limits' ? allocatable[resource] : 0) ?? 0
  const divisor = parseQuantity(isZero(selector.divisor) ? '1' : selector.divisor!).nano
  return String((parseQuantity(amount).nano + divisor - 1n) / divisor)
}

function isZero(divisor: number | string | undefined): boolean {
  return divisor === undefined || divisor === '' || parseQuantity(divisor).nano === 0n
}

function split(path: string): readonly ['limits' | 'requests', string] {
  const dot = path.indexOf('.')
  const list = path.slice(0, dot)
  if (list !== 'limits' && list !== 'requests') throw new Error(`unsupported container resource : ${path}`)
  return [list, path.slice(dot + 1)]
}
