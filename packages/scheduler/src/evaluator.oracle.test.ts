// The fast path against brute force: random clusters that change all the time, every node's answer and score compared.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { Evaluator } from './evaluator.ts'
import { answersOf } from './explanation.ts'
import { defaultProfile } from './profile.ts'
import { askOracle } from './testing/oracle.ts'
import { plainWorld } from './testing/plain-objects.ts'
import { Chance, namespaceLabels, randomNode, randomPod } from './testing/random-cluster.ts'

/** One history: nodes and pods come, change and go, and pods are decided in between. Returns how many fitted, and how many of them in one pass. */
function live(seed: number, steps: number): { readonly fitted: number; readonly quickly: number } {
  const chance = new Chance(seededRandom(seed))
  const world = plainWorld({ namespaceLabels })
  const evaluator = new Evaluator(world)
  const nodes = new Map<string, Node>()
  const pods = new Map<string, Pod>()
  let fitted = 0
  let quickly = 0
  const setNode = (name: string): void => {
    const node = randomNode(chance, name)
    nodes.set(name, node)
    world.state.setNode(node)
  }
  for (let index = 0; index < 4 + chance.below(8); index += 1) setNode(`n${index}`)
  for (let step = 0; step < steps; step += 1) {
    if (chance.is(0.1)) setNode(`n${chance.below(12)}`)
    if (chance.is(0.03)) removeNode(chance.one([...nodes.keys()]))
    if (chance.is(0.2) && pods.size > 0) {
      const key = chance.one([...pods.keys()])
      pods.delete(key)
      world.state.removePod(key)
    }
    const pod = randomPod(chance, `p${step}`)
    const evaluation = evaluator.evaluate(pod)
    const winner = compare(pod, evaluation)
    if (winner === undefined) continue
    fitted += 1
    const placed = { ...pod, spec: { ...pod.spec, nodeName: winner } }
    pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, placed)
    world.state.setPod(placed)
  }
  return { fitted, quickly }

  function removeNode(name: string): void {
    nodes.delete(name)
    world.state.removeNode(name)
  }

  function compare(pod: Pod, evaluation: ReturnType<Evaluator['evaluate']>): string | undefined {
    const inOrder = world.state.nodes.flatMap((entry) => (entry === undefined ? [] : [nodes.get(entry.name)!]))
    const standing = [...pods.values()].filter(({ spec }) => nodes.has(spec.nodeName ?? ''))
    const expected = askOracle(pod, { nodes: inOrder, pods: standing, namespaceLabels, profile: defaultProfile() })
    const answers = answersOf(world, evaluation)
    const refused = answers.filter(({ fits }) => !fits).map(({ node, reasons }) => [node, reasons.join('|')] as const)
    const at = `seed ${seed}, pod ${JSON.stringify(pod)}`
    assert.deepEqual(new Map(refused), new Map(expected.refusals), at)
    const names = [...evaluation.feasible].map((slot) => world.state.nodes[slot]!.name)
    const totals = [...evaluator.totals(evaluation)]
    assert.deepEqual(new Map(names.map((name, index) => [name, totals[index]!])), new Map(expected.scores), at)
    const best = evaluator.best(evaluation)
    const quick = evaluator.quickBest(evaluator.prepare(pod))
    if (quick !== undefined) {
      quickly += 1
      assert.equal(quick.slot, best?.slot, at)
    }
    if (best === undefined) return undefined
    const name = world.state.nodes[best.slot]!.name
    assert.equal(expected.scores.get(name), Math.max(...expected.scores.values()), at)
    return name
  }
}

test('every answer and every score are those of brute force, in random clusters that change', () => {
  const histories = sized({ gate: 60, full: 2000 })
  let fitted = 0
  let quickly = 0
  for (let seed = 1; seed <= histories; seed += 1) {
    const seen = live(seed, 60)
    fitted += seen.fitted
    quickly += seen.quickly
  }
  assert.ok(quickly > histories, `only ${quickly} pods were placed in one pass: it is hardly tested`)
  assert.ok(fitted > histories * 20, `only ${fitted} pods fitted anywhere: the histories test too little`)
})
