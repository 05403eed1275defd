// Findings about the API server and about what lies around the nodes, on made-up answers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event, Pod, Service } from '@aksel/api/types/core-v1'
import { loadBetween, parseMetrics } from './api-server.ts'
import { diagnose } from './diagnose.ts'
import type { Finding } from './finding.ts'
import { emptyPicture, type Picture } from './picture.ts'
import type { Surroundings } from './surroundings.ts'

function found(picture: Partial<Picture>): readonly Finding[] {
  return diagnose({ ...emptyPicture(Date.parse('2026-11-27T12:00:00Z')), ...picture })
}

function ids(picture: Partial<Picture>): readonly string[] {
  return found(picture).map(({ id }) => id)
}

void test('an API server whose clients wait, and one whose event loop is late', () => {
  const load = { seconds: 1, rejected: [], queued: [], heldUpRatio: 0.4, busiest: [] }
  assert.deepEqual(ids({ apiServerLoad: load }), [])
  assert.deepEqual(ids({ apiServerLoad: { ...load, queued: [{ level: 'global-default', count: 3 }] } }), [])
  const [queued] = found({
    apiServerLoad: {
      ...load,
      queued: [{ level: 'global-default', count: 80 }],
      busiest: [{ what: 'LIST pods', count: 900 }],
    },
  })
  assert.equal(queued?.id, 'performance/api-queued')
  assert.match(queued.cause, /80 requests wait .*"global-default"\. Asked most: LIST pods \(900\)/)
  assert.deepEqual(ids({ apiServerLoad: { ...load, heldUpRatio: 0.6 } }), ['performance/event-loop'])
})

void test('what was turned away long ago is not told', () => {
  const series = 'apiserver_flowcontrol_rejected_requests_total{flow_schema="x",priority_level="y",reason="queue-full"}'
  const before = parseMetrics(`# HELP a\n${series} 40\naksel_event_loop_held_up_ratio 0.2\n`)
  assert.deepEqual(loadBetween(before, before, 1).rejected, [])
  const after = parseMetrics(`${series} 47\naksel_event_loop_held_up_ratio 0.25\n`)
  assert.equal(loadBetween(before, after, 1).heldUpRatio, 0.25)
  assert.deepEqual(loadBetween(before, after, 1).rejected, [
    { level: 'y', schema: 'x', reason: 'queue-full', count: 7 },
  ])
})

const around: Surroundings = { cluster: 'demo', pools: [], subnets: [], flows: [], hops: [] }

void test('a route to the pods of a node that is missing or leads elsewhere', () => {
  const hop = {
    purpose: 'pods' as const,
    node: 'a',
    destination: '10.244.1.0',
    routeTable: '/x/routeTables/aks',
    to: { node: 'b', address: '10.1.0.5' },
  }
  const judge = (nextHopType: string, nextHopAddress?: string): readonly Finding[] =>
    found({
      surroundings: {
        ...around,
        hops: [{ ...hop, nextHopType, ...(nextHopAddress === undefined ? {} : { nextHopAddress }) }],
      },
    })
  assert.deepEqual(judge('VirtualAppliance', '10.1.0.5'), [])
  assert.match(judge('VnetLocal')[0]!.cause, /No route leads to its pods \(10\.244\.1\.0\)/)
  const [wrong] = judge('VirtualAppliance', '10.1.0.9')
  assert.equal(wrong?.id, 'network/route-missing')
  assert.match(wrong.cause, /leads to 10\.1\.0\.9, and the node has 10\.1\.0\.5/)
})

void test('a pod that gets no address, and a pool whose subnet is full', () => {
  const waiting = {
    metadata: { name: 'p', namespace: 'app' },
    spec: { nodeName: 'a', containers: [] },
    status: { phase: 'Pending' },
  } as unknown as Pod
  const event = {
    type: 'Warning',
    reason: 'FailedCreatePodSandBox',
    message: 'plugin type="bridge" failed (add): no IP addresses available in range set: 10.244.0.1-10.244.0.254',
    involvedObject: { kind: 'Pod', name: 'p', namespace: 'app' },
  }
  assert.ok(ids({ pods: [waiting], events: [event as unknown as Event] }).includes('network/addresses-exhausted'))
  const failed = {
    name: 'more',
    provisioningState: 'Failed',
    error: { code: 'SubnetIsFull', message: 'no address is left' },
  }
  const other = { ...failed, error: { code: 'CreateVMSSAgentPoolFailed', message: 'x' } }
  assert.deepEqual(ids({ surroundings: { ...around, pools: [failed] } }), ['network/addresses-exhausted'])
  assert.deepEqual(ids({ surroundings: { ...around, pools: [other] } }), ['nodes/pool-failed'])
})

void test('a probe that has recovered is not told', () => {
  const service = {
    metadata: { name: 'web', namespace: 'app', uid: 'u' },
    spec: { type: 'LoadBalancer' },
    status: { loadBalancer: { ingress: [{ ip: '100.66.0.1' }] } },
  } as unknown as Service
  const told = (reason: string, lastTimestamp: string, message: string): Event =>
    ({ reason, message, lastTimestamp, involvedObject: { kind: 'Service', uid: 'u' } }) as unknown as Event
  const down = told(
    'HealthProbeDown',
    '2026-11-27T11:00:00Z',
    'The health probe HTTP 30123/nope of node a fails: it answered 404. The load balancer sends it nothing',
  )
  const up = told('HealthProbeUp', '2026-11-27T11:01:00Z', 'The health probe HTTP 30123/nope of node a succeeds')
  const probes = (events: readonly Event[]): readonly Finding[] =>
    found({ services: [service], events }).filter(({ id }) => id === 'network/load-balancer-probe')
  assert.match(probes([down])[0]!.cause, /health probe HTTP 30123\/nope fails: it answered 404/)
  assert.deepEqual(probes([up, down]), [])
})
