// What a kernel counts, read from recorded files of both versions of the tree.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCgroupDetails } from './cgroup-details.ts'
import type { CgroupTree, CgroupWorld } from './cgroup-world.ts'

function world(trees: readonly CgroupTree[], files: Readonly<Record<string, string>>): CgroupWorld {
  const refuse = (): Promise<void> => Promise.reject(new Error('nothing is written here'))
  return {
    trees: () => Promise.resolve(trees),
    read: async (path) => {
      const text = files[path]
      if (text === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' })
      return text
    },
    write: refuse,
    makeFolder: refuse,
  }
}

test('readCgroupDetails() reads both versions of the tree to the same units', async () => {
  const v1 = world(
    [
      { version: 1, mountPoint: '/c/cpu', controllers: ['cpu', 'cpuacct'] },
      { version: 1, mountPoint: '/c/memory', controllers: ['memory'] },
      { version: 1, mountPoint: '/c/pids', controllers: ['pids'] },
    ],
    {
      '/c/cpu/a/cpuacct.stat': 'user 150\nsystem 50',
      '/c/cpu/a/cpu.stat': 'nr_periods 9\nnr_throttled 3\nthrottled_time 2500000000',
      '/c/cpu/a/cpu.shares': '512',
      '/c/cpu/a/cpu.cfs_period_us': '100000',
      '/c/cpu/a/cpu.cfs_quota_us': '50000',
      '/c/memory/a/cgroup.procs': '7\n8',
      '/c/memory/a/memory.stat':
        'rss 1\ntotal_rss 4096\ntotal_cache 8192\ntotal_mapped_file 12\ntotal_pgfault 5\ntotal_pgmajfault 1',
      '/c/memory/a/memory.limit_in_bytes': '67108864',
      '/c/memory/a/memory.max_usage_in_bytes': '99',
      '/c/memory/a/memory.failcnt': '2',
      '/c/memory/a/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1',
      '/c/pids/a/pids.current': '5',
    },
  )
  const v2 = world([{ version: 2, mountPoint: '/c', controllers: ['cpu', 'memory', 'pids'] }], {
    '/c/a/cgroup.procs': '7\n8',
    '/c/a/cpu.stat':
      'usage_usec 2000000\nuser_usec 1500000\nsystem_usec 500000\nnr_periods 9\nnr_throttled 3\nthrottled_usec 2500000',
    '/c/a/cpu.weight': '20',
    '/c/a/cpu.max': '50000 100000',
    '/c/a/memory.stat': 'anon 4096\nfile 8192\nfile_mapped 12\npgfault 5\npgmajfault 1',
    '/c/a/memory.max': '67108864',
    '/c/a/memory.peak': '99',
    '/c/a/memory.events': 'low 0\nmax 2\noom 1\noom_kill 1',
    '/c/a/pids.current': '5',
  })
  const [one, two] = [await readCgroupDetails('/a', v1), await readCgroupDetails('/a', v2)]
  assert.equal(two?.cpu.shares, 500, 'a weight is coarser than shares')
  assert.deepEqual({ ...two, cpu: { ...two.cpu, shares: 512 } }, one)
  assert.deepEqual(one, {
    cpu: {
      userSeconds: 1.5,
      systemSeconds: 0.5,
      periods: 9,
      throttledPeriods: 3,
      throttledSeconds: 2.5,
      shares: 512,
      periodMicroseconds: 100_000,
      quotaMicroseconds: 50_000,
    },
    memory: {
      rssBytes: 4096,
      cacheBytes: 8192,
      swapBytes: 0,
      mappedBytes: 12,
      maxUsageBytes: 99,
      limitHits: 2,
      pageFaults: 5,
      majorPageFaults: 1,
      oomKills: 1,
      limitBytes: 67_108_864,
    },
    threads: 5,
    processes: 2,
  })
  assert.equal(await readCgroupDetails('/gone', v1), undefined)
})
