// From the small resources below a cluster to what stands inside it. What one of them cannot have is its own failure, not the cluster's.

import { ApiError, ArmError, type ArmErrorBody } from '@aksel/base/errors'
import {
  clusterChildCollections,
  type ClusterChildCollection,
  type ClusterChildRecord,
  type ClusterRecord,
} from '../../records.ts'
import type { Stored } from '../../store-keyspace.ts'
import { endChild } from './child-operations.ts'
import { childrenOf, type ChildObjects } from './cluster-children.ts'
import { managedNamespaceObjects } from './managed-namespace-objects.ts'
import type { Pass } from './pass.ts'
import { trustedAccessObjects } from './trusted-access.ts'

/** Undefined: nothing inside the cluster stands for it. */
const objects: Readonly<Record<ClusterChildCollection, ChildObjects | undefined>> = {
  managedNamespaces: managedNamespaceObjects,
  trustedAccessRoleBindings: trustedAccessObjects,
  identityBindings: undefined,
}

/** False where one was written anew meanwhile. */
export async function reconcileChildren(pass: Pass, cluster: ClusterRecord): Promise<boolean> {
  let whole = true
  for (const collection of clusterChildCollections)
    for (const one of await childrenOf(pass.store, cluster.id, collection))
      whole = (await reconcileChild(pass, cluster, one)) && whole
  return whole
}

async function reconcileChild(
  pass: Pass,
  cluster: ClusterRecord,
  stored: Stored<ClusterChildRecord>,
): Promise<boolean> {
  const { value } = stored
  const { operationId, deleting, provisioningState } = value.progress
  if (operationId === undefined && provisioningState !== 'Succeeded') return true
  const own = objects[value.collection]
  try {
    if (deleting === true) await own?.remove(pass, cluster, value)
    else await own?.ensure(pass, cluster, value)
  } catch (error) {
    if (operationId === undefined) {
      // Nobody waits for it: what somebody changed inside is put in order by a later pass.
      pass.scope.log.warn('a resource of the cluster could not be kept in order', { resource: value.id, error })
      return true
    }
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    return endChild(pass, stored, { provisioningState: 'Failed', error: refusal }, refusal)
  }
  return operationId === undefined || endChild(pass, stored, { provisioningState: 'Succeeded' })
}

/** What an operation says of a refusal that no second try changes. */
function refusalOf(error: unknown): ArmErrorBody | undefined {
  if (error instanceof ArmError) return error.toBody().error
  if (!(error instanceof ApiError) || ![400, 403, 404, 422].includes(error.code)) return undefined
  return { code: 'KubernetesAPICallFailed', message: error.message }
}

/** Those whose operation runs end as failed. */
export async function failChildren(pass: Pass, clusterId: string, error: ArmErrorBody): Promise<boolean> {
  let ended = false
  for (const collection of clusterChildCollections) {
    for (const one of await childrenOf(pass.store, clusterId, collection)) {
      if (one.value.progress.operationId === undefined) continue
      await endChild(pass, one, { provisioningState: 'Failed', error }, error)
      ended = true
    }
  }
  return ended
}
