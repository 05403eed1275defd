// `aadProfile`: identities of the directory in a cluster, judged, handed to the engine, and its administrators bound.

import { clusterRoleBindings } from '@aksel/api/resources'
import type { ClusterRoleBinding } from '@aksel/api/types/rbac-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import type { EntraProfile } from '@aksel/provider/entra'
import { AksError, invalidParameter } from '../../azure-errors.ts'
import type { ClusterRecord, Json } from '../../records.ts'
import { isGuid } from '../../stable-guid.ts'
import { isObject, objectAt, textAt } from '../body.ts'
import { isIssuer } from './token-issuers.ts'

/** As AKS names it. */
const BINDING = 'aks-cluster-admin-binding-aad'

const profileOf = (properties: Json | undefined): Json | undefined => {
  const profile = properties?.['aadProfile']
  return isObject(profile) ? profile : undefined
}

/** What the directory means to the control plane; undefined for nothing. */
export function entraOf({ properties }: Pick<ClusterRecord, 'properties'>): EntraProfile | undefined {
  const profile = profileOf(properties) ?? {}
  const workloadIdentity = hasWorkloadIdentity(properties)
  const signIn = profile['managed'] === true
  if (!signIn && !workloadIdentity) return undefined
  const tenantId = textAt(profile, 'tenantID')
  const azureRbac = signIn && profile['enableAzureRBAC'] === true
  return { ...(tenantId === undefined ? {} : { tenantId }), signIn, azureRbac, workloadIdentity }
}

/** The profile with the tenant that it is of, where its writer leaves that to the service. */
export function withTenant<T extends Json>(properties: T, tenantId: string): T {
  const profile = profileOf(properties)
  if (profile?.['managed'] !== true || (textAt(profile, 'tenantID') ?? '') !== '') return properties
  return { ...properties, aadProfile: { ...profile, tenantID: tenantId } }
}

const hasWorkloadIdentity = (properties: Json): boolean =>
  objectAt(objectAt(properties, 'securityProfile'), 'workloadIdentity')['enabled'] === true

const adminsOf = (properties: Json): readonly string[] => {
  const given = profileOf(properties)?.['adminGroupObjectIDs']
  return Array.isArray(given) ? given.map(String) : []
}

/** Throws what Azure would refuse. */
export function judgeEntra(next: Json, before: Json | undefined, tenantId: string): void {
  const [profile, earlier] = [profileOf(next), profileOf(before)]
  const wasManaged = earlier?.['managed'] === true
  if (wasManaged && profile?.['managed'] !== true)
    throw new AksError(
      400,
      'BadRequest',
      'Disabling the managed Azure Active Directory integration of an existing cluster is not allowed.',
      { target: 'aadProfile' },
    )
  if (before !== undefined && isIssuer(before) && !isIssuer(next))
    throw new AksError(400, 'BadRequest', 'OIDC issuer feature cannot be disabled once it is enabled.', {
      target: 'oidcIssuerProfile.enabled',
    })
  if (hasWorkloadIdentity(next) && !isIssuer(next))
    throw invalidParameter(
      'securityProfile.workloadIdentity.enabled',
      'workload identity needs the OIDC issuer: oidcIssuerProfile.enabled must be true',
    )
  if (next['disableLocalAccounts'] === true && profile === undefined)
    throw invalidParameter(
      'disableLocalAccounts',
      'Local accounts can only be disabled on clusters with an AAD profile',
    )
  if (profile === undefined) return
  if (profile['enableAzureRBAC'] === true) {
    if (profile['managed'] !== true)
      throw invalidParameter(
        'aadProfile.enableAzureRBAC',
        'Azure RBAC can only be enabled on clusters with managed AAD: aadProfile.managed must be true',
      )
    const tenant = textAt(profile, 'tenantID') ?? tenantId
    if (tenant.toLowerCase() !== tenantId.toLowerCase())
      throw invalidParameter(
        'aadProfile.tenantID',
        `Azure RBAC needs the tenant of the subscription, ${tenantId}, and not '${tenant}'`,
      )
  }
  const wrong = adminsOf(next).find((id) => !isGuid(id))
  if (wrong !== undefined)
    throw invalidParameter('aadProfile.adminGroupObjectIDs', `'${wrong}' is not the object id of a group`)
}

/** Members of these groups administer the cluster, whatever its own roles say. Idempotent. */
export async function ensureAdmins(client: Client, { properties }: Pick<ClusterRecord, 'properties'>): Promise<void> {
  if (profileOf(properties)?.['managed'] !== true) return
  const wanted = adminsOf(properties)
  const standing = await ignoreReason('NotFound', client.get(clusterRoleBindings, { name: BINDING }))
  const held = (standing?.subjects ?? []).map(({ name }) => name)
  if (held.length === wanted.length && held.every((name, index) => name === wanted[index])) return
  if (wanted.length === 0) return ignoreReason('NotFound', client.delete(clusterRoleBindings, { name: BINDING }))
  const subjects = wanted.map((name) => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name }))
  if (standing !== undefined) return void (await client.update(clusterRoleBindings, { ...standing, subjects }))
  const binding: ClusterRoleBinding = {
    metadata: { name: BINDING, labels: { 'kubernetes.io/cluster-service': 'true' } },
    roleRef: { kind: 'ClusterRole', apiGroup: 'rbac.authorization.k8s.io', name: 'cluster-admin' },
    subjects,
  }
  try {
    await client.create(clusterRoleBindings, binding)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
