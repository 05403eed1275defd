// Endpoints by hand as endpoints of slices.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EndpointSubset } from '@aksel/api/types/core-v1'
import { mirroredGroups } from './plan.ts'

const subset = (ips: readonly string[], port: number, notReady: readonly string[] = []): EndpointSubset => ({
  addresses: ips.map((ip) => ({ ip })),
  notReadyAddresses: notReady.map((ip) => ({ ip })),
  ports: [{ port }],
})
const shown = (subsets: readonly EndpointSubset[], family: 'IPv4' | 'IPv6'): readonly string[] =>
  mirroredGroups(subsets, family).map(
    ({ ports, endpoints }) =>
      `${ports.map(({ name, port, protocol }) => `${name}/${protocol}/${port}`).join()}: ${endpoints
        .map(({ addresses, conditions }) => `${addresses[0]}${conditions?.ready === true ? '' : ' (not ready)'}`)
        .join(' ')}`,
  )

const mixed = [subset(['10.0.0.1', 'fd00::1'], 80, ['10.0.0.2']), subset(['10.0.0.3'], 81), subset(['10.0.0.4'], 80)]
const rows: readonly [
  why: string,
  subsets: readonly EndpointSubset[],
  family: 'IPv4' | 'IPv6',
  groups: readonly string[],
][] = [
  ['nothing', [], 'IPv4', []],
  [
    'those of a family, by ports',
    mixed,
    'IPv4',
    ['/TCP/80: 10.0.0.1 10.0.0.2 (not ready) 10.0.0.4', '/TCP/81: 10.0.0.3'],
  ],
  ['those of the other', mixed, 'IPv6', ['/TCP/80: fd00::1']],
]
for (const [why, subsets, family, groups] of rows)
  test(`mirrored endpoints: ${why}`, () => assert.deepEqual(shown(subsets, family), groups))

test('mirrored endpoints: a thousand of a subset, with their names and what they stand for', () => {
  const many = Array.from({ length: 1001 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
  assert.equal(mirroredGroups([subset(many, 80)], 'IPv4')[0]!.endpoints.length, 1000)
  const targetRef = { kind: 'Pod', name: 'p' }
  const [group] = mirroredGroups([{ addresses: [{ ip: '10.0.0.1', hostname: 'h', nodeName: 'n', targetRef }] }], 'IPv4')
  assert.deepEqual(group!.endpoints, [
    { addresses: ['10.0.0.1'], conditions: { ready: true }, hostname: 'h', nodeName: 'n', targetRef },
  ])
})
