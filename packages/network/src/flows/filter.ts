// Which flows are meant: by ContainerNetworkLog objects, and by whoever looks at the stream.

import type { LabelSelector } from '@aksel/api/types/meta-v1'
import { matchesSelector, type Labels } from '@aksel/runtime/selectors'
import { isAddress, contains, parseAddress, parseRange } from '@aksel/base/ipv4'
import { portsOf, protocolOf, type Endpoint, type Flow } from './hubble.ts'

/** One side of a flow, in the words of `acn.azure.com/v1alpha1`. */
export interface EndpointFilter {
  readonly ip?: readonly string[]
  readonly labelSelector?: LabelSelector
  /** `namespace/` and the beginning of a pod's name. */
  readonly namespacedPod?: readonly string[]
}

export interface IncludeFilter {
  readonly name: string
  readonly from?: EndpointFilter
  readonly to?: EndpointFilter
  /** `tcp`, `udp`, `dns`. */
  readonly protocol?: readonly string[]
  /** `forwarded`, `dropped`. */
  readonly verdict?: readonly string[]
}

/** What is given must all hold; of each list one entry is enough. */
export function isIncluded(flow: Flow, filter: IncludeFilter): boolean {
  const { from, to, protocol, verdict } = filter
  return (
    (from === undefined || isSide(flow.source, flow.IP.source, from)) &&
    (to === undefined || isSide(flow.destination, flow.IP.destination, to)) &&
    (protocol === undefined || protocol.length === 0 || protocol.some((name) => hasProtocol(flow, name))) &&
    (verdict === undefined || verdict.length === 0 || verdict.some((name) => name.toUpperCase() === flow.verdict))
  )
}

function isSide(endpoint: Endpoint, address: string, filter: EndpointFilter): boolean {
  const { ip = [], labelSelector, namespacedPod = [] } = filter
  return (
    (ip.length === 0 || ip.some((range) => holds(range, address))) &&
    (namespacedPod.length === 0 || namespacedPod.some((text) => isPod(endpoint, text))) &&
    (labelSelector === undefined || matchesSelector(labelSelector, labelsOf(endpoint)))
  )
}

function holds(text: string, address: string): boolean {
  if (!text.includes('/')) return text === address
  try {
    return isAddress(address) && contains(parseRange(text), parseAddress(address))
  } catch {
    return false
  }
}

function isPod({ namespace, pod_name: name }: Endpoint, text: string): boolean {
  const [wantedNamespace, wantedName = ''] = text.split('/')
  return namespace === wantedNamespace && (name ?? '').startsWith(wantedName)
}

/** With the pseudo-label `k8s.io/namespace`. */
function labelsOf({ labels, namespace }: Endpoint): Labels {
  const pairs = labels.filter((label) => label.startsWith('k8s:')).map((label) => label.slice(4).split('='))
  const own = Object.fromEntries(pairs.map(([key = '', ...value]) => [key, value.join('=')]))
  return namespace === undefined ? own : { ...own, 'k8s.io/namespace': namespace }
}

function hasProtocol(flow: Flow, name: string): boolean {
  return name.toLowerCase() === 'dns'
    ? flow.l7?.dns !== undefined
    : protocolOf(flow).toLowerCase() === name.toLowerCase()
}

/** What `aksel flows` asks a node for. */
export interface StreamFilter {
  /** Of either side. */
  readonly namespace?: string
  /** `name` or `namespace/name`, the beginning of it; of either side. */
  readonly pod?: string
  readonly verdict?: string
  /** Of either side. */
  readonly port?: number
}

export function isWanted(flow: Flow, { namespace, pod, verdict, port }: StreamFilter): boolean {
  const sides = [flow.source, flow.destination]
  const ports = portsOf(flow)
  return (
    (namespace === undefined || sides.some((side) => side.namespace === namespace)) &&
    (pod === undefined || sides.some((side) => isNamed(side, pod))) &&
    (verdict === undefined || flow.verdict === verdict.toUpperCase()) &&
    (port === undefined || ports.source === port || ports.destination === port)
  )
}

function isNamed(side: Endpoint, text: string): boolean {
  return text.includes('/') ? isPod(side, text) : side.pod_name?.startsWith(text) === true
}
