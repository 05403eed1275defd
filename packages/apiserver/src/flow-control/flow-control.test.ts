// Flow control in a server: seats, queues, refusals, headers, dumps, objects that change it, and the guard.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { systemClock, type Clock } from '@aksel/base/clock'
import { startTestServer, testScope, type TestServer } from '../test-server.ts'
import { deal, flowHash } from './dealer.ts'
import { calm, GUARD_CALM_MS, isSystem, judgeGuard, type ClientCost } from './guard.ts'
import { GuardLoop, guardName } from './guard-loop.ts'
import { MetricsRegistry } from '../metrics.ts'

const flowApi = '/apis/flowcontrol.apiserver.k8s.io/v1'
const ann = { name: 'ann', groups: [] }
const dumps = '/debug/api_priority_and_fairness'

/** A server whose webhook holds every question about a namespace until it is let go: those requests keep their seats. */
async function held(): Promise<{ server: TestServer; letGo: () => void; asked: () => number } & AsyncDisposable> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const ask = async (): Promise<{ code: number; body: unknown }> => {
    asked += 1
    await promise
    return { code: 200, body: { status: { allowed: true } } }
  }
  const settings = {
    timeout: '30s',
    subjectAccessReviewVersion: 'v1',
    matchConditionSubjectAccessReviewVersion: 'v1',
    failurePolicy: 'Deny',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/a' },
    matchConditions: [
      { expression: "has(request.resourceAttributes) && request.resourceAttributes.namespace.startsWith('held')" },
    ],
  } as const
  const configuration = {
    authorizers: [
      { type: 'Webhook', name: 'hook', webhook: settings },
      { type: 'AlwaysAllow', name: 'all' },
    ],
  } as const
  const server = await startTestServer({ authorization: { configuration, services: () => ask } })
  return {
    server,
    letGo: resolve,
    asked: () => asked,
    async [Symbol.asyncDispose]() {
      resolve()
      await server[Symbol.asyncDispose]()
    },
  }
}

async function untilTrue(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 10_000; turn++) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('it never came to pass')
}

/** One seat for bob, and one more who may wait. */
async function narrow(server: TestServer, limitResponse: unknown): Promise<void> {
  const limited = { nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse }
  const level = { metadata: { name: 'narrow' }, spec: { type: 'Limited', limited } }
  const everything = {
    resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
  }
  const rules = [{ subjects: [{ kind: 'User', user: { name: 'bob' } }], ...everything }]
  const spec = { priorityLevelConfiguration: { name: 'narrow' }, matchingPrecedence: 10, rules }
  const made = [
    await server.ask(`${flowApi}/prioritylevelconfigurations`, { body: level }),
    await server.ask(`${flowApi}/flowschemas`, { body: { metadata: { name: 'narrow' }, spec } }),
  ]
  for (const { status, text } of made) assert.equal(status, 201, text)
}

void suite('flow control', () => {
  void test('names flow and level in every answer, and tells what it counts', async () => {
    await using server = await startTestServer()
    const uidOf = async (path: string): Promise<string> =>
      ((await server.ask(`${flowApi}/${path}`)).json['metadata'] as { readonly uid: string }).uid
    const { headers } = await server.ask('/version', { user: ann })
    assert.equal(headers['x-kubernetes-pf-flowschema-uid'], await uidOf('flowschemas/global-default'))
    assert.equal(
      headers['x-kubernetes-pf-prioritylevel-uid'],
      await uidOf('prioritylevelconfigurations/global-default'),
    )
    const metrics = (await server.ask('/metrics')).text
    assert.match(
      metrics,
      /apiserver_flowcontrol_dispatched_requests_total\{flow_schema="global-default",priority_level="global-default"\} 1\n/,
    )
    assert.match(metrics, /apiserver_flowcontrol_nominal_limit_seats\{priority_level="workload-low"\} \d{4}\n/)
  })

  void test('says of each schema whether its level is there', async () => {
    await using server = await startTestServer()
    const condition = async (name: string): Promise<readonly unknown[] | undefined> => {
      const { json } = await server.ask(`${flowApi}/flowschemas/${name}`)
      const { conditions } = json['status'] as { readonly conditions?: readonly Readonly<Record<string, unknown>>[] }
      const found = conditions?.find(({ type }) => type === 'Dangling')
      return found && [found['status'], found['reason'], found['message']]
    }
    const lead = 'This FlowSchema references the PriorityLevelConfiguration object named'
    assert.deepEqual(await condition('probes'), ['False', 'Found', `${lead} "exempt" and it exists`])
    const rules = [
      {
        subjects: [{ kind: 'User', user: { name: 'x' } }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      },
    ]
    const spec = { priorityLevelConfiguration: { name: 'later' }, rules }
    await server.ask(`${flowApi}/flowschemas`, { body: { metadata: { name: 'own' }, spec } })
    await untilTrue(async () => (await condition('own')) !== undefined)
    assert.deepEqual(await condition('own'), ['True', 'NotFound', `${lead} "later" but there is no such object`])
    await server.ask(`${flowApi}/prioritylevelconfigurations`, {
      body: { metadata: { name: 'later' }, spec: { type: 'Limited', limited: { limitResponse: { type: 'Reject' } } } },
    })
    await untilTrue(async () => (await condition('own'))?.[0] === 'False')
  })

  void test('lets requests wait in line, and answers each when its turn comes', async () => {
    await using rig = await held()
    const { server } = rig
    await narrow(server, { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 1 } })
    const bob = { name: 'bob', groups: ['g'] }
    const pods = '/api/v1/namespaces/held/pods'
    let first = server.ask(pods, { user: bob })
    await untilTrue(() => rig.asked() === 1)
    const second = server.ask(`${pods}?limit=2`, { user: bob })
    await untilTrue(async () => (await server.ask(`${dumps}/dump_queues`)).text.includes('narrow,'))
    const refused = await server.ask(pods, { user: bob })
    assert.deepEqual(
      [refused.status, refused.headers['retry-after'], refused.json['message']],
      [429, '1', 'Too many requests, please try again later.'],
    )
    const levels = (await server.ask(`${dumps}/dump_priority_levels`)).text.split('\n')
    assert.match(levels[0]!, /^PriorityLevelName, +ActiveQueues, +IsIdle, +IsQuiescing, +WaitingRequests/)
    const own = levels.find((line) => line.startsWith('narrow,'))!.split(/,\s*/)
    assert.deepEqual(own, ['narrow', '1', 'false', 'false', '1', '1', '1', '1', '0', '0'])
    const requests = (await server.ask(`${dumps}/dump_requests?includeRequestDetails=1`)).text
    assert.match(requests, /^narrow, +narrow, +0, +0, .* bob, +list, +\/api\/v1\/namespaces\/held\/pods, +held/m)
    // Nobody else is in their way.
    assert.equal((await server.ask('/api/v1/namespaces/default/pods', { user: ann })).status, 200)
    rig.letGo()
    assert.deepEqual([(await first).status, (await second).status], [200, 200])
    first = server.ask(pods, { user: bob })
    assert.equal((await first).status, 200)
    const { text } = await server.ask('/metrics')
    assert.match(
      text,
      /rejected_requests_total\{flow_schema="narrow",priority_level="narrow",reason="queue-full"\} 1\n/,
    )
    assert.match(text, /current_executing_seats\{priority_level="narrow"\} 0\n/)
  })

  void test('refuses at once where nobody may wait, and forgets who went away', async () => {
    await using rig = await held()
    const { server } = rig
    await narrow(server, { type: 'Reject' })
    const bob = { name: 'bob', groups: ['g'] }
    const first = server.ask('/api/v1/namespaces/held/pods', { user: bob })
    await untilTrue(() => rig.asked() === 1)
    assert.equal((await server.ask('/api/v1/namespaces/default/pods', { user: bob })).status, 429)
    rig.letGo()
    assert.equal((await first).status, 200)
    await untilTrue(async () => (await server.ask('/api/v1/namespaces/default/pods', { user: bob })).status === 200)
  })

  void test('holds the seat of a long list until it is sent or its reader is gone', async () => {
    await using server = await startTestServer()
    const big = 'x'.repeat(40_000)
    const configMaps = '/api/v1/namespaces/default/configmaps'
    for (let at = 0; at < 60; at++)
      await server.ask(configMaps, { body: { metadata: { name: `c${at}` }, data: { big } } })
    const reader = { name: 'reader', groups: ['system:masters'] }
    const used = async (): Promise<string> => {
      const { text } = await server.ask('/metrics', { user: ann })
      return /current_executing_requests\{priority_level="exempt"\} (\d+)/.exec(text)![1]!
    }
    await server.ask(`/apis/rbac.authorization.k8s.io/v1/clusterrolebindings`, {
      body: {
        metadata: { name: 'ann' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'ann' }],
      },
    })
    for (const isReadToItsEnd of [true, false]) {
      const { body } = await server.server
        .transportFor(reader)
        .send({ method: 'GET', path: configMaps, headers: { accept: 'application/json' } })
      const pieces = body[Symbol.asyncIterator]()
      await pieces.next()
      assert.equal(await used(), '1')
      if (isReadToItsEnd) while (!(await pieces.next()).done);
      else await pieces.return!()
      await untilTrue(async () => (await used()) === '0')
    }
  })
})

const cost = (user: string, seatSeconds: number, groups: readonly string[] = []): ClientCost => ({
  user,
  groups,
  seatSeconds,
  requests: 1,
})

void suite('the guard', () => {
  const greedy = [cost('greedy', 90), cost('modest', 5), cost('system:node:a', 80, ['system:nodes'])]

  void test('throttles whoever threatens the server, and nobody else', () => {
    let state = judgeGuard(calm, { nowMs: 0, lagMs: 400, rejected: 0, costs: greedy })
    assert.deepEqual(state.clients, [])
    state = judgeGuard(state, { nowMs: 1000, lagMs: 400, rejected: 0, costs: greedy })
    assert.deepEqual(state.clients, ['greedy'])
    state = judgeGuard(state, { nowMs: 2000, lagMs: 10, rejected: 500, costs: [cost('other', 50), cost('b', 1)] })
    assert.deepEqual(state.clients, ['greedy', 'other'])
  })

  void test('does nothing about one long list, or about a server that is busy and in time', () => {
    let state = calm
    for (let at = 0; at < 10; at++)
      state = judgeGuard(state, { nowMs: at * 1000, lagMs: at % 2 === 0 ? 900 : 0, rejected: 0, costs: greedy })
    assert.deepEqual(state.clients, [])
  })

  void test('withdraws after five calm minutes, not before', () => {
    const threatened = { ...calm, clients: ['greedy'], threatened: 3 }
    let state = judgeGuard(threatened, { nowMs: 0, lagMs: 0, rejected: 0, costs: [] })
    state = judgeGuard(state, { nowMs: GUARD_CALM_MS - 1, lagMs: 0, rejected: 0, costs: [] })
    assert.deepEqual(state.clients, ['greedy'])
    assert.deepEqual(judgeGuard(state, { nowMs: GUARD_CALM_MS, lagMs: 0, rejected: 0, costs: [] }).clients, [])
  })

  void test('never throttles what keeps the cluster alive', () => {
    for (const [user, groups] of [
      ['x', ['system:masters']],
      ['system:node:a', ['system:nodes']],
      ['system:kube-scheduler', []],
      ['system:kube-controller-manager', []],
      ['system:serviceaccount:kube-system:coredns', []],
    ] as const)
      assert.ok(isSystem({ user, groups }), user)
    for (const user of ['ann', 'system:serviceaccount:web:x', 'system:anonymous'])
      assert.ok(!isSystem({ user, groups: [] }), user)
  })

  void test('makes a schema and a level, tells it, keeps a user’s own, and takes them away', async () => {
    const time = { aheadMs: 0, timers: [] as (() => void)[] }
    const clock: Clock = {
      ...systemClock(),
      monotonicMs: () => time.aheadMs,
      after: (_delayMs, fire) => {
        time.timers.push(fire)
        return { pending: true, [Symbol.dispose]() {} }
      },
    }
    await using server = await startTestServer()
    const scope = { ...testScope([], new AbortController().signal), clock }
    const guard = new GuardLoop({ scope, client: () => server.client(), metrics: new MetricsRegistry() })
    const window = (passedMs: number): void => {
      time.aheadMs += passedMs
      for (const fire of time.timers.splice(0)) fire()
    }
    const subjects = async (): Promise<string> => {
      const { status, json } = await server.ask(`${flowApi}/flowschemas/${guardName}`)
      return status === 200 ? JSON.stringify((json['spec'] as { readonly rules: unknown }).rules) : String(status)
    }
    for (let at = 0; at < 3; at++) {
      guard.note(cost('greedy', 50), false)
      guard.note(cost('system:node:a', 500, ['system:nodes']), false)
      guard.note(cost('modest', 1), false)
      window(2_000)
    }
    // Nodes spend most of it: the greedy one is not what threatens the server.
    assert.equal(await subjects(), '404')
    for (let at = 0; at < 3; at++) {
      guard.note(cost('greedy', 50), false)
      guard.note(cost('modest', 1), false)
      window(2_000)
    }
    await untilTrue(async () => (await subjects()).includes('greedy'))
    assert.ok(!(await subjects()).includes('modest'))
    assert.equal((await server.ask(`${flowApi}/prioritylevelconfigurations/${guardName}`)).status, 200)
    const reasons = async (): Promise<readonly unknown[]> =>
      ((await server.ask('/api/v1/namespaces/default/events')).json['items'] as { readonly reason: string }[])
        .map(({ reason }) => reason)
        .filter((reason) => reason.startsWith('ManagedAPIServerGuard'))
    await untilTrue(async () => (await reasons()).length === 1)
    assert.deepEqual(guard.throttled, ['greedy'])
    const greedyUid = (await server.ask(`${flowApi}/flowschemas/${guardName}`)).json['metadata'] as {
      readonly uid: string
    }
    const answer = await server.ask('/version', { user: { name: 'greedy', groups: [] } })
    assert.equal(answer.headers['x-kubernetes-pf-flowschema-uid'], greedyUid.uid)
    for (let calmMs = 0; calmMs <= GUARD_CALM_MS; calmMs += 1000) window(1_000)
    await untilTrue(async () => (await subjects()) === '404')
    await untilTrue(async () => (await reasons()).includes('ManagedAPIServerGuardWithdrawn'))
  })
})

void test('the hands of two flows are rarely the same', () => {
  const hands = new Set<string>()
  for (let flow = 0; flow < 1000; flow++)
    hands.add([...deal(flowHash('s', String(flow)), { deckSize: 64, handSize: 6 })].sort((a, b) => a - b).join(' '))
  assert.ok(hands.size > 995)
})
