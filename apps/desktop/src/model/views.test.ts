// What the pages show, decided without a page: cells, columns, conditions, states, access, routes, navigation.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allows, likelyNamespaces } from './access.ts'
import { gridWidths, longest, shownColumns } from './columns.ts'
import { explain } from './conditions.ts'
import { ageText, toneOf } from './kube-table.ts'
import { logSources, type WithContainers } from './log-sources.ts'
import { toneOfObject } from './object-state.ts'
import { search } from './palette.ts'
import { selectorOf } from './pod-selector.ts'
import { apiPath, navigation, resourceId, resourcesOf, titleOf } from './resources.ts'
import { formatRoute, parseRoute, type Route } from './route.ts'

test('ages are shortened as kubectl does', () => {
  const seconds = [5, 119, 120, 200, 660, 3 * 3600 + 60, 9 * 3600, 50 * 3600, 9 * 86_400, 800 * 86_400]
  assert.deepEqual(
    seconds.map((each) => ageText(each * 1000)),
    ['5s', '119s', '2m', '3m20s', '11m', '3h1m', '9h', '2d2h', '9d', '2y70d'],
  )
})

test('a state has the colour of what it means', () => {
  const tones = {
    Running: 'good',
    Completed: 'quiet',
    CrashLoopBackOff: 'bad',
    'Init:0/2': 'busy',
    'Ready,SchedulingDisabled': 'warn',
    ImagePullBackOff: 'bad',
    Terminating: 'busy',
    OOMKilled: 'bad',
  } as const
  for (const [text, tone] of Object.entries(tones)) assert.equal(toneOf('Status', text), tone, text)
  assert.equal(toneOf('Name', 'Failed'), undefined)
})

test('wide columns are shown where they say much, and all of them when asked for', () => {
  const columns = [
    ['Name', 0],
    ['Ready', 0],
    ['Age', 0],
    ['IP', 1],
    ['Node', 1],
    ['Nominated Node', 1],
  ].map(([name, priority]) => ({ name: String(name), type: 'string', priority: Number(priority) }))
  const titles = (wide: boolean, withNamespace: boolean): readonly string[] =>
    shownColumns(columns, { resource: 'pods', wide, withNamespace }).map(({ title }) => title)
  assert.deepEqual(titles(false, true), ['Name', 'Namespace', 'Ready', 'IP', 'Node', 'Age'])
  assert.deepEqual(titles(true, false), ['Name', 'Ready', 'IP', 'Node', 'Nominated Node', 'Age'])
})

test('columns grow with their texts and never shrink', () => {
  const columns = shownColumns([{ name: 'Status', type: 'string', priority: 0 }], {
    resource: 'x',
    wide: false,
    withNamespace: false,
  })
  const row = {
    key: 'a',
    uid: '',
    namespace: '',
    name: 'a',
    createdMs: 0,
    deleting: false,
    cells: ['CrashLoopBackOff'],
    labels: '',
  }
  const first = longest(columns, [row], new Map())
  const after = longest(columns, [{ ...row, cells: ['x'] }], first)
  assert.equal(after.get('Status'), 16)
  assert.ok(gridWidths(columns, after).leastPx > gridWidths(columns, new Map()).leastPx)
})

test('conditions are explained, and judged by what they are to be', () => {
  const pressure = explain('Node', { type: 'MemoryPressure', status: 'True' })
  assert.deepEqual([pressure.tone, pressure.meaning], ['bad', 'Memory is short: pods are evicted.'])
  assert.equal(explain('Node', { type: 'MemoryPressure', status: 'False' }).tone, 'good')
  assert.equal(explain('Pod', { type: 'Ready', status: 'False', reason: 'PodCompleted' }).tone, 'quiet')
  assert.equal(explain('Widget', { type: 'Synced', status: 'False' }).tone, 'bad')
  assert.equal(explain('Widget', { type: 'Degraded', status: 'True' }).tone, 'bad')
  assert.equal(explain('Node', { type: 'Ready', status: 'Unknown' }).tone, 'warn')
})

test('an object says how it is in a word', () => {
  const deployment = (status: Record<string, unknown>, replicas = 3) =>
    toneOfObject({ kind: 'Deployment', metadata: {}, spec: { replicas }, status })
  assert.deepEqual(deployment({ readyReplicas: 3, updatedReplicas: 3 }), { tone: 'good', text: '3 of 3 ready' })
  assert.deepEqual(deployment({ readyReplicas: 3, updatedReplicas: 1 }), {
    tone: 'busy',
    text: 'Rolling out, 1 of 3 new',
  })
  assert.deepEqual(deployment({}, 0), { tone: 'quiet', text: 'Scaled to zero' })
  const waiting = { phase: 'Running', containerStatuses: [{ state: { waiting: { reason: 'CrashLoopBackOff' } } }] }
  assert.deepEqual(toneOfObject({ kind: 'Pod', metadata: {}, status: waiting }), {
    tone: 'bad',
    text: 'CrashLoopBackOff',
  })
  assert.equal(toneOfObject({ kind: 'ConfigMap', metadata: {} }), undefined)
})

test('rules are read as RBAC reads them', () => {
  const rules = [
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
    { verbs: ['*'], apiGroups: ['apps'], resources: ['*/scale'] },
    { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['one'] },
  ]
  assert.ok(allows(rules, { verb: 'list', group: '', resource: 'pods' }))
  assert.ok(allows(rules, { verb: 'get', group: '', resource: 'pods', subresource: 'log' }))
  assert.ok(!allows(rules, { verb: 'create', group: '', resource: 'pods', subresource: 'exec' }))
  assert.ok(allows(rules, { verb: 'patch', group: 'apps', resource: 'deployments', subresource: 'scale' }))
  assert.ok(!allows(rules, { verb: 'patch', group: 'apps', resource: 'deployments' }))
  assert.ok(allows(rules, { verb: 'get', group: '', resource: 'secrets', name: 'one' }))
  assert.ok(!allows(rules, { verb: 'list', group: '', resource: 'secrets' }))
})

test('who may not list namespaces begins in its own', () => {
  assert.deepEqual(likelyNamespaces('system:serviceaccount:shop:reader', undefined, ['web']), ['shop', 'web'])
  assert.deepEqual(likelyNamespaces('jane', 'team-a', []), ['team-a'])
  assert.deepEqual(likelyNamespaces('jane', undefined, []), ['default'])
})

test('every route survives the address bar', () => {
  const routes: readonly Route[] = [
    { page: 'clusters' },
    { page: 'create' },
    { page: 'overview', cluster: 'arm.my.group.c1' },
    { page: 'flows', cluster: 'c' },
    { page: 'list', cluster: 'c', resource: 'deployments.apps', filter: 'web -status:x' },
    {
      page: 'object',
      cluster: 'c',
      resource: 'clusterroles.rbac.authorization.k8s.io',
      namespace: '',
      name: 'system:node',
      tab: 'yaml',
    },
  ]
  for (const route of routes) {
    const [path, query] = formatRoute(route).split('?')
    assert.deepEqual(parseRoute(path!, new URLSearchParams(query)), route)
  }
})

const discovery = {
  items: [
    {
      metadata: {},
      versions: [
        {
          version: 'v1',
          resources: [
            {
              resource: 'pods',
              responseKind: { kind: 'Pod' },
              scope: 'Namespaced',
              verbs: ['list', 'get'],
              subresources: [{ subresource: 'log' }],
            },
            { resource: 'bindings', verbs: ['create'] },
          ],
        },
      ],
    },
    {
      metadata: { name: 'example.org' },
      versions: [
        {
          version: 'v2',
          resources: [{ resource: 'widgets', responseKind: { kind: 'BigWidget' }, scope: 'Cluster', verbs: ['list'] }],
        },
        {
          version: 'v1',
          resources: [{ resource: 'widgets', responseKind: { kind: 'BigWidget' }, scope: 'Cluster', verbs: ['list'] }],
        },
      ],
    },
  ],
}

test('navigation shows what may be listed, custom kinds by their preferred version', () => {
  const resources = resourcesOf([discovery])
  assert.deepEqual(resources.map(resourceId), ['pods', 'widgets.example.org'])
  assert.equal(apiPath(resources[1]!, { name: 'a b' }), '/apis/example.org/v2/widgets/a%20b')
  assert.equal(
    apiPath(resources[0]!, { namespace: 'x', name: 'p', subresource: 'log' }),
    '/api/v1/namespaces/x/pods/p/log',
  )
  assert.deepEqual(
    navigation(resources, () => true).map(({ title, items }) => [title, items.map((item) => item.title)]),
    [
      ['Workloads', ['Pods']],
      ['Custom resources', ['Big widgets']],
    ],
  )
  assert.deepEqual(
    navigation(resources, ({ resource }) => resource !== 'pods').map(({ title }) => title),
    ['Custom resources'],
  )
  assert.equal(titleOf({ group: '', resource: 'x', kind: 'NetworkPolicy' }), 'Network policies')
})

test('a workload’s pods are found by its selector, expressions included', () => {
  const selector = {
    matchLabels: { app: 'a' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['x', 'y'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  }
  assert.equal(selectorOf({ kind: 'Deployment', spec: { selector } }), 'app=a,tier in (x,y),!old')
  assert.equal(selectorOf({ kind: 'Service', spec: { selector: { app: 'a' } } }), 'app=a')
  assert.equal(selectorOf({ kind: 'ConfigMap' }), undefined)
})

test('search() finds by short name before anything else', () => {
  const entries = ['Stateful sets', 'Services', 'Storage classes'].map((title, at) => ({
    title,
    detail: '',
    words: ['sts statefulsets', 'svc services', 'sc storageclasses'][at]!,
    route: { page: 'clusters' } as const,
  }))
  assert.equal(search(entries, 'svc')[0]!.title, 'Services')
  assert.equal(search(entries, 'stor')[0]!.title, 'Storage classes')
  assert.equal(search(entries, '').length, 3)
})

test('a container has a log for each of its runs, and a new one only when it runs again', () => {
  const runOf = (status: object | undefined): string => {
    const pod = { metadata: { name: 'p', uid: 'u' }, spec: { containers: [{ name: 'c' }] } }
    const statuses = status === undefined ? {} : { status: { containerStatuses: [{ name: 'c', ...status }] } }
    return logSources([{ ...pod, ...statuses } as WithContainers], false)[0]!.run
  }
  const story = [
    undefined,
    { restartCount: 0, state: { waiting: {} } },
    { restartCount: 0, state: {} },
    { restartCount: 0, state: { waiting: {} }, lastState: { terminated: {} } },
    { restartCount: 1, state: {} },
    { restartCount: 1, state: { waiting: {} }, lastState: { terminated: {} } },
  ]
  assert.deepEqual(story.map(runOf), ['u none', 'u none', 'u 0', 'u 0', 'u 1', 'u 1'])
  const two = { metadata: { name: 'p' }, spec: { initContainers: [{ name: 'i' }], containers: [{ name: 'c' }] } }
  assert.deepEqual(
    [true, false].map((withInit) => logSources([two], withInit).map(({ container }) => container)),
    [['i', 'c'], ['c']],
  )
})
