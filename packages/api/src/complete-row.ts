// Joins what the tables say of a kind with the rules of its own file, and fills in the behaviour that kinds share.

import { draftOf } from '@aksel/base/draft'
import { setOf, type FieldSet } from './apply/field-set.ts'
import { deepEqual } from './deep-equal.ts'
import { deletionAnswersWithObject } from './deleted-answer.ts'
import type { FieldError } from './field-errors.ts'
import type {
  Column,
  KindRow,
  KindRules,
  OwnershipRules,
  Release,
  SubresourceFact,
  SubresourceUpdate,
  WriteContext,
} from './kind-row.ts'
import type { KubernetesObject } from './resource.ts'
import type { Schemas } from './schema.ts'
import { fieldsOf, type ApiTables, type KindFact, type Minor } from './tables.ts'
import { validateMetadata, validateMetadataUpdate, type MetadataRules } from './validation/metadata.ts'
import { addressWarnings, strictAddressErrors } from './warnings/addresses.ts'
import { subdomainName } from './validation/names.ts'

/** A kind that is a resource of its own. */
export type ResourceFact = KindFact & { readonly plural: string }

/** Rows differ only in the type of their objects; stored side by side they are rows of plain objects. */
type AnyDraft = Record<string, unknown> & { metadata: Record<string, unknown> & { generation?: number } }

export function completeRow(
  schemas: Schemas,
  fact: ResourceFact,
  rules: KindRules,
  storageVersionHash: string,
): KindRow {
  const namespaced = fact.namespaced === true
  const release: Release = { minor: schemas.tables.release, gates: schemas.gates }
  const nameRule = rules.nameRule ?? subdomainName
  const meta: MetadataRules = { namespaced, nameRule: (name, prefix) => nameRule(name, prefix, release) }
  return {
    ...namesOf(schemas.tables, fact),
    storagePrefix: rules.storagePrefix ?? fact.plural,
    storageVersionHash,
    storedAs: rules.storedAs,
    virtual: rules.virtual ?? false,
    allowCreateOnUpdate: rules.allowCreateOnUpdate ?? false,
    allowUnconditionalUpdate: rules.allowUnconditionalUpdate ?? true,
    defaultPropagation: rules.defaultPropagation ?? 'Background',
    deprecated: deprecationOf(schemas.tables.release, fact),
    default: (object) => rules.default?.(object),
    ...writeHooks(schemas, fact, rules, meta),
    warnings: (object, old, of) => [
      ...(rules.warnings?.(object, old, of) ?? []),
      ...addressWarnings(rules.legacyAddresses?.(object) ?? []),
    ],
    subresourceUpdates: { ...statusUpdate(fact), ...checkedUpdates(rules) },
    subresourceActions: rules.subresourceActions ?? {},
    scale: rules.scale,
    allocations: rules.allocations,
    ownership: ownershipOf(schemas, fact, rules),
    deletion: rules.deletion ?? {},
    deletionAnswersWithObject: deletionAnswersWithObject(fact),
    columns: rules.columns ?? plainColumns,
    cells: (object, nowMs) =>
      rules.cells?.(object, nowMs) ?? [object.metadata.name, object.metadata.creationTimestamp ?? null],
    rowConditions: (object) => rules.rowConditions?.(object) ?? [],
    selectableFields: (object) => ({
      'metadata.name': object.metadata.name,
      ...(namespaced ? { 'metadata.namespace': object.metadata.namespace ?? '' } : {}),
      ...rules.selectableFields?.(object),
    }),
  }
}

const plainColumns: readonly Column[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name must be unique within a namespace.', priority: 0 },
  { name: 'Created At', type: 'date', format: '', description: 'When the object was created, in UTC.', priority: 0 },
]

function namesOf(tables: ApiTables, fact: ResourceFact) {
  return {
    group: fact.group,
    version: fact.version,
    kind: fact.kind,
    plural: fact.plural,
    namespaced: fact.namespaced === true,
    singular: fact.singular ?? fact.kind.toLowerCase(),
    listKind: fact.listKind ?? `${fact.kind}List`,
    shortNames: fact.shortNames ?? [],
    categories: fact.categories ?? [],
    verbs: fact.verbs ?? [],
    message: fact.msg,
    subresources: subresourcesOf(tables, fact),
  }
}

function subresourcesOf(tables: ApiTables, fact: ResourceFact): Readonly<Record<string, SubresourceFact>> {
  const entries = Object.entries(fact.subresources ?? {}).map(([name, sub]) => {
    const [group, version] = [sub.group ?? fact.group, sub.version ?? fact.version]
    const body = tables.kinds.find((kind) => kind.kind === sub.kind && kind.group === group && kind.version === version)
    return [name, { ...sub, message: body?.msg ?? fact.msg }] as const
  })
  return Object.fromEntries(entries)
}

/** Upstream declares these in code that the tables were not made from. */
const deprecatedElsewhere: Readonly<Record<string, { readonly deprecated: string; readonly replacement?: string }>> = {
  Endpoints: { deprecated: '1.33', replacement: 'discovery.k8s.io/v1/EndpointSlice' },
  ComponentStatus: { deprecated: '1.19' },
}

/** Undefined in a minor that does not deprecate the kind yet. */
/** A write of the whole object leaves the status alone, and one of the status everything that is specified. */
function ownershipOf(schemas: Schemas, fact: ResourceFact, { ignoredFields, ownedFields }: KindRules): OwnershipRules {
  const common: Readonly<Record<string, string>> =
    fact.subresources?.['status'] === undefined ? {} : { '': 'status', status: 'spec' }
  const sets = new Map<string, FieldSet>()
  const pattern = (path: string): readonly string[] =>
    path.split('.').map((name) => (name === '*' ? name : `f:${name}`))
  const only: Readonly<Record<string, FieldSet>> = Object.fromEntries(
    Object.entries(ownedFields ?? {}).map(([name, paths]) => [name, setOf(...paths.map(pattern))]),
  )
  const ignored = (subresource: string): FieldSet => {
    const paths = [common[subresource] ?? [], ignoredFields?.[subresource] ?? []].flat()
    return setOf(...paths.map((path) => path.split('.').map((name) => `f:${name}`)))
  }
  return {
    type: () => schemas.types.message(fact.msg),
    empty: () => schemas.get(fact.msg).decode({}).value,
    only: (subresource) => only[subresource],
    ignored(subresource) {
      const known = sets.get(subresource) ?? ignored(subresource)
      sets.set(subresource, known)
      return known
    },
  }
}

function deprecationOf(minor: Minor, fact: KindFact): KindRow['deprecated'] {
  const said: Pick<KindFact, 'deprecated' | 'removed' | 'replacement'> | undefined =
    fact.group === '' ? deprecatedElsewhere[fact.kind] : fact
  if (said?.deprecated === undefined || minorNumber(said.deprecated) > minorNumber(minor)) return undefined
  return { since: said.deprecated, removedIn: said.removed, replacement: said.replacement }
}

function minorNumber(version: string): number {
  return Number(version.split('.')[1])
}

function writeHooks(schemas: Schemas, fact: ResourceFact, rules: KindRules, meta: MetadataRules) {
  const status = statusZero(schemas, fact)
  const counted = rules.generationFields ?? []
  const hooks: Pick<KindRow, 'prepareForCreate' | 'prepareForUpdate' | 'validateCreate' | 'validateUpdate'> = {
    prepareForCreate(object, context) {
      const draft = object as unknown as AnyDraft
      if (status !== undefined && rules.keepStatusOnCreate !== true) draft['status'] = status()
      if (counted.length > 0) draft.metadata.generation = 1
      else delete draft.metadata.generation
      rules.prepareForCreate?.(object, context)
    },
    prepareForUpdate(next, old, context) {
      const [draft, before] = [next as unknown as AnyDraft, old as unknown as AnyDraft]
      if (status !== undefined) restore(draft, before, 'status')
      rules.prepareForUpdate?.(next, old, context)
      if (counted.some((path) => !deepEqual(at(draft, path), at(before, path)))) {
        draft.metadata.generation = (before.metadata.generation ?? 0) + 1
      }
    },
    validateCreate(object, context) {
      const own = rules.validateCreate?.(withName(object), context) ?? []
      return [...validateMetadata(object.metadata, meta), ...own, ...releaseErrors(rules, object, undefined, context)]
    },
    validateUpdate(next, old, context) {
      const own = rules.validateUpdate?.(next, old, context) ?? rules.validateCreate?.(next, context) ?? []
      const strict = releaseErrors(rules, next, old, context)
      return [...validateMetadataUpdate(next.metadata, old.metadata), ...own, ...strict]
    },
  }
  return hooks
}

function releaseErrors(
  rules: KindRules,
  next: KubernetesObject,
  old: KubernetesObject | undefined,
  { release }: WriteContext,
): readonly FieldError[] {
  const released = rules.validateRelease?.(next, old, release) ?? []
  if (rules.legacyAddresses === undefined) return released
  const isStrict = release.gates('StrictIPCIDRValidation')
  const before = old === undefined ? [] : rules.legacyAddresses(old)
  return [...released, ...strictAddressErrors(rules.legacyAddresses(next), { isStrict, old: before })]
}

/** Rules of kinds look at the name; that there is none is told by the common rules. */
function withName<T extends KubernetesObject>(object: T): T {
  if ((object.metadata as { readonly name?: string }).name !== undefined) return object
  return { ...object, metadata: { ...object.metadata, name: '' } }
}

function at(object: AnyDraft, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object)
}

/** An empty status as Go writes it; undefined for kinds without one that a client may not set. */
function statusZero(schemas: Schemas, fact: ResourceFact): (() => unknown) | undefined {
  const status = fieldsOf(schemas.tables, fact.msg).find(([name]) => name === 'status')
  if (status === undefined || fact.subresources?.['status'] === undefined) return undefined
  if (status[1].ptr === 1) return () => undefined
  return () => schemas.get(status[1].t).decode({}).value
}

function restore(next: AnyDraft, old: AnyDraft, field: string): void {
  if (old[field] === undefined) delete next[field]
  else next[field] = draftOf(old[field])
}

/** The status subresource: everything but metadata and status is put back; its rules are the kind's own. */
function statusUpdate(fact: ResourceFact): Record<string, SubresourceUpdate<KubernetesObject>> {
  if (fact.subresources?.['status'] === undefined) return {}
  const plain: SubresourceUpdate<KubernetesObject> = {
    prepareForUpdate(next, old) {
      restoreAllButStatus(next as unknown as AnyDraft, old as unknown as AnyDraft)
    },
    validateUpdate: () => [],
  }
  return { status: checkedUpdate(plain) }
}

function checkedUpdates(rules: KindRules): Record<string, SubresourceUpdate<KubernetesObject>> {
  const entries = Object.entries(rules.subresourceUpdates ?? {})
  return Object.fromEntries(entries.map(([name, update]) => [name, checkedUpdate(update)]))
}

function checkedUpdate(update: SubresourceUpdate<KubernetesObject>): SubresourceUpdate<KubernetesObject> {
  return {
    prepareForUpdate: (next, old, context) => update.prepareForUpdate(next, old, context),
    validateUpdate: (next, old, context) => [
      ...validateMetadataUpdate(next.metadata, old.metadata),
      ...update.validateUpdate(next, old, context),
    ],
  }
}

function restoreAllButStatus(next: AnyDraft, old: AnyDraft): void {
  for (const key of Object.keys(next)) if (!statusWritable.has(key) && old[key] === undefined) delete next[key]
  for (const key of Object.keys(old)) if (!statusWritable.has(key)) next[key] = draftOf(old[key])
}

const statusWritable: ReadonlySet<string> = new Set(['metadata', 'status', 'kind', 'apiVersion'])
