// What a node says of its use, with a container that burns CPU and holds memory.

import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { TunnelCall } from '@aksel/runtime/tunnel'
import { busyboxPod, startAgent, type AgentHarness } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'

/** What the node answers under a path. */
async function ask(scope: Parameters<AgentHarness['agent']['endpoints']>[0], harness: AgentHarness, path: string) {
  let said = ''
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      said += chunk.toString('utf8')
      done()
    },
  })
  const call = { path, query: new URLSearchParams(), stream, respond: () => {} } as unknown as TunnelCall
  await harness.agent.endpoints(scope, call)
  return said
}

function valueOf(text: string, start: string): number {
  const line = text.split('\n').find((one) => one.startsWith(start))
  assert.ok(line !== undefined, `${start} is missing in:\n${text}`)
  return Number(line.slice(start.length).trim().split(' ')[0])
}

test('a node says what it and its containers use, as samples and as a summary', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const script = 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; touch /done; sleep 1000'
  const base = busyboxPod('busy', ['sh', '-c', script])
  const ready = { exec: { command: ['ls', '/done'] }, periodSeconds: 1 }
  const containers = [{ ...base.spec!.containers[0]!, readinessProbe: ready }]
  await harness.client.create(pods, { ...base, spec: { ...base.spec!, containers } })
  await harness.podWhen('busy', (pod) => pod?.status?.containerStatuses?.[0]?.ready === true)
  const text = await ask(scope, harness, '/metrics/resource')
  const name = containers[0]!.name
  const labels = `{container="${name}",namespace="default",pod="busy"}`
  const cpu = valueOf(text, `container_cpu_usage_seconds_total${labels}`)
  assert.ok(cpu > 0.01, `${cpu} s`)
  assert.ok(valueOf(text, `container_memory_working_set_bytes${labels}`) > 10_000)
  assert.ok(valueOf(text, `container_start_time_seconds${labels}`) > 1e9)
  assert.ok(valueOf(text, 'node_cpu_usage_seconds_total') >= cpu)
  assert.ok(valueOf(text, 'pod_memory_working_set_bytes{namespace="default",pod="busy"}') > 10_000)
  const summary = JSON.parse(await ask(scope, harness, '/stats/summary')) as {
    readonly node: { readonly nodeName: string; readonly cpu: { readonly usageCoreNanoSeconds: number } }
    readonly pods: readonly { readonly podRef: object; readonly containers: readonly { readonly name: string }[] }[]
  }
  assert.equal(summary.node.nodeName, 'n1')
  assert.ok(summary.node.cpu.usageCoreNanoSeconds > 0)
  assert.deepEqual(
    summary.pods[0]!.containers.map((one) => one.name),
    [name],
  )
})

interface Summary {
  readonly node: {
    readonly cpu: { readonly usageNanoCores?: number }
    readonly memory: Readonly<Record<string, number>>
    readonly fs: Readonly<Record<string, number>>
    readonly runtime: { readonly imageFs: Readonly<Record<string, number>> }
    readonly network: { readonly interfaces: readonly { readonly name: string }[] }
    readonly rlimit: { readonly curproc: number }
  }
  readonly pods: readonly {
    readonly podRef: { readonly name: string }
    readonly network?: { readonly name: string; readonly rxBytes: number; readonly txBytes: number }
    readonly volume: readonly { readonly name: string; readonly usedBytes: number }[]
    readonly 'ephemeral-storage': { readonly usedBytes: number; readonly capacityBytes: number }
    readonly process_stats: { readonly process_count: number }
    readonly containers: readonly {
      readonly name: string
      readonly rootfs: { readonly usedBytes: number }
      readonly logs: { readonly usedBytes: number; readonly inodesUsed: number }
      readonly memory: { readonly availableBytes?: number; readonly rssBytes: number }
    }[]
  }[]
}

test('disks, volumes, logs, networks and limits of pods stand in the summary and among cAdvisor’s samples', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const script = [
    'dd if=/dev/zero of=/work/file bs=1M count=3 2>/dev/null',
    'echo a line of the log',
    'ping -c 2 -i 0.2 $(hostname -i) >/dev/null',
    'nc -w 1 10.99.0.1 9 </dev/null',
    'touch /done',
    'sleep 1000',
  ].join('; ')
  const base = busyboxPod('bounded', ['sh', '-c', script], { volumes: [{ name: 'work', emptyDir: {} }] })
  const container = {
    ...base.spec.containers[0]!,
    resources: { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '100m', memory: '64Mi' } },
    volumeMounts: [{ name: 'work', mountPath: '/work' }],
    readinessProbe: { exec: { command: ['ls', '/done'] }, periodSeconds: 1 },
  }
  const pod = await harness.client.create(pods, { ...base, spec: { ...base.spec, containers: [container] } })
  await harness.client.create(pods, busyboxPod('of-the-host', ['sleep', '1000'], { hostNetwork: true }))
  const isReady = (name: string): Promise<unknown> =>
    harness.podWhen(name, (found) => found?.status?.containerStatuses?.[0]?.ready === true)
  await Promise.all([isReady('bounded'), isReady('of-the-host')])
  await ask(scope, harness, '/stats/summary')
  const { node, pods: found } = JSON.parse(await ask(scope, harness, '/stats/summary')) as Summary
  assert.ok(node.cpu.usageNanoCores! >= 0, 'asked a second time, it knows a rate')
  for (const disk of [node.fs, node.runtime.imageFs]) {
    assert.ok(disk['capacityBytes']! > 0 && disk['usedBytes']! > 0 && disk['availableBytes']! > 0)
    assert.equal(disk['inodes'], disk['inodesFree']! + disk['inodesUsed']!)
  }
  assert.ok(node.memory['rssBytes']! > 0)
  assert.ok(Array.isArray(node.network.interfaces))
  assert.ok(node.rlimit.curproc > 3)
  const own = found.find(({ podRef }) => podRef.name === 'bounded')!
  assert.equal(own.network?.name, 'eth0')
  assert.ok(own.network.txBytes > 0)
  assert.equal(found.find(({ podRef }) => podRef.name === 'of-the-host')?.network, undefined)
  const [work] = own.volume
  assert.equal(work?.name, 'work')
  assert.ok(work.usedBytes >= 3 * 2 ** 20 && work.usedBytes < 4 * 2 ** 20, String(work.usedBytes))
  assert.ok(own['ephemeral-storage'].usedBytes > work.usedBytes)
  assert.ok(own.process_stats.process_count >= 2)
  const [main] = own.containers
  assert.ok(main!.logs.usedBytes > 0 && main!.logs.inodesUsed >= 2)
  assert.ok(main!.memory.availableBytes! > 32 * 2 ** 20 && main!.memory.availableBytes! < 64 * 2 ** 20)

  const text = await ask(scope, harness, '/metrics/cadvisor')
  const id = containerIdOf(harness, 'bounded')
  const cgroup = `/kubepods/burstable/pod${pod.metadata.uid}`
  const labels = (more: string, of: string): string => `container="main",${more}id="${cgroup}/${id}",image="${of}",`
  const image = /image="([^"]*busybox[^"]*)"/.exec(text)?.[1] ?? ''
  const series = `{${labels('', image)}name="${id}",namespace="default",pod="bounded"}`
  assert.equal(valueOf(text, `container_spec_memory_limit_bytes${series}`), 64 * 2 ** 20)
  assert.equal(valueOf(text, `container_spec_cpu_quota${series}`), 50_000)
  assert.equal(valueOf(text, `container_spec_cpu_period${series}`), 100_000)
  assert.ok(valueOf(text, `container_cpu_cfs_periods_total${series}`) >= 0)
  assert.ok(valueOf(text, `container_memory_rss${series}`) > 0)
  assert.ok(valueOf(text, `container_processes${series}`) >= 1)
  const cpu = `{${labels('cpu="total",', image)}name="${id}",namespace="default",pod="bounded"}`
  assert.ok(valueOf(text, `container_cpu_usage_seconds_total${cpu}`) > 0)
  // As upstream: what went over the pod's links stands with its sandbox, the whole machine under the root.
  assert.match(
    text,
    /\ncontainer_network_transmit_bytes_total\{container="",id="[^"]+",image="",interface="eth0",name="[0-9a-f]{64}",namespace="default",pod="bounded"\} [1-9]/,
  )
  assert.doesNotMatch(text, /container_network_[^\n]*pod="of-the-host"/)
  assert.ok(valueOf(text, 'container_memory_usage_bytes{container="",id="/",image="",name="",namespace="",pod=""}') > 0)
  assert.equal(valueOf(text, 'machine_memory_bytes'), 8 * 2 ** 30)
  assert.equal(valueOf(text, 'machine_cpu_cores'), 2)
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#')))
    assert.match(line, /^[a-z_]+(\{[^}]*\})? -?\d+(\.\d+)?(e[+-]\d+)?( \d+)?$/i)
})

function containerIdOf({ client }: AgentHarness, name: string): string {
  const id = client.peek(pods, `default/${name}`)?.status?.containerStatuses?.[0]?.containerID ?? ''
  return id.replace('containerd://', '')
}
