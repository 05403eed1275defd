// Slices are filled with few writes: endpoints stay where they are, and new ones go where something is written anyway.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoint, EndpointSlice } from '@aksel/api/types/discovery-v1'
import { planSlices } from './plan.ts'

const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
const endpointsOf = (from: number, to: number): readonly Endpoint[] =>
  Array.from({ length: to - from }, (_, index) => ({
    addresses: [`10.0.${(from + index) >> 8}.${(from + index) & 255}`],
    conditions: { ready: true },
    targetRef: { kind: 'Pod', uid: `u-${from + index}` },
  }))
const sliceOf = (name: string, endpoints: readonly Endpoint[], own = ports): EndpointSlice => ({
  metadata: { name },
  addressType: 'IPv4',
  ports: own,
  endpoints,
})

/** `create 3`, `update a 2`, `remove b`: sizes of what is written. */
function shown(wanted: readonly Endpoint[], existing: readonly EndpointSlice[], own = ports): readonly string[] {
  const { create, update, remove } = planSlices(
    wanted.length === 0 ? [] : [{ ports: own, endpoints: wanted }],
    existing,
  )
  return [
    ...create.map(({ endpoints }) => `create ${endpoints.length}`),
    ...update.map(({ slice, content }) => `update ${slice.metadata.name} ${content.endpoints.length}`),
    ...remove.map(({ metadata }) => `remove ${metadata.name}`),
  ]
}

const a = sliceOf('a', endpointsOf(0, 100))
const b = sliceOf('b', endpointsOf(100, 150))

const rows: readonly [
  why: string,
  wanted: readonly Endpoint[],
  existing: readonly EndpointSlice[],
  writes: readonly string[],
][] = [
  ['nothing yet: one empty slice', [], [], ['create 0']],
  ['a hundred in each', endpointsOf(0, 250), [], ['create 100', 'create 100', 'create 50']],
  ['nothing changed', endpointsOf(0, 150), [a, b], []],
  ['one more goes where there is room', endpointsOf(0, 151), [a, b], ['update b 51']],
  ['one less is taken out of its slice alone', endpointsOf(1, 150), [a, b], ['update a 99']],
  ['one for another goes into the slice that is written anyway', endpointsOf(1, 151), [a, b], ['update a 100']],
  ['what does not fit gets a new slice', endpointsOf(0, 210), [a, b], ['create 10', 'update b 100']],
  ['a slice that is left empty goes', endpointsOf(0, 100), [a, b], ['remove b']],
  ['the last of all stays, empty', [], [a], ['create 0', 'remove a']],
]
for (const [why, wanted, existing, writes] of rows)
  test(`slices of a service: ${why}`, () => assert.deepEqual(shown(wanted, existing), writes))

test('slices of a service: other ports are another slice', () => {
  const other = [{ name: 'http', port: 81, protocol: 'TCP' }]
  assert.deepEqual(shown(endpointsOf(0, 100), [a], other), ['create 100', 'remove a'])
})
