// What watches of several kinds told, put back into the one order in which the server wrote it, and looked at moment by
// moment: resource versions of one store grow by every write.

import type { KubernetesObject } from '@kubernetes/client-node'
import type { SeenEvent } from '../conformance/watch-log.ts'

/** Objects by uid as they stood after the event. */
export type Moment<T> = ReadonlyMap<string, T>

/** Calls `look` after each event; a deleted object is gone from the moment. */
export function replay<T extends KubernetesObject>(
  logs: readonly (readonly SeenEvent<T>[])[],
  look: (event: SeenEvent<T>, moment: Moment<T>) => void,
): void {
  const revisionOf = ({ object }: SeenEvent<T>): number => Number(object.metadata!.resourceVersion)
  const events = logs
    .flat()
    .filter(({ type }) => type !== 'BOOKMARK')
    .toSorted((left, right) => revisionOf(left) - revisionOf(right))
  const moment = new Map<string, T>()
  for (const event of events) {
    const uid = event.object.metadata!.uid!
    if (event.type === 'DELETED') moment.delete(uid)
    else moment.set(uid, event.object)
    look(event, moment)
  }
}
