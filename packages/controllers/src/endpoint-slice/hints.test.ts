// Hints of endpoints, row by row: by preference, and in shares of the zones' processors.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Node, Service } from '@aksel/api/types/core-v1'
import type { Endpoint } from '@aksel/api/types/discovery-v1'
import { readyNode } from '../testing/objects.ts'
import { cpusByZone, withHints } from './hints.ts'
import { moves, sharesOf } from './zone-shares.ts'

function endpoint(name: string, zone?: string, ready = true): Endpoint {
  return { addresses: [name], conditions: { ready }, nodeName: `on-${name}`, ...(zone === undefined ? {} : { zone }) }
}

function service(spec: object, mode?: string): Service {
  const annotations = mode === undefined ? {} : { 'service.kubernetes.io/topology-mode': mode }
  return { metadata: { name: 'web', namespace: 'shop', annotations }, spec } as Service
}

const auto = service({}, 'Auto')
const even = new Map([
  ['a', 4],
  ['b', 4],
])

/** Zones, and nodes, that each endpoint is for: `a`, `a+on-x`, `-` for everybody. */
function hintsOf(of: Service, endpoints: readonly Endpoint[], cpus?: ReadonlyMap<string, number>): readonly string[] {
  const { groups, refused } = withHints(of, [{ ports: [], endpoints }], cpus)
  if (refused !== undefined) return [refused]
  return groups[0]!.endpoints.map(({ hints }) =>
    hints === undefined
      ? '-'
      : [...(hints.forZones ?? []), ...(hints.forNodes ?? [])].map(({ name }) => name).join('+'),
  )
}

const two = [endpoint('x', 'a'), endpoint('y')]
const spread = [endpoint('1', 'a'), endpoint('2', 'a'), endpoint('3', 'b'), endpoint('4', 'b')]

const rows: readonly (readonly [
  why: string,
  Service,
  readonly Endpoint[],
  ReadonlyMap<string, number> | undefined,
  readonly string[],
])[] = [
  ['no preference', service({}), two, undefined, ['-', '-']],
  ['PreferClose', service({ trafficDistribution: 'PreferClose' }), two, undefined, ['a', '-']],
  ['PreferSameZone', service({ trafficDistribution: 'PreferSameZone' }), two, undefined, ['a', '-']],
  ['PreferSameNode', service({ trafficDistribution: 'PreferSameNode' }), two, undefined, ['a+on-x', 'on-y']],
  [
    'shares win over a preference',
    service({ trafficDistribution: 'PreferSameNode' }, 'Auto'),
    spread,
    even,
    ['a', 'a', 'b', 'b'],
  ],
  ['shares, even zones', auto, spread, even, ['a', 'a', 'b', 'b']],
  ['shares under the old annotation’s word', service({}, 'auto'), spread, even, ['a', 'a', 'b', 'b']],
  ['shares, turned off', service({}, 'Disabled'), spread, even, ['-', '-', '-', '-']],
  [
    'shares: who is not ready is for nobody',
    auto,
    [...spread, endpoint('5', 'a', false)],
    even,
    ['a', 'a', 'b', 'b', '-'],
  ],
  [
    'shares: a zone that has too many lends its last',
    auto,
    [endpoint('1', 'a'), endpoint('2', 'a'), endpoint('3', 'a'), endpoint('4', 'b')],
    even,
    ['a', 'a', 'b', 'b'],
  ],
  [
    'shares: endpoints in a zone without nodes are lent',
    auto,
    [endpoint('1', 'a'), endpoint('2', 'b'), endpoint('3', 'lost'), endpoint('4', 'lost')],
    even,
    ['a', 'b', 'b', 'a'],
  ],
  [
    'shares: too few endpoints',
    auto,
    [endpoint('1', 'a')],
    even,
    ['Insufficient number of endpoints (1 endpoints, 2 zones)'],
  ],
  [
    'shares: an overload that cannot be helped',
    auto,
    [endpoint('1', 'a'), endpoint('2', 'a'), endpoint('3', 'b')],
    even,
    [
      'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)',
    ],
  ],
  ['shares: one zone', auto, spread, new Map([['a', 4]]), ['Nodes only ready in one zone']],
  [
    'shares: nodes that say nothing',
    auto,
    spread,
    undefined,
    ['Insufficient Node information: allocatable CPU or zone not specified on one or more nodes'],
  ],
  [
    'shares: an endpoint that is nowhere',
    auto,
    [...spread, endpoint('5')],
    even,
    ['One or more endpoints do not have a zone specified'],
  ],
]

for (const [why, of, endpoints, cpus, wanted] of rows)
  test(`hints: ${why}`, () => assert.deepEqual(hintsOf(of, endpoints, cpus), wanted))

test('zones have the processors of their ready nodes, but for the control plane’s', () => {
  const node = (zone: string | undefined, cpu: string | undefined, labels = {}, ready = 'True'): Node =>
    ({
      ...readyNode('n', '10.0.0.1'),
      metadata: {
        name: 'n',
        labels: { ...labels, ...(zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone }) },
      },
      status: {
        conditions: [{ type: 'Ready', status: ready }],
        ...(cpu === undefined ? {} : { allocatable: { cpu } }),
      },
    }) as Node
  const control = { 'node-role.kubernetes.io/control-plane': '' }
  const known = [
    node('a', '2'),
    node('a', '500m'),
    node('b', '4'),
    node('b', '4', {}, 'Unknown'),
    node('c', '9', control),
  ]
  assert.deepEqual(
    cpusByZone(known),
    new Map([
      ['a', 2500],
      ['b', 4000],
    ]),
  )
  assert.equal(cpusByZone([...known, node(undefined, '2')]), undefined)
  assert.equal(cpusByZone([...known, node('a', undefined)]), undefined)
  assert.equal(cpusByZone([...known, node('a', 'no sense')]), undefined)
})

test('no zone is left below what would overload it, and no endpoint moves without need, whatever the numbers', () => {
  let seen = 0
  for (let a = 1; a < 8; a += 1)
    for (let b = 1; b < 8; b += 1)
      for (let inA = 0; inA <= 12; inA += 1) {
        const present = new Map([
          ['a', inA],
          ['b', 12 - inA],
        ])
        const shares = sharesOf(
          new Map([
            ['a', a],
            ['b', b],
          ]),
          12,
        )
        if (shares === undefined) continue
        seen += 1
        const counts = new Map(present)
        for (const { from, to } of moves(shares, present)) {
          counts.set(from, counts.get(from)! - 1)
          counts.set(to, counts.get(to)! + 1)
        }
        for (const [zone, { minimum }] of shares) assert.ok(counts.get(zone)! >= minimum, `${a}:${b}, ${inA} in a`)
        if (moves(shares, counts).length > 0) assert.fail(`moves on: ${a}:${b}, ${inA} in a`)
      }
  assert.ok(seen > 100, `only ${seen} cases`)
})
