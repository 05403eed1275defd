// How the kernel's counts are read, on texts as it writes them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCpuSeconds, parseMemory, roleOf, sumOf } from './process-cost.ts'

test('parseCpuSeconds() adds own and waited-for time, whatever the name holds', () => {
  const stat = '42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 150 50 25 75 20 0 11 0 9'
  assert.equal(parseCpuSeconds(stat), 3)
})

test('parseMemory() keeps anonymous memory and file pages apart', () => {
  const status = 'Name:\tnode\nVmRSS:\t  90000 kB\nRssAnon:\t   40000 kB\nRssFile:\t   50000 kB\nRssShmem:\t 0 kB\n'
  assert.deepEqual(parseMemory(status), { rssAnonBytes: 40_960_000, rssFileBytes: 51_200_000 })
  assert.deepEqual(parseMemory('Name:\tkthreadd\n'), { rssAnonBytes: 0, rssFileBytes: 0 })
})

test('roleOf() knows the processes of one data folder and no other', () => {
  const server = ['/n/node', '/r/apps/server/src/main.ts', '--data', '/tmp/d']
  assert.equal(roleOf(server, '/tmp/d'), 'server')
  assert.equal(roleOf(server, '/tmp/other'), undefined)
  assert.equal(roleOf([...server.slice(0, 3), '/tmp/d2'], '/tmp/d'), undefined)
  assert.equal(
    roleOf(['/n/node', '/r/apps/node/src/main.ts', '--config', '/tmp/d/machines/a/agent.json'], '/tmp/d'),
    'agent',
  )
  assert.equal(roleOf(['containerd', '--config', '/tmp/d/machines/a/containerd.toml'], '/tmp/d'), 'containerd')
  assert.equal(
    roleOf(['/usr/bin/containerd-shim-runc-v2', '-address', '/tmp/d/machines/a/c.sock'], '/tmp/d'),
    'containerd-shim-runc-v2',
  )
  assert.equal(roleOf(['tail', '-f', '/tmp/d/server/log.jsonl'], '/tmp/d'), undefined)
})

test('sumOf() adds a role up and keeps its largest process', () => {
  const one = { pid: 1, cpuSeconds: 1, rssAnonBytes: 10, rssFileBytes: 5 }
  const other = { pid: 2, cpuSeconds: 2, rssAnonBytes: 30, rssFileBytes: 6 }
  assert.deepEqual(sumOf('agent', [one, other]), {
    role: 'agent',
    count: 2,
    cpuSeconds: 3,
    rssAnonBytes: 40,
    rssFileBytes: 11,
    rssAnonMaxBytes: 30,
  })
})
