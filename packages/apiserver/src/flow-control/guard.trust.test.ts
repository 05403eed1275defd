// The managed API server guard while real clients flood a real server with lists over TLS: it throttles them and nobody else, says
// so in a condition, an event and a metric, and withdraws when they are modest again.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { configMaps, events, flowSchemas, priorityLevelConfigurations } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { FlowSchema } from '@aksel/api/types/flowcontrol-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { sized } from '@aksel/testing/test-size'
import type { UserInfo } from '../authentication/user-info.ts'
import { admin } from '../test-server.ts'
import { reply, startFlooded, type Flooded, type PlantedFault } from './flooded.ts'
import { guardName } from './guard-loop.ts'

const OBJECTS = sized({ gate: 300, full: 5000 })
/** Requests of the greedy one under way: more than its queues hold, so that some are turned away however quick the server is. */
const GREEDY = { connections: 8, streams: 60 } as const
const ASKED_BESIDE = 5
const CALM_MS = 2_000
const DEADLINE_MS = 120_000

const greedy: UserInfo = { name: 'greedy', groups: ['readers'] }
const modest: UserInfo = { name: 'modest', groups: ['readers'] }
/** Reads whole lists as well, as informers do, and must not be taken for the greedy one. */
const manager: UserInfo = { name: 'system:kube-controller-manager', groups: [] }
const scheduler: UserInfo = { name: 'system:kube-scheduler', groups: [] }
const account: UserInfo = { name: 'system:serviceaccount:kube-system:coredns', groups: ['system:serviceaccounts'] }
const node: UserInfo = { name: 'system:node:n1', groups: ['system:nodes'] }
const others = [modest, manager, scheduler, account, node]

const lists = '/api/v1/configmaps'

async function prepare(flooded: Flooded): Promise<Client> {
  const transport = flooded.connect(admin)
  const client = createClient(transport)
  const send = async (path: string, body: unknown): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const response = await client.send({ method: 'POST', path, headers, body: Buffer.from(JSON.stringify(body)) })
    assert.equal(response.status, 201, Buffer.from(await readBody(response.body)).toString())
  }
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  await send(`${rbac}/clusterroles`, {
    metadata: { name: 'reader' },
    rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] }],
  })
  await send(`${rbac}/clusterrolebindings`, {
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'readers' }],
  })
  const data = { text: 'x'.repeat(500) }
  for (let at = 0; at < OBJECTS; at++)
    await client.create(configMaps, { metadata: { name: `c${at}`, namespace: 'default' }, data })
  return client
}

/** The object as soon as it is as wished; throws what the last one was when the deadline passes. */
async function seen<T extends KubernetesObject>(
  client: Client,
  type: ResourceType<T>,
  holds: (object: T | undefined) => boolean,
  deadlineMs = DEADLINE_MS,
): Promise<T | undefined> {
  const signal = AbortSignal.timeout(deadlineMs)
  let last = await ignoreReason('NotFound', client.get(type, { name: guardName }))
  const { metadata } = await client.list(type)
  last = await ignoreReason('NotFound', client.get(type, { name: guardName }))
  if (holds(last)) return last
  const fieldSelector = `metadata.name=${guardName}`
  const version = metadata.resourceVersion!
  try {
    for await (const event of client.watch(type, { fieldSelector, resourceVersion: version, signal })) {
      if (event.type === 'BOOKMARK') continue
      last = event.type === 'DELETED' ? undefined : event.object
      if (holds(last)) return last
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  throw new Error(`${type.kind} ${guardName} is still ${JSON.stringify(last)}`)
}

const throttling = (schema: FlowSchema | undefined) =>
  schema?.status?.conditions?.find(({ type }) => type === 'Throttling')

interface Findings {
  /** Users that the guard's schema names. */
  readonly throttled: readonly string[]
  readonly condition: readonly (string | undefined)[]
  /** Of everybody else: answers, and whether any went through the guard's level. */
  readonly others: ReadonlyMap<string, { readonly statuses: readonly number[]; readonly isThrottled: boolean }>
  /** Of the greedy one: whether one of its answers went through the guard's level. */
  readonly isGreedyThrottled: boolean
  readonly metricWhile: number
  readonly metricAfter: number
  readonly withdrawn: boolean
  readonly reasons: readonly string[]
}

async function metricOf(client: Client): Promise<number> {
  const { body } = await client.send({ method: 'GET', path: '/metrics', headers: {} })
  const text = Buffer.from(await readBody(body)).toString()
  return Number(/^aksel_apiserver_guard_throttled_clients (\d+)$/m.exec(text)?.[1])
}

async function flood(planted: PlantedFault): Promise<Findings> {
  await using flooded = await startFlooded({
    // As many requests at once as AKS gives a free control plane.
    seats: { mutatingMax: 50, readingMax: 100 },
    calmMs: CALM_MS,
    users: [admin, greedy, ...others],
    planted,
  })
  const client = await prepare(flooded)
  const stop = new AbortController()
  const headersOfGreedy = new Set<string | undefined>()
  const rush = async (user: UserInfo, connections: number, streams: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: connections }, async () => {
        const transport = flooded.connect(user)
        const one = async (): Promise<void> => {
          while (!stop.signal.aborted) {
            const answer = await reply(transport, lists, stop.signal)
            if (user === greedy && answer.status === 200)
              headersOfGreedy.add(answer.headers['x-kubernetes-pf-flowschema-uid'])
          }
        }
        await Promise.all(Array.from({ length: streams }, () => one().catch(() => {})))
      }),
    )
  }
  const rushing = [rush(greedy, GREEDY.connections, GREEDY.streams), rush(manager, 1, 3)]
  const schema = (await seen(client, flowSchemas, (found) => throttling(found)?.status === 'True'))!
  const uid = schema.metadata.uid!
  const told = throttling(schema)!
  const metricWhile = await metricOf(client)
  headersOfGreedy.clear()
  const answers = new Map<string, { statuses: number[]; isThrottled: boolean }>()
  await Promise.all(
    others.map(async (user) => {
      const transport = flooded.connect(user)
      const found = { statuses: [] as number[], isThrottled: false }
      answers.set(user.name, found)
      for (let at = 0; at < ASKED_BESIDE; at++) {
        const { status, headers } = await reply(transport, `/api/v1/namespaces/default/configmaps/c${at}`)
        found.statuses.push(status)
        found.isThrottled ||= headers['x-kubernetes-pf-flowschema-uid'] === uid
      }
    }),
  )
  // One more of the greedy one's own, so that there is an answer to look at.
  const own = flooded.connect(greedy)
  let isGreedyThrottled = false
  while (!isGreedyThrottled && !stop.signal.aborted) {
    const { status, headers } = await reply(own, '/api/v1/namespaces/default/configmaps/c1')
    if (status === 200) isGreedyThrottled = headers['x-kubernetes-pf-flowschema-uid'] === uid
    if (status === 200 && !isGreedyThrottled) break
  }
  const current = (await client.get(flowSchemas, { name: guardName })).spec
  stop.abort()
  await Promise.all(rushing)
  const deadlineMs = planted === 'never withdraws' ? 3 * CALM_MS : DEADLINE_MS
  const gone = (found: KubernetesObject | undefined): boolean => found === undefined
  const withdrawn = await seen(client, flowSchemas, gone, deadlineMs)
    .then(() => seen(client, priorityLevelConfigurations, gone, deadlineMs))
    .then(
      () => true,
      () => false,
    )
  const reasons = new Set<string>()
  const wanted = withdrawn ? ['ManagedAPIServerGuardWithdrawn'] : []
  const about = { namespace: 'default', fieldSelector: `involvedObject.name=${guardName}` }
  const listed = await client.list(events, about)
  for (const event of listed.items) reasons.add(event.reason ?? '')
  if (!wanted.every((reason) => reasons.has(reason))) {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    for await (const event of client.watch(events, {
      ...about,
      resourceVersion: listed.metadata.resourceVersion!,
      signal,
    })) {
      if (event.type !== 'BOOKMARK') reasons.add(event.object.reason ?? '')
      if (wanted.every((reason) => reasons.has(reason))) break
    }
  }
  return {
    throttled: (current?.rules ?? []).flatMap(({ subjects }) => subjects.map(({ user }) => user?.name ?? '?')),
    condition: [told.status, told.reason, told.message],
    others: answers,
    isGreedyThrottled,
    metricWhile,
    metricAfter: await metricOf(client),
    withdrawn,
    reasons: [...reasons].toSorted(),
  }
}

/** What is wrong, a sentence each. */
function faultsOf(found: Findings): readonly string[] {
  const faults: string[] = []
  const strangers = found.throttled.filter((name) => name !== greedy.name)
  if (strangers.length > 0) faults.push(`it throttles ${strangers.join(', ')}`)
  if (!found.throttled.includes(greedy.name)) faults.push('it does not throttle who floods')
  if (!found.isGreedyThrottled) faults.push('who floods is answered outside its level')
  for (const [name, { statuses, isThrottled }] of found.others) {
    const refused = statuses.filter((status) => status === 429).length
    if (refused > 0) faults.push(`${name} was turned away ${refused} times`)
    if (isThrottled) faults.push(`${name} went through its level`)
  }
  if (found.condition[0] !== 'True' || found.condition[2]?.includes('"greedy"') !== true)
    faults.push(`its condition is ${found.condition.join(', ')}`)
  if (found.metricWhile < 1) faults.push('its metric says that nobody is throttled')
  if (!found.reasons.includes('ManagedAPIServerGuardActive')) faults.push('no event says that it acts')
  if (!found.withdrawn) faults.push('it does not withdraw')
  if (found.withdrawn && found.metricAfter !== 0) faults.push('its metric says that somebody is still throttled')
  return faults
}

const deadline = { timeout: 400_000 }

void suite('the guard under a flood of lists', () => {
  void test(
    'throttles who floods and nobody else, says so in a condition, an event and a metric, and withdraws',
    deadline,
    async () => {
      const found = await flood('none')
      assert.deepEqual(faultsOf(found), [])
      assert.deepEqual(found.reasons, ['ManagedAPIServerGuardActive', 'ManagedAPIServerGuardWithdrawn'])
      assert.ok([...found.others.values()].every(({ statuses }) => statuses.length === ASKED_BESIDE))
    },
  )

  void test('one that throttles the system is found', deadline, async () => {
    const faults = faultsOf(await flood('throttles the system'))
    assert.ok(
      faults.some((fault) => fault.startsWith('it throttles system:')),
      faults.join('; '),
    )
  })

  void test('one that never withdraws is found', deadline, async () => {
    assert.deepEqual(faultsOf(await flood('never withdraws')), ['it does not withdraw'])
  })
})
