// What a managed namespace is inside its cluster: the namespace itself, a quota, a network policy. Adopted, kept in order, let go.

import { namespaces, networkPolicies, resourceQuotas } from '@aksel/api/resources'
import type { Namespace, ResourceQuotaSpec } from '@aksel/api/types/core-v1'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import { ignoreReason } from '@aksel/base/errors'
import { canonicalQuantity } from '@aksel/base/quantity'
import type { Client } from '@aksel/client/client'
import { isDeepStrictEqual } from 'node:util'
import { AksError } from '../../azure-errors.ts'
import type { ClusterChildRecord, Tags } from '../../records.ts'
import type { ChildObjects } from './cluster-children.ts'
import { namespaceOf, type NamespaceProperties, type PolicyRule } from './managed-namespaces.ts'
import { engineId } from './pass.ts'

/** It tells whose a namespace is: deleting the resource with `Keep` takes it away again. */
export const managedLabel = 'kubernetes.azure.com/managedByArm'
/** Names of the labels and annotations that the resource last put there, so that those it no longer has can go. */
const ownNames = 'kubernetes.azure.com/managed-names'
const quotaName = 'defaultresourcequota'
const policyName = 'defaultnetworkpolicy'

export const managedNamespaceObjects: ChildObjects = {
  async ensure({ suppliers }, cluster, record) {
    const client = suppliers.engine.client(engineId(cluster))
    const properties = namespaceOf(record)
    await ensureNamespace(client, record, properties)
    await ensureQuota(client, record.name, properties)
    await ensurePolicy(client, record.name, properties)
  },
  async remove({ suppliers }, cluster, record) {
    const client = suppliers.engine.client(engineId(cluster))
    const standing = await ignoreReason('NotFound', client.get(namespaces, { name: record.name }))
    // Where it was never ours, the resource alone goes.
    if (standing === undefined || !isManaged(standing)) return
    if (namespaceOf(record).deletePolicy === 'Keep') return release(client, standing)
    await ignoreReason('NotFound', client.delete(namespaces, { name: record.name }))
  },
}

const isManaged = ({ metadata }: Namespace): boolean => metadata.labels?.[managedLabel] === 'true'

async function ensureNamespace(
  client: Client,
  { name, progress }: ClusterChildRecord,
  properties: NamespaceProperties,
): Promise<void> {
  const standing = await ignoreReason('NotFound', client.get(namespaces, { name }))
  if (standing === undefined) {
    await client.create(namespaces, { metadata: { name, ...metaOf({}, properties) }, spec: {} })
    return
  }
  if (standing.metadata.deletionTimestamp !== undefined)
    throw new AksError(
      409,
      'Conflict',
      `The namespace '${name}' is being deleted: it can be made again once it is gone.`,
    )
  // Without an operation it was adopted before, and somebody took the label away.
  if (!isManaged(standing) && progress.operationId !== undefined) await judgeAdoption(client, standing, properties)
  const meta = metaOf(standing.metadata, properties)
  const { labels = {}, annotations = {} } = standing.metadata
  if (isDeepStrictEqual({ labels, annotations }, meta)) return
  await client.update(namespaces, { ...standing, metadata: { ...standing.metadata, ...meta } })
}

/** Labels and annotations with those of the resource, without those that it no longer has. Pure. */
export function metaOf(
  standing: { readonly labels?: Tags; readonly annotations?: Tags },
  { labels = {}, annotations = {} }: NamespaceProperties,
): { readonly labels: Tags; readonly annotations: Tags } {
  const before = (standing.annotations?.[ownNames] ?? '').split(',')
  const without = (own: Tags | undefined, kind: string): Tags =>
    Object.fromEntries(Object.entries(own ?? {}).filter(([name]) => !before.includes(`${kind}:${name}`)))
  const names = [
    ...Object.keys(labels).map((name) => `label:${name}`),
    ...Object.keys(annotations).map((name) => `annotation:${name}`),
  ]
  return {
    labels: { ...without(standing.labels, 'label'), ...labels, [managedLabel]: 'true' },
    annotations: {
      ...without(standing.annotations, 'annotation'),
      ...annotations,
      [ownNames]: names.toSorted().join(','),
    },
  }
}

async function judgeAdoption(client: Client, standing: Namespace, properties: NamespaceProperties): Promise<void> {
  const { name } = standing.metadata
  const refusal = (why: string): AksError => new AksError(409, 'Conflict', why, { target: 'adoptionPolicy' })
  switch (properties.adoptionPolicy) {
    case 'Always':
      return
    case 'Never':
      throw refusal(
        `The namespace '${name}' already exists in the cluster, and the adoption policy 'Never' forbids to take it over.`,
      )
    case 'IfIdentical': {
      const difference = await differenceOf(client, standing, properties)
      if (difference === undefined) return
      throw refusal(
        `The namespace '${name}' already exists in the cluster, and the adoption policy 'IfIdentical' forbids to take it over: its ${difference} differ.`,
      )
    }
    default:
      return properties.adoptionPolicy satisfies never
  }
}

/** What of a namespace is not as it would be made; undefined where nothing is. */
async function differenceOf(
  client: Client,
  { metadata }: Namespace,
  properties: NamespaceProperties,
): Promise<string | undefined> {
  const holds = (all: Tags | undefined, wanted: Tags | undefined): boolean =>
    Object.entries(wanted ?? {}).every(([name, value]) => all?.[name] === value)
  if (!holds(metadata.labels, properties.labels)) return 'labels'
  if (!holds(metadata.annotations, properties.annotations)) return 'annotations'
  const namespace = metadata.name
  const quota = await ignoreReason('NotFound', client.get(resourceQuotas, { name: quotaName, namespace }))
  if (quota !== undefined && !isDeepStrictEqual(canonical(quota.spec?.hard), canonical(hardOf(properties))))
    return 'resource quotas'
  const policy = await ignoreReason('NotFound', client.get(networkPolicies, { name: policyName, namespace }))
  if (policy !== undefined && !isDeepStrictEqual(policy.spec, policyOf(properties))) return 'network policies'
  return undefined
}

/** Nobody's any more but the cluster's: labels, quota and policy stay. */
async function release(client: Client, standing: Namespace): Promise<void> {
  const { [managedLabel]: _, ...labels } = standing.metadata.labels ?? {}
  const { [ownNames]: __, ...annotations } = standing.metadata.annotations ?? {}
  await client.update(namespaces, { ...standing, metadata: { ...standing.metadata, labels, annotations } })
}

/** What the quota holds; undefined for no quota. Pure. */
function hardOf({ defaultResourceQuota = {} }: NamespaceProperties): Tags | undefined {
  const { cpuRequest, cpuLimit, memoryRequest, memoryLimit } = defaultResourceQuota
  const hard = Object.entries({
    'requests.cpu': cpuRequest,
    'limits.cpu': cpuLimit,
    'requests.memory': memoryRequest,
    'limits.memory': memoryLimit,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return hard.length === 0 ? undefined : Object.fromEntries(hard)
}

const canonical = (hard: ResourceQuotaSpec['hard'] | undefined): Tags =>
  Object.fromEntries(Object.entries(hard ?? {}).map(([name, value]) => [name, canonicalQuantity(value)]))

async function ensureQuota(client: Client, namespace: string, properties: NamespaceProperties): Promise<void> {
  const hard = hardOf(properties)
  const standing = await ignoreReason('NotFound', client.get(resourceQuotas, { name: quotaName, namespace }))
  if (hard === undefined) {
    const own = { name: quotaName, namespace }
    if (standing !== undefined) await ignoreReason('NotFound', client.delete(resourceQuotas, own))
    return
  }
  if (standing === undefined) {
    await client.create(resourceQuotas, { metadata: ownMeta(quotaName, namespace), spec: { hard } })
    return
  }
  if (isDeepStrictEqual(canonical(standing.spec?.hard), canonical(hard))) return
  await client.update(resourceQuotas, { ...standing, spec: { ...standing.spec, hard } })
}

/** Of all pods of the namespace. Pure. */
export function policyOf({
  defaultNetworkPolicy: { ingress, egress },
}: Pick<NamespaceProperties, 'defaultNetworkPolicy'>): NetworkPolicySpec {
  return {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ...rulesOf('ingress', 'from', ingress),
    ...rulesOf('egress', 'to', egress),
  }
}

function rulesOf(direction: 'ingress' | 'egress', peers: 'from' | 'to', rule: PolicyRule): object {
  switch (rule) {
    case 'AllowAll':
      return { [direction]: [{}] }
    case 'AllowSameNamespace':
      return { [direction]: [{ [peers]: [{ podSelector: {} }] }] }
    case 'DenyAll':
      return {}
    default:
      return rule satisfies never
  }
}

async function ensurePolicy(client: Client, namespace: string, properties: NamespaceProperties): Promise<void> {
  const spec = policyOf(properties)
  const standing = await ignoreReason('NotFound', client.get(networkPolicies, { name: policyName, namespace }))
  if (standing === undefined) {
    await client.create(networkPolicies, { metadata: ownMeta(policyName, namespace), spec })
    return
  }
  if (isDeepStrictEqual(standing.spec, spec)) return
  await client.update(networkPolicies, { ...standing, spec })
}

const ownMeta = (name: string, namespace: string) => ({ name, namespace, labels: { [managedLabel]: 'true' } })
