// Everything a minor serves: one complete row per kind, found by its place in the API.

import { allRules } from './kinds/all.ts'
import type { KindRow, KindRules } from './kind-row.ts'
import { completeRow, type ResourceFact } from './complete-row.ts'
import { featureGatesOf } from './feature-gates.ts'
import { builtInPriority, compareVersions } from './group-priority.ts'
import { schemasOf, type Schemas } from './schema.ts'
import { checkRuntimeConfig, isOffered, type RuntimeConfig } from './served-versions.ts'
import { sisterRules, storageSisterOf } from './sister-versions.ts'
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

/** Metrics that only programs of the user's own know of: they answer behind an APIService. */
const unserved = new Set(['custom.metrics.k8s.io', 'external.metrics.k8s.io'])

/** A beta that clusters have all the same: of metrics-server, whose part this server takes. */
const always = new Set(['metrics.k8s.io/v1beta1'])

const unservedKinds = new Set(['PodStatusResult', 'RangeAllocation'])

export interface CatalogOptions {
  readonly runtimeConfig?: RuntimeConfig
  /** By upstream's names; the minor's defaults where absent. */
  readonly featureGates?: Readonly<Record<string, boolean>>
}

/** Throws for a runtime config or a feature gate that the minor does not know. */
export async function catalogOf(minor: Minor, options: CatalogOptions = {}): Promise<Catalog> {
  const tables = await loadTables(minor)
  const runtimeConfig = options.runtimeConfig ?? {}
  checkRuntimeConfig(runtimeConfig, tables.kinds)
  const schemas = schemasOf(tables, featureGatesOf(minor, options.featureGates))
  const rules = new Map(allRules.map((each) => [kindKey(each), each]))
  const facts = tables.kinds
    .filter(
      (fact): fact is ResourceFact =>
        isServed(fact) && (isOffered(runtimeConfig, fact) || always.has(`${fact.group}/${fact.version}`)),
    )
    .toSorted(byDiscovery)
  const rows = await Promise.all(
    facts.map(async (fact) =>
      completeRow(schemas, fact, rulesOf(rules, schemas, fact), await storageVersionHash(fact)),
    ),
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

function isServed(fact: KindFact): fact is ResourceFact {
  return (
    fact.plural !== undefined &&
    !unserved.has(fact.group) &&
    !unservedKinds.has(fact.kind) &&
    // What a table still has though it is removed was removed before this minor, or will be after it.
    (fact.removed === undefined || !/^v\d+$/.test(fact.version))
  )
}

function byDiscovery(a: KindFact, b: KindFact): number {
  return (
    builtInPriority(b.group, b.version).group - builtInPriority(a.group, a.version).group ||
    (a.group < b.group ? -1 : a.group > b.group ? 1 : 0) ||
    compareVersions(a.version, b.version) ||
    (a.plural! < b.plural! ? -1 : 1)
  )
}

/** A version without a file of its own that has a stabler sister is stored as that one, under her rules. */
function rulesOf(rules: ReadonlyMap<string, KindRules>, schemas: Schemas, fact: ResourceFact): KindRules {
  const own = rules.get(kindKey(fact))
  const stored = storageSisterOf(schemas.tables, fact)
  if (own !== undefined && (stored === undefined || own.storedAs !== undefined)) return own
  const plain = { group: fact.group, version: fact.version, kind: fact.kind }
  return stored === undefined ? plain : sisterRules(schemas, fact, stored, rules.get(kindKey(stored)))
}
