// Two servers on one store, in one process: the one whose loops lead is stopped in the middle of its writes, the other takes over,
// and the first wakes without knowing that time has passed. Whatever it then sends, nothing of it is written.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf } from '@aksel/api/catalog'
import { deployments, leases, pods, replicaSets } from '@aksel/api/resources'
import { createApiServer } from '@aksel/apiserver/server'
import { systemClock } from '@aksel/base/clock'
import { fraction, seededRandom, systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'
import type { ApiRequest, ApiResponse, Transport } from '@aksel/client/transport'
import { createClient } from '@aksel/client/typed-client'
import { createMemoryStore } from '@aksel/store/memory-store'
import type { Store } from '@aksel/store/store'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { sized } from '@aksel/testing/test-size'
import { testScope } from '@aksel/testing/test-scope'
import { newClusterRecord, type ClusterRecord } from './cluster-record.ts'
import { runElected } from './elected-loops.ts'
import type { LoopOptions } from './loops.ts'

const admin = { name: 'admin', groups: ['system:masters'] }
const NAMESPACE = 'default'

/** One server: its own clock, and a gate that every call of its loops passes. */
class Server {
  readonly name: string
  readonly clock = new SimulatedClock()
  readonly admin: Client
  readonly #scope
  readonly #server
  readonly #store: Store
  #gate: PromiseWithResolvers<void> | undefined
  /** What became of writes that had waited at the gate. */
  readonly late: string[] = []
  readonly #loops: Promise<void>

  private constructor(
    name: string,
    parts: { scope: ReturnType<typeof testScope>; server: Awaited<ReturnType<typeof createApiServer>>; store: Store },
    record: ClusterRecord,
    leavesOutFence: boolean,
  ) {
    this.name = name
    this.#scope = parts.scope
    this.clock = parts.scope.clock
    this.#server = parts.server
    this.#store = parts.store
    this.admin = createClient(parts.server.transportFor(admin))
    const options: LoopOptions = {
      record,
      store: parts.store,
      keyPrefix: 'c/',
      localAddress: '127.0.0.1',
      localPort: 0,
      tunnelSocket: '',
      virtualNetworkId: () => undefined,
      audit: () => {},
      candidate: name,
      isAlone: false,
      client: (user, fence) =>
        createClient(
          this.#gated(parts.server.transportFor(user, leavesOutFence ? undefined : fence), fence !== undefined),
        ),
    }
    this.#loops = runElected(parts.scope, options)
  }

  static async start(
    name: string,
    options: { seed: number; store: Store; record: ClusterRecord; leavesOutFence: boolean },
  ): Promise<Server> {
    const { seed, store, record, leavesOutFence } = options
    const scope = testScope({ seed })
    const server = await createApiServer({
      scope,
      store,
      keyPrefix: 'c/',
      kubernetesVersion: '1.35.7',
      catalog: await catalogOf('1.35'),
      serviceCidr: '10.0.0.0/16',
      advertiseAddress: '10.224.0.1',
      advertisePort: 443,
      clientAuthority: record.authority.certificatePem,
      serviceAccounts: { issuer: 'https://c', key: record.signingKey },
    })
    return new Server(name, { scope, server, store }, record, leavesOutFence)
  }

  /** Stopped: nothing leaves it, and its clock stands. */
  stop(): void {
    this.#gate = Promise.withResolvers()
  }

  get isStopped(): boolean {
    return this.#gate !== undefined
  }

  wake(): void {
    const gate = this.#gate
    this.#gate = undefined
    gate?.resolve()
  }

  #gated(transport: Transport, isLeaders: boolean): Transport {
    return {
      send: async (request: ApiRequest): Promise<ApiResponse> => {
        const gate = this.#gate
        if (gate === undefined) return transport.send(request)
        await gate.promise
        if (request.method === 'GET' || !isLeaders) return transport.send(request)
        const before = this.#store.revision
        const answer = await transport.send({
          method: request.method,
          path: request.path,
          headers: request.headers,
          ...(request.body === undefined ? {} : { body: request.body }),
        })
        const body = await readBody(answer.body)
        const { message = '', metadata } = JSON.parse(Buffer.from(body).toString()) as Answer
        const version = Number(metadata?.resourceVersion ?? Infinity)
        // An update that changes nothing is answered with what stands.
        if (answer.status >= 300) this.late.push(message)
        else if (version > before) this.late.push(`written: ${request.method} ${request.path}`)
        return { ...answer, body: pieces(body) }
      },
    }
  }

  async close(): Promise<void> {
    this.wake()
    this.#scope.abort()
    await this.#loops
    await this.#server.close()
  }
}

interface Answer {
  readonly message?: string
  readonly metadata?: { readonly resourceVersion?: string }
}

async function* pieces(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}

function deployment(name: string, replicas: number) {
  const labels = { app: name }
  const containers = [{ name: 'c', image: 'registry.example.com/none:1' }]
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  }
}

class Trial implements AsyncDisposable {
  readonly servers: readonly [Server, Server]
  readonly #store: Store

  constructor(servers: readonly [Server, Server], store: Store) {
    this.servers = servers
    this.#store = store
  }

  static async start(seed: number, record: ClusterRecord, leavesOutFence = false): Promise<Trial> {
    const store = createMemoryStore(testScope({ seed }))
    const a = await Server.start('a', { seed, store, record, leavesOutFence })
    const b = await Server.start('b', { seed: seed + 1_000, store, record, leavesOutFence })
    return new Trial([a, b], store)
  }

  async run(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      for (const server of this.servers) if (!server.isStopped) await server.clock.run(250)
    }
  }

  async leader(): Promise<Server | undefined> {
    const lease = await this.servers[0].admin
      .get(leases, { namespace: 'kube-system', name: 'kube-controller-manager' })
      .catch(() => undefined)
    return this.servers.find(({ name }) => name === lease?.spec?.holderIdentity)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()))
    await this.#store[Symbol.asyncDispose]()
  }
}

async function keysOf(): Promise<ClusterRecord> {
  const scope: Scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog(),
    signal: new AbortController().signal,
  }
  const spec = {
    id: '/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c',
    name: 'c',
    kubernetesVersion: '1.35.7',
    serviceCidr: '10.0.0.0/16',
    dnsServiceIp: '10.0.0.10',
    fqdn: 'c.test',
  }
  return newClusterRecord(scope, { spec, index: 0 })
}

/** Stops the leader while it has work; returns what its writes were told when it woke, and what stands in the end. */
async function trial(seed: number, record: ClusterRecord, leavesOutFence = false): Promise<readonly string[]> {
  await using world = await Trial.start(seed, record, leavesOutFence)
  const random = seededRandom(seed)
  await world.run(5_000)
  const first = (await world.leader())!
  const other = world.servers.find((server) => server !== first)!
  const wanted = new Map<string, number>()
  const create = async (name: string): Promise<void> => {
    wanted.set(name, 1 + Math.floor(fraction(random) * 3))
    await other.admin.create(deployments, deployment(name, wanted.get(name)!))
  }
  for (let i = 0; i < 3; i++) await create(`before-${i}`)
  await first.clock.run(Math.floor(fraction(random) * 250))
  first.stop()
  for (let i = 0; i < 3; i++) await create(`meanwhile-${i}`)
  await world.run(40_000)
  assert.equal(await world.leader(), other, `seed ${seed}: the other one leads`)
  first.wake()
  for (let i = 0; i < 2; i++) await create(`after-${i}`)
  await world.run(60_000)
  for (const [name, replicas] of wanted) {
    const labelSelector = `app=${name}`
    const sets = await other.admin.list(replicaSets, { namespace: NAMESPACE, labelSelector })
    const made = await other.admin.list(pods, { namespace: NAMESPACE, labelSelector })
    assert.deepEqual([sets.items.length, made.items.length], [1, replicas], `seed ${seed}: ${name}`)
  }
  return first.late
}

test('a leader that was stopped in the middle of its writes, and wakes when another leads, writes nothing', async () => {
  const record = await keysOf()
  let refused = 0
  for (let seed = 1; seed <= sized({ gate: 4, full: 100 }); seed++) {
    for (const told of await trial(seed, record)) {
      // Where another was faster the server says that first.
      assert.match(told, /nothing is written for "[ab]" in term \d+$|already exists$/, `seed ${seed}`)
      if (!told.endsWith('exists')) refused += 1
    }
  }
  assert.ok(refused > 0, 'no write was under way when the leader was stopped')
})

test('the trial finds a planted bug: writes that are not bound to a term', async () => {
  const told = await trial(1, await keysOf(), true)
  assert.ok(told.some((text) => text.startsWith('written')))
})
