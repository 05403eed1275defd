// What the kernel says of processes that it ended: whose memory it was, and who was ended.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOfMachine, parseOomKill, systemOomMessage } from './oom-watch.ts'

const line = (constraint: string, more: string): string =>
  `oom-kill:constraint=${constraint},nodemask=(null),cpuset=/,mems_allowed=0${more},pid=712,uid=0`

test('a kill is read with its cgroups and its process, whatever that is called', () => {
  const kill = parseOomKill(
    line('CONSTRAINT_MEMCG', ',oom_memcg=/aksel/m1,task_memcg=/aksel/m1/kubepods/podx/c1,task=a,pid=1,b'),
  )
  assert.deepEqual(kill, {
    limitedBy: '/aksel/m1',
    cgroup: '/aksel/m1/kubepods/podx/c1',
    process: 'a,pid=1,b',
    pid: 712,
  })
  assert.equal(systemOomMessage(kill!), 'System OOM encountered, victim process: a,pid=1,b, pid: 712')
  assert.equal(parseOomKill('Memory cgroup out of memory: Killed process 712 (dd)'), undefined)
})

test('it is the machine’s memory where the machine or the host had none, and one of its own was ended', () => {
  const of = (limitedBy: string | undefined, cgroup: string): boolean =>
    isOfMachine({ limitedBy, cgroup, process: 'dd', pid: 1 }, '/aksel/m1')
  assert.deepEqual(
    [
      of('/aksel/m1', '/aksel/m1/kubepods/podx/c1'),
      of(undefined, '/aksel/m1/system'),
      of('/aksel/m1/kubepods/podx', '/aksel/m1/kubepods/podx/c1'),
      of('/aksel/m10', '/aksel/m10/kubepods/podx'),
      of(undefined, '/aksel/m2'),
    ],
    [true, true, false, false, false],
  )
})
