// The order in which a node's pods go when it shuts down, and how long it waits for them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { testScope } from '@aksel/testing/test-scope'
import { NodeShutdown } from './node-shutdown.ts'
import type { EndablePod } from './node-shutdown.ts'
import { planShutdown, shutdownGroups } from './plan.ts'
import { readKubeletConfig } from '../kubelet-config.ts'

function podOf(name: string, priority: number, grace = 30): { readonly pod: Pod } {
  const spec = { priority, terminationGracePeriodSeconds: grace, containers: [] }
  return { pod: { metadata: { name }, spec } }
}

test('two periods are two groups, critical pods within the whole; nothing is nothing; priorities are their own', () => {
  const none = {
    shutdownGracePeriod: '0s',
    shutdownGracePeriodCriticalPods: '0s',
    shutdownGracePeriodByPodPriority: [],
  }
  assert.deepEqual(shutdownGroups(none), [])
  const two = { ...none, shutdownGracePeriod: '30s', shutdownGracePeriodCriticalPods: '10s' }
  const groups = shutdownGroups(two)
  assert.deepEqual(groups, [
    { priority: 0, graceSeconds: 20 },
    { priority: 2_000_000_000, graceSeconds: 10 },
  ])
  const pods = [podOf('critical', 2_000_000_000), podOf('plain', 0, 5), podOf('low', -10, 60)]
  const plan = planShutdown(groups, pods).map((step) =>
    step.pods.map((one) => [one.pod.pod.metadata.name, one.graceSeconds]),
  )
  assert.deepEqual(plan, [
    [
      ['plain', 5],
      ['low', 20],
    ],
    [['critical', 10]],
  ])
  const byPriority = { shutdownGracePeriodByPodPriority: [{ priority: 100, shutdownGracePeriodSeconds: 1 }] }
  assert.deepEqual(readKubeletConfig(byPriority).shutdown, [{ priority: 100, graceSeconds: 1 }])
  assert.throws(() => readKubeletConfig({ ...byPriority, shutdownGracePeriod: '1s' }), /mutually exclusive/)
})

test('a group that does not come down in time gives way to the next; no pod is taken meanwhile', async () => {
  const scope = testScope()
  const told: string[] = []
  const endable = (name: string, priority: number, ends: boolean): EndablePod => ({
    ...podOf(name, priority),
    fail: ({ reason, graceSeconds, disruption }) => {
      told.push(`${name} ${reason} ${graceSeconds} ${disruption}`)
      return ends ? Promise.resolve() : new Promise(() => {})
    },
  })
  const pods = [endable('stubborn', 0, false), endable('critical', 2_000_000_000, true)]
  const groups = [
    { priority: 0, graceSeconds: 20 },
    { priority: 2_000_000_000, graceSeconds: 10 },
  ]
  const shutdown = new NodeShutdown(scope, groups, { pods: () => pods, announce: () => new Promise(() => {}) })
  assert.equal(shutdown.admit(), undefined)
  const done = shutdown.begin()
  assert.equal(shutdown.admit()?.reason, 'NodeShutdown')
  await scope.clock.run(2000)
  assert.deepEqual(told, ['stubborn Terminated 20 TerminationByKubelet'])
  await scope.clock.run(20_000)
  assert.deepEqual(told.at(-1), 'critical Terminated 10 TerminationByKubelet')
  await done
})
