// Managed namespaces: what the resource says, judged, and the credentials of one.

import { tryParseQuantity } from '@aksel/base/quantity'
import { badRequest, invalidParameter } from '../../azure-errors.ts'
import { ok, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterChildRecord, Json, Tags } from '../../records.ts'

import { childRoutes, readChild } from './cluster-child-routes.ts'
import type { ChildKind, ChildWritten } from './cluster-children.ts'
import { clusterPath, kubeconfig } from './cluster-routes.ts'
import { readShape } from './shape.ts'
import { fields, map } from './shape-parts.ts'

const shape = fields({
  labels: map('string'),
  annotations: map('string'),
  defaultResourceQuota: fields({
    cpuRequest: 'string',
    cpuLimit: 'string',
    memoryRequest: 'string',
    memoryLimit: 'string',
  }),
  defaultNetworkPolicy: fields({ ingress: 'string', egress: 'string' }),
  adoptionPolicy: 'string',
  deletePolicy: 'string',
})

export const policyRules = ['AllowSameNamespace', 'AllowAll', 'DenyAll'] as const
export type PolicyRule = (typeof policyRules)[number]
export const adoptionPolicies = ['Never', 'IfIdentical', 'Always'] as const
export const deletePolicies = ['Keep', 'Delete'] as const

export interface NamespaceProperties {
  readonly labels?: Tags
  readonly annotations?: Tags
  readonly defaultResourceQuota?: Readonly<
    Partial<Record<'cpuRequest' | 'cpuLimit' | 'memoryRequest' | 'memoryLimit', string>>
  >
  readonly defaultNetworkPolicy: { readonly ingress: PolicyRule; readonly egress: PolicyRule }
  readonly adoptionPolicy: (typeof adoptionPolicies)[number]
  readonly deletePolicy: (typeof deletePolicies)[number]
}

export const namespaceOf = (record: ClusterChildRecord): NamespaceProperties =>
  record.properties as unknown as NamespaceProperties

/** Namespaces of the service itself. */
const systemNamespaces: ReadonlySet<string> = new Set([
  'default',
  'kube-system',
  'kube-public',
  'kube-node-lease',
  'gatekeeper-system',
  'app-routing-system',
  'istio-system',
  'aks-istio-system',
  'aks-istio-ingress',
  'aks-istio-egress',
  'calico-system',
  'tigera-operator',
  'cert-manager',
  'dapr-system',
  'flux-system',
  'azappconfig-system',
  'azureml',
  'dataprotection-microsoft',
  'aks-command',
])

function judgeName(name: string): void {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name))
    throw invalidParameter(
      'managedNamespaceName',
      `Managed namespace name '${name}' must consist of at most 63 lower-case letters, digits and '-', and begin and end with a letter or a digit`,
    )
  if (systemNamespaces.has(name))
    throw badRequest(`The namespace '${name}' is a system namespace and cannot be managed.`, 'managedNamespaceName')
}

/** What is kept of what was given, with AKS's defaults; throws for what cannot be. */
export function readNamespace(given: Json): NamespaceProperties {
  const {
    provisioningState: _,
    portalFqdn: __,
    ...read
  } = readShape(given, shape, 'ManagedNamespace.properties') as Json
  const properties = read as unknown as Partial<NamespaceProperties>
  judgeQuota(properties.defaultResourceQuota)
  const policy = { ingress: 'AllowSameNamespace', egress: 'AllowAll', ...properties.defaultNetworkPolicy } as const
  oneOf('defaultNetworkPolicy.ingress', policy.ingress, policyRules)
  oneOf('defaultNetworkPolicy.egress', policy.egress, policyRules)
  const adoptionPolicy = properties.adoptionPolicy ?? 'Never'
  const deletePolicy = properties.deletePolicy ?? 'Keep'
  oneOf('adoptionPolicy', adoptionPolicy, adoptionPolicies)
  oneOf('deletePolicy', deletePolicy, deletePolicies)
  for (const kind of ['labels', 'annotations'] as const)
    for (const name of Object.keys(properties[kind] ?? {}))
      if (/^([^/]+\.)?kubernetes\.azure\.com\//i.test(name))
        throw invalidParameter(kind, `'${name}' begins with a prefix that is reserved for AKS`)
  return { ...properties, defaultNetworkPolicy: policy, adoptionPolicy, deletePolicy }
}

function judgeQuota(quota: NamespaceProperties['defaultResourceQuota']): void {
  const wrong = Object.entries(quota ?? {}).find(([, text]) => tryParseQuantity(text) === undefined)
  if (wrong !== undefined)
    throw invalidParameter(`defaultResourceQuota.${wrong[0]}`, `'${wrong[1]}' is not a quantity such as 500m or 512Mi`)
}

function oneOf(name: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return
  throw invalidParameter(name, `'${value}' is not one of the allowed values: ${allowed.join(', ')}`)
}

export const managedNamespaceKind: ChildKind = {
  collection: 'managedNamespaces',
  isTracked: true,
  hasETag: true,
  judgeName,
  read: ({ given }): ChildWritten => ({ properties: readNamespace(given) as unknown as Json }),
  told: (_, { fqdn }) => ({ portalFqdn: portalName(fqdn) }),
}

/** `c1-1a2b3c4d.portal.hcp.eastus.azmk8s.io` */
const portalName = (fqdn: string): string => fqdn.replace('.hcp.', '.portal.hcp.')

export function managedNamespaceRoutes(hub: Hub): readonly Route[] {
  return [
    ...childRoutes(hub, managedNamespaceKind),
    {
      method: 'POST',
      path: `${clusterPath}/managedNamespaces/:child/listCredential`,
      handle: (request) => listCredential(hub, request),
    },
  ]
}

/** The cluster's user credentials, with the namespace in their context. */
async function listCredential(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { stored } = await readChild(hub, managedNamespaceKind, request)
  const text = inNamespace(await kubeconfig(hub, request, 'user'), stored.value.name)
  return ok({ kubeconfigs: [{ name: 'clusterUser', value: Buffer.from(text).toString('base64') }] })
}

/** Every context of the kubeconfig begins in the namespace. */
export function inNamespace(kubeconfig: string, namespace: string): string {
  return kubeconfig.replaceAll(/^(- context:\n {4}cluster: .*\n)/gm, `$1    namespace: ${JSON.stringify(namespace)}\n`)
}
