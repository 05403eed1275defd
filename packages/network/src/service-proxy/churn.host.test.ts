// Thousands of services that change all the time, asked over the real kernel: once a change is in force nobody else answers, and
// while it is being put in force only those of before or after.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { run } from '@aksel/host/command'
import { sized } from '@aksel/testing/test-size'
import { openFabric } from '../fabric/fabric.ts'
import { InteractiveNft } from '../nft/interactive.ts'
import { spawnedNft } from '../nft/runner.ts'
import { testScope, withHost, type HostBench } from '../testing/host-bench.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { addPod } from '../testing/pods.ts'
import type { Question } from '../testing/service-caller.ts'
import { BACKEND_PORT, questionsOf, ServiceChurn, wrongAnswers } from '../testing/service-churn.ts'
import { runServiceProxy } from './service-proxy.ts'

const SERVICES = sized({ gate: 2_000, full: 10_000 })
/** The full size goes on for about ten minutes. */
const rounds = sized({ gate: 20, full: 4_000 })
const lossyRounds = sized({ gate: 2, full: 50 })
const POD_CIDR = '10.244.0.0/24'
const BACKENDS = Array.from({ length: 64 }, (_, n) => `10.244.0.${128 + n}`)

interface ChurnBench extends Omit<HostBench, 'ask'> {
  readonly machine: string
  /** As an agent that is killed: the table stays. */
  stopProxy(): Promise<void>
  startProxy(): Promise<void>
  /** Resolves when what the caches hold is in force. */
  settled(): Promise<void>
  /** From the client's pod. */
  ask(questions: readonly Question[]): Promise<readonly string[]>
}

interface Proxy {
  settled(): Promise<void>
  stop(): Promise<void>
}

test('of thousands of services that change all the time, none is answered by who is no backend of it, also after the agent was away and while packets are lost', (t) =>
  withChurn(async (bench, churn) => {
    const tookMs: number[] = []
    for (let n = 0; n < rounds; n += 1) tookMs.push(await changeAndAsk(bench, churn, 1 + ((n * 7) % 20)))

    await bench.stopProxy()
    const touched = churn.change(500)
    await bench.startProxy()
    await assertAnswers(bench, churn, [...touched.keys()])

    const forward = 'type filter hook forward priority -300'
    const lossy = `table ip lossy {\n chain c {\n ${forward};\n numgen random mod 100 < 10 drop\n }\n}\n`
    await bench.inside(bench.machine, ['nft', '-f', '-'], lossy)
    for (let n = 0; n < lossyRounds; n += 1) await changeAndAsk(bench, churn, 3)
    await bench.inside(bench.machine, ['nft', 'delete', 'table', 'ip', 'lossy'])

    // Everything once, whatever was touched.
    await assertAnswers(bench, churn, churn.addresses())
    tookMs.sort((a, b) => a - b)
    const at = (share: number): string => tookMs[Math.floor((tookMs.length - 1) * share)]!.toFixed(1)
    t.diagnostic(`${tookMs.length} changes were in force after ${at(0.5)} ms (median), ${at(0.99)} ms (p99)`)
  }))

/** Milliseconds until the change was in force. */
async function changeAndAsk(bench: ChurnBench, churn: ServiceChurn, count: number): Promise<number> {
  const sinceMs = performance.now()
  const before = churn.change(count)
  let tookMs = 0
  const settled = bench.settled().then(() => (tookMs = performance.now() - sinceMs))
  const meanwhile = questionsOf([...before.keys()])
  const answers = await bench.ask(meanwhile)
  await settled
  const now = (ip: string): readonly string[] => churn.backendsAt(ip)
  assert.deepEqual(wrongAnswers(meanwhile, answers, [(ip) => before.get(ip)!, now]), [], 'while it was put in force')
  await assertAnswers(bench, churn, [...before.keys(), ...churn.some(10)])
  return tookMs
}

async function assertAnswers(bench: ChurnBench, churn: ServiceChurn, addresses: readonly string[]): Promise<void> {
  const questions = questionsOf(addresses)
  const wrong = wrongAnswers(questions, await bench.ask(questions), [(ip) => churn.backendsAt(ip)])
  assert.deepEqual(wrong.slice(0, 10), [])
}

async function withChurn(work: (bench: ChurnBench, churn: ServiceChurn) => Promise<void>): Promise<void> {
  await withHost(async (host) => {
    const fabric = await openFabric(host.scope, { ledger: host.ledger, stateDir: join(host.directory, 'fabric') })
    const [virtualNetworkId, subnetId] = ['/vnets/churn', '/vnets/churn/subnets/s']
    const subnets = [{ id: subnetId, addressPrefix: '10.224.0.0/16' }]
    await fabric.ensureVirtualNetwork(host.scope, { id: virtualNetworkId, addressPrefix: '10.224.0.0/12', subnets })
    const { networkNamespace: machine, address } = await fabric.attach(host.scope, {
      virtualNetworkId,
      subnetId,
      machine: 'n0',
      podCidr: POD_CIDR,
    })
    const client = await addPod(host, { machineNamespace: machine, podCidr: POD_CIDR, name: 'client' })
    const server = await addPod(host, { machineNamespace: machine, podCidr: POD_CIDR, name: 'server' })
    const ways = JSON.parse(await host.inside(machine, ['ip', '-json', 'route', 'show', server.address]))
    const { dev } = (ways as readonly { readonly dev: string }[])[0]!
    // Who asks an address that no service has is told at once, however often: the kernel tells a caller once a second otherwise.
    await host.inside(machine, ['sysctl', '-q', '-w', 'net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_ratemask=0'])
    await host.inside(machine, ['ip', 'route', 'add', 'prohibit', '10.1.0.0/16'])
    for (const backend of BACKENDS) {
      await host.inside(machine, ['ip', 'route', 'add', `${backend}/32`, 'dev', dev, 'scope', 'link'])
      await host.inside(server.networkNamespace, ['ip', 'addr', 'add', `${backend}/32`, 'dev', 'lo'])
    }
    const programs: ChildProcess[] = []
    const caches = new MemoryCaches()
    const churn = new ServiceChurn(seededRandom(20), caches, BACKENDS)
    churn.fill(SERVICES)
    let proxy: Proxy | undefined
    const stopProxy = async (): Promise<void> => {
      await proxy?.stop()
      proxy = undefined
    }
    const startProxy = async (): Promise<void> => void (proxy = await proxyOn(caches, { machine, address }))
    try {
      programs.push(await program(server.networkNamespace, 'many-backends.ts', [String(BACKEND_PORT), ...BACKENDS]))
      const caller = await program(client.networkNamespace, 'service-caller.ts', [])
      programs.push(caller)
      const answers = createInterface(caller.stdout!)[Symbol.asyncIterator]()
      const ask = async (questions: readonly Question[]): Promise<readonly string[]> => {
        caller.stdin!.write(`${JSON.stringify(questions)}\n`)
        return JSON.parse((await answers.next()).value as string) as readonly string[]
      }
      await startProxy()
      await work({ ...host, machine, stopProxy, startProxy, ask, settled: () => proxy!.settled() }, churn)
    } finally {
      await stopProxy()
      for (const each of programs) {
        each.kill('SIGKILL')
        if (each.exitCode === null && each.signalCode === null) await once(each, 'exit')
      }
      fabric[Symbol.dispose]()
    }
  })
}

/** Resolves once it says that it is ready. */
async function program(networkNamespace: string, name: string, args: readonly string[]): Promise<ChildProcess> {
  const path = join(import.meta.dirname, '../testing', name)
  const argv = [`--net=/run/netns/${networkNamespace}`, process.execPath, path, ...args]
  const child = spawn('nsenter', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)))
  ended.catch(() => {})
  await Promise.race([once(child.stdout, 'data'), ended])
  return child
}

async function proxyOn(
  caches: MemoryCaches,
  machine: { readonly machine: string; readonly address: string },
): Promise<Proxy> {
  const inside = ['nsenter', `--net=/run/netns/${machine.machine}`]
  const interactive = new InteractiveNft(inside)
  const stop = new AbortController()
  const synced = Promise.withResolvers<void>()
  let [started, ended] = [0, 0]
  const counted = async <T>(doing: () => Promise<T>): Promise<T> => {
    started += 1
    try {
      return await doing()
    } finally {
      ended += 1
    }
  }
  const running = runServiceProxy(testScope(stop.signal), {
    caches,
    nft: { apply: (scope, lines) => counted(() => interactive.apply(scope, lines)) },
    loader: spawnedNft({ networkNamespace: machine.machine }),
    run: (scope, argv, options) => counted(() => run(scope, [...inside, ...argv], options)),
    node: { name: 'n0' },
    nodeAddresses: [machine.address],
    podCidr: POD_CIDR,
    nonMasqueradeCidrs: ['10.244.0.0/16'],
    servedHere: [],
    onSynced: synced.resolve,
  }).finally(() => interactive[Symbol.dispose]())
  await synced.promise
  return {
    // The loop takes up what was marked as soon as nothing it began is under way: what was marked before this call is in force
    // once it has begun something, and ended all of it.
    async settled() {
      do await setImmediate()
      while (started !== ended)
    },
    async stop() {
      stop.abort()
      await running
    },
  }
}
