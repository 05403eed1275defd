// Empties a resource group that is to go: its clusters first, each by its own delete, then what is left, then itself.

import type { ArmErrorBody } from '@aksel/base/errors'
import { endOf } from '../../operations.ts'
import { changesMax, keys, type Change } from '../../store-keyspace.ts'
import { groupOfId } from '../../resource-id.ts'
import type { DocumentRecord, GroupRecord } from '../../records.ts'
import { clustersOfGroup } from '../container-service/cluster-store.ts'
import { beginClusterDelete } from '../container-service/cluster-writes.ts'
import { releaseAddresses } from '../network/network-passes.ts'
import { readWorld } from '../network/network-world.ts'
import { judgeNetworksFree } from '../network/virtual-networks.ts'
import type { Pass } from '../container-service/pass.ts'

/** A group waits for its clusters without a pass running: each cluster's end wakes it. */
export async function reconcileGroup(
  pass: Pass,
  id: string,
  wake: (clusterId: string) => void,
): Promise<'done' | 'again'> {
  const key = keys.resource(id)
  const stored = await pass.store.get<GroupRecord>(key)
  if (stored === undefined || stored.value.progress.deleting !== true) return 'done'
  const ref = groupOfId(stored.value.id)!
  const clusters = await clustersOfGroup(pass.store, ref)
  for (const cluster of clusters) {
    if (cluster.progress.deleting !== true || cluster.progress.operationId === undefined) {
      await beginClusterDelete(pass, pass.scope, { ...ref, cluster: cluster.name })
    }
    wake(cluster.id)
  }
  if (clusters.length > 0) return 'done'
  const left = await pass.store.list<DocumentRecord>(keys.below(id))
  // Deployments and their operations lie here, too, and are no resources.
  const documents = left.map(({ value }) => value).filter(({ kind }) => kind === 'document')
  judgeNetworksFree(await readWorld(pass, ref.subscriptionId), documents)
  await releaseAddresses(pass, documents)
  const { operationId } = stored.value.progress
  const isMuch = left.length > changesMax / 2
  if (isMuch && !(await pass.store.removeAll(left))) return 'again'
  const end =
    operationId === undefined ? undefined : await endOf(pass.scope, pass.store, ref.subscriptionId, operationId)
  const changes: Change[] = [stored, ...(isMuch ? [] : left)].map(({ key: gone, modRevision }) => ({
    kind: 'delete',
    key: gone,
    expected: modRevision,
  }))
  return (await pass.store.commit(end === undefined ? changes : [...changes, end])) ? 'done' : 'again'
}

/** The group's delete has failed: what is left in it can be used again. */
export async function failGroup(pass: Pass, id: string, error: ArmErrorBody): Promise<void> {
  await pass.store.decide(async () => {
    const stored = await pass.store.get<GroupRecord>(keys.resource(id))
    const operationId = stored?.value.progress.operationId
    if (stored === undefined || operationId === undefined) return { changes: [], result: undefined }
    const end = await endOf(pass.scope, pass.store, groupOfId(id)!.subscriptionId, operationId, { error })
    const value: GroupRecord = { ...stored.value, progress: { provisioningState: 'Succeeded' } }
    const change: Change = { kind: 'put', key: stored.key, value, expected: stored.modRevision }
    return { changes: end === undefined ? [change] : [change, end], result: undefined }
  })
}
