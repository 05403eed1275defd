// What a server says it serves: the legacy lists and the aggregated document, made from the rows.

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

/** `GET /api` */
export function coreVersions(serverAddress: string): Document {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  }
}

/** `GET /apis` */
export function groupList(rows: readonly DiscoveredRow[]): Document {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupNames(rows).map((group) => groupBody(rows, group)) }
}

/** `GET /apis/GROUP`, or undefined for a group that is not served. */
export function groupDocument(rows: readonly DiscoveredRow[], group: string): Document | undefined {
  return rows.some((row) => row.group === group)
    ? { kind: 'APIGroup', apiVersion: 'v1', ...groupBody(rows, group) }
    : undefined
}

/** `GET /api/v1` and `GET /apis/GROUP/VERSION`, or undefined for one that is not served. */
export function resourceList(rows: readonly DiscoveredRow[], group: string, version: string): Document | undefined {
  const own = rows.filter((row) => row.group === group && row.version === version)
  if (own.length === 0) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: own.flatMap(legacyResources),
  }
}

/** The aggregated document for `GET /api` (core) or `GET /apis` (all others). */
export function aggregatedDiscovery(rows: readonly DiscoveredRow[], part: 'api' | 'apis'): Document {
  const wanted = rows.filter(({ group }) => (part === 'api') === (group === ''))
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: [...new Set(wanted.map(({ group }) => group))].map((group) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versionsOf(wanted, group).map((version) => ({
        version,
        resources: wanted.filter((row) => row.group === group && row.version === version).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  }
}

function groupNames(rows: readonly DiscoveredRow[]): readonly string[] {
  return [...new Set(rows.map(({ group }) => group))].filter((group) => group !== '')
}

function versionsOf(rows: readonly DiscoveredRow[], group: string): readonly string[] {
  return [...new Set(rows.filter((row) => row.group === group).map(({ version }) => version))]
}

function groupBody(rows: readonly DiscoveredRow[], group: string): Document {
  const versions = versionsOf(rows, group).map((version) => ({ groupVersion: `${group}/${version}`, version }))
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
