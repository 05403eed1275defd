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
