// Volumes of a driver by node, counted in columns, against counting them anew for every question.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node } from '@aksel/api/types/core-v1'
import { fraction, seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { ClusterState } from './cluster-state.ts'
import { DriverUse } from './driver-use.ts'

const NODES = 70
const IDS = 12

test('a node has room for volumes as often as counting them anew says so, while volumes, limits and nodes change', () => {
  const random = seededRandom(5)
  const below = (most: number): number => Math.floor(fraction(random) * most)
  const state = new ClusterState({ namespaceLabels: () => ({}) })
  const limits = new Map<string, number | undefined>()
  const use = new DriverUse(state, (name) => limits.get(name))
  /** By node: how many pods use each volume. */
  const held = new Map<string, Map<string, number>>()
  const nodeOf = (name: string, age: number): Node => ({ metadata: { name, labels: { age: String(age) } }, spec: {} })
  let answers = 0
  for (let step = 0; step < sized({ gate: 4000, full: 100_000 }); step += 1) {
    const name = `n${below(NODES)}`
    const slot = state.slotOf(name)
    const volumes = held.get(name) ?? new Map<string, number>()
    const id = `v${below(IDS)}`
    const dice = below(10)
    if (slot === undefined || dice === 0) {
      // A node that goes takes its pods along before.
      if (slot !== undefined && dice === 0 && volumes.size === 0 && below(3) === 0) state.removeNode(name)
      else {
        if (slot === undefined) limits.set(name, below(4) === 0 ? undefined : below(5))
        state.setNode(nodeOf(name, step))
      }
      continue
    }
    if (dice === 1) {
      limits.set(name, below(4) === 0 ? undefined : below(5))
      use.limitChanged(slot)
      continue
    }
    if (dice < 6) {
      const sign = volumes.has(id) && below(2) === 0 ? -1 : 1
      const left = (volumes.get(id) ?? 0) + sign
      if (left === 0) volumes.delete(id)
      else volumes.set(id, left)
      held.set(name, volumes)
      use.count(slot, id, sign)
      continue
    }
    const wanted = new Set(Array.from({ length: 1 + below(3) }, () => `v${below(IDS)}`))
    const more = [...wanted].filter((each) => !volumes.has(each)).length
    const limit = limits.get(name)
    const isExceeded = limit !== undefined && more > 0 && volumes.size + more > limit
    use.refresh()
    assert.equal(use.isExceeded(slot, wanted), isExceeded, `step ${step}`)
    answers += 1
  }
  assert.ok(answers > 1000, `only ${answers} answers`)
})
