// What a resize changes, and whether the node has room for it: the rules, without a runtime.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { judgePolicies, judgeRoom, resizesOf, type Amounts } from './resize.ts'
import type { ContainerRun, RuntimeView } from './runtime-view.ts'

const podOf = (...containers: readonly Container[]): Pod =>
  ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', uid: 'u' }, spec: { containers } }) as Pod

const running = (name: string, state: ContainerRun['state'] = 'CONTAINER_RUNNING'): ContainerRun =>
  ({ id: `id-${name}`, name, state }) as ContainerRun

const view = (...containers: readonly ContainerRun[]): RuntimeView => ({ sandboxes: [], containers })

const small: Amounts = { requests: { cpu: '100m', memory: '100Mi' }, limits: { cpu: '100m', memory: '100Mi' } }
const large: Amounts = { requests: { cpu: '200m', memory: '100Mi' }, limits: { cpu: '200m', memory: '100Mi' } }

const hows = (container: Partial<Container>, inForce: Amounts, run = running('main')): readonly string[] =>
  resizesOf(podOf({ name: 'main', ...container } as Container), view(run), () => inForce).map(({ how }) => how)

test('a running container whose amounts are in force is left alone, whatever way they are written', () => {
  assert.deepEqual(hows({ resources: small }, small), [])
  assert.deepEqual(
    hows({ resources: { requests: { cpu: '0.1', memory: '102400Ki' }, limits: small.limits! } }, small),
    [],
  )
})

test('a changed amount is updated, or the container restarts where its policy says so', () => {
  assert.deepEqual(hows({ resources: large }, small), ['update'])
  const resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }]
  assert.deepEqual(hows({ resources: large, resizePolicy }, small), ['restart'])
  const memoryOnly = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }]
  assert.deepEqual(hows({ resources: large, resizePolicy: memoryOnly }, small), ['update'])
})

test('an amount that is added is a change, and a container that does not run waits for its start', () => {
  assert.deepEqual(hows({ resources: small }, {}), ['update'])
  assert.deepEqual(hows({ resources: large }, small, running('main', 'CONTAINER_EXITED')), [])
})

test('room is judged in upstream’s words: never, not now, or yes', () => {
  const pod = podOf({ name: 'main', resources: large } as Container)
  const room = (cpu: string, takenCpu: number) =>
    judgeRoom(pod, { allocatable: { cpu, memory: '1Gi' }, taken: { cpu: takenCpu, memory: 0 } })
  assert.equal(room('2', 0), undefined)
  assert.equal(room('2', 1800), undefined)
  assert.deepEqual(room('2', 1801), { reason: 'Deferred', message: "Node didn't have enough resource: cpu" })
  assert.deepEqual(room('100m', 0), {
    reason: 'Infeasible',
    message: "Node didn't have enough capacity: cpu, requested: 200, capacity: 100",
  })
})

test('what a Guaranteed pod has alone by a static policy cannot be resized; what it shares, and other pods’, can', () => {
  const pod = podOf({ name: 'main', resources: small } as Container)
  const fixed = { cpu: 'CPU Manager policy "static"', memory: 'Memory Manager policy "Static"' }
  const message = (about: Pod, changed: readonly string[], policies: Partial<typeof fixed> = fixed) =>
    judgePolicies(about, changed, policies)?.message
  const infeasible = 'Resize is infeasible for Guaranteed Pods alongside'
  assert.equal(message(pod, ['cpu', 'memory']), `${infeasible} CPU Manager policy "static"`)
  assert.equal(message(pod, ['memory']), `${infeasible} Memory Manager policy "Static"`)
  assert.equal(message(pod, ['memory'], { cpu: fixed.cpu }), undefined)
  assert.equal(message(podOf({ name: 'main', resources: { requests: { cpu: '1' } } } as Container), ['cpu']), undefined)
})
