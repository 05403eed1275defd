// An owner that stands twice in metadata.ownerReferences is kept once, and the caller is told.

import { deepEqual } from '@aksel/api/deep-equal'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Draft } from '@aksel/base/draft'

export type Moment = 'sent' | 'admitted'

const lead: Readonly<Record<Moment, string>> = {
  sent: '.metadata.ownerReferences contains duplicate entries',
  admitted: '.metadata.ownerReferences contains duplicate entries after mutating admission happens',
}

/** Drops entries that are the same as an earlier one. */
export function dropDoubleOwners({ metadata }: Draft<KubernetesObject>, moment: Moment, warnings: Set<string>): void {
  const references = metadata.ownerReferences
  if (references === undefined || references.length < 2) return
  const kept = references.filter((one, index) => references.findIndex((other) => deepEqual(one, other)) === index)
  if (kept.length === references.length) return
  const uids = new Set(
    references
      .filter((one, index) => references.findIndex((other) => deepEqual(one, other)) < index)
      .map(({ uid }) => uid),
  )
  warnings.add(
    `${lead[moment]}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: [${[...uids].join(' ')}]`,
  )
  metadata.ownerReferences = kept
}
