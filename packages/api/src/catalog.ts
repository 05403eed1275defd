// Everything a minor serves: one complete row per kind, found by its place in the API.

import { allRules } from './kinds/all.ts'
import type { KindRow, KindRules } from './kind-row.ts'
import { completeRow, type ResourceFact } from './complete-row.ts'
import { schemasOf, type Schemas } from './schema.ts'
import { storageVersionHash } from './storage-version-hash.ts'
import { loadTables, type ApiTables, type KindFact, type Minor } from './tables.ts'

export interface Catalog {
  readonly minor: Minor
  readonly tables: ApiTables
  readonly schemas: Schemas
  /** In the order of discovery: groups as upstream ranks them, then by name. */
  readonly rows: readonly KindRow[]
  /** The facts of the served resources, for OpenAPI. */
  readonly facts: readonly KindFact[]
  row(group: string, version: string, plural: string): KindRow | undefined
  rowOfKind(group: string, version: string, kind: string): KindRow | undefined
}

/** Kinds that other parts of the server answer for (CRDs, aggregation) are not in the rows until those parts are there. */
const unserved = new Set([
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'resource.k8s.io',
  'admissionregistration.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'metrics.k8s.io',
  'custom.metrics.k8s.io',
  'external.metrics.k8s.io',
])

const unservedKinds = new Set(['ComponentStatus', 'PodStatusResult', 'RangeAllocation'])

/** Upstream's order of groups in discovery. */
const groupOrder = [
  '',
  'apps',
  'events.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'storage.k8s.io',
  'scheduling.k8s.io',
  'coordination.k8s.io',
  'node.k8s.io',
  'discovery.k8s.io',
]

export async function catalogOf(minor: Minor): Promise<Catalog> {
  const tables = await loadTables(minor)
  const schemas = schemasOf(tables)
  const rules = new Map(allRules.map((each) => [kindKey(each), each]))
  const facts = tables.kinds.filter(isServed).toSorted(byDiscovery)
  const rows = await Promise.all(
    facts.map(async (fact) => completeRow(schemas, fact, rulesOf(rules, fact), await storageVersionHash(fact))),
  )
  const byPath = new Map(rows.map((row) => [`${row.group}/${row.version}/${row.plural}`, row]))
  const byKind = new Map(rows.map((row) => [kindKey(row), row]))
  return {
    minor,
    tables,
    schemas,
    rows,
    facts,
    row: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    rowOfKind: (group, version, kind) => byKind.get(kindKey({ group, version, kind })),
  }
}

function kindKey({
  group,
  version,
  kind,
}: {
  readonly group: string
  readonly version: string
  readonly kind: string
}): string {
  return `${group}/${version}/${kind}`
}

/** Stable versions only: betas and alphas are off by default, as upstream has them. */
function isServed(fact: KindFact): fact is ResourceFact {
  return (
    fact.plural !== undefined &&
    /^v\d+$/.test(fact.version) &&
    !unserved.has(fact.group) &&
    !unservedKinds.has(fact.kind) &&
    fact.removed === undefined
  )
}

function byDiscovery(a: KindFact, b: KindFact): number {
  return rankOf(a.group) - rankOf(b.group) || newestFirst(a.version, b.version) || (a.plural! < b.plural! ? -1 : 1)
}

/** Groups that upstream's order does not know come last. */
function rankOf(group: string): number {
  const place = groupOrder.indexOf(group)
  return place < 0 ? groupOrder.length : place
}

function newestFirst(a: string, b: string): number {
  return Number(b.slice(1)) - Number(a.slice(1))
}

function rulesOf(rules: ReadonlyMap<string, KindRules>, fact: KindFact): KindRules {
  return rules.get(kindKey(fact)) ?? { group: fact.group, version: fact.version, kind: fact.kind }
}
