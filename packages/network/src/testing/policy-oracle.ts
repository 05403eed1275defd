// What Kubernetes says of a connection, read off the policies one by one: slow, obvious, and shares nothing with the compiler.

import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '@aksel/api/types/networking-v1'

export interface OraclePod {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly ip: string
  readonly ports: Readonly<Record<string, { readonly protocol: string; readonly port: number }>>
}

export interface OracleWorld {
  readonly policies: readonly NetworkPolicy[]
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** `protocol` as Kubernetes writes it: `TCP`. */
export function mayConnect(
  world: OracleWorld,
  from: OraclePod,
  to: OraclePod,
  protocol: string,
  port: number,
): boolean {
  if (from === to) return true
  const out = policiesOf(world, from, 'Egress')
  const into = policiesOf(world, to, 'Ingress')
  const leaves = out.some(({ spec, metadata }) =>
    (spec.egress ?? []).some(
      (rule) => peers(world, metadata.namespace!, rule.to, to) && allows(rule.ports, to, protocol, port),
    ),
  )
  const enters = into.some(({ spec, metadata }) =>
    (spec.ingress ?? []).some(
      (rule) => peers(world, metadata.namespace!, rule.from, from) && allows(rule.ports, to, protocol, port),
    ),
  )
  return (out.length === 0 || leaves) && (into.length === 0 || enters)
}

function policiesOf({ policies }: OracleWorld, pod: OraclePod, type: string): readonly NetworkPolicy[] {
  return policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.namespace && spec.policyTypes!.includes(type) && picks(spec.podSelector, pod.labels),
  )
}

function peers(
  world: OracleWorld,
  own: string,
  list: readonly NetworkPolicyPeer[] | undefined,
  pod: OraclePod,
): boolean {
  if (list === undefined || list.length === 0) return true
  return list.some(({ ipBlock, namespaceSelector, podSelector }) => {
    if (ipBlock !== undefined)
      return inside(ipBlock.cidr, pod.ip) && !(ipBlock.except ?? []).some((range) => inside(range, pod.ip))
    const inNamespace =
      namespaceSelector === undefined
        ? pod.namespace === own
        : picks(namespaceSelector, world.namespaces[pod.namespace] ?? {})
    return inNamespace && (podSelector === undefined || picks(podSelector, pod.labels))
  })
}

function allows(
  list: readonly NetworkPolicyPort[] | undefined,
  to: OraclePod,
  protocol: string,
  port: number,
): boolean {
  if (list === undefined || list.length === 0) return true
  return list.some((entry) => {
    if ((entry.protocol ?? 'TCP') !== protocol) return false
    if (entry.port === undefined) return true
    if (typeof entry.port === 'string') {
      const named = to.ports[entry.port]
      return named !== undefined && named.protocol === protocol && named.port === port
    }
    return port >= entry.port && port <= (entry.endPort ?? entry.port)
  })
}

function picks({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Readonly<Record<string, string>>) {
  for (const [key, value] of Object.entries(matchLabels)) if (labels[key] !== value) return false
  for (const { key, operator, values = [] } of matchExpressions) {
    const has = Object.hasOwn(labels, key)
    const listed = has && values.includes(labels[key]!)
    const holds = { In: listed, NotIn: !listed, Exists: has, DoesNotExist: !has }[operator]
    if (holds !== true) return false
  }
  return true
}

function inside(cidr: string, ip: string): boolean {
  const bits = (text: string): string =>
    text
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('')
  const [address, length] = cidr.split('/') as [string, string]
  return bits(ip).slice(0, Number(length)) === bits(address).slice(0, Number(length))
}
