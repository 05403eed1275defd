// What a request of the Kubernetes API is called among Azure's data actions, and the scope it is asked for at. Pure.

import type { KubernetesRequest } from '@aksel/provider/entra'

const clusters = 'Microsoft.ContainerService/managedClusters'

/** Groups that have data actions of their own; whatever else a cluster serves is a custom resource. */
const ownGroups: ReadonlySet<string> = new Set([
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'apps',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'extensions',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'metrics.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'snapshot.storage.k8s.io',
  'storage.k8s.io',
])

const verbs: Readonly<Record<string, string>> = {
  get: 'read',
  list: 'read',
  watch: 'read',
  create: 'write',
  update: 'write',
  patch: 'write',
  delete: 'delete',
  deletecollection: 'delete',
}

/** `Microsoft.ContainerService/managedClusters/apps/deployments/read`; verbs that Kubernetes has beside these are actions. */
export function dataActionOf({ verb, isResource, group, resource, subresource, path }: KubernetesRequest): string {
  const suffix = verbs[verb.toLowerCase()] ?? `${verb.toLowerCase()}/action`
  if (!isResource) return join(clusters, path, suffix)
  if (!ownGroups.has(group)) return join(clusters, 'customresources', suffix)
  // As AKS has it, subresources go with their resource, but for the one that runs a program.
  if (group === '' && resource === 'pods' && subresource === 'exec') return `${clusters}/pods/exec/action`
  return join(clusters, group, resource, suffix)
}

/** The cluster, or the namespace as a resource below it. */
export function dataScopeOf(clusterId: string, { isResource, namespace }: KubernetesRequest): string {
  return isResource && namespace !== '' ? `${clusterId}/namespaces/${namespace}` : clusterId
}

/** The managed namespace, where a role that is granted at it holds as well; undefined for what lies in none. */
export function managedScopeOf(clusterId: string, { isResource, namespace }: KubernetesRequest): string | undefined {
  return isResource && namespace !== '' ? `${clusterId}/managedNamespaces/${namespace}` : undefined
}

function join(...parts: readonly string[]): string {
  return parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')
}
