// Which NUMA nodes' memory containers have: two sockets and four, as their kernel shows them, and what is refused.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { assignMemory, pinnedBytes } from './assign.ts'
import type { MemoryGrants, MemoryNode } from './assign.ts'
import { MemoryManager } from './memory-manager.ts'
import { hostMemoryNodes, machineMemoryNodes } from './memory-nodes.ts'

const GIB = 2 ** 30

/** `/sys/devices/system/node` in the kernel's form, nodes without memory of their own among them. */
function recorded(hasMemory: string, kibiBytes: Readonly<Record<number, number>>): (path: string) => Promise<string> {
  const files = new Map([['/sys/devices/system/node/has_memory', `${hasMemory}\n`]])
  for (const [id, size] of Object.entries(kibiBytes)) {
    const line = (name: string, value: number): string => `Node ${id} ${name}:`.padEnd(24) + `${value} kB\n`
    files.set(
      `/sys/devices/system/node/node${id}/meminfo`,
      line('MemTotal', size) + line('MemFree', size >> 1) + line('MemUsed', size >> 1) + line('SwapCached', 0),
    )
  }
  return async (path) => files.get(path) ?? assert.fail(`nobody should read ${path}`)
}

const twoSockets = recorded('0-1', { 0: 131_746_812, 1: 132_093_652 })
/** Node 1 has CPUs only, node 4 memory only. */
const fourOfFive = recorded('0,2-4', { 0: 65_773_568, 2: 66_059_264, 3: 66_059_264, 4: 66_015_232 })

const container = (name: string, memory: string | undefined): Container => ({
  name,
  image: 'i',
  ...(memory === undefined
    ? {}
    : { resources: { requests: { cpu: '100m', memory }, limits: { cpu: '100m', memory } } }),
})

function podOf(uid: string, memory: readonly (string | undefined)[], init: readonly string[] = []): Pod {
  return {
    metadata: { name: uid, uid },
    spec: {
      containers: memory.map((each, index) => container(`c${index}`, each)),
      initContainers: init.map((each, index) => container(`init${index}`, each)),
    },
  }
}

const machineOf = (gibiBytes: readonly number[], reservedGibiBytes = 0): readonly MemoryNode[] =>
  gibiBytes.map((size, id) => ({
    id,
    totalBytes: size * GIB,
    reservedBytes: id === 0 ? reservedGibiBytes * GIB : 0,
  }))

/** Nodes by container, or the refusal's reason; what is granted stands in `grants` for those that follow. */
function placed(
  machine: readonly MemoryNode[],
  grants: Map<string, ReturnType<MemoryGrants['get']> & object>,
  pod: Pod,
) {
  const own = assignMemory(machine, grants, pod)
  if ('reason' in own) return own.reason
  grants.set(pod.metadata.uid!, own)
  return Object.fromEntries([...own].map(([name, { nodes }]) => [name, nodes.join()]))
}

test('nodes are read as the kernel writes them, those without memory and those of others left out', async () => {
  assert.deepEqual(await hostMemoryNodes(undefined, twoSockets), [
    { id: 0, totalBytes: 131_746_812 * 1024 },
    { id: 1, totalBytes: 132_093_652 * 1024 },
  ])
  const ids = async (allowed?: readonly number[]) => (await hostMemoryNodes(allowed, fourOfFive)).map(({ id }) => id)
  assert.deepEqual(await ids(), [0, 2, 3, 4])
  assert.deepEqual(await ids([2, 3]), [2, 3])
})

test('a machine has of each node in proportion, and keeps its own from the lowest or as it is told', async () => {
  const host = await hostMemoryNodes(undefined, recorded('0-1', { 0: 67_108_864, 1: 67_108_864 }))
  const machine = { capacityBytes: 16 * GIB, reservedBytes: 3 * GIB, reservations: [] }
  assert.deepEqual(machineMemoryNodes(host, machine), machineOf([8, 8], 3))
  const reserve = (...gibiBytes: readonly number[]) =>
    gibiBytes.map((size, numaNode) => ({ numaNode, limits: { memory: `${size}Gi` } }))
  assert.deepEqual(
    machineMemoryNodes(host, { ...machine, reservations: reserve(1, 2) }).map(
      ({ reservedBytes }) => reservedBytes / GIB,
    ),
    [1, 2],
  )
  assert.throws(() => machineMemoryNodes(host, { ...machine, reservations: reserve(1, 1) }), {
    message:
      'the total amount "2147483648" of type "memory" is not equal to the value "3221225472" determined by Node Allocatable feature',
  })
  assert.throws(() => machineMemoryNodes(host, { ...machine, reservations: reserve(1, 1, 1) }), {
    message: 'the reserved memory configuration references a NUMA node 2 that does not exist on this machine',
  })
})

test('only Guaranteed pods’ containers are pinned, and none by amounts of the pod as a whole', () => {
  const bytes = (pod: Pod): number => pinnedBytes(pod, pod.spec.containers[0]!)
  assert.equal(bytes(podOf('a', ['1Gi'])), GIB)
  assert.equal(bytes(podOf('a', ['1Gi', undefined])), 0, 'Burstable')
  const whole = podOf('a', ['1Gi'])
  assert.equal(bytes({ ...whole, spec: { ...whole.spec, resources: { limits: { cpu: '1', memory: '2Gi' } } } }), 0)
})

test('assignMemory() takes the fewest nodes, the lowest first, and refuses in upstream’s words', () => {
  const grants = new Map()
  const machine = machineOf([8, 8], 2)
  assert.deepEqual(placed(machine, grants, podOf('a', ['4Gi', '4Gi'])), { c0: '0', c1: '1' })
  assert.deepEqual(placed(machine, grants, podOf('b', ['2Gi'])), { c0: '0' })
  assert.deepEqual(placed(machine, grants, podOf('c', ['4Gi'])), { c0: '1' })
  assert.deepEqual(assignMemory(machine, grants, podOf('d', ['1Ki'])), {
    reason: 'UnexpectedAdmissionError',
    message:
      'Allocate failed due to [memorymanager] failed to get the default NUMA affinity, no NUMA nodes with enough memory is available, which is unexpected',
  })
  grants.delete('c')
  assert.deepEqual(placed(machine, grants, podOf('d', ['1Ki'])), { c0: '1' }, 'what is given back is there again')
})

test('a node that serves containers alone serves none together with others, and the other way round', () => {
  const grants = new Map()
  const machine = machineOf([8, 8, 8, 8])
  assert.deepEqual(placed(machine, grants, podOf('single', ['1Gi'])), { c0: '0' })
  assert.deepEqual(placed(machine, grants, podOf('pair', ['12Gi'])), { c0: '1,2' }, 'not 0, though it has room')
  assert.deepEqual(placed(machine, grants, podOf('more', ['4Gi', '8Gi'])), { c0: '0', c1: '3' }, 'not of the pair')
  assert.equal(placed(machine, grants, podOf('other pair', ['12Gi'])), 'UnexpectedAdmissionError')
  assert.equal(
    placed(machineOf([8, 8]), new Map([['single', grants.get('single')]]), podOf('wide', ['9Gi'])),
    'UnexpectedAdmissionError',
  )
  assert.deepEqual(placed(machineOf([8, 8, 8, 8]), new Map(), podOf('all', ['30Gi'])), { c0: '0,1,2,3' })
})

test('what an init container had is used again by those after it', () => {
  const grants = new Map()
  const machine = machineOf([4])
  assert.deepEqual(placed(machine, grants, podOf('a', ['2Gi', '1Gi'], ['3Gi', '1Gi'])), {
    init0: '0',
    init1: '0',
    c0: '0',
    c1: '0',
  })
  assert.deepEqual(placed(machine, grants, podOf('b', ['1Gi'])), { c0: '0' }, '3 GiB at most at a time')
  assert.equal(placed(machine, grants, podOf('c', ['1Gi'])), 'UnexpectedAdmissionError')
})

test('MemoryManager remembers over a restart, gives memory back, and writes what upstream’s state file says', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-memory-'))
  try {
    const machine = machineOf([8, 8], 2)
    const manager = new MemoryManager(directory, machine)
    await manager.load()
    assert.equal(await manager.admit(podOf('own', ['5Gi'], ['6Gi'])), undefined)
    assert.equal(await manager.admit(podOf('shared', [undefined])), undefined)
    assert.deepEqual([manager.nodesOf('own', 'c0'), manager.nodesOf('shared', 'c0')], ['0', undefined])
    const later = new MemoryManager(directory, machine)
    await later.load()
    assert.equal(later.nodesOf('own', 'c0'), '0')
    assert.equal(await later.admit(podOf('more', ['8Gi'])), undefined)
    assert.equal(later.nodesOf('more', 'c0'), '1')
    assert.equal((await later.admit(podOf('last', ['1Gi'])))?.reason, 'UnexpectedAdmissionError')
    assert.deepEqual(later.holders, ['own', 'more'])
    await later.release('own')
    const state = JSON.parse(await readFile(join(directory, 'memory_manager_state'), 'utf8')) as object
    const memory = (systemReserved: number, reserved: number) => ({
      total: 8 * GIB,
      systemReserved: systemReserved * GIB,
      allocatable: (8 - systemReserved) * GIB,
      reserved: reserved * GIB,
      free: (8 - systemReserved - reserved) * GIB,
    })
    assert.deepEqual(state, {
      policyName: 'Static',
      machineState: {
        0: { numberOfAssignments: 0, memoryMap: { memory: memory(2, 0) }, cells: [0] },
        1: { numberOfAssignments: 1, memoryMap: { memory: memory(0, 8) }, cells: [1] },
      },
      entries: { more: { c0: [{ numaAffinity: [1], type: 'memory', size: 8 * GIB, charged: 8 * GIB }] } },
    })
    // Pods come and go together.
    const coming = ['x', 'y', 'z'].map((name) => later.admit(podOf(name, ['1Gi'])))
    await Promise.all([later.release('more'), ...coming])
    const last = new MemoryManager(directory, machine)
    await last.load()
    assert.deepEqual([last.holders, later.holders], [later.holders, ['x', 'y', 'z']])
  } finally {
    await rm(directory, { recursive: true })
  }
})
