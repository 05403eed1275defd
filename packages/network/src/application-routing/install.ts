// Brings the add-on into a cluster and takes it away: the classes by which people choose it, its namespace, what its loop may do.

import {
  clusterRoleBindings,
  clusterRoles,
  customResourceDefinitions,
  namespaces,
  serviceAccounts,
} from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { ClusterRole } from '@aksel/api/types/rbac-v1'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { gatewayDefinitions } from './definitions.ts'
import {
  ACCOUNT,
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  gatewayClasses,
  INGRESS_CLASS,
  INGRESS_CONTROLLER,
} from './objects.ts'
import { ingressClasses, NAMESPACE } from './objects.ts'

export interface ApplicationRoutingWish {
  /** `webAppRouting.enabled`. */
  readonly ingress: boolean
  /** `gatewayAPI.installation` Standard. */
  readonly gatewayDefinitions: boolean
  /** `gatewayAPIImplementations.appRoutingIstio.mode` Enabled. */
  readonly gatewayClass: boolean
}

const managed = { 'app.kubernetes.io/managed-by': 'aks-app-routing-operator' }

/** Idempotent. What people made of the kinds stays, and so do the definitions. */
export async function installApplicationRouting(client: Client, wish: ApplicationRoutingWish): Promise<void> {
  const isWanted = wish.ingress || wish.gatewayClass
  if (isWanted) await installAccess(client)
  if (wish.ingress) {
    await create(client, namespaces, { metadata: { name: NAMESPACE, labels: managed } } as never)
    const spec = { controller: INGRESS_CONTROLLER }
    await create(client, ingressClasses, { metadata: { name: INGRESS_CLASS, labels: managed }, spec } as never)
  } else {
    await remove(client, ingressClasses, INGRESS_CLASS)
    await remove(client, namespaces, NAMESPACE)
  }
  if (wish.gatewayDefinitions || wish.gatewayClass) {
    for (const definition of gatewayDefinitions()) await create(client, customResourceDefinitions, definition)
  }
  if (wish.gatewayClass) {
    const spec = { controllerName: GATEWAY_CONTROLLER, description: 'Application routing, served by HAProxy' }
    await create(client, gatewayClasses, { metadata: { name: GATEWAY_CLASS, labels: managed }, spec })
  } else await remove(client, gatewayClasses, GATEWAY_CLASS)
}

async function installAccess(client: Client): Promise<void> {
  const name = 'webapprouting'
  const read = ['get', 'list', 'watch']
  const rules: ClusterRole['rules'] = [
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'ingressclasses'], verbs: read },
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['patch', 'update'] },
    { apiGroups: ['gateway.networking.k8s.io'], resources: ['*'], verbs: read },
    {
      apiGroups: ['gateway.networking.k8s.io'],
      resources: ['gatewayclasses/status', 'gateways/status', 'httproutes/status', 'gateways/finalizers'],
      verbs: ['patch', 'update'],
    },
    { apiGroups: [''], resources: ['namespaces'], verbs: read },
    { apiGroups: [''], resources: ['secrets', 'services'], verbs: [...read, 'create', 'patch', 'update'] },
    { apiGroups: ['apps'], resources: ['deployments'], verbs: [...read, 'create', 'patch', 'update'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: read },
  ]
  const group = 'rbac.authorization.k8s.io'
  await create(client, serviceAccounts, { metadata: { name: ACCOUNT, namespace: 'kube-system', labels: managed } })
  await create(client, clusterRoles, { metadata: { name, labels: managed }, rules })
  await create(client, clusterRoleBindings, {
    metadata: { name, labels: managed },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name: ACCOUNT, namespace: 'kube-system' }],
  })
}

/** A kind that was defined a moment ago is served a moment later: its definition says when, who calls again finds it. */
async function create<T extends KubernetesObject>(client: Client, type: ResourceType<T>, object: T): Promise<void> {
  try {
    await client.create(type, object)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}

async function remove(client: Client, type: ResourceType, name: string): Promise<void> {
  try {
    await client.delete(type, { name })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}
