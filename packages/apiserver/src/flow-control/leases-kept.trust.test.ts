// Leases of nodes and an election of leaders beside a client that asks for ten times its share with lists of the whole cluster: none
// is ever lost, by the durations that the leases themselves name.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:https'
import { suite, test } from 'node:test'
import { configMaps, flowSchemas, leases } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { formatMicroTime, sleep, systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { runAsLeader, type LeaderOptions } from '@aksel/runtime/leader-election'
import { sized } from '@aksel/testing/test-size'
import type { UserInfo } from '../authentication/user-info.ts'
import { admin } from '../test-server.ts'
import { reply, startFlooded, type Flooded } from './flooded.ts'

const LASTS_MS = sized({ gate: 60_000, full: 30 * 60_000 })
const OBJECTS = sized({ gate: 1000, full: 10_000 })
/** As many as there are seats for upstream's default of 600: six lists of everything run at once in the level of who is greedy. */
const seats = { mutatingMax: 200, readingMax: 400 }
const GREEDY = { connections: 6, streams: 10 } as const

const greedy: UserInfo = { name: 'greedy', groups: ['readers'] }
const scheduler: UserInfo = { name: 'system:kube-scheduler', groups: [] }
const nodes = Array.from({ length: 20 }, (_, at): UserInfo => ({
  name: `system:node:n${at}`,
  groups: ['system:nodes'],
}))
const election = { namespace: 'kube-system', name: 'kube-scheduler' }
const LEASE_NAMESPACE = 'kube-node-lease'
/** A kubelet's. */
const NODE = { periodMs: 10_000, leaseSeconds: 40 } as const

async function post(client: Client, path: string, body: unknown): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  const response = await client.send({ method: 'POST', path, headers, body: Buffer.from(JSON.stringify(body)) })
  assert.equal(response.status, 201, Buffer.from(await readBody(response.body)).toString())
}

async function prepare(flooded: Flooded, objects: number): Promise<Client> {
  const client = createClient(flooded.connect(admin))
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const rules = [{ verbs: ['*'], apiGroups: [''], resources: ['configmaps'] }]
  await post(client, `${rbac}/clusterroles`, { metadata: { name: 'reader' }, rules })
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' }
  const subjects = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'readers' }]
  await post(client, `${rbac}/clusterrolebindings`, { metadata: { name: 'reader' }, roleRef, subjects })
  const data = { text: 'x'.repeat(500) }
  const lanes = 16
  const make = async (lane: number): Promise<void> => {
    for (let at = lane; at < objects; at += lanes)
      await client.create(configMaps, { metadata: { name: `c${at}`, namespace: 'default' }, data })
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => make(lane)))
  return client
}

/** Renews as a kubelet does, until the signal. Returns how many renewals were acknowledged. */
async function renewed(scope: Scope, flooded: Flooded, user: UserInfo): Promise<number> {
  const client = createClient(flooded.connect(user))
  const name = user.name.slice('system:node:'.length)
  const spec = (): Lease['spec'] => ({
    holderIdentity: name,
    leaseDurationSeconds: NODE.leaseSeconds,
    renewTime: formatMicroTime(scope.clock.now()),
  })
  let lease = await client.create(leases, { metadata: { namespace: LEASE_NAMESPACE, name }, spec: spec()! })
  let count = 0
  while (!scope.signal.aborted) {
    await sleep(scope.clock, NODE.periodMs, scope.signal).catch(() => {})
    lease = await client.update(leases, { ...lease, spec: spec()! })
    count += 1
  }
  return count
}

interface Elected {
  lost: number
  renewals: number
}

/** Two candidates until the signal; what is heard of them is counted. */
async function stand(
  scope: Scope,
  flooded: Flooded,
  counts: Elected,
  options: Partial<LeaderOptions> = {},
): Promise<void> {
  await Promise.all(
    ['a', 'b'].map((identity) => {
      const client = createClient(flooded.connect(scheduler))
      return runAsLeader(scope, {
        client: {
          get: (type, ref) => client.get(type, ref),
          create: (type, lease) => client.create(type, lease),
          async update(type, lease) {
            const updated = await client.update(type, lease)
            counts.renewals += 1
            return updated
          },
        },
        lease: election,
        identity,
        run: ({ signal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
        tell: (_, what) => {
          if (what === 'stopped leading') counts.lost += 1
        },
        ...options,
      })
    }),
  )
}

/** Of each lease that is watched: whether it ever went without a renewal for as long as it says that it lasts. */
async function expiries(client: Client, namespace: string, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = []
  const renewTimes = new Map<string, number>()
  const { metadata } = await client.list(leases, { namespace })
  const resourceVersion = metadata.resourceVersion!
  try {
    for await (const event of client.watch(leases, { namespace, resourceVersion, signal })) {
      if (event.type === 'BOOKMARK') continue
      const { metadata: own, spec } = event.object
      const renewedMs = Date.parse(spec?.renewTime ?? '')
      const before = renewTimes.get(own.name)
      if (before !== undefined && renewedMs - before > (spec?.leaseDurationSeconds ?? 0) * 1000)
        found.push(`${own.name} was not renewed from ${new Date(before).toISOString()} to ${spec?.renewTime}`)
      renewTimes.set(own.name, renewedMs)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
  return found
}

void suite('leases beside a noisy neighbour', () => {
  void test(
    'none expires, and the leader is never another, while one client lists all it can',
    { timeout: LASTS_MS + 240_000 },
    async () => {
      await using flooded = await startFlooded({
        seats,
        calmMs: 300_000,
        users: [admin, greedy, scheduler, ...nodes],
        planted: 'none',
      })
      const client = await prepare(flooded, OBJECTS)
      const stop = new AbortController()
      const { signal } = stop
      const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal }
      const counts: Elected = { lost: 0, renewals: 0 }
      let lists = 0
      const flood = async (): Promise<void> => {
        const transport = flooded.connect(greedy)
        const one = async (): Promise<void> => {
          while (!signal.aborted) if ((await reply(transport, '/api/v1/configmaps', signal)).status === 200) lists += 1
        }
        await Promise.all(Array.from({ length: GREEDY.streams }, () => one().catch(() => {})))
      }
      const watching = new AbortController()
      const watched = [LEASE_NAMESPACE, election.namespace].map((it) => expiries(client, it, watching.signal))
      const flooding = Array.from({ length: GREEDY.connections }, flood)
      const standing = stand(scope, flooded, counts)
      const renewing = nodes.map((user) => renewed(scope, flooded, user))
      await sleep(scope.clock, LASTS_MS, signal)
      const { spec } = await client.get(leases, election)
      stop.abort(new Error('it is over'))
      const perNode = await Promise.all(renewing)
      await Promise.all([standing, ...flooding])
      watching.abort()
      assert.deepEqual((await Promise.all(watched)).flat(), [])
      assert.equal(counts.lost, 0, 'the leader lost its lease')
      assert.equal(spec?.leaseTransitions, 0, 'another became leader')
      // All of it took place: as many renewals as no lease would have lasted without, and lists meanwhile.
      const fewest = Math.floor(LASTS_MS / 1000 / NODE.leaseSeconds)
      assert.ok(Math.min(...perNode) >= fewest, `${perNode.join()} renewals of nodes`)
      assert.ok(counts.renewals >= LASTS_MS / 15_000, `${counts.renewals} renewals of the leader`)
      assert.ok(lists > 0, 'no list was answered')
    },
  )

  void test(
    'where the system waits behind everybody else the leadership is lost: the harness would notice',
    { timeout: 240_000 },
    async () => {
      await using flooded = await startFlooded({
        seats,
        calmMs: 300_000,
        users: [admin, greedy, scheduler],
        planted: 'none',
      })
      const client = await prepare(flooded, 1)
      const stop = new AbortController()
      const scope: Scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
      const counts: Elected = { lost: 0, renewals: 0 }
      const heard = Promise.withResolvers<void>()
      const leads = Promise.withResolvers<void>()
      const standing = stand(scope, flooded, counts, {
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 500,
        tell: (_, what) => (what === 'became leader' ? leads : heard).resolve(),
      })
      await leads.promise
      // One seat for the scheduler and everybody else, and somebody who begins a write and never sends it.
      const flow = '/apis/flowcontrol.apiserver.k8s.io/v1'
      const limitResponse = { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 50 } }
      const limited = { nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse }
      const level = { metadata: { name: 'one' }, spec: { type: 'Limited', limited } }
      await post(client, `${flow}/prioritylevelconfigurations`, level)
      const subjects = [greedy, scheduler].map(({ name }) => ({ kind: 'User', user: { name } }))
      const resourceRules = [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] },
      ]
      const rules = [{ subjects, resourceRules }]
      const spec = { matchingPrecedence: 2, priorityLevelConfiguration: { name: 'one' }, rules }
      await post(client, `${flow}/flowschemas`, { metadata: { name: 'one' }, spec })
      const { uid } = (await client.get(flowSchemas, { name: 'one' })).metadata
      // In force a moment after it was written.
      const own = flooded.connect(greedy)
      for (let header: string | undefined; header !== uid;) {
        const { headers } = await reply(own, '/api/v1/namespaces/default/configmaps/c0')
        header = headers['x-kubernetes-pf-flowschema-uid']
      }
      const tls = flooded.tlsOf(greedy)
      const path = `${flooded.url}/api/v1/namespaces/default/configmaps`
      const headers = { 'content-type': 'application/json', 'content-length': '1000' }
      const held = request(path, { method: 'POST', ...tls, headers })
      held.on('error', () => {})
      held.write('{')
      await once(held, 'socket')
      await heard.promise
      held.destroy()
      stop.abort(new Error('it is over'))
      await standing
    },
  )
})
