// What `/metrics/probes` says of probes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProbeMetrics } from './probe-metrics.ts'

test('probes are counted by result and by how long they took, and forgotten with their pod', () => {
  const metrics = new ProbeMetrics()
  const web = { namespace: 'shop', pod: 'web', podUid: 'u1', container: 'main' }
  for (const seconds of [0.005, 0.2, 30]) metrics.record(web, { kind: 'readiness', healthy: true, seconds })
  metrics.record(web, { kind: 'liveness', healthy: false, seconds: 1 })
  metrics.record({ ...web, pod: 'other', podUid: 'u2' }, { kind: 'liveness', healthy: true, seconds: 1 })
  const lines = metrics.samples().split('\n')
  const of = 'container="main",namespace="shop",pod="web",probe_type="Readiness"'
  for (const line of [
    `prober_probe_total{${of},pod_uid="u1",result="successful"} 3`,
    'prober_probe_total{container="main",namespace="shop",pod="web",probe_type="Liveness",pod_uid="u1",result="failed"} 1',
    `prober_probe_duration_seconds_bucket{${of},le="0.005"} 1`,
    `prober_probe_duration_seconds_bucket{${of},le="0.1"} 1`,
    `prober_probe_duration_seconds_bucket{${of},le="0.25"} 2`,
    `prober_probe_duration_seconds_bucket{${of},le="10"} 2`,
    `prober_probe_duration_seconds_bucket{${of},le="+Inf"} 3`,
    `prober_probe_duration_seconds_sum{${of}} 30.205`,
    `prober_probe_duration_seconds_count{${of}} 3`,
  ])
    assert.ok(lines.includes(line), line)
  metrics.forget('u1')
  const left = metrics.samples()
  assert.ok(!left.includes('pod="web"') && left.includes('pod="other"'))
})
