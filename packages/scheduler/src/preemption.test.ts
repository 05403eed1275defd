// Preemption: the fewest and least important victims, budgets kept where they can be, and the same by arithmetic as by trying.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import type { PodDisruptionBudget } from '@aksel/api/types/policy-v1'
import { seededRandom } from '@aksel/base/ids'
import { Evaluator } from './evaluator.ts'
import { Nominations } from './nominations.ts'
import { preemptFor, type Preemption } from './preemption.ts'
import { QuickVictims } from './quick-preemption.ts'
import { plainWorld } from './testing/plain-objects.ts'
import { Chance } from './testing/random-cluster.ts'

const node = (name: string, cpu = '2', more: Partial<Node['spec']> = {}): Node => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name } },
  spec: more,
  status: { allocatable: { cpu, memory: '8Gi', pods: '10' } },
})

interface Asking {
  readonly cpu?: string
  readonly priority?: number
  readonly on?: string
  readonly labels?: Record<string, string>
  readonly startTime?: string
  readonly spec?: Partial<Pod['spec']>
}

function pod(name: string, { cpu = '1', priority = 0, on, labels, startTime, spec }: Asking): Pod {
  return {
    metadata: { name, namespace: 'd', ...(labels === undefined ? {} : { labels }) },
    spec: {
      priority,
      containers: [{ name: 'c', resources: { requests: { cpu } } }],
      ...(on === undefined ? {} : { nodeName: on }),
      ...spec,
    },
    ...(startTime === undefined ? {} : { status: { startTime } }),
  }
}

interface Given {
  readonly nodes: readonly Node[]
  readonly standing: readonly Pod[]
  readonly budgets?: readonly PodDisruptionBudget[]
  readonly isMakingRoom?: boolean
  /** Whether victims may be found by arithmetic. */
  readonly quick?: boolean
  /** Pods that were promised a place, by `on`. */
  readonly promised?: readonly Pod[]
}

function preempt(
  wanted: Pod,
  given: Given,
): Preemption & { readonly names: readonly string[]; readonly node?: string } {
  const world = plainWorld()
  for (const each of given.nodes) world.state.setNode(each)
  for (const each of given.standing) world.state.setPod(each)
  const evaluator = new Evaluator(world)
  const nominated = new Nominations(world.state)
  for (const each of given.promised ?? []) {
    const { nodeName, ...spec } = each.spec
    nominated.set({ ...each, spec }, nodeName)
  }
  const before = JSON.stringify([...world.state.resources.requested[0]!])
  const result = preemptFor(evaluator, evaluator.evaluate(wanted), {
    anyBudgets: (given.budgets ?? []).length > 0 || given.quick === false,
    isMakingRoom: given.isMakingRoom === true,
    budgets: () => given.budgets ?? [],
    nominated,
    quick: ({ template, pod: { spec } }) =>
      new QuickVictims(evaluator, template, { priority: spec.priority ?? 0, nominated }),
  })
  assert.equal(JSON.stringify([...world.state.resources.requested[0]!]), before, 'the state was changed')
  if (result.kind === 'none') return { ...result, names: [] }
  const { victims } = result
  return {
    ...result,
    node: world.state.nodes[victims.slot]!.name,
    names: victims.pods.map(({ pod: { metadata } }) => metadata.name),
  }
}

test('the node with the lowest victims is chosen, and no more go than must', () => {
  const given = {
    nodes: [node('a'), node('b')],
    standing: [
      pod('high', { on: 'a', priority: 50 }),
      pod('low', { on: 'a', priority: 5 }),
      pod('mid1', { on: 'b', priority: 20 }),
      pod('mid2', { on: 'b', priority: 20 }),
    ],
  }
  const { node: chosen, names } = preempt(pod('p', { priority: 100 }), given)
  assert.deepEqual([chosen, names], ['a', ['low']])
})

test('among equals the younger pod goes', () => {
  const given = {
    nodes: [node('a')],
    standing: [
      pod('old', { on: 'a', startTime: '2026-01-01T00:00:00Z' }),
      pod('young', { on: 'a', startTime: '2026-01-02T00:00:00Z' }),
    ],
  }
  assert.deepEqual(preempt(pod('p', { priority: 1 }), given).names, ['young'])
})

test('a budget is broken only where nothing else helps', () => {
  const labels = { app: 'kept' }
  const budget: PodDisruptionBudget = {
    metadata: { name: 'b', namespace: 'd' },
    spec: { selector: { matchLabels: labels } },
    status: { disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  }
  const standing = [pod('kept', { on: 'a', labels, priority: 1 }), pod('other', { on: 'b', cpu: '2', priority: 9 })]
  const nodes = [node('a', '1'), node('b')]
  assert.deepEqual(preempt(pod('p', { priority: 10 }), { nodes, standing, budgets: [budget] }).names, ['other'])
  assert.deepEqual(preempt(pod('p', { priority: 10 }), { nodes, standing }).names, ['kept'])
  const alone = { nodes: [node('a', '1')], standing: standing.slice(0, 1), budgets: [budget] }
  assert.deepEqual(preempt(pod('p', { priority: 10 }), alone).names, ['kept'])
})

test('a pod whose anti-affinity stands in the way goes, and others stay', () => {
  const labels = { app: 'web' }
  const spec: Partial<Pod['spec']> = {
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: labels } },
        ],
      },
    },
  }
  const given = {
    nodes: [node('a', '4')],
    standing: [pod('web', { on: 'a', labels }), pod('db', { on: 'a' })],
  }
  assert.deepEqual(preempt(pod('p', { priority: 1, spec }), given).names, ['web'])
})

const refusals: readonly {
  readonly name: string
  readonly wanted: Pod
  readonly given: Given
  readonly words: string
}[] = [
  {
    name: 'a policy of Never',
    wanted: pod('p', { priority: 1, spec: { preemptionPolicy: 'Never' } }),
    given: { nodes: [node('a')], standing: [pod('x', { on: 'a', cpu: '2' })] },
    words: 'preemption: not eligible due to preemptionPolicy=Never.',
  },
  {
    name: 'victims still on their way out',
    wanted: pod('p', { priority: 1 }),
    given: { nodes: [node('a')], standing: [], isMakingRoom: true },
    words: 'preemption: not eligible due to a terminating pod on the nominated node.',
  },
  {
    name: 'nobody lower, and a node that no preemption helps',
    wanted: pod('p', { priority: 1 }),
    given: {
      nodes: [node('a'), node('b', '2', { unschedulable: true })],
      standing: [pod('x', { on: 'a', cpu: '2', priority: 1 })],
    },
    words:
      'preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  },
  {
    name: 'victims that would not be enough',
    wanted: pod('p', { priority: 2, cpu: '2' }),
    given: {
      nodes: [node('a')],
      standing: [pod('x', { on: 'a', priority: 1 }), pod('y', { on: 'a', priority: 2 })],
    },
    words: 'preemption: 0/1 nodes are available: 1 Insufficient cpu.',
  },
]

for (const { name, wanted, given, words } of refusals) {
  test(`preemption is refused for ${name}`, () => {
    const result = preempt(wanted, given)
    assert.equal(result.kind === 'none' && result.message, words)
  })
}

test('victims by arithmetic are those by trying, in random clusters', () => {
  let found = 0
  for (let seed = 1; seed <= 300; seed += 1) {
    const chance = new Chance(seededRandom(seed))
    const nodes = Array.from({ length: 1 + chance.below(5) }, (_, index) =>
      node(`n${index}`, String(1 + chance.below(4))),
    )
    const standing = Array.from({ length: chance.below(20) }, (_, index) =>
      pod(`s${index}`, {
        on: chance.one(nodes).metadata.name,
        cpu: `${100 * chance.below(10)}m`,
        priority: chance.below(4),
        startTime: `2026-01-01T00:00:${10 + chance.below(50)}Z`,
      }),
    )
    const wanted = pod('p', { priority: 2, cpu: `${500 * (1 + chance.below(6))}m` })
    const fits = standing.length === 0
    if (fits) continue
    const promised = Array.from({ length: chance.below(4) }, (_, index) =>
      pod(`q${index}`, {
        on: chance.one(nodes).metadata.name,
        cpu: `${500 * chance.below(4)}m`,
        priority: 1 + chance.below(3),
      }),
    )
    const byTrying = preempt(wanted, { nodes, standing, promised, quick: false })
    const byArithmetic = preempt(wanted, { nodes, standing, promised })
    const told = (result: typeof byTrying): unknown[] => [
      result.kind,
      result.node,
      result.names,
      result.kind === 'none' ? result.message : '',
    ]
    assert.deepEqual(told(byArithmetic), told(byTrying), `seed ${seed}`)
    if (byTrying.kind === 'victims') found += 1
  }
  assert.ok(found > 50, `only ${found} preemptions were found`)
})

test('what is kept of earlier pods stays true while pods come and go, and promises are made and end', () => {
  let found = 0
  for (let seed = 1; seed <= 40; seed += 1) {
    const chance = new Chance(seededRandom(seed))
    const world = plainWorld()
    const names = Array.from({ length: 6 }, (_, index) => `n${index}`)
    for (const name of names) world.state.setNode(node(name, '4'))
    const evaluator = new Evaluator(world)
    const nominated = new Nominations(world.state)
    const kept = new Map<number, QuickVictims>()
    const some = (prefix: string): Pod =>
      pod(`${prefix}${chance.below(12)}`, { cpu: `${500 * chance.below(5)}m`, priority: chance.below(4) })
    for (let step = 0; step < 60; step += 1) {
      const standing = some('s')
      const waiting = some('q')
      const name = chance.one(names)
      if (chance.is(0.05)) world.state.removeNode(name)
      else if (chance.is(0.1)) world.state.setNode(node(name, String(1 + chance.below(4))))
      if (chance.is(0.3)) world.state.removePod(`d/${standing.metadata.name}`)
      else world.state.setPod({ ...standing, spec: { ...standing.spec, nodeName: name } })
      nominated.set(waiting, chance.is(0.5) ? name : undefined)
      // One that was itself promised a place asks too.
      const wanted = chance.is(0.3) ? waiting : pod('p', { cpu: '3', priority: 1 + chance.below(3) })
      const priority = wanted.spec.priority!
      const key =
        priority * 10_000 + Number(wanted.spec.containers[0]!.resources!.requests!['cpu']!.toString().replace('m', ''))
      const asked = (anyBudgets: boolean): Preemption =>
        preemptFor(evaluator, evaluator.evaluate(wanted, nominated), {
          anyBudgets,
          isMakingRoom: false,
          budgets: () => [],
          nominated,
          quick: ({ template }) => {
            const quick = kept.get(key) ?? new QuickVictims(evaluator, template, { priority, nominated })
            kept.set(key, quick)
            return quick
          },
        })
      const told = (result: Preemption): unknown =>
        result.kind === 'none' ? result.message : [result.victims.slot, result.victims.pods.map((each) => each.key)]
      const byArithmetic = told(asked(false))
      assert.deepEqual(byArithmetic, told(asked(true)), `seed ${seed}, step ${step}`)
      if (typeof byArithmetic !== 'string') found += 1
    }
  }
  assert.ok(found > 300, `only ${found} preemptions were found`)
})
