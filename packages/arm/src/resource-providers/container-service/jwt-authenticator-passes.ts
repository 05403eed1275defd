// From the authenticators that were written to what the control plane believes.

import type { ArmErrorBody } from '@aksel/base/errors'
import type { ClusterRecord } from '../../records.ts'
import { endChild } from './child-operations.ts'
import { authenticatorsOf, configurationOf } from './jwt-authenticators.ts'
import { engineId, type Pass } from './pass.ts'

/** False where one was written anew meanwhile. */
export async function reconcileAuthenticators(pass: Pass, cluster: ClusterRecord): Promise<boolean> {
  const all = await authenticatorsOf(pass.store, cluster.id)
  const wanted = all.filter(
    ({ value }) => value.progress.deleting !== true && value.progress.provisioningState !== 'Failed',
  )
  const configuration = configurationOf(wanted.map(({ value }) => value.properties))
  await pass.suppliers.engine.configureAuthentication(pass.scope, engineId(cluster), configuration)
  let whole = true
  for (const one of all) {
    if (one.value.progress.operationId === undefined) continue
    whole = (await endChild(pass, one, { provisioningState: 'Succeeded' })) && whole
  }
  return whole
}

/** Those whose operation runs end as failed; what was in force before stays. */
export async function failAuthenticators(pass: Pass, clusterId: string, error: ArmErrorBody): Promise<boolean> {
  const busy = (await authenticatorsOf(pass.store, clusterId)).filter(
    ({ value }) => value.progress.operationId !== undefined,
  )
  for (const one of busy) await endChild(pass, one, { provisioningState: 'Failed', error }, error)
  return busy.length > 0
}
