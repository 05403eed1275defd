// `upgradeSettings.overrideSettings`: for a time, an upgrade asks nobody.

import { objectAt } from '../body.ts'
import type { ClusterRecord, Json } from '../../records.ts'

/** True while the override holds: it needs an end that lies ahead. */
export function forcedUpgrade(cluster: Pick<ClusterRecord, 'properties'>, nowMs: number): boolean {
  const settings = objectAt(objectAt(cluster.properties as Json, 'upgradeSettings'), 'overrideSettings')
  const until = Date.parse(String(settings['until']))
  return settings['forceUpgrade'] === true && until > nowMs
}
