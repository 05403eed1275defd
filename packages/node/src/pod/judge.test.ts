// What the judge says, row by row.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container, Pod, PodSpec } from '@aksel/api/types/core-v1'
import { formatDelay, isFinished, judgePod } from './judge.ts'
import type { PodFacts } from './judge.ts'
import { containerHash } from './names.ts'
import type { ContainerRun, RuntimeView, SandboxRun } from './runtime-view.ts'

const main: Container = { name: 'main', image: 'busybox:1.36' }

function podOf(spec: Partial<PodSpec> = {}): Pod {
  return { metadata: { name: 'web', namespace: 'shop', uid: 'u1' }, spec: { containers: [main], ...spec } }
}

const sandbox: SandboxRun = { id: 's0', attempt: 0, ready: true, createdAtMs: 0, ips: ['10.244.0.5'] }

function run(name: string, more: Partial<ContainerRun> = {}): ContainerRun {
  return {
    id: `${name}-${more.attempt ?? 0}`,
    sandboxId: 's0',
    name,
    attempt: 0,
    state: 'CONTAINER_RUNNING',
    hash: containerHash({ name, image: 'busybox:1.36' }),
    image: 'busybox:1.36',
    imageRef: 'sha256:1',
    createdAtMs: 0,
    startedAtMs: 1000,
    finishedAtMs: 0,
    exitCode: 0,
    reason: '',
    message: '',
    annotations: {},
    ...more,
  }
}

function ended(name: string, exitCode: number, more: Partial<ContainerRun> = {}): ContainerRun {
  return run(name, { state: 'CONTAINER_EXITED', exitCode, finishedAtMs: 5000, ...more })
}

function judge(pod: Pod, view: Partial<RuntimeView>, more: Partial<PodFacts> = {}): readonly string[] {
  const verdict = judgePod({
    pod,
    view: { sandboxes: [sandbox], containers: [], ...view },
    nowMs: 6000,
    restartDelayMs: () => 0,
    probes: () => ({ startup: 'success', liveness: 'success' }),
    ...more,
  })
  return verdict.actions.map((action) => {
    switch (action.kind) {
      case 'create-sandbox':
        return `create-sandbox ${action.attempt}`
      case 'stop-sandbox':
        return `stop-sandbox ${action.id}`
      case 'start-container':
        return `start ${action.container.name} ${action.attempt}`
      case 'stop-container':
        return `stop ${action.run.id}${action.isAbrupt === true ? ' abruptly' : ''}: ${action.message}`
      case 'forget-containers':
        return `forget ${action.runs.map(({ id }) => id).join(' ')}`
      default:
        return action satisfies never
    }
  })
}

test('a new pod gets a sandbox, then its containers', () => {
  assert.deepEqual(judge(podOf(), { sandboxes: [] }), ['create-sandbox 0'])
  assert.deepEqual(judge(podOf(), {}), ['start main 0'])
  assert.deepEqual(judge(podOf(), { containers: [run('main')] }), [])
})

test('a lost sandbox is replaced and what ran in it is stopped', () => {
  const lost = { ...sandbox, ready: false }
  assert.deepEqual(judge(podOf(), { sandboxes: [lost], containers: [run('main')] }), [
    'stop main-0: Pod sandbox changed, it will be killed and re-created.',
    'create-sandbox 1',
  ])
  assert.deepEqual(
    judge(podOf({ restartPolicy: 'Never' }), { sandboxes: [lost], containers: [ended('main', 137)] }),
    [],
  )
})

test('a sandbox without an address counts only for pods in the network of the node', () => {
  const bare = { ...sandbox, ips: [] }
  assert.deepEqual(judge(podOf(), { sandboxes: [bare] }), ['stop-sandbox s0', 'create-sandbox 1'])
  assert.deepEqual(judge(podOf({ hostNetwork: true }), { sandboxes: [bare] }), ['start main 0'])
})

test('init containers run one after the other, and again until they succeed', () => {
  const pod = podOf({ initContainers: [{ name: 'one' }, { name: 'two' }] })
  assert.deepEqual(judge(pod, {}), ['start one 0'])
  assert.deepEqual(judge(pod, { containers: [run('one')] }), [])
  assert.deepEqual(judge(pod, { containers: [ended('one', 0)] }), ['start two 0'])
  assert.deepEqual(judge(pod, { containers: [ended('one', 3)] }), ['start one 1'])
  assert.deepEqual(judge(pod, { containers: [ended('two', 0), ended('one', 0)] }), ['start main 0'])
})

test('init containers run again in a new sandbox and count on', () => {
  const pod = podOf({ initContainers: [{ name: 'one' }] })
  const next = { ...sandbox, id: 's1', attempt: 1 }
  const containers = [ended('main', 1), ended('one', 0)]
  assert.deepEqual(judge(pod, { sandboxes: [next, { ...sandbox, ready: false }], containers }), ['start one 1'])
})

test('a failed init container ends a pod that never restarts', () => {
  const pod = podOf({ restartPolicy: 'Never', initContainers: [{ name: 'one' }] })
  assert.equal(isFinished(pod, { sandboxes: [sandbox], containers: [ended('one', 1)] }), true)
  assert.deepEqual(judge(pod, { containers: [ended('one', 1)] }), ['stop-sandbox s0'])
})

test('a sidecar starts before the others, holds them until it is up, and is stopped last', () => {
  const sidecar: Container = { name: 'proxy', image: 'busybox:1.36', restartPolicy: 'Always' }
  const pod = podOf({ initContainers: [sidecar], restartPolicy: 'Never' })
  assert.deepEqual(judge(pod, {}), ['start proxy 0'])
  const starting = { probes: () => ({ startup: 'unknown', liveness: 'success' }) as const }
  assert.deepEqual(judge(pod, { containers: [run('proxy')] }, starting), [])
  assert.deepEqual(judge(pod, { containers: [run('proxy')] }), ['start main 0'])
  assert.deepEqual(judge(pod, { containers: [run('main'), ended('proxy', 1)] }), ['start proxy 1'])
  assert.deepEqual(judge(pod, { containers: [ended('main', 0), run('proxy')] }), [
    'stop proxy-0: Stopping container proxy',
    'stop-sandbox s0',
  ])
})

test('the restart policy decides what follows an end', () => {
  const rows = [
    ['Always', 0, ['start main 1']],
    ['Always', 1, ['start main 1']],
    ['OnFailure', 0, ['stop-sandbox s0']],
    ['OnFailure', 1, ['start main 1']],
    ['Never', 0, ['stop-sandbox s0']],
    ['Never', 1, ['stop-sandbox s0']],
  ] as const
  for (const [restartPolicy, exitCode, expected] of rows) {
    assert.deepEqual(
      judge(podOf({ restartPolicy }), { containers: [ended('main', exitCode)] }),
      expected,
      `${restartPolicy} ${exitCode}`,
    )
  }
})

test('a container rests before it starts again, and says for how long', () => {
  const facts: PodFacts = {
    pod: podOf(),
    view: { sandboxes: [sandbox], containers: [ended('main', 1)] },
    nowMs: 6000,
    restartDelayMs: () => 80_000,
    probes: () => ({ startup: 'success', liveness: 'success' }),
  }
  const verdict = judgePod(facts)
  assert.deepEqual(verdict.actions, [])
  assert.equal(verdict.recheckAtMs, 85_000)
  assert.equal(verdict.resting.get('main'), 'back-off 1m20s restarting failed container=main pod=web_shop(u1)')
  assert.deepEqual(judge(podOf(), facts.view, { nowMs: 85_000, restartDelayMs: () => 80_000 }), ['start main 1'])
})

test('failed probes and a changed image stop a container, so that it starts anew', () => {
  const running = { containers: [run('main')] }
  const failing = (probe: 'startup' | 'liveness'): Partial<PodFacts> => ({
    probes: () => ({ startup: 'success', liveness: 'success', [probe]: 'failure' }),
  })
  assert.deepEqual(judge(podOf(), running, failing('liveness')), [
    'stop main-0: Container main failed liveness probe, will be restarted',
  ])
  assert.deepEqual(judge(podOf(), running, failing('startup')), [
    'stop main-0: Container main failed startup probe, will be restarted',
  ])
  const changed = podOf({ containers: [{ ...main, image: 'busybox:1.37' }] })
  assert.deepEqual(judge(changed, running), ['stop main-0: Container main definition changed, will be restarted'])
})

test('a container that was made and never started is started anew, whatever the policy', () => {
  const made = run('main', { state: 'CONTAINER_CREATED', startedAtMs: 0 })
  assert.deepEqual(judge(podOf({ restartPolicy: 'Never' }), { containers: [made] }), ['start main 1'])
})

test('an ephemeral container is run once', () => {
  const pod = podOf({ ephemeralContainers: [{ name: 'debug' }] })
  assert.deepEqual(judge(pod, { containers: [run('main')] }), ['start debug 0'])
  assert.deepEqual(judge(pod, { containers: [ended('debug', 1), run('main')] }), [])
})

test('formatDelay() writes durations as Go does', () => {
  assert.deepEqual([10_000, 80_000, 300_000].map(formatDelay), ['10s', '1m20s', '5m0s'])
})

const exits = (action: string, ...values: number[]) => ({ action, exitCodes: { operator: 'In', values } })

test('a container’s own policy and rules stand before the pod’s', () => {
  const tried: Container = { ...main, restartPolicy: 'Never', restartPolicyRules: [exits('Restart', 42)] }
  const never = podOf({ restartPolicy: 'Never', containers: [tried] })
  assert.deepEqual(judge(never, { containers: [ended('main', 42)] }), ['start main 1'])
  assert.equal(isFinished(never, { sandboxes: [sandbox], containers: [ended('main', 1)] }), true)
  const once = podOf({ containers: [{ ...main, restartPolicy: 'Never' }] })
  assert.equal(isFinished(once, { sandboxes: [sandbox], containers: [ended('main', 1)] }), true)
  const other = { action: 'Restart', exitCodes: { operator: 'NotIn', values: [1] } }
  const allBut = podOf({ containers: [{ ...main, restartPolicy: 'Never', restartPolicyRules: [other] }] })
  assert.deepEqual(judge(allBut, { containers: [ended('main', 7)] }), ['start main 1'])
  assert.equal(isFinished(allBut, { sandboxes: [sandbox], containers: [ended('main', 1)] }), true)
})

test('an exit that restarts all containers stops them at once, forgets them and begins with the init containers', () => {
  const trigger: Container = {
    name: 'trigger',
    image: 'busybox:1.36',
    restartPolicy: 'Never',
    restartPolicyRules: [exits('RestartAllContainers', 42)],
  }
  const first: Container = { name: 'first', image: 'busybox:1.36' }
  const pod = podOf({ restartPolicy: 'Never', initContainers: [first], containers: [main, trigger] })
  const begun = [run('main'), ended('trigger', 42), ended('first', 0)]
  assert.deepEqual(judge(pod, { containers: begun }), [
    'stop main-0 abruptly: Stopping container main: container trigger ended, and all containers restart',
  ])
  const down = [ended('main', 137), ended('trigger', 42), ended('first', 0)]
  assert.equal(isFinished(pod, { sandboxes: [sandbox], containers: down }), false)
  assert.deepEqual(judge(pod, { containers: down }, { restartDelayMs: () => 10_000 }), [])
  assert.deepEqual(judge(pod, { containers: down }), ['forget main-0 trigger-0 first-0'])
  assert.deepEqual(judge(pod, {}), ['start first 0'])
  assert.equal(isFinished(pod, { sandboxes: [sandbox], containers: [ended('main', 0), ended('trigger', 0)] }), true)
})
