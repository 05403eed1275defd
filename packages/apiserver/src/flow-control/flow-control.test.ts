// Flow control in a server: seats, queues, refusals, headers, dumps, objects that change it, and the guard.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { systemClock, type Clock } from '@aksel/base/clock'
import { startTestServer, testScope, type TestServer } from '../test-server.ts'
import { deal, flowHash } from './dealer.ts'
import { calm, GUARD_CALM_MS, isSystem, judgeGuard, type ClientCost, type GuardWindow } from './guard.ts'
import { GuardLoop, guardName, type RunningRequest } from './guard-loop.ts'
import type { UserInfo } from '../authentication/user-info.ts'
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
    assert.match(text, /no_accommodation_total\{flow_schema="narrow",priority_level="narrow"\} [1-9]/)
    assert.match(text, /current_executing_seats\{flow_schema="narrow",priority_level="narrow"\} 0\n/)
  })

  void test('a level whose object is deleted takes nobody any more, and goes with its last request', async () => {
    await using rig = await held()
    const { server } = rig
    await narrow(server, { type: 'Reject' })
    const bob = { name: 'bob', groups: ['g'] }
    const first = server.ask('/api/v1/namespaces/held/pods', { user: bob })
    await untilTrue(() => rig.asked() === 1)
    const line = async (): Promise<readonly string[] | undefined> =>
      (await server.ask(`${dumps}/dump_priority_levels`)).text
        .split('\n')
        .find((one) => one.startsWith('narrow,'))
        ?.split(/,\s*/)
    assert.equal((await line())?.[3], 'false')
    const gone = await server.ask(`${flowApi}/prioritylevelconfigurations/narrow`, { method: 'DELETE' })
    assert.equal(gone.status, 200)
    await untilTrue(async () => (await line())?.[3] === 'true')
    await untilTrue(async () => (await server.ask(`${flowApi}/flowschemas/narrow`)).text.includes('"True"'))
    // He is served by the next schema that takes him.
    assert.equal((await server.ask('/api/v1/namespaces/default/pods', { user: bob })).status, 200)
    rig.letGo()
    assert.equal((await first).status, 200)
    assert.equal(await line(), undefined)
    const metrics = (await server.ask('/metrics')).text
    for (const name of [
      'seat_fair_frac',
      'target_seats',
      'demand_seats_high_watermark',
      'request_queue_length_after_enqueue',
    ])
      assert.match(metrics, new RegExp(`^# TYPE apiserver_flowcontrol_${name} `, 'm'))
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
      return /current_executing_requests\{flow_schema="exempt",priority_level="exempt"\} (\d+)/.exec(text)![1]!
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

const cost = (user: string, seatSeconds: number, groups: readonly string[] = [], rejected = 0): ClientCost => ({
  user,
  groups,
  seatSeconds,
  rejected,
})

const seen = (nowMs: number, costs: readonly ClientCost[], more: Partial<GuardWindow> = {}): GuardWindow => ({
  nowMs,
  seconds: 1,
  lagMs: 0,
  heapShare: 0.1,
  costs,
  ...more,
})

void suite('the guard', () => {
  const greedy = [cost('greedy', 90), cost('modest', 5), cost('system:node:a', 80, ['system:nodes'])]

  void test('throttles whoever threatens the server, and nobody else', () => {
    let state = judgeGuard(calm, seen(0, greedy, { lagMs: 400 }))
    assert.deepEqual(state.clients, [])
    state = judgeGuard(state, seen(1000, greedy, { lagMs: 400 }))
    assert.deepEqual([state.clients, state.cause], [['greedy'], 'EventLoopLate'])
    state = judgeGuard(state, seen(2000, [cost('other', 50, [], 500), cost('b', 1)]))
    assert.deepEqual([state.clients, state.cause], [['greedy', 'other'], 'RequestsRejected'])
    state = judgeGuard(state, seen(3000, [cost('third', 50), cost('b', 1)], { heapShare: 0.9 }))
    assert.deepEqual([state.clients, state.cause], [['greedy', 'other', 'third'], 'MemoryShort'])
  })

  void test('does nothing about one long list, about a server that is busy and in time, or one that is late for another reason', () => {
    let state = calm
    for (let at = 0; at < 10; at++)
      state = judgeGuard(state, seen(at * 1000, greedy, { lagMs: at % 2 === 0 ? 900 : 0 }))
    assert.deepEqual(state.clients, [])
    for (let at = 10; at < 20; at++) state = judgeGuard(state, seen(at * 1000, [cost('alone', 1)], { lagMs: 900 }))
    assert.deepEqual(state.clients, [])
  })

  void test('withdraws after five calm minutes, not before, and not while its client presses', () => {
    const threatened = { ...calm, clients: ['greedy'], threatened: 3 }
    let state = judgeGuard(threatened, seen(0, [cost('greedy', 2)]))
    assert.equal(state.calmSinceMs, undefined)
    state = judgeGuard(state, seen(1000, [cost('greedy', 0.1, [], 50)]))
    assert.equal(state.calmSinceMs, undefined)
    const [fromMs, toMs] = [2000, 2000 + GUARD_CALM_MS]
    state = judgeGuard(state, seen(fromMs, [cost('greedy', 0.1)], { lagMs: 900 }))
    state = judgeGuard(state, seen(toMs - 1, []))
    assert.deepEqual(state.clients, ['greedy'])
    assert.deepEqual(judgeGuard(state, seen(toMs, [])).clients, [])
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
    const running = new Set<RunningRequest>()
    const parts = { scope, client: () => server.client(), metrics: new MetricsRegistry(), heapShare: () => 0 }
    const guard = new GuardLoop({ ...parts, running: () => running })
    const window = (passedMs: number): void => {
      time.aheadMs += passedMs
      for (const fire of time.timers.splice(0)) fire()
    }
    const subjects = async (): Promise<string> => {
      const { status, json } = await server.ask(`${flowApi}/flowschemas/${guardName}`)
      return status === 200 ? JSON.stringify((json['spec'] as { readonly rules: unknown }).rules) : String(status)
    }
    const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups })
    const runs = (by: UserInfo, seats: number): void => void running.add({ user: by, seats, startedMs: 0 })
    // Nodes spend most of it: the greedy one is not what threatens the server.
    runs(user('greedy'), 50)
    runs(user('system:node:a', 'system:nodes'), 500)
    runs(user('modest'), 1)
    guard.wake()
    for (let at = 0; at < 3; at++) window(2_000)
    assert.equal(await subjects(), '404')
    running.clear()
    runs(user('greedy'), 50)
    runs(user('modest'), 1)
    for (let at = 0; at < 3; at++) window(2_000)
    running.clear()
    await untilTrue(async () => (await subjects()).includes('greedy'))
    assert.ok(!(await subjects()).includes('modest'))
    assert.equal((await server.ask(`${flowApi}/prioritylevelconfigurations/${guardName}`)).status, 200)
    const reasons = async (): Promise<readonly unknown[]> =>
      ((await server.ask('/api/v1/namespaces/default/events')).json['items'] as { readonly reason: string }[])
        .map(({ reason }) => reason)
        .filter((reason) => reason.startsWith('ManagedAPIServerGuard'))
    await untilTrue(async () => (await reasons()).length === 1)
    assert.deepEqual(guard.throttled, ['greedy'])
    const { conditions } = (await server.ask(`${flowApi}/flowschemas/${guardName}`)).json['status'] as {
      readonly conditions: readonly Readonly<Record<string, string>>[]
    }
    const told = conditions.find(({ type }) => type === 'Throttling')!
    assert.deepEqual([told['status'], told['reason']], ['True', 'EventLoopLate'])
    assert.match(told['message']!, /those of "greedy" are throttled/)
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
