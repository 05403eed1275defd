// What simulated nodes tell on pods' events, and that good news is not told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerStatus, Pod, PodStatus } from '@aksel/api/types/core-v1'
import { newsOf } from './pod-news.ts'

const statusOf = (state: ContainerStatus['state'], more: PodStatus = {}): PodStatus => ({
  ...more,
  containerStatuses: [{ name: 'web', image: 'i', imageID: '', ready: false, restartCount: 0, ...(state && { state }) }],
})
const podOf = (status: PodStatus): Pod => ({
  metadata: { name: 'p', namespace: 'd', uid: 'u' },
  spec: { containers: [{ name: 'web', image: 'i' }] },
  status,
})
const told = (before: PodStatus, next: PodStatus): readonly string[] =>
  newsOf(podOf(before), next).map(({ type, reason, message }) => `${type} ${reason} ${message}`)

test('newsOf() tells a failed pull, its back-off and a crash loop in the kubelet’s words, once each', () => {
  const creating = statusOf({ waiting: { reason: 'ContainerCreating' } })
  const failing = statusOf({ waiting: { reason: 'ErrImagePull', message: 'failed to pull image "i": x' } })
  const resting = statusOf({ waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "i"' } })
  assert.deepEqual(told(creating, failing), [
    'Warning Failed Failed to pull image "i": x',
    'Warning Failed Error: ErrImagePull',
  ])
  assert.deepEqual(told(failing, resting), [
    'Normal BackOff Back-off pulling image "i"',
    'Warning Failed Error: ImagePullBackOff',
  ])
  assert.deepEqual(told(resting, resting), [])
  assert.deepEqual(told(creating, statusOf({ waiting: { reason: 'CrashLoopBackOff', message: 'm' } })), [
    'Warning BackOff Back-off restarting failed container web in pod p_d(u)',
  ])
})

test('newsOf() tells an eviction and no start', () => {
  const running = statusOf({ running: { startedAt: '2026-01-01T00:00:00Z' } })
  assert.deepEqual(told(statusOf(undefined), running), [])
  const gone = { ...running, reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage. ' }
  assert.deepEqual(told(running, gone), ['Warning Evicted The node was low on resource: ephemeral-storage. '])
})
