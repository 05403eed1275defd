// One client asks for far more than its share with lists of the whole cluster: nobody else is turned away, the system's requests
// wait for nothing, and flow control keeps the greedy one's lists to few at a time.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { get } from 'node:https'
import { suite, test } from 'node:test'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { sized } from '@aksel/testing/test-size'
import type { UserInfo } from '../authentication/user-info.ts'
import { clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'

const OBJECTS = sized({ gate: 1000, full: 10_000 })
const GREEDY_REQUESTS = sized({ gate: 120, full: 600 })
const GREEDY_AT_ONCE = 40

const greedy: UserInfo = { name: 'greedy', groups: ['readers'] }
const modest: UserInfo = { name: 'modest', groups: ['readers'] }
const node: UserInfo = { name: 'system:node:n1', groups: ['system:nodes'] }
const scheduler: UserInfo = { name: 'system:kube-scheduler', groups: [] }

/** `exempt`: readers are not bounded, as on a server without flow control. */
async function prepared(levelOfReaders: 'readers' | 'exempt'): Promise<TestServer> {
  // Forty-six seats for readers, of which a list of all takes seven.
  const server = await startTestServer({ seats: { mutatingMax: 200, readingMax: 400 } })
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const rules = [{ verbs: ['*'], apiGroups: [''], resources: ['configmaps'] }]
  await server.ask(`${rbac}/clusterroles`, { body: { metadata: { name: 'reader' }, rules } })
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' }
  const subjects = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'readers' }]
  await server.ask(`${rbac}/clusterrolebindings`, { body: { metadata: { name: 'reader' }, roleRef, subjects } })
  // A level that borrows nothing: how many lists run at once is not to depend on how long the contest takes.
  const queuing = { queues: 64, handSize: 6, queueLengthLimit: 50 }
  const limitResponse = { type: 'Queue', queuing }
  const limited = { nominalConcurrencyShares: 20, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse }
  const flow = '/apis/flowcontrol.apiserver.k8s.io/v1'
  const level = { metadata: { name: 'readers' }, spec: { type: 'Limited', limited } }
  const resourceRules = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }]
  const spec = {
    priorityLevelConfiguration: { name: levelOfReaders },
    distinguisherMethod: { type: 'ByUser' },
    rules: [{ subjects: [{ kind: 'Group', group: { name: 'readers' } }], resourceRules }],
  }
  for (const [path, body] of [
    [`${flow}/prioritylevelconfigurations`, level],
    [`${flow}/flowschemas`, { metadata: { name: 'readers' }, spec }],
  ] as const) {
    const { status, text } = await server.ask(path, { body })
    assert.equal(status, 201, text)
  }
  const data = { text: 'x'.repeat(500) }
  for (let at = 0; at < OBJECTS; at++)
    await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: `c${at}` }, data } })
  return server
}

interface Caller extends AsyncDisposable {
  status(path: string): Promise<number>
}

/** Over TLS, with a connection of its own, as anybody would. */
async function caller(server: TestServer, url: string, user: UserInfo): Promise<Caller> {
  const { certificatePem, keyPem } = await clientCertificate(server, user)
  const caPem = server.authority.certificatePem
  const transport = createHttpsTransport({ server: url, caPem, certPem: certificatePem, keyPem })
  return {
    async status(path) {
      const response = await transport.send({ method: 'GET', path, headers: {} })
      for await (const _piece of response.body);
      return response.status
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

/** Most lists of the greedy one that ran at the same moment, and what all others were answered. */
async function contest(
  server: TestServer,
): Promise<{ readonly mostAtOnce: number; readonly others: ReadonlyMap<number, number> }> {
  const { url } = await listenForTest(server)
  const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  await server.ask(lease, { user: node, body: { metadata: { name: 'n1' }, spec: { holderIdentity: 'n1' } } })
  await using greedyOne = await caller(server, url, greedy)
  await using modestOne = await caller(server, url, modest)
  await using nodeOne = await caller(server, url, node)
  await using schedulerOne = await caller(server, url, scheduler)
  let left = GREEDY_REQUESTS
  let mostAtOnce = 0
  let isOver = false
  const statuses = new Map<number, number>()
  const flood = async (): Promise<void> => {
    while (left-- > 0) await greedyOne.status('/api/v1/configmaps')
  }
  const beside = async (one: Caller, path: string): Promise<void> => {
    while (!isOver) {
      const status = await one.status(path)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      const { text } = await server.ask('/debug/api_priority_and_fairness/dump_requests')
      const running = text.split('\n').filter((line) => line.includes(' greedy,') && !line.includes('0001-01-01'))
      mostAtOnce = Math.max(mostAtOnce, running.length)
    }
  }
  const others = [
    beside(modestOne, '/api/v1/namespaces/default/configmaps/c1'),
    beside(nodeOne, `${lease}/n1`),
    beside(schedulerOne, '/api/v1/nodes'),
  ]
  await Promise.all(Array.from({ length: GREEDY_AT_ONCE }, flood))
  isOver = true
  await Promise.all(others)
  return { mostAtOnce, others: statuses }
}

const deadline = { timeout: 280_000 }

void suite('a noisy neighbour', () => {
  void test('is slowed down, and nobody else is turned away', deadline, async () => {
    await using server = await prepared('readers')
    const { mostAtOnce, others } = await contest(server)
    assert.deepEqual([...others.keys()], [200], JSON.stringify([...others]))
    assert.ok(others.get(200)! >= 3, JSON.stringify([...others]))
    assert.ok(mostAtOnce > 0 && mostAtOnce < GREEDY_AT_ONCE / 2, `${mostAtOnce} lists at once`)
  })

  void test('in a server without bounds runs all its lists at once: the harness would notice', deadline, async () => {
    await using server = await prepared('exempt')
    const { mostAtOnce } = await contest(server)
    assert.ok(mostAtOnce >= GREEDY_AT_ONCE / 2, `${mostAtOnce} lists at once`)
  })

  void test('gives its seats back when its connection ends in the middle', deadline, async () => {
    await using server = await prepared('readers')
    const { url } = await listenForTest(server)
    const { certificatePem, keyPem } = await clientCertificate(server, greedy)
    const caPem = server.authority.certificatePem
    const tls = { ca: caPem, cert: certificatePem, key: keyPem }
    // HTTP/1.1: the connection is gone. HTTP/2: the stream is reset, or its connection is gone.
    const first = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const request = get(`${url}/api/v1/configmaps`, { ...tls, agent: false })
        request.on('error', () => {})
        await once(request, 'response')
        request.destroy()
        return true
      }),
    )
    for (const ends of ['stream', 'connection'] as const) {
      const session = connect(url, tls)
      session.on('error', () => {})
      const streams = Array.from({ length: 6 }, () => session.request({ ':path': '/api/v1/configmaps' }))
      for (const stream of streams) stream.on('error', () => {})
      await once(streams[0]!, 'response')
      if (ends === 'stream') for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
      else session.socket.destroy()
      session.destroy()
    }
    assert.equal(first.length, 10)
    const seats = async (): Promise<string> => {
      const { text } = await server.ask('/metrics')
      const of = (name: string): string =>
        new RegExp(`${name}\\{flow_schema="readers",priority_level="readers"\\} (\\d+)`).exec(text)?.[1] ?? '?'
      return `${of('current_executing_seats')} in use, ${of('current_inqueue_requests')} wait`
    }
    let last = ''
    for (let turn = 0; turn < 500 && last !== '0 in use, 0 wait'; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      last = await seats()
    }
    assert.equal(last, '0 in use, 0 wait')
  })
})
