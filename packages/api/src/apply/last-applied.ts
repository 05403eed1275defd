// The annotation of client-side apply: what it allows a server-side apply of kubectl to take over, and its upkeep.

import { complaintsOf } from './check-value.ts'
import { compareValues } from './compare-values.ts'
import type { ManagedKind } from './managed-kind.ts'
import { difference, has } from './field-set.ts'
import { fieldSetOf } from './owned-fields.ts'
import { isMap, type JsonMap } from './type-schema.ts'
import type { Conflict } from './updater.ts'
import { stringifyJson } from '@aksel/base/json'

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration'
/** Bytes of all annotations together, as validation bounds them. */
const ANNOTATIONS_MAX_BYTES = 256 * 1024

/** The conflicts that remain: those on fields that client-side apply had set, and nobody changed since, are no conflicts. */
export function allowedByLastApplied(
  kind: ManagedKind,
  live: unknown,
  conflicts: readonly Conflict[],
): readonly Conflict[] {
  const last = parsed(annotationsOf(live)?.[ANNOTATION])
  if (last === undefined || last['apiVersion'] !== kind.apiVersion) return conflicts
  if (complaintsOf(kind.type, last) !== undefined) return conflicts
  const { added, removed, modified } = compareValues(kind.type, last, live)
  const same = [modified, added, removed].reduce(difference, fieldSetOf(kind.type, last))
  return conflicts.filter(({ path }) => !has(same, path))
}

function parsed(text: unknown): JsonMap | undefined {
  if (typeof text !== 'string' || text === '') return undefined
  try {
    const value = JSON.parse(text) as unknown
    return isMap(value) ? value : undefined
  } catch {
    return undefined
  }
}

function annotationsOf(object: unknown): JsonMap | undefined {
  const metadata = isMap(object) ? object['metadata'] : undefined
  const annotations = isMap(metadata) ? metadata['annotations'] : undefined
  return isMap(annotations) ? annotations : undefined
}

/** Keeps the annotation, where there is one, at what was applied: a later client-side apply must not undo it. */
export function setLastApplied(
  merged: Record<string, unknown> | undefined,
  live: unknown,
  config: JsonMap,
): Record<string, unknown> | undefined {
  const object = merged ?? (live as Record<string, unknown>)
  const annotations = annotationsOf(object)
  if (typeof annotations?.[ANNOTATION] !== 'string' || annotations[ANNOTATION] === '') return merged
  const text = `${stringifyJson(sorted(withoutAnnotation(config)))}\n`
  if (annotations[ANNOTATION] === text) return merged
  const { [ANNOTATION]: _, ...others } = annotations
  const next = tooLarge({ ...others, [ANNOTATION]: text }) ? others : { ...annotations, [ANNOTATION]: text }
  return { ...object, metadata: { ...(object['metadata'] as object), annotations: next } }
}

function tooLarge(annotations: JsonMap): boolean {
  let size = 0
  for (const [key, value] of Object.entries(annotations)) size += bytes(key) + bytes(String(value))
  return size > ANNOTATIONS_MAX_BYTES
}

function withoutAnnotation(config: JsonMap): JsonMap {
  const metadata = config['metadata']
  const annotations = annotationsOf(config)
  if (annotations?.[ANNOTATION] === undefined || !isMap(metadata)) return config
  const { [ANNOTATION]: _, ...others } = annotations
  return { ...config, metadata: { ...metadata, annotations: others } }
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length
}

/** Keys as Go writes a map. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isMap(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  )
}
