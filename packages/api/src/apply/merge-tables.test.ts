// Server-side apply by tables: what one manager after the other does to an object, and what is theirs then.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptySet, setOf } from './field-set.ts'
import { encodeManagers, managerKey, type Manager, type Managers } from './managers.ts'
import { exampleType } from './example-type.ts'
import { showPath } from './path-element.ts'
import { ApplyConflicts, applyTo, updateOwners, type UpdaterOptions, type Versioned, type WriteBy } from './updater.ts'

type Spec = Readonly<Record<string, unknown>>

interface Step {
  readonly by: string
  readonly apply?: Spec
  readonly force?: boolean
  readonly update?: Spec
  /** Paths of the conflicts, where the step is refused. */
  readonly conflicts?: readonly string[]
  /** The spec after the step. */
  readonly spec?: Spec
  /** Whose set is what after the step; who is not named here is not looked at. Undefined: no entry. */
  readonly owned?: Readonly<Record<string, unknown>>
}

interface Story {
  readonly name: string
  readonly steps: readonly Step[]
}

const options: UpdaterOptions = { convert: (object) => object, ignored: () => setOf(['f:status']) }

const stories: readonly Story[] = [
  {
    name: 'an applier owns what it names, and no more',
    steps: [
      {
        by: 'a',
        apply: { count: 1, labels: { x: '1' }, names: ['n'], items: [{ name: 'i', value: 'v' }] },
        owned: {
          a: {
            'f:count': {},
            'f:items': { 'k:{"name":"i"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            'f:labels': { 'f:x': {} },
            'f:names': { 'v:"n"': {} },
          },
        },
      },
    ],
  },
  {
    name: 'an updater owns what it adds, containers included',
    steps: [
      {
        by: 'a',
        update: { count: 1, labels: { x: '1' }, command: ['c'], items: [{ name: 'i' }] },
        owned: {
          a: {
            '.': {},
            'f:command': {},
            'f:count': {},
            'f:items': { '.': {}, 'k:{"name":"i"}': { '.': {}, 'f:name': {} } },
            'f:labels': { '.': {}, 'f:x': {} },
          },
        },
      },
    ],
  },
  {
    name: 'who applies the same value comes to own it too, and who applies another meets a conflict',
    steps: [
      { by: 'a', apply: { count: 1 } },
      { by: 'b', apply: { count: 1, text: 't' }, owned: { a: { 'f:count': {} }, b: { 'f:count': {}, 'f:text': {} } } },
      { by: 'b', apply: { count: 2, text: 't' }, conflicts: ['.spec.count'] },
      { by: 'b', apply: { count: 2 }, force: true, spec: { count: 2 }, owned: { a: undefined, b: { 'f:count': {} } } },
    ],
  },
  {
    name: 'what is applied no more goes, unless someone else owns it',
    steps: [
      { by: 'a', apply: { count: 1, text: 't', labels: { x: '1', y: '2' } } },
      { by: 'b', apply: { text: 't', labels: { y: '2' } } },
      { by: 'a', apply: { count: 1 }, spec: { count: 1, text: 't', labels: { y: '2' } } },
      { by: 'b', apply: {}, spec: { count: 1 }, owned: { a: { 'f:count': {} }, b: {} } },
    ],
  },
  {
    name: 'what an updater took over stays when the applier drops it',
    steps: [
      { by: 'a', apply: { count: 1, text: 't' } },
      { by: 'u', update: { count: 5, text: 't' }, owned: { a: { 'f:text': {} }, u: { 'f:count': {} } } },
      { by: 'a', apply: { text: 't' }, spec: { count: 5, text: 't' } },
      { by: 'a', apply: { text: 't', count: 1 }, conflicts: ['.spec.count'] },
    ],
  },
  {
    name: 'an updater that removes a field takes it from its owners',
    steps: [
      { by: 'a', apply: { count: 1, labels: { x: '1', y: '2' } } },
      {
        by: 'u',
        update: { count: 1, labels: { y: '2' } },
        owned: { a: { 'f:count': {}, 'f:labels': { 'f:y': {} } }, u: undefined },
      },
    ],
  },
  {
    name: 'items of a keyed list merge by key; each applier keeps its own',
    steps: [
      {
        by: 'a',
        apply: {
          items: [
            { name: 'x', value: '1' },
            { name: 'y', value: '2' },
          ],
        },
      },
      {
        by: 'b',
        apply: {
          items: [
            { name: 'z', value: '3' },
            { name: 'x', note: 'n' },
          ],
        },
        spec: {
          items: [
            { name: 'z', value: '3' },
            { name: 'x', value: '1', note: 'n' },
            { name: 'y', value: '2' },
          ],
        },
      },
      {
        by: 'a',
        apply: { items: [{ name: 'y', value: '2' }] },
        spec: {
          items: [
            { name: 'z', value: '3' },
            { name: 'x', note: 'n' },
            { name: 'y', value: '2' },
          ],
        },
      },
    ],
  },
  {
    name: 'a default stands for an absent key',
    steps: [
      {
        by: 'u',
        update: {
          ports: [
            { port: 80, protocol: 'TCP', label: 'a' },
            { port: 80, protocol: 'UDP' },
          ],
        },
      },
      {
        by: 'a',
        apply: { ports: [{ port: 80, label: 'b' }] },
        conflicts: ['.spec.ports[port=80,protocol="TCP"].label'],
      },
      {
        by: 'a',
        apply: { ports: [{ port: 443 }, { port: 80 }] },
        owned: {
          a: {
            'f:ports': {
              'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
              'k:{"port":443,"protocol":"TCP"}': { '.': {}, 'f:port': {} },
            },
          },
        },
      },
    ],
  },
  {
    name: 'sets gain and lose single members',
    steps: [
      { by: 'a', apply: { names: ['x', 'y'] } },
      { by: 'b', apply: { names: ['y', 'z'] }, spec: { names: ['x', 'y', 'z'] } },
      { by: 'a', apply: { names: ['x'] }, spec: { names: ['x', 'y', 'z'] } },
      { by: 'b', apply: { names: ['z'] }, spec: { names: ['x', 'z'] } },
    ],
  },
  {
    name: 'what is atomic belongs to one as a whole',
    steps: [
      { by: 'a', apply: { command: ['x'], selector: { s: '1' }, reference: { name: 'r' } } },
      {
        by: 'b',
        apply: { command: ['x', 'y'], selector: { s: '1', t: '2' }, reference: { name: 'r', kind: 'k' } },
        conflicts: ['.spec.command', '.spec.reference', '.spec.selector'],
      },
      {
        by: 'b',
        apply: { command: ['z'] },
        force: true,
        spec: { command: ['z'], selector: { s: '1' }, reference: { name: 'r' } },
      },
      { by: 'a', apply: {}, spec: { command: ['z'] } },
    ],
  },
  {
    name: 'a null is applied and owned',
    steps: [
      { by: 'u', update: { count: 1 } },
      { by: 'a', apply: { count: null }, conflicts: ['.spec.count'] },
      { by: 'a', apply: { text: null }, spec: { count: 1, text: null }, owned: { a: { 'f:text': {} } } },
    ],
  },
  {
    name: 'an empty map is a claim of its own',
    steps: [
      { by: 'a', apply: { labels: {} }, spec: { labels: {} }, owned: { a: { 'f:labels': {} } } },
      { by: 'b', apply: { labels: { x: '1' } }, spec: { labels: { x: '1' } } },
      // Emptied by the pruning: a null, which a decoder leaves out.
      { by: 'b', apply: {}, spec: { labels: null } },
    ],
  },
  {
    name: 'an item that stands twice is owned as one piece',
    steps: [
      {
        by: 'u',
        update: {
          items: [
            { name: 'x', value: '1' },
            { name: 'x', value: '2' },
          ],
        },
        owned: { u: { '.': {}, 'f:items': { '.': {}, 'k:{"name":"x"}': {} } } },
      },
      { by: 'a', apply: { items: [{ name: 'x', value: '3' }] }, conflicts: ['.spec.items[name="x"]'] },
    ],
  },
  {
    name: 'a container that nobody else fills goes with its last field',
    steps: [
      { by: 'a', apply: { inner: { a: 1 }, count: 1 } },
      { by: 'a', apply: { count: 1 }, spec: { count: 1 } },
    ],
  },
  {
    name: 'an apply that changes nothing is none',
    steps: [
      { by: 'a', apply: { count: 1, labels: { x: '1' } } },
      { by: 'a', apply: { count: 1, labels: { x: '1' } }, spec: { count: 1, labels: { x: '1' } } },
    ],
  },
  {
    name: 'several conflicts are listed by manager',
    steps: [
      { by: 'a', apply: { count: 1, text: 't' } },
      { by: 'b', apply: { labels: { x: '1' } } },
      {
        by: 'c',
        apply: { count: 2, text: 'u', labels: { x: '2' } },
        conflicts: ['.spec.count', '.spec.text', '.spec.labels.x'],
      },
    ],
  },
]

interface World {
  object: unknown
  managers: Managers
}

function writer(name: string, operation: 'Apply' | 'Update'): WriteBy {
  const manager: Manager = { name, operation, subresource: '', apiVersion: 'v1', time: undefined, set: emptySet }
  return { key: managerKey(manager), manager }
}

function versioned(value: unknown): Versioned {
  return { apiVersion: 'v1', type: exampleType, value }
}

async function take(world: World, step: Step): Promise<void> {
  const live = versioned(world.object)
  const object = (spec: Spec): unknown => ({ metadata: { name: 'x' }, spec })
  if (step.update !== undefined) {
    const by = writer(step.by, 'Update')
    const next = versioned(object(step.update))
    world.managers = await updateOwners(options, { live, next, managers: world.managers, by })
    world.object = next.value
    return
  }
  const config = versioned(object(step.apply!))
  const by = writer(step.by, 'Apply')
  const applied = await applyTo(options, { live, config, managers: world.managers, by, force: step.force === true })
  world.managers = applied.managers
  world.object = applied.object?.value ?? world.object
}

async function conflictsOf(run: Promise<void>): Promise<readonly string[]> {
  try {
    await run
    return []
  } catch (error) {
    if (!(error instanceof ApplyConflicts)) throw error
    return error.conflicts.map(({ path }) => showPath(path))
  }
}

for (const { name, steps } of stories) {
  test(`applyTo(): ${name}`, async () => {
    const world: World = { object: { metadata: {} }, managers: new Map() }
    for (const [index, step] of steps.entries()) {
      const label = `step ${index + 1}`
      assert.deepEqual(await conflictsOf(take(world, step)), step.conflicts ?? [], label)
      if (step.spec !== undefined)
        assert.deepEqual((world.object as { readonly spec?: unknown }).spec ?? {}, step.spec, label)
      const entries = new Map((encodeManagers(world.managers) ?? []).map((one) => [one.manager, one.fieldsV1]))
      for (const [manager, owned] of Object.entries(step.owned ?? {})) {
        const fields = entries.get(manager) as Readonly<Record<string, unknown>> | undefined
        assert.equal(JSON.stringify(fields?.['f:spec']), JSON.stringify(owned), `${label}: what ${manager} owns`)
      }
    }
  })
}
