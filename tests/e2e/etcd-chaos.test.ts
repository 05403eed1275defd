// The shop on a real node, its cluster on an etcd of three members with TLS and a user. Each way in which an etcd fails, and a server
// that is killed: customers notice nothing, no pod is touched, no order and no acknowledged write is lost.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { configMaps } from '@aksel/api/resources'
import { seededRandom } from '@aksel/base/ids'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { startEtcd, type EtcdServer } from '@aksel/host/etcd-server'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { agreed, views } from '../trust/etcd-views.ts'
import { openPeerProxy, type PeerProxy } from '../trust/peer-proxy.ts'
import { Aksel } from './aksel.ts'
import { Customers } from './customers.ts'

/** Hangs end here; how long it took is told. */
const DEADLINE_MS = 60_000

/** Somebody who writes all the time, and remembers what was acknowledged. */
class Clerk {
  readonly acknowledged: string[] = []
  readonly #client: Client
  readonly #stop = new AbortController()
  readonly #writing: Promise<void>
  #onWrite: () => void = () => {}

  constructor(client: Client) {
    this.#client = client
    this.#writing = this.#write()
  }

  async #write(): Promise<void> {
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const name = `written-${i}`
      try {
        await this.#client.create(configMaps, { metadata: { name, namespace: 'default' } })
        this.acknowledged.push(name)
        this.#onWrite()
      } catch {
        await sleep(50)
      }
    }
  }

  /** Milliseconds until two writes are acknowledged: the second was begun after this call. */
  async resumes(): Promise<number> {
    const beganMs = performance.now()
    const wanted = this.acknowledged.length + 2
    const late = AbortSignal.timeout(DEADLINE_MS)
    while (this.acknowledged.length < wanted) {
      await new Promise<void>((resolve, reject) => {
        this.#onWrite = resolve
        late.addEventListener('abort', () => reject(new Error(`no write within ${DEADLINE_MS} ms`)), { once: true })
      })
    }
    return performance.now() - beganMs
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#writing
  }
}

interface Fault {
  readonly name: string
  readonly begin: () => Promise<void>
  readonly end?: () => Promise<void> | void
}

function faultsOf(etcd: EtcdServer, proxies: readonly PeerProxy[]): readonly Fault[] {
  const { leader, idOf } = views(etcd)
  let victim = etcd.members[0]!
  const heal = (): void => proxies.forEach((proxy) => proxy.heal())
  return [
    {
      name: 'the leader is killed',
      begin: async () => {
        victim = await leader()
        await etcd.kill(victim)
      },
      end: () => etcd.restart(victim),
    },
    {
      name: 'the leader is paused',
      begin: async () => {
        victim = await leader()
        victim.process!.kill('SIGSTOP')
      },
      end: () => void victim.process!.kill('SIGCONT'),
    },
    {
      name: 'the leader is cut off from the others but not from us',
      begin: async () => {
        victim = await leader()
        const id = await idOf(victim)
        const at = etcd.members.indexOf(victim)
        proxies.forEach((proxy, i) => (i === at ? proxy.cutAll() : proxy.cutFrom(id)))
      },
      end: heal,
    },
    {
      name: 'half of what the members tell each other is lost at first',
      begin: async () => proxies.forEach((proxy) => proxy.lose(0.5)),
      end: heal,
    },
    {
      name: 'a member is replaced by a new one',
      begin: async () => {
        const first = await leader()
        const other = etcd.members.find((member) => member !== first)!
        await etcd.replace(other, await idOf(other))
      },
    },
  ]
}

async function openShop(aksel: Aksel): Promise<string> {
  await aksel.kubectl('apply -f examples/store/manifests')
  for (const one of ['deployment/shop-front', 'deployment/shop-api', 'statefulset/shop-store'])
    await aksel.kubectl(`rollout status ${one} --timeout=120s`)
  await aksel.kubectl('wait service/shop-front --for=jsonpath={.status.loadBalancer.ingress[0].ip} --timeout=30s')
  return aksel.kubectl('get service shop-front -o jsonpath={.status.loadBalancer.ingress[0].ip}')
}

const podFacts = [
  'get',
  'pods',
  '-o',
  'jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[*].containerID} {.status.containerStatuses[*].restartCount};{end}',
]

test(
  'the shop runs unharmed on real nodes while its etcd fails in every way and its server is killed',
  { timeout: 600_000 },
  async (context: TestContext) => {
    await using stack = new AsyncDisposableStack()
    const proxies: PeerProxy[] = []
    const etcd = stack.use(
      await startEtcd({
        members: 3,
        tls: true,
        userBelow: '/aksel/',
        advertisedPeerPort: async (_, port) => {
          const proxy = stack.use(await openPeerProxy(seededRandom(port), port))
          proxies.push(proxy)
          return proxy.port
        },
      }),
    )
    const aksel = stack.use(await Aksel.inNewFolder())
    await aksel.ok(['up', '--nodes', '1', '--store', etcd.url], { timeoutMs: 170_000 })
    const address = await openShop(aksel)
    const order = async (): Promise<void> => {
      const answer = await fetch(`http://${address}/`, { method: 'POST', body: 'item=tea' })
      assert.equal(answer.status, 200, await answer.text())
    }
    const pods = await aksel.kubectl(podFacts)
    const customers = [new Customers(`http://${address}/healthz`), new Customers(`http://${address}/`, 1_000)]
    const access = await parseKubeconfig(await readFile(join(aksel.dataDir, 'kubeconfig'), 'utf8'))
    const client = createClient(stack.use(createHttpsTransport(access)))
    const clerk = new Clerk(client)
    let orders = 0
    try {
      await clerk.resumes()
      for (const { name, begin, end } of faultsOf(etcd, proxies)) {
        await begin()
        const during = await clerk.resumes()
        await order()
        orders += 1
        await end?.()
        const afterwards = await clerk.resumes()
        context.diagnostic(
          `${name}: writes go on after ${(during / 1000).toFixed(2)} s, ${(afterwards / 1000).toFixed(2)} s`,
        )
      }
      process.kill(await aksel.serverPid(), 'SIGKILL')
      await order()
      orders += 1
      await aksel.ok(['up'], { timeoutMs: 120_000 })
      context.diagnostic(
        `the server is killed: writes go on ${((await clerk.resumes()) / 1000).toFixed(2)} s after it is up`,
      )
    } finally {
      await clerk.stop()
      await Promise.all(customers.map((one) => one.stop()))
    }
    assert.deepEqual(
      customers.flatMap(({ failures }) => failures),
      [],
    )
    assert.ok(customers.every(({ asked }) => asked > 10))
    assert.equal(await aksel.kubectl(podFacts), pods, 'no pod was made anew or started again')
    const page = await (await fetch(`http://${address}/`)).text()
    assert.equal(Number(/Orders: <b>(\d+)</.exec(page)?.[1]), orders)
    const { items } = await client.list(configMaps, { namespace: 'default' })
    const found = new Set(items.map(({ metadata }) => metadata.name))
    assert.deepEqual(
      clerk.acknowledged.filter((name) => !found.has(name)),
      [],
    )
    await agreed(etcd)
    assert.match(await aksel.kubectl('get nodes'), / Ready /)
    // And it goes on working: a pod that is taken away comes back, with the orders.
    await aksel.kubectl('delete pod shop-store-0 --timeout=60s')
    await aksel.kubectl('rollout status statefulset/shop-store --timeout=60s')
    await aksel.kubectl('wait pod/shop-store-0 --for=condition=Ready --timeout=60s')
  },
)
