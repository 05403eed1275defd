// Bounds and usage on a host with the unified tree alone.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { readCgroupUsage, readProcessCount } from './cgroup-usage.ts'
import { makeCgroup } from './cgroups.ts'
import { openFileLedger } from './file-ledger.ts'
import { ROOT, UnifiedCgroups } from './testing/kernel-cgroups.ts'

async function machineIn(world: UnifiedCgroups): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'aksel-cgroup2-'))
  const scope = {
    clock: systemClock(),
    random: seededRandom(1),
    log: silentLog(),
    signal: new AbortController().signal,
  }
  try {
    await using ledger = await openFileLedger(scope, { directory })
    const limits = { cpus: 1.5, memoryBytes: 2 ** 31, pidsMax: 500 }
    await makeCgroup({ ledger, owner: 'm', path: '/aksel/m1', limits, world })
    await makeCgroup({ ledger, owner: 'm', path: '/aksel/m1/system', world })
    // Again, with a process in it, as a server does that starts anew.
    await world.write(join(ROOT, 'aksel/m1/system/cgroup.procs'), 4711)
    await makeCgroup({ ledger, owner: 'm', path: '/aksel/m1', limits, world })
    await makeCgroup({ ledger, owner: 'm', path: '/aksel/m1/system', world })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

test('a machine is bounded on the unified tree, its processes lie in a leaf, and making it again changes nothing', async () => {
  const world = new UnifiedCgroups()
  await machineIn(world)
  const read = (file: string): Promise<string> => world.read(join(ROOT, 'aksel/m1', file))
  assert.deepEqual(
    [await read('cpu.max'), await read('memory.max'), await read('pids.max'), await read('system/cgroup.procs')],
    ['150000 100000', String(2 ** 31), '500', '4711'],
  )
  await assert.rejects(world.write(join(ROOT, 'aksel/m1/cgroup.procs'), 1), { code: 'EBUSY' })
})

test('usage is read from the files of the unified tree: microseconds, and memory without pages nobody used lately', async () => {
  const world = new UnifiedCgroups()
  await machineIn(world)
  const record = (file: string, content: string): void => world.record(join(ROOT, 'aksel/m1', file), content)
  record('cpu.stat', 'usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\nnr_periods 5')
  record('memory.current', '8000000')
  record('pids.current', '17')
  assert.deepEqual(await readCgroupUsage('/aksel/m1', world), {
    cpuNanoSeconds: 1_234_567_000,
    usageBytes: 8_000_000,
    workingSetBytes: 8_000_000 - 2_949_120,
  })
  assert.deepEqual(await readProcessCount('/aksel/m1', world), { current: 17, max: 500 })
  assert.equal(await readCgroupUsage('/aksel/m2', world), undefined)
})
