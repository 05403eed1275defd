// What a service may say that has no effect, or will have none for long.

import type { Release } from '../kind-row.ts'
import type { Service } from '../types/core-v1.ts'
import type { LegacyAddress } from './addresses.ts'

const oldHints = 'service.kubernetes.io/topology-aware-hints'

export function serviceWarnings({ metadata, spec }: Service, { minor }: Release): readonly string[] {
  const warnings: string[] = []
  const isHeadless = spec.type === 'ClusterIP' && spec.clusterIP === 'None'
  const hasExternal = (spec.externalIPs ?? []).length > 0
  if (metadata.annotations?.[oldHints] !== undefined)
    warnings.push(`annotation ${oldHints} is deprecated, please use service.kubernetes.io/topology-mode instead`)
  if (isHeadless) {
    if ((spec.loadBalancerIP ?? '') !== '') warnings.push('spec.loadBalancerIP is ignored for headless services')
    if (hasExternal) warnings.push('spec.externalIPs is ignored for headless services')
    if (spec.sessionAffinity !== 'None') warnings.push('spec.SessionAffinity is ignored for headless services')
  }
  if (deprecatesExternal(minor) && hasExternal && !isHeadless && spec.type !== 'ExternalName')
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters')
  if (spec.type === 'ExternalName' && hasExternal)
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"')
  if (spec.type !== 'ExternalName' && (spec.externalName ?? '') !== '')
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"')
  if (spec.trafficDistribution === 'PreferClose')
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
  return warnings
}

function deprecatesExternal(minor: Release['minor']): boolean {
  switch (minor) {
    case '1.34':
    case '1.35':
      return false
    case '1.36':
      return true
    default:
      return minor satisfies never
  }
}

export function serviceAddresses({ spec }: Service): readonly LegacyAddress[] {
  const ips = (field: 'clusterIPs' | 'externalIPs'): readonly LegacyAddress[] =>
    (spec[field] ?? [])
      .map((text, index) => ({ path: `spec.${field}[${index}]`, kind: 'ip', text }) as const)
      .filter(({ text }) => text !== 'None' && text !== '')
  const balancer = spec.loadBalancerIP ?? ''
  return [
    ...ips('clusterIPs'),
    ...ips('externalIPs'),
    ...(balancer === '' ? [] : [{ path: 'spec.loadBalancerIP', kind: 'ip' as const, text: balancer }]),
    ...(spec.loadBalancerSourceRanges ?? []).map(
      (text, index) => ({ path: `spec.loadBalancerSourceRanges[${index}]`, kind: 'cidr', text: text.trim() }) as const,
    ),
  ]
}
