// What pods have together, and each class of service.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { planQos } from './qos.ts'

const podOf = (requests: Record<string, string>, limits: Record<string, string> = {}): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c', image: 'i', resources: { requests, limits } }] },
})

test('planQos() leaves the machine what AKS keeps, and gives burstable pods what they asked for', () => {
  const capacity = { cpuMilli: 2000, memoryBytes: 8 * 2 ** 30 }
  const reserved = { cpuMilli: 100, memoryBytes: 650_000_000 }
  const same = { cpu: '1', memory: '1Gi' }
  const pods = [podOf({ cpu: '250m' }), podOf({ cpu: '750m' }), podOf({}), podOf(same, same)]
  assert.deepEqual(planQos(capacity, reserved, pods), {
    cpuShares: 1945,
    memoryBytes: 8 * 2 ** 30 - 650_000_000,
    burstableShares: 1024,
    bestEffortShares: 2,
  })
  assert.equal(planQos(capacity, reserved, []).burstableShares, 2)
})
