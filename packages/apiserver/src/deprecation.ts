// What a caller of an old version is told with every answer, in upstream's words.

import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf } from '@aksel/api/resource'

/** A write through an API version that goes away. */
export interface ObservedDeprecation {
  readonly group: string
  readonly version: string
  readonly resource: string
  /** The minor that no longer serves it. */
  readonly removedIn: string
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number
}

/** `storage.k8s.io/v1beta1 VolumeAttributesClass is deprecated in v1.34+, unavailable in v1.37+; use …`. */
export function deprecationWarning(row: KindRow, deprecated: NonNullable<KindRow['deprecated']>): string {
  const { since, removedIn, replacement } = deprecated
  const gone = removedIn === undefined ? '' : `, unavailable in v${removedIn}+`
  const instead = replacement === undefined ? '' : `; use ${replacement.replace(/\/([^/]+)$/, ' $1')}`
  return `${groupVersionOf(row)} ${row.kind} is deprecated in v${since}+${gone}${instead}`
}
