// Server-side apply against a slow, obvious reference: objects as flat lists of paths, ownership as sets of path texts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { emptySet, pathsOf, type FieldSet } from './field-set.ts'
import { exampleType } from './example-type.ts'
import { managerKey, type Manager, type Managers } from './managers.ts'
import { fieldSetOf } from './owned-fields.ts'
import { fieldElement, itemElement } from './path-element.ts'
import { isMap, typeOfEntry, type TypeSchema } from './type-schema.ts'
import { ApplyConflicts, applyTo, updateOwners, type UpdaterOptions, type Versioned, type WriteBy } from './updater.ts'

const options: UpdaterOptions = { convert: (object) => object, ignored: () => emptySet }
type Json = unknown

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(fraction(random) * list.length)]!
}

function sometimes(random: Random): boolean {
  return fraction(random) < 0.5
}

/** Values come from few alternatives, so that writers meet. No empty containers: their nulls are for the tables. */
function randomSpec(random: Random): Record<string, Json> {
  const spec: Record<string, Json> = {}
  if (sometimes(random)) spec['count'] = pick(random, [1, 2])
  if (sometimes(random)) spec['text'] = pick(random, ['s', 't'])
  if (sometimes(random)) spec['labels'] = { [pick(random, ['x', 'y', 'z'])]: pick(random, ['1', '2']), w: '0' }
  if (sometimes(random)) spec['selector'] = { [pick(random, ['x', 'y'])]: '1' }
  if (sometimes(random)) spec['command'] = [pick(random, ['c', 'd'])]
  if (sometimes(random)) spec['names'] = [...new Set([pick(random, ['k', 'l']), pick(random, ['l', 'm'])])]
  if (sometimes(random)) spec['inner'] = { [pick(random, ['a', 'b'])]: pick(random, [1, 2]) }
  if (sometimes(random)) {
    const names = [...new Set([pick(random, ['i', 'j']), pick(random, ['j', 'k'])])]
    spec['items'] = names.map((name) => ({
      name,
      ...(sometimes(random) ? { value: pick(random, ['1', '2']) } : { note: 'n' }),
    }))
  }
  return spec
}

/** Every leaf, item and container of a value by its path, with the JSON of what is a leaf. */
function flat(type: TypeSchema, value: Json, path: string, into: Map<string, string>): Map<string, string> {
  if (type.map !== undefined && !type.map.atomic && isMap(value)) {
    into.set(path, '{}')
    for (const [key, item] of Object.entries(value))
      flat(typeOfEntry(type.map, key)!, item, `${path} ${fieldElement(key)}`, into)
  } else if (type.list !== undefined && type.list.kind !== 'atomic' && Array.isArray(value)) {
    into.set(path, '[]')
    for (const item of value) flat(type.list.item(), item, `${path} ${itemElement(type.list, item)}`, into)
  } else into.set(path, JSON.stringify(value))
  return into
}

function paths(set: FieldSet): ReadonlySet<string> {
  return new Set(pathsOf(set).map((path) => ['', ...path].join(' ')))
}

/** With each declared field on the way to a member: every step of the example type but items and labels. */
function named(members: ReadonlySet<string>): ReadonlySet<string> {
  const all = new Set(members)
  for (const member of members) {
    const steps = member.split(' ').slice(1)
    for (let length = 1; length < steps.length; length += 1)
      if (steps[length - 1]!.startsWith('f:')) all.add(['', ...steps.slice(0, length)].join(' '))
  }
  return all
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root} `)
}

interface World {
  value: Json
  managers: Managers
}

interface Expected {
  readonly conflicts: readonly string[]
  readonly fields: ReadonlyMap<string, string>
}

/** Merge by path, then drop what the manager had, does not claim any more, and nobody else holds. */
function reference(world: World, config: Json, by: string): Expected {
  const live = flat(exampleType, world.value, '', new Map())
  const wanted = flat(exampleType, config, '', new Map())
  const merged = new Map([...live, ...wanted])
  const others = [...world.managers].filter(([key]) => key !== by).map(([, { set }]) => paths(set))
  const last = named(paths(world.managers.get(by)?.set ?? emptySet))
  const claims = named(paths(fieldSetOf(exampleType, config)))
  const held = others.map(named)
  const dropped = [...last].filter((path) => !claims.has(path) && !held.some((set) => set.has(path)))
  const fields = new Map([...merged].filter(([path]) => !dropped.some((root) => isBelow(path, root))))
  const changed = [...fields].filter(([path, json]) => live.get(path) !== json).map(([path]) => path)
  const conflicts = changed.filter((path) => others.some((set) => set.has(path)))
  return { conflicts, fields }
}

/** Containers that hold nothing any more are not compared. */
function leaves(fields: ReadonlyMap<string, string>): readonly string[] {
  const entries = [...fields].filter(([, json]) => json !== '{}' && json !== '[]' && json !== 'null')
  return entries.map(([path, json]) => `${path} = ${json}`).sort()
}

function writer(name: string, operation: 'Apply' | 'Update'): WriteBy {
  const manager: Manager = { name, operation, subresource: '', apiVersion: 'v1', time: undefined, set: emptySet }
  return { key: managerKey(manager), manager }
}

function versioned(value: Json): Versioned {
  return { apiVersion: 'v1', type: exampleType, value }
}

/** A decoder leaves nulls out, and empty containers with them. */
function decoded(value: Json): Json {
  if (Array.isArray(value)) return value.map(decoded)
  if (!isMap(value)) return value
  const kept = Object.entries(value).filter(([, item]) => item !== null)
  return Object.fromEntries(kept.map(([key, item]) => [key, decoded(item)]))
}

async function applied(world: World, config: Json, by: WriteBy, force: boolean): Promise<readonly string[]> {
  const write = { live: versioned(world.value), config: versioned(config), managers: world.managers, by, force }
  try {
    const result = await applyTo(options, write)
    world.managers = result.managers
    world.value = decoded(result.object?.value ?? world.value)
    return []
  } catch (error) {
    if (!(error instanceof ApplyConflicts)) throw error
    return error.conflicts.map(({ path }) => ['', ...path].join(' '))
  }
}

async function step(random: Random, world: World, label: string): Promise<void> {
  const config = { spec: randomSpec(random) }
  if (fraction(random) < 0.25) {
    const by = writer('updater', 'Update')
    const write = { live: versioned(world.value), next: versioned(config), managers: world.managers, by }
    world.managers = await updateOwners(options, write)
    world.value = config
    return
  }
  const by = writer(pick(random, ['a', 'b', 'c']), 'Apply')
  const expected = reference(world, config, by.key)
  const conflicts = await applied(world, config, by, false)
  assert.deepEqual([...new Set(conflicts)].sort(), [...new Set(expected.conflicts)].sort(), `${label}: conflicts`)
  if (conflicts.length > 0) await applied(world, config, by, true)
  assert.deepEqual(leaves(flat(exampleType, world.value, '', new Map())), leaves(expected.fields), label)
  const before = JSON.stringify([world.value, [...world.managers]])
  assert.deepEqual(await applied(world, config, by, false), [], `${label}: again`)
  assert.equal(JSON.stringify([world.value, [...world.managers]]).length, before.length, `${label}: again`)
}

test('applyTo() agrees with a merge by paths through histories of 20 writes', async () => {
  for (let seed = 1; seed <= sized({ gate: 40, full: 1000 }); seed += 1) {
    const random = seededRandom(seed)
    const world: World = { value: {}, managers: new Map() }
    for (let index = 0; index < 20; index += 1) await step(random, world, `seed ${seed}, write ${index}`)
  }
})
