// A node while its way to the API server is slow, lossy, silent, cut or repeats what passes: services in force never are what nobody
// wrote, nor lack what stands, and are right again once the way is; and the node stays one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { endpointSlices, leases, namespaces, nodes, services } from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { admin, clientCertificate, listenForTest, startTestServer } from '@aksel/apiserver/test-server'
import { systemClock, type Clock } from '@aksel/base/clock'
import { ignoreReason } from '@aksel/base/errors'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import type { NftRunner } from '@aksel/network/nft/runner'
import { compileService, type CompileOptions } from '@aksel/network/service-proxy/compile'
import { RowTable } from '@aksel/network/service-proxy/row-table'
import { runServiceProxy } from '@aksel/network/service-proxy/service-proxy'
import type { ContainerRuntime } from '@aksel/node/cri/types'
import type { NodeDescription } from '@aksel/node/node/node-object'
import { NodeRegistration } from '@aksel/node/node/registration'
import { createCaches } from '@aksel/runtime/caches'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { sized } from '@aksel/testing/test-size'
import { doublingTransport } from './doubling-transport.ts'
import { faults, openFaultProxy, type Fault } from './fault-proxy.ts'

/** The full size has holes that outlast the transport's patience: its session is found dead and replaced. */
const kinds = [...faults, 'twice'] as const
const plan = sized<readonly (readonly [fault: Fault | 'twice', ms: number])[]>({
  gate: kinds.map((fault) => [fault, 1_500]),
  full: Array.from({ length: 6 }, () =>
    kinds.map((fault) => [fault, fault === 'hole' ? 60_000 : 10_000] as const),
  ).flat(),
})
const NAMES = 40
const STEADY = '10.0.200.1'
const DEADLINE_MS = 120_000

const options: CompileOptions = { node: { name: 'n0' }, nodeAddresses: ['10.224.0.4'], servedHere: [] }

/** The kernel's table, as the scripts that it is given would make it. */
class Kernel implements NftRunner {
  readonly maps = new Map<string, Map<string, string>>()
  readonly #onChange: () => void

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  readonly loader: NftRunner = {
    apply: (scope, lines) => {
      this.maps.clear()
      return this.apply(scope, lines)
    },
  }

  apply(_scope: unknown, lines: readonly string[]): Promise<void> {
    for (const line of lines.flatMap((each) => each.split('\n'))) {
      const [, verb, name, text] = /^(add|delete) element ip aksel-proxy (\S+) \{ (.*) \}$/.exec(line) ?? []
      if (verb === undefined) continue
      const map = this.maps.get(name!) ?? new Map<string, string>()
      this.maps.set(name!, map)
      for (const element of text!.split(', ')) {
        const [key, value = ''] = element.split(' : ') as [string, string?]
        if (verb === 'add') map.set(key, value)
        else if (!map.delete(key)) throw new Error(`no such element: ${element}`)
      }
    }
    this.#onChange()
    return Promise.resolve()
  }
}

/** Changes services by chance, and remembers every backend that an address ever had. */
class Writer {
  readonly #client: Client
  readonly #random: Random
  readonly had = new Map<string, Set<string>>()

  constructor(client: Client, random: Random) {
    this.#client = client
    this.#random = random
  }

  async put(name: string, ip: string, backends: readonly string[]): Promise<void> {
    const known = this.had.get(ip) ?? new Set()
    this.had.set(ip, known)
    for (const backend of backends) known.add(backend)
    const metadata = { name, namespace: 'default' }
    const labels = { 'kubernetes.io/service-name': name }
    const slice: EndpointSlice = {
      metadata: { ...metadata, labels },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: backends.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    }
    const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
    await ignoreReason('AlreadyExists', this.#client.create(services, { metadata, spec: { clusterIP: ip, ports } }))
    await ignoreReason('NotFound', this.#client.delete(endpointSlices, metadata))
    await this.#client.create(endpointSlices, slice)
  }

  async change(): Promise<void> {
    const n = this.#below(NAMES)
    const metadata = { name: `s${n}`, namespace: 'default' }
    if (this.#below(4) === 0) {
      await ignoreReason('NotFound', this.#client.delete(services, metadata))
      await ignoreReason('NotFound', this.#client.delete(endpointSlices, metadata))
      return
    }
    const backends = Array.from({ length: this.#below(4) }, () => `10.244.${this.#below(4)}.${2 + this.#below(200)}`)
    await this.put(metadata.name, `10.0.100.${n + 1}`, [...new Set(backends)])
  }

  #below(end: number): number {
    return Math.floor(fraction(this.#random) * end)
  }
}

/** What the table should hold of what the API has. */
async function wanted(client: Client): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const all = await client.list(services, {})
  const slices = (await client.list(endpointSlices, {})).items
  const table = new RowTable()
  const own = (service: Service): readonly EndpointSlice[] =>
    slices.filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name)
  table.replace(new Map(all.items.map((service) => [keyOf(service), compileService(service, own(service), options)])))
  return table.content().elements
}

const textOf = (maps: ReadonlyMap<string, ReadonlyMap<string, string>>): string =>
  [...maps]
    .flatMap(([name, map]) => Array.from(map, ([key, value]) => `${name} ${key} ${value}`))
    .toSorted()
    .join('\n')

test('a node whose way to the API is slow, lossy, silent, cut or repeats things keeps its services, invents none, and catches up', async (context) => {
  const random = seededRandom(11)
  await using server = await startTestServer()
  const { port } = await listenForTest(server)
  await using way = await openFaultProxy(random, port)
  const { certificatePem, keyPem } = await clientCertificate(server, admin)
  await using transport = createHttpsTransport({
    server: `https://127.0.0.1:${way.port}`,
    caPem: server.authority.certificatePem,
    certPem: certificatePem,
    keyPem,
  })
  const stop = new AbortController()
  const scope = { clock: systemClock(), random, log: silentLog(), signal: stop.signal }
  const direct = server.client()
  const writer = new Writer(direct, random)
  await writer.put('steady', STEADY, ['10.244.9.9'])

  let changed = Promise.withResolvers<void>()
  const synced = Promise.withResolvers<void>()
  const wrong: string[] = []
  const kernel: Kernel = new Kernel(() => {
    for (const [key, value] of kernel.maps.get('backends') ?? []) {
      const [ip, backend] = [key.split(' ')[0]!, value.split(' ')[0]!]
      const isInvented = ip.startsWith('10.0.100.') && writer.had.get(ip)?.has(backend) !== true
      if (isInvented) wrong.push(`${backend} was never behind ${ip}`)
    }
    // What is thrown here the proxy takes for a refusal of nft.
    const steady = [...(kernel.maps.get('backends') ?? [])].filter(([key]) => key.startsWith(`${STEADY} `))
    if (steady.map(([, value]) => value).join() !== '10.244.9.9 . 8080') wrong.push(`${STEADY} did not stand`)
    changed.resolve()
    changed = Promise.withResolvers()
  })
  const doubling = doublingTransport(random, transport)
  doubling.isDoubling = false
  await using caches = createCaches(scope, createClient(doubling))
  const running = runServiceProxy(scope, {
    ...options,
    caches,
    nft: kernel,
    loader: kernel.loader,
    podCidr: '10.244.0.0/24',
    nonMasqueradeCidrs: ['10.244.0.0/16'],
    onSynced: synced.resolve,
  })
  await synced.promise
  for (const [fault, ms] of plan) {
    doubling.isDoubling = fault === 'twice'
    way.set(fault === 'twice' ? 'none' : fault)
    const untilMs = performance.now() + ms
    let writes = 0
    for (; performance.now() < untilMs || writes < 20; writes += 1) {
      await writer.change()
      await sleep(20)
    }
    way.set('none')
    doubling.isDoubling = false
    const healedMs = performance.now()
    assert.deepEqual(wrong, [], fault)
    const deadline = AbortSignal.timeout(DEADLINE_MS)
    const right = textOf(await wanted(direct))
    while (textOf(kernel.maps) !== right) {
      assert.ok(!deadline.aborted, `${fault}: not caught up`)
      await Promise.race([changed.promise, sleep(1_000)])
    }
    context.diagnostic(
      `${fault}: ${writes} changes, right again ${Math.round(performance.now() - healedMs)} ms after it ended`,
    )
  }
  assert.deepEqual(wrong, [])
  assert.ok(doubling.doubled.events > 20, `${doubling.doubled.events} events came twice`)
  stop.abort()
  await running
})

const description: NodeDescription = {
  name: 'n0',
  address: '10.224.0.4',
  labels: { rack: 'one' },
  taints: [],
  podCidr: '10.244.0.0/24',
  capacity: { cpuMilli: 2000, memoryBytes: 2 ** 33, ephemeralStorageBytes: 2 ** 37, maxPods: 110 },
  reserved: { cpuMilli: 100, memoryBytes: 2 ** 29, ephemeralStorageBytes: 2 ** 30 },
  kubernetesVersion: '1.35.0',
  osImage: 'Ubuntu 22.04.5 LTS',
  machine: { machineId: 'm', systemUuid: 's', bootId: 'b', kernelVersion: '6' },
  kubeletPort: 10250,
}
const healthy = ['RuntimeReady', 'NetworkReady'].map((type) => ({ type, status: true, reason: '', message: '' }))
const runtime = {
  version: async () => ({ runtimeName: 'containerd', runtimeVersion: '1.6.20' }),
  conditions: async () => healthy,
  listImages: async () => [],
}

test('a node whose requests reach the API twice registers once, and renews its lease', async (context) => {
  const random = seededRandom(5)
  await using server = await startTestServer()
  const { port } = await listenForTest(server)
  const { certificatePem, keyPem } = await clientCertificate(server, admin)
  await using transport = createHttpsTransport({
    server: `https://127.0.0.1:${port}`,
    caPem: server.authority.certificatePem,
    certPem: certificatePem,
    keyPem,
  })
  const direct = server.client()
  await ignoreReason('AlreadyExists', direct.create(namespaces, { metadata: { name: 'kube-node-lease' }, spec: {} }))
  const doubling = doublingTransport(random, transport)
  const stop = new AbortController()
  const scope = { clock: hastyClock(100), random, log: silentLog(), signal: stop.signal }
  const cri = runtime as unknown as ContainerRuntime
  const registration = new NodeRegistration(scope, createClient(doubling), cri, description)
  await registration.register()
  const kept = registration.keep()
  const lease = { namespace: 'kube-node-lease', name: 'n0' }
  const renewals = new Set<string>()
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  while (renewals.size < 20) {
    assert.ok(!deadline.aborted, `renewed ${renewals.size} times`)
    renewals.add((await direct.get(leases, lease)).spec?.renewTime ?? '')
    await sleep(20)
  }
  stop.abort()
  await kept
  assert.deepEqual([...renewals], [...renewals].toSorted(), 'it never goes back')
  const { items } = await direct.list(nodes, {})
  assert.deepEqual(
    items.map(({ metadata, status }) => [
      metadata.name,
      metadata.labels?.['rack'],
      status?.conditions?.find(({ type }) => type === 'Ready')?.status,
    ]),
    [['n0', 'one', 'True']],
  )
  assert.ok(doubling.doubled.requests > 10, `${doubling.doubled.requests} requests were sent twice`)
  context.diagnostic(`${doubling.doubled.requests} requests were sent twice`)
})

/** Waits that are so many times shorter. */
function hastyClock(times: number): Clock {
  const clock = systemClock()
  return { ...clock, after: (delayMs, fire) => clock.after(delayMs / times, fire) }
}
