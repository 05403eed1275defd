// Packets from pod to pod through a node's own tables, in namespaces that end with the programs in them: the first packet of a
// conversation among few services and among many, a stream beside a bare pair of links, and what policies and flow logs cost.

import { fileURLToPath } from 'node:url'
import { renderTable } from '@aksel/network/nft/table'
import { PolicyState } from '@aksel/network/policy/policy-state'
import { policyTable } from '@aksel/network/policy/table'
import { startChild, type Child } from '../load/orders.ts'
import type { PacketOrders } from './packets-main.ts'
import { renderServices, type KnownService } from './services.ts'

const PROGRAM = fileURLToPath(new URL('packets-main.ts', import.meta.url))
const PORT = 8080
const SERVER = '10.244.0.3'
/** On a link of its own, without a node between. */
const BARE_SERVER = '10.9.0.2'
const service: KnownService = { clusterIP: '10.0.0.77', backend: { address: SERVER, port: PORT } }
const WINDOW = 32

type Program = Child<PacketOrders>

/** A node between two pods, as the CNI plugin `ptp` makes them, and beside it two ends of one link. */
const SETUP = `
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
for pod in 2 3; do
  ip netns add p$pod
  ip link add v$pod type veth peer name eth0 netns p$pod
  ip addr add 10.244.0.1/32 dev v$pod
  ip link set v$pod up
  ip route add 10.244.0.$pod/32 dev v$pod
  ip -n p$pod link set lo up
  ip -n p$pod link set eth0 up
  ip -n p$pod addr add 10.244.0.$pod/32 dev eth0
  ip -n p$pod route add 10.244.0.1 dev eth0
  ip -n p$pod route add default via 10.244.0.1
done
ip netns add b1
ip netns add b2
ip -n b1 link add eth0 type veth peer name eth0 netns b2
for end in 1 2; do
  ip -n b$end addr add 10.9.0.$end/24 dev eth0
  ip -n b$end link set eth0 up
done
exec "$@"`

export interface World extends AsyncDisposable {
  readonly node: Program
  readonly client: Program
  readonly bareClient: Program
}

/** A node with so many services, one of them before the pod that answers. Needs root. */
export async function openWorld(services: number): Promise<World> {
  await using made = new AsyncDisposableStack()
  const within = ['unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-ec', SETUP, 'world']
  const node = made.use(await startChild<PacketOrders>({ program: PROGRAM, within }))
  const start = async (namespace: string): Promise<Program> => {
    const enter = ['nsenter', `--target=${node.pid}`, '--mount', 'nsenter', `--net=/run/netns/${namespace}`]
    return made.use(await startChild<PacketOrders>({ program: PROGRAM, within: enter }))
  }
  for (const namespace of ['p3', 'b2']) await (await start(namespace)).ask('answer', { port: PORT })
  const [client, bareClient] = [await start('p2'), await start('b1')]
  await node.ask('load', renderServices(services, [service]))
  const moved = made.move()
  return { node, client, bareClient, [Symbol.asyncDispose]: () => moved.disposeAsync() }
}

export interface FirstPackets {
  /** Seconds, of as many conversations each, taken in turns. */
  readonly many: readonly number[]
  readonly few: readonly number[]
}

export async function measureFirstPackets(sizes: {
  readonly few: number
  readonly many: number
  readonly packets: number
}): Promise<FirstPackets> {
  await using fewer = await openWorld(sizes.few)
  await using more = await openWorld(sizes.many)
  const [many, few]: [number[], number[]] = [[], []]
  const ask = (world: World, count: number): Promise<readonly number[]> =>
    world.client.ask('firsts', { address: service.clusterIP, port: 80, count })
  // The first ones warm the programs.
  for (const world of [fewer, more]) await ask(world, 100)
  const each = Math.ceil(sizes.packets / 10)
  for (let turn = 0; turn < 10; turn += 1) {
    few.push(...(await ask(fewer, each)))
    many.push(...(await ask(more, each)))
  }
  return { many, few }
}

export interface Throughput {
  /** Bytes a second from pod to pod, policies in force. */
  readonly pods: readonly number[]
  /** The same over the bare pair of links; one more: before, between and after. */
  readonly bare: readonly number[]
}

export async function measureThroughput(
  world: World,
  sizes: { readonly seconds: number; readonly runs: number },
): Promise<Throughput> {
  const { seconds, runs } = sizes
  const overBare = (): Promise<number> => world.bareClient.ask('stream', { address: BARE_SERVER, port: PORT, seconds })
  await world.node.ask('load', renderPolicies())
  const bare = [await overBare()]
  const pods: number[] = []
  for (let run = 0; run < runs; run += 1) {
    pods.push(await world.client.ask('stream', { address: SERVER, port: PORT, seconds }))
    bare.push(await overBare())
  }
  return { pods, bare }
}

export interface Costs {
  /** Answers a second within one conversation, by run. */
  readonly rates: readonly number[]
  /** Median seconds of a conversation's first packet, by run. */
  readonly firsts: readonly number[]
}

export interface CostReport {
  /** Neither policies nor flow log; one more run: before, between and after. */
  readonly plain: Costs
  readonly policies: Costs
  readonly flows: Costs
  /** Flows that the reader saw while they were measured. */
  readonly seen: number
}

/** What a packet costs more while policies judge its pods, and while somebody reads flows besides. */
export async function measureCosts(
  world: World,
  sizes: { readonly seconds: number; readonly runs: number; readonly packets: number },
): Promise<CostReport> {
  const { node, client } = world
  const kinds = { plain: [], policies: [], flows: [] } as Record<
    'plain' | 'policies' | 'flows',
    { rate: number; first: number }[]
  >
  const take = async (kind: keyof typeof kinds): Promise<void> => {
    const target = { address: service.clusterIP, port: 80 }
    const rate = await client.ask('rounds', { ...target, seconds: sizes.seconds, window: WINDOW })
    const firsts = await client.ask('firsts', { ...target, count: sizes.packets })
    kinds[kind].push({ rate, first: firsts.toSorted((a, b) => a - b)[Math.floor(firsts.length / 2)]! })
  }
  let seen = 0
  await node.ask('load', `add table ip aksel-policy\ndelete table ip aksel-policy`)
  await take('plain')
  kinds.plain.length = 0
  await take('plain')
  for (let run = 0; run < sizes.runs; run += 1) {
    await node.ask('load', renderPolicies())
    await take('policies')
    await node.ask('followFlows', undefined)
    await take('flows')
    seen += await node.ask('leaveFlows', undefined)
    await node.ask('load', `delete table ip aksel-policy`)
    await take('plain')
  }
  const costs = (kind: keyof typeof kinds): Costs => ({
    rates: kinds[kind].map(({ rate }) => rate),
    firsts: kinds[kind].map(({ first }) => first),
  })
  return { plain: costs('plain'), policies: costs('policies'), flows: costs('flows'), seen }
}

/** Both pods are restricted in both directions; one rule lets them talk. */
function renderPolicies(): string {
  const state = new PolicyState('cilium')
  const labels = { app: 'bench' }
  for (const [name, ip] of Object.entries({ client: '10.244.0.2', server: SERVER })) {
    state.setPod(name, { namespace: 'default', labels, ip, namedPorts: [], isLocal: true })
  }
  const peers = [{ podSelector: { matchLabels: labels } }]
  state.setPolicy('default/bench', {
    metadata: { name: 'bench', namespace: 'default' },
    spec: {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: peers,
          ports: [
            { port: PORT, protocol: 'UDP' },
            { port: PORT, protocol: 'TCP' },
          ],
        },
      ],
      egress: [{ to: peers }],
    },
  })
  return renderTable(policyTable({ clusterDns: '10.0.0.10' }), state.takeAll())
}
