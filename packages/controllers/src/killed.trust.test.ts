// Every loop is killed after any of its awaits, with all others, and run again: what comes out is what would have come out.

import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { test } from 'node:test'
import type { KubernetesObject } from '@aksel/api/resource'
import type { Controller } from '@aksel/runtime/controller'
import { createServiceAccountKey } from '@aksel/runtime/pki'
import { sized } from '@aksel/testing/test-size'
import { controllersFor } from './all.ts'
import { STORY_SECONDS, storySecond } from './testing/busy-story.ts'
import { TestCluster, type MakeLoops } from './testing/cluster.ts'

/** Signing takes real time, which this clock does not know: these have trials of their own (certificates/controller.test.ts). */
const elsewhere = new Set(['certificate-approving', 'certificate-signing', 'certificate-cleaner'])
const tokenKey = await createServiceAccountKey()
const loadBalancers = {
  vnetRanges: () => [],
  ensure: () => Promise.resolve({ address: '100.66.0.1' }),
  remove: () => Promise.resolve(),
  onProbe: () => ({ [Symbol.dispose]: () => {} }),
}
const nodeIpam = { clusterCidrs: ['10.244.0.0/16'] }
const keys = { rootCaPem: 'PEM', tokenKey, loadBalancers, nodeIpam }
/** Ends at the end of a minute, so that no run begins a job more than another. */
const startMs = Date.parse('2026-06-01T00:00:30Z')

/** Which loop's pass a call belongs to. */
const passes = new AsyncLocalStorage<string>()
const known = new Set<string>()
const loops: MakeLoops = (parts) =>
  controllersFor({ ...parts, ...keys }).map((controller): Controller => {
    known.add(controller.name)
    return {
      ...controller,
      reconcile: (scope, key) => passes.run(controller.name, () => controller.reconcile(scope, key)),
    }
  })

interface Kill {
  readonly loop: string
  /** The process dies before this call of the loop, or when this write of it has taken effect. */
  readonly at: 'call' | 'write'
  readonly count: number
}

interface Run {
  readonly end: readonly string[]
  /** By loop: its calls, and its writes that took effect. */
  readonly calls: ReadonlyMap<string, number>
  readonly writes: ReadonlyMap<string, number>
  readonly killed: boolean
}

async function run(kill?: Kill): Promise<Run> {
  await using cluster = new TestCluster(loops, startMs)
  const [calls, writes] = [new Map<string, number>(), new Map<string, number>()]
  let dead = false
  const die = (): never => {
    dead = true
    throw new Error('The process was killed')
  }
  const count = (at: Kill['at'], counts: Map<string, number>): void => {
    if (dead) die()
    const loop = passes.getStore()
    if (loop === undefined) return
    const counted = (counts.get(loop) ?? 0) + 1
    counts.set(loop, counted)
    if (kill?.loop === loop && kill.at === at && kill.count === counted) die()
  }
  cluster.start({
    before: () => count('call', calls),
    after: () => count('write', writes),
  })
  let killed = false
  for (let second = 0; second < STORY_SECONDS; second += 1) {
    await storySecond(cluster, second)
    if (!dead) continue
    await cluster.stop()
    cluster.start()
    dead = false
    killed = true
  }
  return { end: shown(cluster), calls, writes, killed }
}

/** Every object but events: what it is called (chance left out), who holds it, its conditions and the numbers of its status. */
function shown({ objects }: TestCluster): readonly string[] {
  return objects.types
    .filter(({ plural }) => plural !== 'events')
    .flatMap((type) =>
      [...objects.kind(type).values()].map((object) => {
        const { metadata, status } = object as KubernetesObject & { readonly status?: object }
        const { generateName, namespace = '', finalizers = [], labels = {}, deletionTimestamp } = metadata
        const name = generateName === undefined ? metadata.name.replaceAll(/\d{6,}/g, 'N') : `${generateName}*`
        const facts = [finalizers, Object.keys(labels).toSorted(), deletionTimestamp !== undefined, numbersOf(status)]
        return `${type.plural} ${namespace}/${name} ${JSON.stringify(facts)}`
      }),
    )
    .toSorted()
}

function numbersOf(status: object | undefined): readonly string[] {
  return Object.entries(status ?? {}).flatMap(([name, value]): readonly string[] => {
    // An autoscaler without metrics keeps what its status said last, as upstream's does.
    if (['observedGeneration', 'containerStatuses', 'desiredReplicas'].includes(name)) return []
    if (name === 'conditions')
      return (value as readonly { readonly type: string; readonly status: string }[])
        .map((condition) => `${condition.type}=${condition.status}`)
        .toSorted()
    return typeof value === 'number' || name === 'phase' ? [`${name}=${value}`] : []
  })
}

const reference = await run()

test('the story gives every loop work', () => {
  assert.ok(known.size > 35, `only ${known.size} loops`)
  assert.deepEqual(
    [...known].filter((name) => !reference.calls.has(name) && !elsewhere.has(name)),
    [],
  )
  assert.ok(reference.end.length > 40, `only ${reference.end.length} objects`)
})

/** Of each loop some kills in the gate, spread over all that it did; at full size every one. */
const perLoop = sized({ gate: 2, full: 10_000 })
function spread(at: Kill['at'], counts: ReadonlyMap<string, number>): readonly Kill[] {
  return [...counts].flatMap(([loop, count]) => {
    const size = Math.min(count, perLoop)
    return Array.from({ length: size }, (_, index) => ({ loop, at, count: 1 + Math.floor((index * count) / size) }))
  })
}
const kills = [...spread('call', reference.calls), ...spread('write', reference.writes)]

test(`${kills.length} kills, in the middle of every loop, change nothing of what comes out`, async () => {
  assert.ok(kills.length >= 100, `only ${kills.length} kills`)
  for (const kill of kills) {
    const { end, killed } = await run(kill)
    assert.ok(killed, `the process did not die at ${kill.at} ${kill.count} of ${kill.loop}`)
    assert.deepEqual(end, reference.end, `killed at ${kill.at} ${kill.count} of ${kill.loop}`)
  }
})
