// KubeSchedulerConfiguration: what profiles become, what is refused, and that they take effect.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfiguration } from './configuration.ts'
import { Decider } from './decider.ts'
import { asking, node, on, pod } from './testing/decisions.ts'
import { plainObjects } from './testing/plain-objects.ts'

const configuration = (more: object) => ({
  apiVersion: 'kubescheduler.config.k8s.io/v1',
  kind: 'KubeSchedulerConfiguration',
  ...more,
})

const withArgs = (name: string, args: object) => configuration({ profiles: [{ pluginConfig: [{ name, args }] }] })

test('without profiles there is the default one', () => {
  const { profiles, queue } = parseConfiguration(configuration({ podMaxBackoffSeconds: 20 }))
  assert.deepEqual(
    profiles.map(({ schedulerName }) => schedulerName),
    ['default-scheduler'],
  )
  assert.deepEqual(queue, { initialBackoffMs: 1000, maxBackoffMs: 20_000 })
})

test('pods of each schedulerName are placed by their own profile', () => {
  const { profiles } = parseConfiguration(
    configuration({
      profiles: [
        { schedulerName: 'default-scheduler' },
        {
          schedulerName: 'packing',
          plugins: { multiPoint: { disabled: [{ name: 'NodeResourcesBalancedAllocation' }] } },
          pluginConfig: [{ name: 'NodeResourcesFit', args: { scoringStrategy: { type: 'MostAllocated' } } }],
        },
      ],
    }),
  )
  const decider = new Decider(plainObjects({}), profiles)
  for (const each of [node('a'), node('b')]) decider.state.setNode(each)
  decider.state.setPod(on('a', pod('x', asking({ cpu: '500m', memory: '1Gi' }))))
  const place = (schedulerName: string): string => {
    const decision = decider.explain(pod('p', { ...asking({ cpu: '500m', memory: '1Gi' }), schedulerName }))
    return decision.kind === 'fits' ? decision.nodeName : decision.message
  }
  assert.deepEqual([place('default-scheduler'), place('packing')], ['b', 'a'])
  assert.equal(decider.serves(pod('p', { schedulerName: 'third' })), false)
})

test('plug-ins are switched off at a point, everywhere or all, and weighed', () => {
  const plugins = {
    filter: { disabled: [{ name: 'TaintToleration' }] },
    score: { disabled: [{ name: '*' }], enabled: [{ name: 'ImageLocality', weight: 7 }] },
    postFilter: { disabled: [{ name: 'DefaultPreemption' }] },
  }
  const [profile] = parseConfiguration(configuration({ profiles: [{ plugins }] })).profiles
  assert.equal(profile?.filters.has('TaintToleration'), false)
  assert.equal(profile?.filters.has('NodeResourcesFit'), true)
  assert.deepEqual([...profile!.scores], [['ImageLocality', 7]])
  assert.equal(profile?.preempts, false)
})

test('an added affinity holds for every pod of the profile', () => {
  const term = { matchExpressions: [{ key: 'pool', operator: 'In', values: ['x'] }] }
  const addedAffinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] } }
  const decider = new Decider(
    plainObjects({}),
    parseConfiguration(withArgs('NodeAffinity', { addedAffinity })).profiles,
  )
  decider.state.setNode(node('a'))
  const decision = decider.explain(pod('p'))
  assert.match(
    decision.kind === 'unschedulable' ? decision.message : '',
    /1 node\(s\) didn't match scheduler-enforced node affinity/,
  )
})

test('a shape scores a node by how full it would be', () => {
  const shape = [
    { utilization: 0, score: 0 },
    { utilization: 50, score: 10 },
    { utilization: 100, score: 0 },
  ]
  const scoringStrategy = { type: 'RequestedToCapacityRatio', requestedToCapacityRatio: { shape } }
  const { profiles } = parseConfiguration(withArgs('NodeResourcesFit', { scoringStrategy }))
  const decider = new Decider(plainObjects({}), profiles)
  for (const each of [node('full'), node('half'), node('empty')]) decider.state.setNode(each)
  decider.state.setPod(on('full', pod('x', asking({ cpu: '1800m', memory: '3600Mi' }))))
  decider.state.setPod(on('half', pod('y', asking({ cpu: '800m', memory: '1800Mi' }))))
  const decision = decider.explain(pod('p', asking({ cpu: '100m', memory: '200Mi' })))
  assert.equal(decision.kind === 'fits' && decision.nodeName, 'half')
})

const refusals: readonly (readonly [string, object, RegExp])[] = [
  ['another version', { ...configuration({}), apiVersion: 'v1' }, /apiVersion: must be kubescheduler/],
  ['an unknown plug-in', withArgs('Nothing', {}), /there is no plug-in "Nothing"/],
  [
    'two profiles of one name',
    configuration({ profiles: [{}, {}] }),
    /two of them have the schedulerName "default-scheduler"/,
  ],
  [
    'an unknown point',
    configuration({ profiles: [{ plugins: { filters: {} } }] }),
    /plugins\.filters: is no extension point/,
  ],
  ['extenders', configuration({ extenders: [{ urlPrefix: 'http://x' }] }), /extenders are not offered/],
  ['an unknown strategy', withArgs('NodeResourcesFit', { scoringStrategy: { type: 'Any' } }), /not "Any"/],
  ['a weight out of bounds', withArgs('InterPodAffinity', { hardPodAffinityWeight: 101 }), /from 0 to 100, not 101/],
  [
    'default constraints without the type List',
    withArgs('PodTopologySpread', {
      defaultConstraints: [{ topologyKey: 'z', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }],
    }),
    /must be List/,
  ],
]

for (const [name, given, words] of refusals) {
  test(`parseConfiguration() refuses ${name}`, () => assert.throws(() => parseConfiguration(given), words))
}
