// What an object takes of its namespace's quotas. Admission asks it for one object, the quota controller for all.

import { quantityOfUnits, tryParseQuantity } from '@aksel/base/quantity'
import type { Quantity } from '@aksel/base/quantity'
import type { KubernetesObject } from '../resource.ts'
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from '../types/core-v1.ts'
import { podScopes, podUsage } from './pod-usage.ts'
import type { Usage } from './quantities.ts'

/** A resource as quotas name it: `pods` with the empty group, `deployments` with `apps`. */
export interface Counted {
  readonly group: string
  readonly plural: string
}

/** `count/pods`, `count/deployments.apps`. */
export function countName({ group, plural }: Counted): string {
  return group === '' ? `count/${plural}` : `count/${plural}.${group}`
}

/** Kinds whose plain name is a quota too. */
const plainNames: ReadonlySet<string> = new Set([
  'configmaps',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
])

const one = quantityOfUnits(1)

/** Amounts by the names that a quota limits. */
export function usageOf(resource: Counted, object: KubernetesObject, nowMs: number): Usage {
  if (resource.group !== '') return new Map([[countName(resource), one]])
  if (resource.plural === 'pods') return podUsage(object as Pod, nowMs)
  const usage = new Map<string, Quantity>([[countName(resource), one]])
  if (plainNames.has(resource.plural)) usage.set(resource.plural, one)
  if (resource.plural === 'services') addService(usage, object as Service)
  if (resource.plural === 'persistentvolumeclaims') addClaim(usage, object as PersistentVolumeClaim)
  return usage
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  const ports = quantityOfUnits((spec?.ports ?? []).length)
  if (spec?.type === 'NodePort') usage.set('services.nodeports', ports)
  if (spec?.type !== 'LoadBalancer') return
  usage.set('services.loadbalancers', one)
  const portsNumbered = (spec.ports ?? []).filter(({ nodePort }) => (nodePort ?? 0) > 0).length
  const nodePorts = spec.allocateLoadBalancerNodePorts === false ? quantityOfUnits(portsNumbered) : ports
  usage.set('services.nodeports', nodePorts)
}

const classSuffix = '.storageclass.storage.k8s.io/'

function addClaim(usage: Map<string, Quantity>, { metadata, spec, status }: PersistentVolumeClaim): void {
  const asked = [spec?.resources?.requests?.['storage'], status?.allocatedResources?.['storage']]
    .map((text) => (text === undefined ? undefined : tryParseQuantity(text)))
    .filter((amount) => amount !== undefined)
  const storage = asked.length === 2 && asked[1]!.nano > asked[0]!.nano ? asked[1]! : asked[0]
  if (storage !== undefined) usage.set('requests.storage', storage)
  const storageClass = metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? ''
  if (storageClass === '') return
  usage.set(`${storageClass}${classSuffix}persistentvolumeclaims`, one)
  if (storage !== undefined) usage.set(`${storageClass}${classSuffix}requests.storage`, storage)
}

/** Whether the quota is about such an object at all: one of its scopes may leave it out. */
export function isInScope({ spec }: ResourceQuota, resource: Counted, object: KubernetesObject): boolean {
  const requirements = [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists', values: [] as readonly string[] })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ]
  if (requirements.length === 0) return true
  const scopes = scopesOf(resource, object)
  return requirements.every(({ scopeName, operator, values = [] }) => {
    const value = scopes.get(scopeName)
    switch (operator) {
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return scopes.size > 0 && value === undefined
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return scopes.size > 0 && (value === undefined || !values.includes(value))
      default:
        return false
    }
  })
}

/** Empty for kinds that have no scopes: a quota with scopes is never about them. */
function scopesOf({ group, plural }: Counted, object: KubernetesObject): ReadonlyMap<string, string> {
  if (group !== '') return new Map()
  if (plural === 'pods') return podScopes(object as Pod)
  if (plural !== 'persistentvolumeclaims') return new Map()
  const { spec } = object as PersistentVolumeClaim
  return spec?.volumeAttributesClassName === undefined
    ? new Map()
    : new Map([['VolumeAttributesClass', spec.volumeAttributesClassName]])
}
