// The kernel's table of links, as it stands in /proc/PID/net/dev.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseLinks } from './network-counters.ts'

test('parseLinks() reads a link a line, without loopback', () => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo:  100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0',
    '  eth0: 1000      20    1    2    0     0          0         5     3000      30    3    4    0     0       0          0',
    '',
  ].join('\n')
  assert.deepEqual(parseLinks(text), [
    {
      name: 'eth0',
      rxBytes: 1000,
      rxPackets: 20,
      rxErrors: 1,
      rxDropped: 2,
      txBytes: 3000,
      txPackets: 30,
      txErrors: 3,
      txDropped: 4,
    },
  ])
  assert.deepEqual(parseLinks(''), [])
})
