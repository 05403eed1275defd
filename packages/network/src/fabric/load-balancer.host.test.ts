// Load balancers on the real kernel: probes that take dead backends out, addresses of a subnet, packets that keep theirs, and
// connections that were idle for too long.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { PROBE_SOURCE, type Attachment, type LoadBalancerRule, type ProbeNews } from '@aksel/provider/fabric'
import { withHost, type HostBench } from '../testing/host-bench.ts'
import { openFabric, type LocalFabric } from './fabric.ts'

const VNET = '/vnets/balanced'

interface BalancedBench extends HostBench {
  readonly fabric: LocalFabric
  /** Two on the first subnet, one on the second. */
  readonly a: Attachment
  readonly b: Attachment
  readonly far: Attachment
  /** The next news of a probe that say this; the test's own time limit is the deadline. */
  told(isUp: boolean, address: string): Promise<ProbeNews>
}

async function withBalancers(work: (bench: BalancedBench) => Promise<void>): Promise<void> {
  await withHost(async (host) => {
    using fabric = await openFabric(host.scope, { ledger: host.ledger, stateDir: join(host.directory, 'fabric') })
    const subnets = ['nodes', 'apps'].map((name, index) => ({
      id: `${VNET}/subnets/${name}`,
      addressPrefix: `10.22${4 + index}.0.0/16`,
    }))
    await fabric.ensureVirtualNetwork(host.scope, { id: VNET, addressPrefix: '10.224.0.0/12', subnets })
    const attach = (machine: string, subnet: string, index: number): Promise<Attachment> =>
      fabric.attach(host.scope, {
        virtualNetworkId: VNET,
        subnetId: `${VNET}/subnets/${subnet}`,
        machine,
        podCidr: `10.244.${index}.0/24`,
      })
    const told = (isUp: boolean, address: string): Promise<ProbeNews> =>
      new Promise((resolve) => {
        const listening = fabric.onProbe((news) => {
          if (news.isUp !== isUp || news.address !== address) return
          listening[Symbol.dispose]()
          resolve(news)
        })
      })
    const a = await attach('a', 'nodes', 0)
    const b = await attach('b', 'nodes', 1)
    const far = await attach('far', 'apps', 2)
    await work({ ...host, fabric, a, b, far, told })
    await fabric.deleteVirtualNetwork(host.scope, VNET)
  })
}

const probe = { protocol: 'Tcp', port: 30080, intervalSeconds: 1, failures: 2 } as const

function ruleTo(machines: readonly Attachment[], more: Partial<LoadBalancerRule> = {}): LoadBalancerRule {
  const backends = machines.map(({ address }) => ({ address, port: 30080 }))
  return { protocol: 'TCP', port: 80, backends, sourceRanges: [], ...more }
}

const order = (rules: readonly LoadBalancerRule[]) => ({ id: 'uid-1', virtualNetworkId: VNET, rules })

async function names(bench: BalancedBench, address: string, from?: string): Promise<readonly string[]> {
  const seen = new Set<string>()
  for (let n = 0; n < 20; n += 1) seen.add((await bench.ask(address, 80, from)).split(' ')[0]!)
  return [...seen].sort()
}

/** Asks until the answers are these: a lost backend is told, and taken out right after. */
async function untilNames(bench: BalancedBench, address: string, wanted: readonly string[]): Promise<void> {
  let seen = await names(bench, address)
  for (let left = 20; left > 0 && seen.join() !== wanted.join(); left -= 1) seen = await names(bench, address)
  assert.deepEqual(seen, wanted)
}

/** The router's ports that lead probes to backends are the host's: machines of another VNet do not get there. */
async function assertProbesAreOurs(bench: BalancedBench): Promise<void> {
  const found = bench.ledger.entries(`virtual-network/${VNET}`).find(({ object }) => object.kind === 'link')
  assert.ok(found?.object.kind === 'link')
  const router = found.object.name
  const probes = await bench.inside(router, ['nft', 'list', 'map', 'ip', 'aksel', 'probes'])
  const port = Number(/(\d+) : 10\.224\.0\./.exec(probes)?.[1])
  const shown = await bench.inside(router, ['ip', '-json', '-4', 'addr', 'show', 'dev', 'host'])
  const [{ addr_info: addresses }] = JSON.parse(shown) as [
    { readonly addr_info: readonly { readonly local: string }[] },
  ]
  const link = addresses[0]!.local
  assert.match(await bench.ask(link, port), /^[ab] /)
  const other = '/vnets/other'
  const subnets = [{ id: `${other}/subnets/s`, addressPrefix: '10.224.0.0/16' }]
  await bench.fabric.ensureVirtualNetwork(bench.scope, { id: other, addressPrefix: '10.224.0.0/12', subnets })
  const request = { virtualNetworkId: other, subnetId: `${other}/subnets/s`, machine: 'x' }
  const { networkNamespace } = await bench.fabric.attach(bench.scope, request)
  assert.equal(await bench.ask(link, port, networkNamespace), '', 'another tenant')
  await bench.fabric.deleteVirtualNetwork(bench.scope, other)
}

test(
  'a backend whose probe fails gets nothing until it answers again; probes come from where Azure’s do',
  { timeout: 120_000 },
  () =>
    withBalancers(async (bench) => {
      const { a, b, fabric } = bench
      await bench.listen(a.networkNamespace, '0.0.0.0', 30080, 'a')
      await bench.listen(b.networkNamespace, '0.0.0.0', 30080, 'b')
      const counting = `table ip t { chain c { type filter hook input priority 0; ip saddr ${PROBE_SOURCE} tcp dport 30080 counter; }; }`
      await bench.inside(a.networkNamespace, ['nft', counting])
      const { address } = await fabric.ensureLoadBalancer(bench.scope, order([ruleTo([a, b], { probe })]))
      await untilNames(bench, address, ['a', 'b'])
      assert.match(await bench.inside(a.networkNamespace, ['nft', 'list', 'table', 'ip', 't']), /packets [1-9]/)

      await assertProbesAreOurs(bench)

      const lost = bench.told(false, a.address)
      const refusing =
        'table ip u { chain c { type filter hook input priority 1; tcp dport 30080 reject with tcp reset; }; }'
      await bench.inside(a.networkNamespace, ['nft', refusing])
      assert.deepEqual(await lost, {
        virtualNetworkId: VNET,
        loadBalancerId: 'uid-1',
        address: a.address,
        probe,
        isUp: false,
        why: 'connection refused',
      })
      await untilNames(bench, address, ['b'])
      const found = bench.told(true, a.address)
      await bench.inside(a.networkNamespace, ['nft', 'delete', 'table', 'ip', 'u'])
      await found
      await untilNames(bench, address, ['a', 'b'])
    }),
)

test('a fabric that is opened again goes on with what lived, and asks anew', { timeout: 120_000 }, () =>
  withBalancers(async (bench) => {
    const { a, b, fabric } = bench
    await bench.listen(a.networkNamespace, '0.0.0.0', 30080, 'a')
    const rules = [ruleTo([a, b], { probe })]
    const { address } = await fabric.ensureLoadBalancer(bench.scope, order(rules))
    await untilNames(bench, address, ['a'])
    fabric[Symbol.dispose]()
    using second = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const lost = new Promise<void>((resolve) => second.onProbe(({ isUp }) => !isUp && resolve()))
    await second.restore(bench.scope)
    assert.deepEqual(await second.ensureLoadBalancer(bench.scope, order(rules)), { address })
    await lost
    await untilNames(bench, address, ['a'])
  }),
)

test('an internal load balancer has an address of its subnet, for the VNet alone', { timeout: 120_000 }, () =>
  withBalancers(async (bench) => {
    const { a, b, far, fabric } = bench
    await bench.listen(b.networkNamespace, '0.0.0.0', 30080, 'b')
    const { address } = await fabric.ensureLoadBalancer(bench.scope, {
      ...order([ruleTo([b])]),
      internal: {},
    })
    assert.equal(address, '10.224.0.6')
    assert.match(await bench.ask(address, 80, a.networkNamespace), /^b /, 'a neighbour on the same subnet')
    assert.match(await bench.ask(address, 80, b.networkNamespace), /^b /, 'the backend itself')
    assert.equal(
      await bench.ask(address, 80, far.networkNamespace),
      `b ${far.address}`,
      'the other subnet, as who it is',
    )
    assert.equal(await bench.ask(address, 80), '', 'the host is outside')
    const next = await fabric.attach(bench.scope, {
      virtualNetworkId: VNET,
      subnetId: `${VNET}/subnets/nodes`,
      machine: 'c',
      podCidr: '10.244.3.0/24',
    })
    assert.equal(next.address, '10.224.0.7', 'machines do not get it')
    await fabric.deleteLoadBalancer(bench.scope, { virtualNetworkId: VNET, id: 'uid-1' })
    assert.equal(await bench.ask(address, 80, a.networkNamespace), '')
  }),
)

test('without node ports, and with every port, packets arrive as they were sent', { timeout: 120_000 }, () =>
  withBalancers(async (bench) => {
    const { a, b, fabric } = bench
    const floating = [{ address: a.address }, { address: b.address }]
    const rule = { protocol: 'TCP', port: 80, backends: floating, sourceRanges: [] } as const
    const { address } = await fabric.ensureLoadBalancer(bench.scope, order([rule]))
    for (const [name, machine] of [
      ['a', a],
      ['b', b],
    ] as const) {
      await bench.inside(machine.networkNamespace, ['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo'])
      await bench.listen(machine.networkNamespace, address, 80, name)
      await bench.listen(machine.networkNamespace, address, 81, name)
    }
    assert.deepEqual(await names(bench, address), ['a', 'b'])
    assert.equal(await bench.ask(address, 81), '', 'a port without a rule')
    await fabric.ensureLoadBalancer(bench.scope, order([{ ...rule, protocol: 'ALL', port: 0 }]))
    assert.match(await bench.ask(address, 81), /^[ab] /)
    await fabric.ensureLoadBalancer(bench.scope, order([ruleTo([])]))
    assert.equal(await bench.ask(address, 80), '')
  }),
)

test('connections idle out as their service says, and what comes of them later is reset', { timeout: 120_000 }, () =>
  withBalancers(async (bench) => {
    const { a, fabric } = bench
    const argv = [`--net=/run/netns/${a.networkNamespace}`, 'busybox', 'nc', '-ll', '-p', '30080', '-e', 'cat']
    const echo = spawn('nsenter', argv, { stdio: 'ignore' })
    try {
      const { address } = await fabric.ensureLoadBalancer(
        bench.scope,
        order([ruleTo([a], { idleTimeoutMinutes: 7, probe: { ...probe, intervalSeconds: 30 } })]),
      )
      const socket = await answering(address)
      const router = bench.ledger.entries(`virtual-network/${VNET}`).find(({ object }) => object.kind === 'link')!
      assert.ok(router.object.kind === 'link')
      const flows = await bench.inside(router.object.name, ['conntrack', '-L', '-p', 'tcp', '--orig-dst', address])
      const seconds = [...flows.matchAll(/tcp +6 (\d+) ESTABLISHED/g)].map(([, text]) => Number(text))
      assert.ok(seconds.length > 0 && seconds.every((each) => each > 240 && each <= 420), flows)
      await bench.inside(router.object.name, ['conntrack', '-D', '-p', 'tcp', '--orig-dst', address])
      const broken = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>
      socket.write('late\n')
      const [error] = await broken
      assert.equal(error.code, 'ECONNRESET')
    } finally {
      echo.kill('SIGKILL')
      await once(echo, 'exit')
    }
  }),
)

/** A connection that has echoed; tried again until the echo listens. */
async function answering(address: string): Promise<ReturnType<typeof connect>> {
  for (let left = 50; left > 0; left -= 1) {
    const socket = connect({ host: address, port: 80, timeout: 2000 })
    const answer = new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true))
      for (const event of ['error', 'timeout', 'close'] as const) socket.once(event, () => resolve(false))
    })
    socket.write('early\n')
    if (await answer) return socket.setTimeout(0)
    socket.destroy()
  }
  throw new Error(`nobody echoes at ${address}`)
}
