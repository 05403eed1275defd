// The flags of `az aks create` and `az aks update` about who a cluster believes: Entra ID, Azure RBAC, local accounts, the OIDC
// issuer and workload identity.

import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { present } from './resources.ts'

export interface IdentityFlags {
  readonly enableAad?: boolean
  readonly aadAdminGroupObjectIds?: string
  readonly aadTenantId?: string
  readonly enableAzureRbac?: boolean
  readonly disableAzureRbac?: boolean
  readonly disableLocalAccounts?: boolean
  readonly enableLocalAccounts?: boolean
  readonly enableOidcIssuer?: boolean
  readonly enableWorkloadIdentity?: boolean
  readonly disableWorkloadIdentity?: boolean
}

type Properties = Readonly<Record<string, unknown>>

export function identityFlags(command: Command): Command {
  return command
    .option('--enable-aad', 'Entra ID: its identities may sign in')
    .option('--aad-admin-group-object-ids <ids>', 'groups that administer the cluster, joined by commas')
    .option('--aad-tenant-id <id>', 'tenant of the identities')
    .option('--enable-azure-rbac', 'role assignments of Azure permit inside the cluster; needs --enable-aad')
    .option('--disable-local-accounts', 'no static credentials')
    .option('--enable-oidc-issuer', 'enable the OIDC issuer')
    .option('--enable-workload-identity', 'pods may be identities of Azure; needs --enable-oidc-issuer')
}

/** What `az aks update` has besides. */
export function identityUpdateFlags(command: Command): Command {
  return identityFlags(command)
    .option('--disable-azure-rbac', "the cluster's own roles alone")
    .option('--enable-local-accounts', 'static credentials again')
    .option('--disable-workload-identity', 'no more')
}

/** The properties that the flags change, over what stands; empty where none was given. */
export function identityProperties(flags: IdentityFlags, standing: Properties = {}): Properties {
  const section = (name: string): Properties => (standing[name] as Properties | undefined) ?? {}
  const either = (on: boolean | undefined, off: boolean | undefined): boolean | undefined =>
    on === true ? true : off === true ? false : undefined
  const azureRbac = either(flags.enableAzureRbac, flags.disableAzureRbac)
  const groups = flags.aadAdminGroupObjectIds
  const entra = present({
    managed: flags.enableAad === true ? true : undefined,
    enableAzureRBAC: azureRbac,
    tenantID: flags.aadTenantId,
    adminGroupObjectIDs: groups
      ?.split(',')
      .map((id) => id.trim())
      .filter((id) => id !== ''),
  })
  const hasEntra = flags.enableAad === true || section('aadProfile')['managed'] === true
  if (Object.keys(entra).length > 0 && !hasEntra)
    throw new AzError(
      azureRbac === true
        ? '--enable-azure-rbac can only be used together with --enable-aad'
        : '--aad-admin-group-object-ids, --aad-tenant-id and --disable-azure-rbac can only be used on clusters with --enable-aad',
      2,
    )
  const workload = either(flags.enableWorkloadIdentity, flags.disableWorkloadIdentity)
  return present({
    aadProfile: Object.keys(entra).length === 0 ? undefined : { ...section('aadProfile'), ...entra },
    disableLocalAccounts: either(flags.disableLocalAccounts, flags.enableLocalAccounts),
    oidcIssuerProfile: flags.enableOidcIssuer === true ? { enabled: true } : undefined,
    securityProfile:
      workload === undefined ? undefined : { ...section('securityProfile'), workloadIdentity: { enabled: workload } },
  })
}
