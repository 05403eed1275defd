// Who has CPUs alone, and who is refused.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import type { ContainerRuntime } from '../cri/types.ts'
import { assignCpus, exclusiveCpus } from './assign.ts'
import { CpuManager } from './cpu-manager.ts'
import { formatCpuSet, parseCpuSet } from './cpu-set.ts'

function podOf(uid: string, cpus: readonly (string | undefined)[], init?: string): Pod {
  const container = (name: string, cpu: string | undefined) => ({
    name,
    image: 'i',
    ...(cpu === undefined ? {} : { resources: { requests: { cpu, memory: '1Mi' }, limits: { cpu, memory: '1Mi' } } }),
  })
  return {
    metadata: { name: uid, uid },
    spec: {
      containers: cpus.map((cpu, index) => container(`c${index}`, cpu)),
      ...(init === undefined ? {} : { initContainers: [container('init', init)] }),
    },
  }
}

test('sets of CPUs are read and written as the kernel writes them', () => {
  assert.deepEqual(parseCpuSet('0-2,5,7-8\n'), [0, 1, 2, 5, 7, 8])
  assert.equal(formatCpuSet([8, 0, 1, 2, 7, 5]), '0-2,5,7-8')
  assert.deepEqual([parseCpuSet(''), formatCpuSet([])], [[], ''])
})

test('only whole CPUs of Guaranteed pods are exclusive', () => {
  const count = (pod: Pod): number => exclusiveCpus(pod, pod.spec.containers[0]!)
  assert.equal(count(podOf('a', ['2'])), 2)
  assert.equal(count(podOf('a', ['1500m'])), 0)
  assert.equal(count(podOf('a', ['2', undefined])), 0, 'Burstable')
})

test('assignCpus() keeps the reserved ones, uses those of init containers again, and refuses in upstream words', () => {
  const pool = { all: [0, 1, 2, 3], reserved: 1, assigned: new Map() }
  assert.deepEqual(
    assignCpus(pool, podOf('a', ['1', '1'], '2')),
    new Map([
      ['init', [1, 2]],
      ['c0', [1]],
      ['c1', [2]],
    ]),
  )
  assert.deepEqual(assignCpus({ ...pool, assigned: new Map([['x', new Map([['c0', [1, 2]]])]]) }, podOf('a', ['2'])), {
    reason: 'UnexpectedAdmissionError',
    message:
      'Allocate failed due to not enough cpus available to satisfy request: requested=2, available=1, which is unexpected',
  })
})

test('CpuManager moves those who share, remembers over a restart, and gives CPUs back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-cpus-'))
  try {
    const updates: string[] = []
    const runtime = {
      updateContainerResources: async (id: string, { cpusetCpus }: { cpusetCpus?: string }) =>
        void updates.push(`${id} ${cpusetCpus}`),
    } as unknown as ContainerRuntime
    const running = [
      { podUid: 'shared', name: 'c0', id: 's' },
      { podUid: 'own', name: 'c0', id: 'o' },
    ]
    const make = (): CpuManager => new CpuManager({ runtime, directory, running: () => running }, [0, 1, 2, 3], 1)
    const manager = make()
    await manager.load()
    assert.equal(await manager.admit(podOf('own', ['2'])), undefined)
    assert.deepEqual([manager.cpusOf('own', 'c0'), manager.cpusOf('shared', 'c0')], ['1-2', '0,3'])
    assert.deepEqual(updates, ['s 0,3', 'o 1-2'])
    const later = make()
    await later.load()
    assert.equal(later.cpusOf('own', 'c0'), '1-2')
    assert.equal((await later.admit(podOf('more', ['2'])))?.reason, 'UnexpectedAdmissionError')
    assert.deepEqual(later.holders, ['own'])
    await later.release('own')
    assert.equal(later.cpusOf('shared', 'c0'), '0-3')
    const state: unknown = JSON.parse(await readFile(join(directory, 'cpu_manager_state'), 'utf8'))
    assert.deepEqual(state, { policyName: 'static', defaultCpuSet: '0-3', entries: {} })
  } finally {
    await rm(directory, { recursive: true })
  }
})
