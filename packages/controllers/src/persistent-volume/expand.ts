// Tells of claims that ask for more room whose volume nobody here can enlarge: since all in-tree drivers left, that is every one,
// and its driver's own resizer does the work.

import { keyOf } from '@aksel/api/resource'
import { persistentVolumeClaims, persistentVolumes } from '@aksel/api/resources'
import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { compareQuantities, tryParseQuantity } from '@aksel/base/quantity'
import { done } from '@aksel/runtime/controller'
import type { Controller, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'

const ignored =
  "Ignoring the PVC: didn't find a plugin capable of expanding the volume; waiting for an external controller to process this PVC."

export function expandController({ client, caches }: LoopParts): Controller {
  const claims = caches.of(persistentVolumeClaims)
  const volumes = caches.of(persistentVolumes)
  const own: Source<PersistentVolumeClaim> = {
    type: persistentVolumeClaims,
    keysOf: (now, before) =>
      now !== undefined && before !== undefined && asksForMore(now, before) ? [keyOf(now)] : [],
  }
  return {
    name: 'volume-expand',
    sources: [own, { type: persistentVolumes, keysOf: () => [] }] as unknown as readonly Source[],
    async reconcile(scope, key) {
      const claim = claims.get(key)
      if (claim === undefined || !wantsRoom(claim)) return done
      const volume = volumes.get(claim.spec.volumeName ?? '')
      // One that is bound to another claim is not this claim's to enlarge.
      if (volume === undefined || volume.spec?.claimRef?.uid !== claim.metadata.uid) return done
      const owner = { type: persistentVolumeClaims, object: claim, source: 'volume_expand' }
      tell(scope, client, owner, 'Warning', 'ExternalExpanding', ignored)
      return done
    },
  }
}

function asksForMore(now: PersistentVolumeClaim, before: PersistentVolumeClaim): boolean {
  return compare(now.spec?.resources?.requests?.['storage'], before.spec?.resources?.requests?.['storage']) > 0
}

/** Bound, and asking for more than it has. */
export function wantsRoom({ spec, status }: PersistentVolumeClaim): boolean {
  return status?.phase === 'Bound' && compare(spec?.resources?.requests?.['storage'], status.capacity?.['storage']) > 0
}

/** Which amount is larger; one that cannot be read equals every other. */
function compare(one: string | number = '', other: string | number = ''): number {
  const [left, right] = [tryParseQuantity(one), tryParseQuantity(other)]
  return left === undefined || right === undefined ? 0 : compareQuantities(left, right)
}
