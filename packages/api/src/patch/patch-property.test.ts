// Each patch type against a slow, obvious reference on random documents.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@aksel/base/errors'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { loadTables } from '../tables.ts'
import { jsonPatch, sameJson } from './json-patch.ts'
import { isPlainObject, mergePatch } from './merge-patch.ts'
import { patchSchemaOf } from './patch-schema.ts'
import { strategicMergePatch } from './strategic-merge-patch.ts'

type Json = unknown

const SEEDS = sized({ gate: 300, full: 20_000 })

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(fraction(random) * list.length)]!
}

function randomValue(random: Random, depth: number): Json {
  const dice = fraction(random)
  if (depth === 0 || dice < 0.3) return pick<Json>(random, [0, 1, 'x', true, null])
  if (dice < 0.6) return Array.from({ length: Math.floor(fraction(random) * 4) }, () => randomValue(random, depth - 1))
  const keys = ['a', 'b', 'c/d', '~e'].filter(() => fraction(random) < 0.6)
  return Object.fromEntries(keys.map((key) => [key, randomValue(random, depth - 1)]))
}

/** Every pointer into a document, its containers included. */
function pointers(value: Json, prefix = ''): readonly string[] {
  const entries = Array.isArray(value) ? [...value.entries()] : isPlainObject(value) ? Object.entries(value) : []
  const escape = (key: string | number): string => String(key).replaceAll('~', '~0').replaceAll('/', '~1')
  return [prefix, ...entries.flatMap(([key, item]) => pointers(item, `${prefix}/${escape(key)}`))]
}

interface Operation {
  readonly op: string
  readonly path: string
  readonly from?: string
  readonly value?: Json
}

function randomOperation(random: Random, document: Json): Operation {
  const known = pointers(document)
  const path = (): string =>
    fraction(random) < 0.8 ? pick(random, known) : `${pick(random, known)}/${pick(random, ['a', '-', '0', '9'])}`
  const op = pick(random, ['add', 'remove', 'replace', 'move', 'copy', 'test'])
  return { op, path: path(), from: path(), value: randomValue(random, 2) }
}

const refused = Symbol('refused')

/** The document with the value at the pointer changed by `change`; every level is made anew. */
function changed(document: Json, parts: readonly string[], change: (parent: Json, key: string) => Json): Json {
  const [first, ...rest] = parts
  if (rest.length === 0) return change(document, first!)
  const inner = valueAt(document, first!)
  if (inner === refused) return refused
  const next = changed(inner, rest, change)
  if (next === refused) return refused
  if (Array.isArray(document)) return document.map((item, index) => (index === Number(first) ? next : item))
  return { ...(document as object), [first!]: next }
}

function valueAt(document: Json, key: string): Json {
  if (Array.isArray(document))
    return /^\d+$/.test(key) && Number(key) < document.length ? document[Number(key)] : refused
  return isPlainObject(document) && Object.hasOwn(document, key) ? document[key] : refused
}

function lookUp(document: Json, parts: readonly string[]): Json {
  return parts.reduce<Json>((value, key) => (value === refused ? refused : valueAt(value, key)), document)
}

function added(value: Json) {
  return (parent: Json, key: string): Json => {
    if (isPlainObject(parent)) return { ...parent, [key]: value }
    if (!Array.isArray(parent)) return refused
    const at = key === '-' ? parent.length : Number(key)
    return /^(?:-|\d+)$/.test(key) && at <= parent.length
      ? [...parent.slice(0, at), value, ...parent.slice(at)]
      : refused
  }
}

function removed(parent: Json, key: string): Json {
  if (valueAt(parent, key) === refused) return refused
  if (Array.isArray(parent)) return parent.filter((_, index) => index !== Number(key))
  return Object.fromEntries(Object.entries(parent as object).filter(([name]) => name !== key))
}

function partsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function reference(document: Json, { op, path, from, value }: Operation): Json {
  const [target, source] = [partsOf(path), partsOf(from ?? '')]
  const put = (into: Json, item: Json): Json => (target.length === 0 ? item : changed(into, target, added(item)))
  switch (op) {
    case 'add':
      return put(document, value)
    case 'remove':
      return target.length === 0 ? null : changed(document, target, removed)
    case 'replace':
      if (target.length === 0) return value
      if (lookUp(document, target) === refused) return refused
      return changed(document, target, (parent, key) =>
        Array.isArray(parent) ? parent.with(Number(key), value) : { ...(parent as object), [key]: value },
      )
    case 'test': {
      const found = lookUp(document, target)
      return sameJson(found === refused ? undefined : found, value) ? document : refused
    }
    default: {
      const item = lookUp(document, source)
      if (item === refused) return refused
      if (op === 'copy') return put(document, item)
      const rest = source.length === 0 ? null : changed(document, source, removed)
      return rest === refused ? refused : put(rest, item)
    }
  }
}

test('jsonPatch() agrees with one that makes every level anew', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seededRandom(seed)
    let document = randomValue(random, 3)
    for (let step = 0; step < 8; step += 1) {
      const operation = randomOperation(random, document)
      const expected = reference(document, operation)
      const label = `seed ${seed}: ${JSON.stringify(operation)} on ${JSON.stringify(document)}`
      if (expected === refused)
        assert.throws(
          () => jsonPatch(document, [operation]),
          (error) => isReason(error, 'Invalid'),
          label,
        )
      else {
        document = jsonPatch(document, [operation])
        assert.deepEqual(document, expected, label)
      }
    }
  }
})

/** Leaves and empty objects by path; what is no object is a leaf. */
function flat(value: Json, path: readonly string[] = []): readonly (readonly [string, Json])[] {
  if (!isPlainObject(value)) return [[path.join('\0'), value]]
  return [[path.join('\0'), '{}'], ...Object.entries(value).flatMap(([key, item]) => flat(item, [...path, key]))]
}

test('mergePatch() agrees with writing leaves over leaves', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seededRandom(seed * 31)
    const [target, patch] = [randomValue(random, 3), randomValue(random, 3)]
    const merged = new Map(isPlainObject(patch) ? flat(isPlainObject(target) ? target : {}) : [])
    for (const [path, value] of flat(patch)) {
      const isDeleted = value === null && path !== ''
      if (!isDeleted && value === '{}' && merged.get(path) === '{}') continue
      for (const other of merged.keys())
        if (other === path || (path !== '' && other.startsWith(`${path}\0`))) merged.delete(other)
      if (!isDeleted) merged.set(path, value)
    }
    const label = `seed ${seed}: ${JSON.stringify(patch)} on ${JSON.stringify(target)}`
    assert.deepEqual(new Map(flat(mergePatch(target, patch))), merged, label)
  }
})

const schema = patchSchemaOf(await loadTables('1.35'), 'core/v1.Pod')

interface Item {
  readonly name: string
  readonly [field: string]: Json
}

/** By key; each item that only the server has goes before the first of the patch's that stood behind it. */
function keyed(original: readonly Item[], patch: readonly Item[]): readonly Item[] {
  if (patch.some((item) => item['$patch'] === 'replace')) return patch.filter((item) => item['$patch'] === undefined)
  const doomed = patch.filter((item) => item['$patch'] === 'delete').map((item) => item.name)
  const plain = patch.filter((item) => item['$patch'] === undefined)
  const places = original.map((item) => item.name)
  const result: Item[] = plain.map((item) => ({
    ...original.find((one) => one.name === item.name && !doomed.includes(one.name)),
    ...item,
  }))
  let from = 0
  for (const item of original) {
    if (doomed.includes(item.name) || plain.some((one) => one.name === item.name)) continue
    const place = places.indexOf(item.name)
    const at = result.findIndex(
      (one, index) => index >= from && places.includes(one.name) && places.indexOf(one.name) > place,
    )
    from = at < 0 ? result.length : at
    result.splice(from, 0, item)
    from += 1
  }
  return result
}

function randomItems(random: Random, withDirectives: boolean): readonly Item[] {
  const names = ['a', 'b', 'c', 'd'].filter(() => fraction(random) < 0.6)
  const shuffled = names.map((name) => ({ name, at: fraction(random) })).toSorted((x, y) => x.at - y.at)
  const items: Item[] = shuffled.map(({ name }) => {
    if (withDirectives && fraction(random) < 0.25) return { name, $patch: 'delete' }
    return { name, ...(fraction(random) < 0.5 ? { image: pick(random, ['1', '2']) } : { tty: true }) }
  })
  return withDirectives && fraction(random) < 0.1
    ? [{ $patch: 'replace' } as unknown as Item, ...items.filter((one) => one['$patch'] === undefined)]
    : items
}

test('strategicMergePatch() of a keyed list agrees with a merge by key', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seededRandom(seed * 17)
    const [original, patch] = [randomItems(random, false), randomItems(random, true)]
    // Where nothing stood there is nothing to merge with: directives are dropped with their items.
    if (original.length === 0) continue
    const merged = strategicMergePatch({ spec: { containers: original } }, { spec: { containers: patch } }, schema)
    const { containers } = merged['spec'] as { readonly containers: readonly Item[] }
    assert.deepEqual(
      containers,
      keyed(original, patch),
      `seed ${seed}: ${JSON.stringify(patch)} on ${JSON.stringify(original)}`,
    )
  }
})
