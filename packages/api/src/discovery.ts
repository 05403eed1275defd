// What a server says it serves: the legacy lists and the aggregated document, made from the rows.

import { builtInPriority, compareVersions, type GroupVersionPriority } from './group-priority.ts'
import type { KindRow, SubresourceFact } from './kind-row.ts'

type Document = Readonly<Record<string, unknown>>

/** Rows as discovery reads them; custom resources make some too. */
export type DiscoveredRow = Pick<
  KindRow,
  | 'group'
  | 'version'
  | 'kind'
  | 'plural'
  | 'singular'
  | 'namespaced'
  | 'shortNames'
  | 'categories'
  | 'verbs'
  | 'subresources'
  | 'storageVersionHash'
  | 'virtual'
>

/** One group version as discovery shows it, whoever serves it: built-in kinds, custom resources, other API servers. */
export interface ServedGroupVersion {
  /** '' for the core group. */
  readonly group: string
  readonly version: string
  readonly priority: GroupVersionPriority
  readonly rows: readonly DiscoveredRow[]
  /** Entries of aggregated discovery as another server wrote them, in place of those made from `rows`. */
  readonly resources?: readonly Document[]
  /** `Stale`: its server could not be asked lately. */
  readonly freshness: 'Current' | 'Stale'
}

/** The built-in rows as group versions, in the order of discovery. */
export function groupVersionsOf(rows: readonly DiscoveredRow[]): readonly ServedGroupVersion[] {
  const grouped = Map.groupBy(rows, ({ group, version }) => `${group}/${version}`)
  const served = [...grouped.values()].map((own): ServedGroupVersion => {
    const { group, version } = own[0]!
    return { group, version, priority: builtInPriority(group, version), rows: own, freshness: 'Current' }
  })
  return inDiscoveryOrder(served)
}

/** Groups by their highest priority, then by name; versions of a group by theirs, then as Kubernetes ranks versions. */
export function inDiscoveryOrder(served: readonly ServedGroupVersion[]): readonly ServedGroupVersion[] {
  const highest = new Map<string, number>()
  for (const { group, priority } of served) highest.set(group, Math.max(highest.get(group) ?? 0, priority.group))
  return served.toSorted(
    (a, b) =>
      highest.get(b.group)! - highest.get(a.group)! ||
      (a.group < b.group ? -1 : a.group > b.group ? 1 : 0) ||
      b.priority.version - a.priority.version ||
      compareVersions(a.version, b.version),
  )
}

/** `GET /api` */
export function coreVersions(serverAddress: string): Document {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** `GET /apis` */
export function groupList(served: readonly ServedGroupVersion[]): Document {
  const names = groupNames(served).filter((group) => group !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: names.map((group) => groupBody(served, group)) }
}

/** `GET /apis/GROUP`, or undefined for a group that is not served. */
export function groupDocument(served: readonly ServedGroupVersion[], group: string): Document | undefined {
  return group !== '' && served.some((one) => one.group === group)
    ? { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(served, group) }
    : undefined
}

/** `GET /api/v1` and `GET /apis/GROUP/VERSION`, or undefined for one that is not served. */
export function resourceList(
  served: readonly ServedGroupVersion[],
  group: string,
  version: string,
): Document | undefined {
  const own = served.find((one) => one.group === group && one.version === version)
  if (own === undefined) return undefined
  const resources = own.rows
    .flatMap(legacyResources)
    .toSorted((a, b) => (String(a['name']) < String(b['name']) ? -1 : 1))
  const groupVersion = group === '' ? version : `${group}/${version}`
  // The core group's list has never had an apiVersion.
  return { kind: 'APIResourceList', ...(group === '' ? {} : { apiVersion: 'v1' }), groupVersion, resources }
}

/** The aggregated document for `GET /api` (core) or `GET /apis` (all others). */
export function aggregatedDiscovery(
  served: readonly ServedGroupVersion[],
  part: 'api' | 'apis',
  version: 'v2' | 'v2beta1' = 'v2',
): Document {
  const wanted = served.filter(({ group }) => (part === 'api') === (group === ''))
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groupNames(wanted).map((group) => ({
      metadata: group === '' ? {} : { name: group },
      versions: wanted
        .filter((one) => one.group === group)
        .map((one) => ({
          version: one.version,
          resources: one.resources ?? one.rows.map(aggregatedResource).toSorted(byResource),
          freshness: one.freshness,
        })),
    })),
  }
}

function byResource(a: Document, b: Document): number {
  return String(a['resource']) < String(b['resource']) ? -1 : 1
}

function groupNames(served: readonly ServedGroupVersion[]): readonly string[] {
  return [...new Set(served.map(({ group }) => group))]
}

function groupBody(served: readonly ServedGroupVersion[], group: string): Document {
  const versions = served
    .filter((one) => one.group === group)
    .map(({ version }) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions, preferredVersion: versions[0] }
}

function legacyResources(row: DiscoveredRow): readonly Document[] {
  const own = {
    name: row.plural,
    singularName: row.singular,
    namespaced: row.namespaced,
    kind: row.kind,
    verbs: row.verbs,
    ...(row.shortNames.length === 0 ? {} : { shortNames: row.shortNames }),
    ...(row.categories.length === 0 ? {} : { categories: row.categories }),
    ...(row.virtual ? {} : { storageVersionHash: row.storageVersionHash }),
  }
  const subresources = sortedSubresources(row).map(([name, sub]) => ({
    name: `${row.plural}/${name}`,
    singularName: '',
    namespaced: row.namespaced,
    ...(differs(row, sub) ? { group: sub.group, version: sub.version } : {}),
    kind: sub.kind,
    verbs: sub.verbs,
  }))
  return [own, ...subresources]
}

function aggregatedResource(row: DiscoveredRow): Document {
  const subresources = sortedSubresources(row).map(([name, sub]) => ({
    subresource: name,
    responseKind: responseKind(row, sub),
    verbs: sub.verbs,
  }))
  return {
    resource: row.plural,
    responseKind: { group: row.group, version: row.version, kind: row.kind },
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: row.verbs,
    ...(row.shortNames.length === 0 ? {} : { shortNames: row.shortNames }),
    ...(row.categories.length === 0 ? {} : { categories: row.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  }
}

function sortedSubresources(row: DiscoveredRow): readonly (readonly [string, SubresourceFact])[] {
  return Object.entries(row.subresources).sort(([a], [b]) => (a < b ? -1 : 1))
}

function differs(row: DiscoveredRow, sub: SubresourceFact): boolean {
  return (sub.group ?? row.group) !== row.group || (sub.version ?? row.version) !== row.version
}

function responseKind(row: DiscoveredRow, sub: SubresourceFact): Document {
  return { group: sub.group ?? row.group, version: sub.version ?? row.version, kind: sub.kind }
}
