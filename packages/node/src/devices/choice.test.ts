// Which devices a container gets, and what it is told when there are not enough.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseDevices } from './choice.ts'
import type { ChoiceFacts } from './choice.ts'

const facts: ChoiceFacts = {
  resource: 'example.com/widget',
  needed: 2,
  healthy: ['a', 'b', 'c'],
  unhealthy: 1,
  inUse: new Set(['b']),
  reusable: [],
  isKnown: true,
}

test('chooseDevices() takes what an init container had first, and leaves what others use', () => {
  assert.deepEqual(chooseDevices(facts), { chosen: [], missing: 2, free: ['a', 'c'] })
  // Passed on by an init container of the same pod, so in use by the pod itself.
  assert.deepEqual(chooseDevices({ ...facts, reusable: ['b'] }), { chosen: ['b'], missing: 1, free: ['a', 'c'] })
  // One that has fallen ill since is not given again.
  assert.deepEqual(chooseDevices({ ...facts, reusable: ['x'] }), { chosen: [], missing: 2, free: ['a', 'c'] })
})

test('chooseDevices() says in upstream’s words what is lacking', () => {
  const refused = (change: Partial<ChoiceFacts>, message: string): void =>
    assert.throws(() => chooseDevices({ ...facts, ...change }), { message })
  refused({ needed: 3 }, 'requested number of devices unavailable for example.com/widget. Requested: 3, Available: 2')
  refused({ healthy: [] }, 'no healthy devices present; cannot allocate unhealthy devices example.com/widget')
  refused({ isKnown: false }, 'cannot allocate unregistered device example.com/widget')
})
