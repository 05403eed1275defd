// A small cluster for host tests of network policy: two machines of the fabric, pods of three namespaces, an enforcer on
// each machine, and a look at who reaches whom.

import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { namespaces, networkPolicies, nodes, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { NetworkPolicy } from '@aksel/api/types/networking-v1'
import type { Attachment } from '@aksel/provider/fabric'
import { openFabric } from '../fabric/fabric.ts'
import { InteractiveNft } from '../nft/interactive.ts'
import { spawnedNft, type NftRunner } from '../nft/runner.ts'
import type { NetworkPolicyEngine } from '@aksel/provider/machine-provider'
import { NetworkPolicies, type PresentPod } from '../policy/network-policies.ts'
import { testScope, withHost, type HostBench } from './host-bench.ts'
import { MemoryCaches } from './memory-caches.ts'
import { addPod } from './pods.ts'
import { mayConnect, type OraclePod, type OracleWorld } from './policy-oracle.ts'
import type { ProbeTarget } from './policy-pod.ts'

type Labels = Readonly<Record<string, string>>

export const NAMESPACES: Readonly<Record<string, Labels>> = {
  red: { 'kubernetes.io/metadata.name': 'red', team: 'a' },
  green: { 'kubernetes.io/metadata.name': 'green', team: 'b' },
  blue: { 'kubernetes.io/metadata.name': 'blue', team: 'b', tier: 'back' },
}
export const PORTS = [80, 81, 8080] as const

export interface BenchPod extends OraclePod {
  readonly name: string
  /** As they are now. */
  labels: Labels
  readonly machine: number
  readonly networkNamespace: string
  /** Which of these answer. */
  reaches(targets: readonly ProbeTarget[]): Promise<readonly boolean[]>
}

export interface Connection {
  readonly from: BenchPod
  readonly to: BenchPod
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

export interface PolicyBench extends HostBench {
  readonly caches: MemoryCaches
  readonly machines: readonly [Attachment, Attachment]
  readonly pods: readonly BenchPod[]
  readonly enforcers: NetworkPolicies[]
  /** Puts these in place of all others and resolves when both machines have them in force. */
  apply(policies: readonly NetworkPolicy[]): Promise<void>
  /** Ends both enforcers as a killed agent does, and starts new ones. */
  restart(): Promise<void>
  /** Resolves when both machines have everything in force that the caches hold now. */
  settled(): Promise<void>
  /** Gives the pod, and the namespace, other labels, and resolves when both machines know. */
  relabel(change: {
    readonly pod: BenchPod
    readonly podLabels: Labels
    readonly namespace: string
    readonly namespaceLabels: Labels
  }): Promise<void>
  /** Tries every connection and says which came out otherwise than the oracle has it. */
  differences(
    policies: readonly NetworkPolicy[],
  ): Promise<{ readonly probes: number; readonly wrong: readonly string[] }>
}

const VNET = '/vnets/policy'
/** Slow is not refused: what should pass is tried again. */
const TRIES = 3

export async function withPolicies(
  options: { readonly engine: NetworkPolicyEngine; readonly podsPerNamespace: number },
  work: (bench: PolicyBench) => Promise<void>,
): Promise<void> {
  await withHost(async (host) => {
    const fabric = await openFabric(host.scope, { ledger: host.ledger, stateDir: join(host.directory, 'fabric') })
    const subnetId = `${VNET}/subnets/s`
    const subnets = [{ id: subnetId, addressPrefix: '10.224.0.0/16' }]
    await fabric.ensureVirtualNetwork(host.scope, { id: VNET, addressPrefix: '10.224.0.0/12', subnets })
    const attach = (index: number): Promise<Attachment> =>
      fabric.attach(host.scope, {
        virtualNetworkId: VNET,
        subnetId,
        machine: `n${index}`,
        podCidr: `10.244.${index}.0/24`,
      })
    const machines = [await attach(0), await attach(1)] as const
    const programs: ChildProcess[] = []
    const running: RunningEnforcers[] = []
    try {
      const made: BenchPod[] = []
      for (const namespace of Object.keys(NAMESPACES)) {
        for (let n = 0; n < options.podsPerNamespace; n += 1)
          made.push(await startPod(host, { namespace, n, machine: (made.length % 2) as 0 | 1, machines, programs }))
      }
      const caches = new MemoryCaches()
      for (const [name, labels] of Object.entries(NAMESPACES)) {
        caches.of(namespaces).put({ metadata: { name, labels }, spec: {} } as never)
      }
      for (const [index, { address }] of machines.entries()) {
        const status = { addresses: [{ type: 'InternalIP', address }] }
        caches.of(nodes).put({ metadata: { name: `n${index}` }, spec: {}, status } as never)
      }
      for (const pod of made) caches.of(pods).put(podObject(pod))
      const present = (machine: number): readonly PresentPod[] =>
        made
          .filter((pod) => pod.machine === machine)
          .map(({ name, namespace, labels, ip }) => ({ uid: name, namespace, labels, ips: [ip] }))
      running.push(await startEnforcers(caches, machines, options.engine, () => []))
      const settled = () => running.at(-1)!.settled()
      const known = new Set<string>()
      const labelled = { ...NAMESPACES }
      await work({
        ...host,
        caches,
        machines,
        pods: made,
        get enforcers() {
          return running.at(-1)!.enforcers
        },
        settled,
        async apply(policies) {
          for (const policy of policies) caches.of(networkPolicies).put(policy)
          const names = new Set(policies.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
          for (const key of known) if (!names.has(key)) caches.of(networkPolicies).delete(key)
          known.clear()
          for (const key of names) known.add(key)
          await settled()
        },
        async relabel({ pod, podLabels, namespace, namespaceLabels }) {
          pod.labels = podLabels
          caches.of(pods).put(podObject(pod))
          labelled[namespace] = { ...namespaceLabels, 'kubernetes.io/metadata.name': namespace }
          caches.of(namespaces).put({ metadata: { name: namespace, labels: labelled[namespace] }, spec: {} } as never)
          await settled()
        },
        async restart() {
          await running.at(-1)!.stop()
          running.push(await startEnforcers(caches, machines, options.engine, present))
        },
        differences: (policies) => compare(made, { policies, namespaces: labelled }),
      })
    } finally {
      await running.at(-1)?.stop()
      for (const program of programs) {
        program.kill('SIGKILL')
        if (program.exitCode === null && program.signalCode === null) await once(program, 'exit')
      }
    }
  })
}

interface RunningEnforcers {
  readonly enforcers: NetworkPolicies[]
  settled(): Promise<void>
  stop(): Promise<void>
}

async function startEnforcers(
  caches: MemoryCaches,
  machines: readonly Attachment[],
  engine: NetworkPolicyEngine,
  present: (machine: number) => readonly PresentPod[],
): Promise<RunningEnforcers> {
  const stop = new AbortController()
  const started = machines.map(({ networkNamespace }, index) => {
    const interactive = new InteractiveNft(['nsenter', `--net=/run/netns/${networkNamespace}`])
    const nft: NftRunner = { apply: (scope, lines) => interactive.apply(scope, lines) }
    const synced = Promise.withResolvers<void>()
    const enforcer = new NetworkPolicies({
      caches,
      engine,
      nodeName: `n${index}`,
      clusterDns: '10.0.0.10',
      nft,
      present: () => Promise.resolve(present(index)),
      loader: spawnedNft({ networkNamespace }),
      onSynced: synced.resolve,
    })
    const ended = enforcer.run(testScope(stop.signal)).finally(() => interactive[Symbol.dispose]())
    return { enforcer, ended, synced: synced.promise }
  })
  await Promise.all(started.map(({ synced, ended }) => Promise.race([synced, ended])))
  return {
    enforcers: started.map(({ enforcer }) => enforcer),
    settled: async () => void (await Promise.all(started.map(({ enforcer }) => enforcer.settled()))),
    async stop() {
      stop.abort()
      await Promise.all(started.map(({ ended }) => ended))
    },
  }
}

async function startPod(
  host: HostBench,
  wish: {
    readonly namespace: string
    readonly n: number
    readonly machine: 0 | 1
    readonly machines: readonly Attachment[]
    readonly programs: ChildProcess[]
  },
): Promise<BenchPod> {
  const { namespace, n, machine, machines, programs } = wish
  const name = `${namespace}-${n}`
  const machineNamespace = machines[machine]!.networkNamespace
  const { networkNamespace, address } = await addPod(host, {
    machineNamespace,
    podCidr: `10.244.${machine}.0/24`,
    name,
  })
  const program = join(import.meta.dirname, 'policy-pod.ts')
  const argv = [`--net=/run/netns/${networkNamespace}`, process.execPath, program, ...PORTS.map(String)]
  const child = spawn('nsenter', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  programs.push(child)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'ready')
  let last: Promise<unknown> = Promise.resolve()
  return {
    name,
    namespace,
    machine,
    networkNamespace,
    ip: address,
    labels: { app: n % 2 === 0 ? 'web' : 'db', n: String(n) },
    // Every other pod calls another port "http".
    ports: { http: { protocol: 'TCP', port: n % 2 === 0 ? 80 : 8080 }, talk: { protocol: 'UDP', port: 81 } },
    reaches(targets) {
      const answer = last.then(async () => {
        child.stdin.write(`${JSON.stringify(targets)}\n`)
        return JSON.parse((await lines.next()).value as string) as readonly boolean[]
      })
      last = answer
      return answer
    },
  }
}

export function podObject(pod: Omit<BenchPod, 'reaches'>): Pod {
  const ports = Object.entries(pod.ports).map(([name, { protocol, port }]) => ({ name, protocol, containerPort: port }))
  return {
    metadata: { name: pod.name, namespace: pod.namespace, uid: pod.name, labels: pod.labels },
    spec: { nodeName: `n${pod.machine}`, containers: [{ name: 'main', image: 'x', ports }] },
    status: { phase: 'Running', podIP: pod.ip },
  } as unknown as Pod
}

export function everyConnection(all: readonly BenchPod[]): readonly Connection[] {
  return all.flatMap((from) =>
    all.flatMap((to) =>
      PORTS.flatMap((port) => (['tcp', 'udp'] as const).map((protocol) => ({ from, to, protocol, port }))),
    ),
  )
}

async function compare(
  all: readonly BenchPod[],
  world: OracleWorld,
): Promise<{ readonly probes: number; readonly wrong: readonly string[] }> {
  const judged = everyConnection(all).map((connection) => {
    const { from, to, protocol, port } = connection
    return { ...connection, expected: mayConnect(world, from, to, protocol.toUpperCase(), port) }
  })
  let open = judged
  for (let tries = 1; open.length > 0 && tries <= TRIES; tries += 1) {
    const seen = await Promise.all(
      all.map(async (pod) => {
        const own = open.filter(({ from }) => from === pod)
        const answers = await pod.reaches(own.map(({ to, protocol, port }) => ({ protocol, port, ip: to.ip })))
        return own.map((each, index) => ({ ...each, reached: answers[index]! }))
      }),
    )
    const wrong = seen.flat().filter(({ expected, reached }) => expected !== reached)
    // What passed although it must not is wrong at once.
    if (wrong.some(({ reached }) => reached)) return { probes: judged.length, wrong: wrong.map(told) }
    open = wrong
  }
  return { probes: judged.length, wrong: open.map(told) }
}

function told({ from, to, protocol, port, expected }: Connection & { readonly expected: boolean }): string {
  return `${from.namespace}/${from.name} → ${to.namespace}/${to.name} ${protocol} ${port}: ${expected ? 'should pass' : 'should not pass'}`
}
