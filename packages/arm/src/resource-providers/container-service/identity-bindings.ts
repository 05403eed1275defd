// Identity bindings: one user-assigned identity for service accounts of a cluster, in place of a federated credential for each. They are
// judged, filled in and read back; no proxy of ours exchanges tokens by them, which their answer says.

import { invalidParameter, missingParameter, resourceNotFound } from '../../azure-errors.ts'
import type { Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { objectAt, textAt } from '../body.ts'
import type { Json } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { assignedIdentity } from '../compute/machine-identities.ts'
import { childRoutes } from './cluster-child-routes.ts'
import type { ChildKind, ChildWrite, ChildWritten } from './cluster-children.ts'
import { readShape } from './shape.ts'
import { fields } from './shape-parts.ts'

const where = 'properties.managedIdentity.resourceId'
const shape = fields({ managedIdentity: fields({ resourceId: 'string' }) })

export const identityBindingKind: ChildKind = {
  collection: 'identityBindings',
  hasETag: true,
  judgeName(name) {
    if (/^[a-z][a-z0-9]{0,63}$/.test(name)) return
    throw invalidParameter(
      'identityBindingName',
      `Identity binding name '${name}' must start with a lower-case letter and hold at most 64 lower-case letters and digits`,
    )
  },
  read: readBinding,
}

async function readBinding({ hub, given, others, before }: ChildWrite): Promise<ChildWritten> {
  const identity = objectAt(readShape(given, shape, 'IdentityBinding.properties') as Json, 'managedIdentity')
  const resourceId = textAt(identity, 'resourceId') ?? ''
  if (resourceId === '') throw missingParameter(where)
  if (!/\/providers\/microsoft\.managedidentity\/userassignedidentities\/[^/]+$/i.test(resourceId))
    throw invalidParameter(where, `'${resourceId}' is not the id of a user-assigned identity`)
  const [found] = await assignedIdentity(hub.store, resourceId)
  if (found === undefined) {
    const name = resourceId.split('/').at(-1)!
    const group = groupOfId(resourceId)?.resourceGroup ?? ''
    throw resourceNotFound(`Microsoft.ManagedIdentity/userAssignedIdentities/${name}`, group)
  }
  const same = (one: Json): boolean =>
    textAt(objectAt(one, 'managedIdentity'), 'resourceId')?.toLowerCase() === found.resourceId.toLowerCase()
  if (before !== undefined && !same(before.properties))
    throw invalidParameter(where, 'the managed identity of an identity binding cannot be changed')
  const taken = others.find(({ properties }) => same(properties))
  if (taken !== undefined)
    throw invalidParameter(where, `the managed identity is bound by identity binding '${taken.name}' already`)
  const { objectId, clientId } = found
  const managedIdentity = { resourceId: found.resourceId, objectId, clientId, tenantId: hub.tenantId }
  const oidcIssuerUrl = `https://ib.oic.prod-aks.azure.com/${hub.tenantId}/${clientId}`
  return { properties: { managedIdentity, oidcIssuer: { oidcIssuerUrl } }, recorded: ['identityBindings'] }
}

export const identityBindingRoutes = (hub: Hub): readonly Route[] => childRoutes(hub, identityBindingKind)
