// For tests of rows: takes an object through a row as the request pipeline does, and shows what it says.

import { seededRandom } from '@aksel/base/ids'
import { catalogOf, type CatalogOptions } from '../catalog.ts'
import type { KindRow, WriteContext } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import type { Draft } from '@aksel/base/draft'
import type { Minor } from '../tables.ts'

/** An object as a client writes it; looked into freely by tests. */
export interface Loose {
  readonly [key: string]: Loose
}

export interface Outcome {
  /** After defaults and strategy. */
  readonly object: Loose
  /** `field: message` of each error. */
  readonly errors: readonly string[]
}

export interface Change {
  /** '' or absent for the whole object. */
  readonly subresource?: string
  /** What the stored object has besides: changed in place before it is written again. */
  readonly stored?: (object: Draft<Record<string, never>>) => void
  /** Changes the decoded object in place. */
  readonly change: (object: Draft<Record<string, never>>) => void
}

export const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)

export interface RowHarness {
  rows(): readonly KindRow[]
  /** By kind, and where it is in several groups by `Kind.group`; `Event.` is the core group's. */
  row(kind: string): KindRow
  /** An empty object with a name. */
  decoded(row: KindRow): KubernetesObject
  create(kind: string, object: unknown): Outcome
  /** Creates `object`, then writes it again as changed. */
  update(kind: string, object: unknown, change: Change): Outcome
  cells(kind: string, object: unknown, atMs?: number): readonly unknown[]
  /** What the writer of a new object is told. */
  warnings(kind: string, object: unknown): readonly string[]
}

export async function rowHarness(minor: Minor = '1.35', options: CatalogOptions = {}): Promise<RowHarness> {
  const catalog = await catalogOf(minor, options)
  const warned: string[] = []
  const context: WriteContext = {
    warn: (sentence) => void warned.push(sentence),
    release: { minor, gates: catalog.schemas.gates },
    nowMs,
    random: seededRandom(1),
    user: { name: 'ann', uid: 'u-1', groups: ['system:authenticated'] },
  }
  const row = (kind: string): KindRow => {
    const [name = '', group] = kind.split('.')
    const found = catalog.rows.find(
      (one) => one.kind === name && (group === undefined || one.group.split('.')[0] === group),
    )
    if (found === undefined) throw new Error(`no row for kind "${kind}"`)
    return found
  }
  const decode = (kind: string, object: unknown): Draft<KubernetesObject> =>
    catalog.schemas.get(row(kind).message).decode(structuredClone(object)).value as unknown as Draft<KubernetesObject>
  const create = (kind: string, object: unknown): Outcome => {
    const draft = decode(kind, object)
    const rules = row(kind)
    draft.metadata.uid ??= '11111111-2222-4333-8444-555555555555'
    if (rules.namespaced) draft.metadata.namespace ??= 'default'
    rules.default(draft)
    rules.prepareForCreate(draft, context)
    return outcome(draft, rules.validateCreate(draft as KubernetesObject, context))
  }
  return {
    rows: () => catalog.rows,
    row,
    decoded: (of) =>
      catalog.schemas.get(of.message).decode({ metadata: { name: 'a' } }).value as unknown as KubernetesObject,
    create,
    warnings(kind, object) {
      warned.length = 0
      const made = create(kind, object).object as unknown as KubernetesObject
      return [...new Set([...warned, ...row(kind).warnings(made, undefined, context.release)])]
    },
    update(kind, object, { subresource = '', change, stored }) {
      const old = create(kind, object).object as unknown as KubernetesObject
      stored?.(old as unknown as Draft<Record<string, never>>)
      const next = structuredClone(old) as Draft<KubernetesObject>
      change(next as unknown as Draft<Record<string, never>>)
      const rules = row(kind)
      rules.default(next)
      const through = subresource === '' ? rules : rules.subresourceUpdates[subresource]
      if (through === undefined) throw new Error(`${kind} has no subresource "${subresource}"`)
      through.prepareForUpdate(next, old, context)
      return outcome(next, through.validateUpdate(next as KubernetesObject, old, context))
    },
    cells: (kind, object, atMs = nowMs) => row(kind).cells(decode(kind, object) as KubernetesObject, atMs),
  }
}

function outcome(draft: Draft<KubernetesObject>, errors: readonly { field: string; message: string }[]): Outcome {
  return {
    object: draft as unknown as Loose,
    errors: errors.map(({ field, message }) => `${field}: ${message}`),
  }
}

/** The object with values put at paths (`spec.ports.0.port`); undefined removes. */
export function withValues(object: unknown, values: Readonly<Record<string, unknown>>): unknown {
  const copy = structuredClone(object) as Record<string, unknown>
  for (const [path, value] of Object.entries(values)) setAt(copy, path, value)
  return copy
}

export function setAt(object: object, path: string, value: unknown): void {
  const steps = path.split('.')
  const last = steps.pop()!
  let at = object as Record<string, unknown>
  for (const step of steps) at = (at[step] ??= {}) as Record<string, unknown>
  if (value === undefined) delete at[last]
  else at[last] = value
}
