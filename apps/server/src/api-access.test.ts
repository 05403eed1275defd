// Which connections an API server takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiAccess } from '@aksel/provider/cluster-engine'
import { admitsFabric, admitsPublic } from './api-access.ts'

const open: ApiAccess = { private: false, authorizedRanges: [] }
const office: ApiAccess = { private: false, authorizedRanges: ['203.0.113.0/24', '127.0.0.1'] }
const away: ApiAccess = { private: false, authorizedRanges: ['203.0.113.0/24'] }
const shut: ApiAccess = { private: true, authorizedRanges: [] }

for (const [why, access, peer, expected] of [
  ['everybody where no range is named', open, '198.51.100.7', true],
  ['an address of a range', office, '203.0.113.200', true],
  ['an address without a prefix', office, '127.0.0.1', true],
  ['an IPv4 address as IPv6 sockets tell it', office, '::ffff:127.0.0.1', true],
  ['nobody else', away, '127.0.0.1', false],
  ['no IPv6 address', away, '::1', false],
  ['nobody at all where the cluster is private', shut, '203.0.113.200', false],
] as const)
  test(`the public address takes ${why}`, () =>
    assert.equal(admitsPublic(access, { peer, local: '127.7.0.1' }), expected))

test('the address in the network takes nodes and pods whatever is restricted, and this host as the other one does', () => {
  const local = '100.64.0.10'
  for (const access of [open, office, away, shut])
    assert.equal(admitsFabric(access, { peer: '10.224.0.4', local }), true)
  for (const [access, expected] of [
    [open, true],
    [office, true],
    [away, false],
    [shut, false],
  ] as const)
    assert.equal(admitsFabric(access, { peer: local, local }), expected)
})
