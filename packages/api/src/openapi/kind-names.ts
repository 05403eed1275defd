// Which kinds a message stands for: `x-kubernetes-group-version-kind`, by which kubectl and code generators find types.

import type { ApiTables } from '../tables.ts'

export interface KindName {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** Options and events that every group version has. */
const ofEveryVersion: Readonly<Record<string, string>> = {
  'meta/v1.DeleteOptions': 'DeleteOptions',
  'meta/v1.WatchEvent': 'WatchEvent',
}

/** By message reference; lists among them. */
export function kindNamesOf(tables: ApiTables): ReadonlyMap<string, readonly KindName[]> {
  const names = new Map<string, KindName[]>()
  const add = (message: string, name: KindName): void => {
    const known = names.get(message)
    if (known === undefined) names.set(message, [name])
    else if (
      !known.some(
        ({ kind, group, version }) => `${group}/${version}/${kind}` === `${name.group}/${name.version}/${name.kind}`,
      )
    )
      known.push(name)
  }
  const versions = new Map<string, { readonly group: string; readonly version: string }>()
  for (const { group, version, kind, msg, listKind, plural } of tables.kinds) {
    if (plural !== undefined) versions.set(`${group}/${version}`, { group, version })
    if (ofEveryVersion[msg] !== undefined) continue
    add(msg, { group, version, kind })
    if (listKind !== undefined)
      add(`${msg.slice(0, msg.lastIndexOf('.'))}.${listKind}`, { group, version, kind: listKind })
  }
  const sorted = [...versions].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
  for (const [message, kind] of Object.entries(ofEveryVersion))
    for (const { group, version } of sorted) add(message, { group, version, kind })
  return names
}
