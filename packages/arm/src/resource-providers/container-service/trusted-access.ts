// Trusted access: another resource's identities get roles inside a cluster. What is said, judged; who the source is; what it gets.

import { clusterRoleBindings, clusterRoles } from '@aksel/api/resources'
import type { PolicyRule, Subject } from '@aksel/api/types/rbac-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { isDeepStrictEqual } from 'node:util'
import { badRequest, invalidParameter, missingParameter } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import type { Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { ClusterChildRecord, ClusterRecord, GroupRecord, Json } from '../../records.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { textAt } from '../body.ts'
import { scaleSetName } from '../compute/compute-views.ts'
import { assignedIdentity, scaleSetIdentities } from '../compute/machine-identities.ts'
import { childRoutes } from './cluster-child-routes.ts'
import type { ChildKind, ChildObjects, ChildWrite, ChildWritten } from './cluster-children.ts'
import { poolsOf } from './cluster-store.ts'
import { entraOf } from './entra.ts'
import { engineId } from './pass.ts'
import { readShape } from './shape.ts'
import { fields, list } from './shape-parts.ts'
import { findTrustedAccessRole, trustedAccessRoles } from './trusted-access-roles.ts'

/** Of one cluster, as AKS has it. */
const bindingsMax = 8

const shape = fields({ sourceResourceId: 'string', roles: list('string') })

interface BindingProperties {
  readonly sourceResourceId: string
  /** Each with the type of its sources before its name. */
  readonly roles: readonly string[]
}

const bindingOf = (record: Pick<ClusterChildRecord, 'properties'>): BindingProperties =>
  record.properties as unknown as BindingProperties

export const trustedAccessKind: ChildKind = {
  collection: 'trustedAccessRoleBindings',
  firstState: 'Updating',
  judgeName(name) {
    if (/^[A-Za-z0-9-]{1,24}$/.test(name)) return
    throw invalidParameter(
      'trustedAccessRoleBindingName',
      `Trusted access role binding name '${name}' must consist of 1 to 24 letters, digits and '-'`,
    )
  },
  read: readBinding,
}

async function readBinding({ hub, cluster, given, before, others }: ChildWrite): Promise<ChildWritten> {
  const { sourceResourceId = '', roles = [] } = readShape(
    given,
    shape,
    'TrustedAccessRoleBinding.properties',
  ) as Partial<BindingProperties>
  if (sourceResourceId === '') throw missingParameter('properties.sourceResourceId')
  if (roles.length === 0) throw missingParameter('properties.roles')
  if (!/^\/subscriptions\/[^/]+(\/resourcegroups\/[^/]+)?\/providers\/[^/]+\/[^/]+\/[^/]+/i.test(sourceResourceId))
    throw invalidParameter('properties.sourceResourceId', `'${sourceResourceId}' is not the id of a resource`)
  const wrong = roles.find((role) => !/^[a-z0-9]+(\.[a-z0-9]+)+(\/[\w-]+){2,}$/i.test(role))
  if (wrong !== undefined)
    throw invalidParameter('properties.roles', `'${wrong}' is not a role of the form RESOURCE_TYPE/ROLE_NAME`)
  if (before === undefined && others.length >= bindingsMax)
    throw badRequest(`A managed cluster has at most ${bindingsMax} trusted access role bindings.`)
  const properties: BindingProperties = { sourceResourceId, roles }
  const hasEffect =
    entraOf(cluster)?.signIn === true &&
    (await sourceIdentities(hub.store, sourceResourceId)).length > 0 &&
    roles.every((role) => findTrustedAccessRole(role) !== undefined)
  return {
    properties: properties as unknown as Json,
    recorded: hasEffect ? [] : ['trustedAccessRoleBindings.roles'],
  }
}

/** Object ids of the identities that a resource acts as; empty for one that has none here. */
export async function sourceIdentities(store: ResourceStore, id: string): Promise<readonly string[]> {
  const assigned = await assignedIdentity(store, id)
  if (assigned.length > 0) return assigned.map(({ objectId }) => objectId)
  const own = (await store.get<ClusterRecord>(keys.resource(id)))?.value
  const principal = own?.kind === 'cluster' ? textAt(own.identity ?? {}, 'principalId') : undefined
  if (principal !== undefined) return [principal]
  const [, group, name] =
    /^(\/subscriptions\/[^/]+\/resourcegroups\/[^/]+)\/providers\/microsoft\.compute\/virtualmachinescalesets\/([^/]+)$/i.exec(
      id,
    ) ?? []
  return group === undefined ? [] : scaleSetPrincipals(store, group, name!)
}

async function scaleSetPrincipals(store: ResourceStore, group: string, name: string): Promise<readonly string[]> {
  const managedBy = (await store.get<GroupRecord>(keys.resource(group)))?.value.managedBy
  const cluster = managedBy === undefined ? undefined : await store.get<ClusterRecord>(keys.resource(managedBy))
  if (cluster === undefined) return []
  const pools = await poolsOf(store, cluster.value.id)
  const found = pools.find(
    ({ value: pool }) => scaleSetName({ cluster: cluster.value, pool })?.toLowerCase() === name.toLowerCase(),
  )
  if (found === undefined) return []
  const identities = await scaleSetIdentities(store, { cluster: cluster.value, pool: found.value })
  return identities.map(({ objectId }) => objectId)
}

export function trustedAccessRoutes(hub: Hub): readonly Route[] {
  const shown = trustedAccessRoles.map(({ sourceResourceType, name, rules }) => ({
    sourceResourceType,
    name: `${sourceResourceType}/${name}`,
    rules,
  }))
  return [
    ...childRoutes(hub, trustedAccessKind),
    {
      method: 'GET',
      path: '/subscriptions/:subscription/providers/Microsoft.ContainerService/locations/:location/trustedAccessRoles',
      handle: async (request) => page(request, shown),
    },
  ]
}

/** A ClusterRole with the rules of all its roles, bound to the source's identities. */
export const trustedAccessObjects: ChildObjects = {
  async ensure({ suppliers, store }, cluster, record) {
    const client = suppliers.engine.client(engineId(cluster))
    const { sourceResourceId, roles } = bindingOf(record)
    const rules = roles.flatMap((role) => findTrustedAccessRole(role)?.rules ?? [])
    const principals = await sourceIdentities(store, sourceResourceId)
    const subjects = principals.map((name) => ({ kind: 'User', apiGroup: rbacGroup, name }))
    const name = objectName(record)
    if (rules.length === 0 || subjects.length === 0) return removeObjects(client, name)
    await ensureRole(client, name, rules)
    await ensureBinding(client, name, subjects)
  },
  remove: ({ suppliers }, cluster, record) =>
    removeObjects(suppliers.engine.client(engineId(cluster)), objectName(record)),
}

const rbacGroup = 'rbac.authorization.k8s.io'
const labels = { 'kubernetes.azure.com/managedby': 'aks' }
const objectName = ({ name }: ClusterChildRecord): string => `aks-trustedaccess-${name.toLowerCase()}`

async function ensureRole(client: Client, name: string, rules: readonly PolicyRule[]): Promise<void> {
  const standing = await ignoreReason('NotFound', client.get(clusterRoles, { name }))
  if (standing === undefined) return void (await client.create(clusterRoles, { metadata: { name, labels }, rules }))
  if (!isDeepStrictEqual(standing.rules, rules)) await client.update(clusterRoles, { ...standing, rules })
}

async function ensureBinding(client: Client, name: string, subjects: readonly Subject[]): Promise<void> {
  const standing = await ignoreReason('NotFound', client.get(clusterRoleBindings, { name }))
  const roleRef = { apiGroup: rbacGroup, kind: 'ClusterRole', name }
  if (standing === undefined)
    return void (await client.create(clusterRoleBindings, { metadata: { name, labels }, roleRef, subjects }))
  if (!isDeepStrictEqual(standing.subjects, subjects))
    await client.update(clusterRoleBindings, { ...standing, subjects })
}

async function removeObjects(client: Client, name: string): Promise<void> {
  await ignoreReason('NotFound', client.delete(clusterRoleBindings, { name }))
  await ignoreReason('NotFound', client.delete(clusterRoles, { name }))
}
