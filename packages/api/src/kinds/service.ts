// Service: a stable name and address in front of pods. Addresses and node ports come from the cluster's pools.

import { draftOf, type Draft } from '@aksel/base/draft'
import type { AllocationNeed, AllocationRules, KindRules } from '../kind-row.ts'
import { ageOf } from '../times.ts'
import type { Service, ServicePort } from '../types/core-v1.ts'
import { standardAddress } from '../validation/addresses.ts'
import { label1035Name, labelName } from '../validation/names.ts'
import { ageColumn, column, labelsText, nameColumn, orNone, wide } from './columns.ts'
import { setFamilies, validateFamilies, validateSecondKept, type IpFamilyName } from './service-families.ts'
import {
  isExternallyReachable,
  isHeadless,
  validateService,
  validateServiceStatus,
  validateServiceUpdate,
} from './service-validation.ts'
import { serviceAddresses, serviceWarnings } from '../warnings/services.ts'

function setDefaults(service: Draft<Service>): void {
  const { spec } = service
  spec.type ??= 'ClusterIP'
  spec.sessionAffinity ??= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } }
  }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP'
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
  if (isExternallyReachable(spec)) spec.externalTrafficPolicy ??= 'Cluster'
  if (spec.type !== 'ExternalName') spec.internalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true
    for (const ingress of service.status?.loadBalancer?.ingress ?? [])
      if (ingress.ip !== undefined) ingress.ipMode ??= 'VIP'
  }
}

function normalizeAddresses(spec: Draft<Service>['spec'], old?: Service['spec']): void {
  const [now, before] = [spec.clusterIP ?? '', old?.clusterIP ?? '']
  const sameList = JSON.stringify(spec.clusterIPs ?? []) === JSON.stringify(old?.clusterIPs ?? [])
  if (old === undefined) {
    if (now !== '' && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [now]
  } else if (now !== before && sameList) {
    if (now === '') delete spec.clusterIPs
    else spec.clusterIPs = [now]
  } else if (now === before && before !== '' && (spec.clusterIPs ?? []).length === 0) delete spec.clusterIP
}

/** An update that leaves given values out keeps them. */
function keepAllocated(spec: Draft<Service>['spec'], old: Service['spec']): void {
  if (spec.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if ((spec.clusterIP ?? '') === '' && (spec.clusterIPs ?? []).length === 0 && old.clusterIP !== undefined) {
      spec.clusterIP = old.clusterIP
      spec.clusterIPs = [...(old.clusterIPs ?? [])]
    }
    if (spec.ipFamilies === undefined && old.ipFamilies !== undefined) spec.ipFamilies = [...old.ipFamilies]
    if (spec.ipFamilyPolicy === undefined && old.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy = old.ipFamilyPolicy
  }
  if (usesNodePorts(spec) && usesNodePorts(old)) {
    const used = new Set((spec.ports ?? []).map(({ nodePort }) => nodePort))
    for (const port of spec.ports ?? []) {
      const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol)
      if ((port.nodePort ?? 0) === 0 && before?.nodePort !== undefined && !used.has(before.nodePort))
        port.nodePort = before.nodePort
    }
  }
  if (needsHealthPort(spec) && needsHealthPort(old)) spec.healthCheckNodePort ??= old.healthCheckNodePort ?? 0
}

/** What only the old type had must not linger when the type changes. */
function dropForType(spec: Draft<Service>['spec'], old: Service['spec']): void {
  if (old.type === spec.type) return
  if (usesNodePorts(old) && !usesNodePorts(spec)) {
    for (const port of spec.ports ?? []) {
      if (old.ports?.some((one) => one.nodePort === port.nodePort)) delete port.nodePort
    }
  }
  if (needsHealthPort(old) && !needsHealthPort(spec)) delete spec.healthCheckNodePort
  if (old.type === 'LoadBalancer') {
    if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass
    if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
      delete spec.allocateLoadBalancerNodePorts
  }
  if (old.externalTrafficPolicy === spec.externalTrafficPolicy && !isExternallyReachable(spec))
    delete spec.externalTrafficPolicy
  if (spec.type === 'ExternalName') {
    delete spec.clusterIP
    delete spec.clusterIPs
    delete spec.ipFamilies
    delete spec.ipFamilyPolicy
    delete spec.internalTrafficPolicy
  }
}

function usesNodePorts(spec: Service['spec']): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

function needsHealthPort(spec: Service['spec']): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}

function needsOf({ spec }: Service): readonly AllocationNeed[] {
  const needs: AllocationNeed[] = []
  if (spec.type !== 'ExternalName' && !isHeadless(spec)) {
    for (const [index, family] of (spec.ipFamilies ?? ['IPv4']).entries()) {
      const value = standardAddress(spec.clusterIPs?.[index] ?? (index === 0 ? spec.clusterIP : undefined) ?? '')
      const asked = value === '' ? {} : { value }
      needs.push({ pool: 'clusterIP', field: `spec.clusterIPs[${index}]`, family: family as IpFamilyName, ...asked })
    }
  }
  const withPorts = usesNodePorts(spec) || (spec.ports ?? []).some(({ nodePort = 0 }) => nodePort > 0)
  for (const [index, { port, nodePort = 0 }] of (withPorts ? (spec.ports ?? []) : []).entries()) {
    const field = `spec.ports[${index}].nodePort`
    if (nodePort > 0)
      needs.push({ pool: 'nodePort', field, value: String(nodePort), shareKey: `node port ${nodePort}` })
    else if (usesNodePorts(spec)) needs.push({ pool: 'nodePort', field, shareKey: `port ${port}` })
  }
  if (needsHealthPort(spec)) {
    const value = spec.healthCheckNodePort ?? 0
    needs.push({
      pool: 'nodePort',
      field: 'spec.healthCheckNodePort',
      ...(value === 0 ? {} : { value: String(value) }),
    })
  }
  return needs
}

const allocations: AllocationRules<Service> = {
  needs: needsOf,
  assign({ spec }, needs, values) {
    for (const [index, { pool, field }] of needs.entries()) {
      const value = values[index]!
      const port = /^spec\.ports\[(\d+)\]/.exec(field)
      if (pool === 'clusterIP') {
        const at = Number(/\[(\d+)\]$/.exec(field)![1])
        // What was asked for stays as its writer wrote it.
        if (standardAddress(spec.clusterIPs?.[at] ?? '') === value) continue
        spec.clusterIPs = (spec.clusterIPs ?? []).toSpliced(at, 1, value)
        spec.clusterIP = spec.clusterIPs[0]!
      } else if (port === null) spec.healthCheckNodePort = Number(value)
      else spec.ports![Number(port[1])]!.nodePort = Number(value)
    }
  },
  holds: (service) => needsOf(service).flatMap(({ pool, value }) => (value === undefined ? [] : [{ pool, value }])),
}

function externalAddress({ spec, status }: Service): string {
  if (spec.type === 'ExternalName') return spec.externalName ?? ''
  const fixed = (spec.externalIPs ?? []).join(',')
  if (spec.type !== 'LoadBalancer') return orNone(fixed)
  const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip ?? hostname ?? '').join(',')
  if (given === '') return fixed === '' ? '<pending>' : fixed
  return fixed === '' ? given : `${given},${fixed}`
}

function portsText(ports: readonly ServicePort[]): string {
  const texts = ports.map(({ port, nodePort = 0, protocol = 'TCP' }) =>
    nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return orNone(texts.join(','))
}

export const serviceRules: KindRules<Service> = {
  group: '',
  version: 'v1',
  kind: 'Service',
  storagePrefix: 'services/specs',
  // A label may begin with a digit since 1.36, where it may be one at all.
  nameRule: (name, prefix, release) =>
    release?.gates('RelaxedServiceNameValidation') === true ? labelName(name, prefix) : label1035Name(name, prefix),
  default: setDefaults,
  prepareForCreate({ spec }, { serviceFamilies = ['IPv4'] }) {
    normalizeAddresses(spec)
    setFamilies(spec, undefined, serviceFamilies)
  },
  prepareForUpdate({ spec }, old, { serviceFamilies = ['IPv4'] }) {
    normalizeAddresses(spec, old.spec)
    keepAllocated(spec, old.spec)
    dropForType(spec, old.spec)
    setFamilies(spec, old.spec, serviceFamilies)
  },
  validateCreate: (service, { serviceFamilies = ['IPv4'] }) => [
    ...validateService(service),
    ...validateFamilies(service.spec, undefined, serviceFamilies),
  ],
  warnings: (service, _old, release) => serviceWarnings(service, release),
  legacyAddresses: serviceAddresses,
  validateUpdate: (next, old, { serviceFamilies = ['IPv4'] }) => [
    ...validateServiceUpdate(next, old),
    ...validateSecondKept(next.spec, old.spec),
    ...validateFamilies(next.spec, old.spec, serviceFamilies),
  ],
  allocations,
  subresourceUpdates: {
    status: {
      prepareForUpdate(next, old) {
        next.spec = draftOf(old.spec) as Draft<Service>['spec']
      },
      validateUpdate: (next) => validateServiceStatus(next),
    },
  },
  columns: [
    nameColumn,
    column('Type', 'How the service is exposed.'),
    column('Cluster-IP', 'Its address inside the cluster.'),
    column('External-IP', 'Its addresses outside the cluster.'),
    column('Port(s)', 'The ports it listens on, and their node ports.'),
    ageColumn,
    wide('Selector', 'Labels of the pods behind it.'),
  ],
  cells: (service, nowMs) => [
    service.metadata.name,
    service.spec.type ?? 'ClusterIP',
    orNone(service.spec.clusterIPs?.[0] ?? service.spec.clusterIP),
    externalAddress(service),
    portsText(service.spec.ports ?? []),
    ageOf(service.metadata.creationTimestamp, nowMs),
    labelsText(service.spec.selector),
  ],
  selectableFields: ({ spec }) => ({ 'spec.clusterIP': spec.clusterIP ?? '', 'spec.type': spec.type ?? '' }),
}
