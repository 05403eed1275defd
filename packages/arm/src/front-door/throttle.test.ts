// Token buckets by principal and subscription: what is left, when to come back, and who is not held up by whom.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openFrontDoor, subscriptionId } from '../testing/opened-front-door.ts'
import { otherClient } from '../testing/other-client.ts'
import { azureThrottling, Throttle, throttledKind } from './throttle.ts'

const by = (principalId: string, kind: 'reads' | 'writes' = 'reads', id: string | undefined = 's') => ({
  subscriptionId: id,
  principalId,
  kind,
})

test('a bucket empties by one a request, says when to come back, and fills with time up to its size', () => {
  const throttle = new Throttle(azureThrottling)
  for (let left = 249; left >= 0; left -= 1) {
    const { kind, headers } = throttle.take(0, by('a'))
    assert.deepEqual([kind, headers['x-ms-ratelimit-remaining-subscription-reads']], ['taken', String(left)])
  }
  const refused = throttle.take(0, by('a'))
  assert.deepEqual([refused.kind, refused.kind === 'refused' && refused.retryAfterSeconds], ['refused', 1])
  assert.equal(throttle.take(0, by('b')).kind, 'taken', 'another principal has a bucket of its own')
  assert.equal(throttle.take(0, by('a', 'writes')).kind, 'taken', 'and so has another kind')
  assert.equal(throttle.take(0, by('a', 'reads', 'other')).kind, 'taken', 'and another subscription')
  assert.equal(throttle.take(39, by('a')).kind, 'refused')
  assert.equal(throttle.take(40, by('a')).kind, 'taken', '25 a second come back')
  assert.equal(throttle.take(3_600_000, by('a')).headers['x-ms-ratelimit-remaining-subscription-reads'], '249')
})

test('a whole subscription has fifteen times what one principal has', () => {
  const throttle = new Throttle({ ...azureThrottling, reads: { size: 1, refill: 0.1 } })
  for (let index = 0; index < 15; index += 1) assert.equal(throttle.take(0, by(`p${index}`)).kind, 'taken')
  const last = throttle.take(0, by('p15'))
  assert.deepEqual([last.kind, last.kind === 'refused' && last.retryAfterSeconds], ['refused', 1])
  assert.equal(last.headers['x-ms-ratelimit-remaining-subscription-global-reads'], '0')
})

test('actions count as writes', () => {
  assert.deepEqual((['read', 'write', 'action', 'delete'] as const).map(throttledKind), [
    'reads',
    'writes',
    'writes',
    'deletes',
  ])
})

test('a client that asks too often is told so by header and code, and others go on', async () => {
  const throttling = { ...azureThrottling, reads: { size: 3, refill: 0.001 } }
  await using opened = await openFrontDoor({ throttling })
  const group = `/subscriptions/${subscriptionId}/resourceGroups`
  const other = await otherClient(opened)
  await other.grant('acdd72a7-3385-48ef-bd42-f606fba81ae7', `/subscriptions/${subscriptionId}`)
  const left: unknown[] = []
  for (let index = 0; index < 3; index += 1)
    left.push((await opened.call('GET', group)).headers['x-ms-ratelimit-remaining-subscription-reads'])
  assert.deepEqual(left, ['2', '1', '0'])
  const refused = await opened.call('GET', group)
  assert.equal(refused.status, 429)
  assert.match(refused.text, /"code":"SubscriptionRequestsThrottled".*Please try again after '\d+' seconds/)
  assert.ok(Number(refused.headers['retry-after']) > 900)
  assert.equal((await opened.call('PUT', `${group}/rg`, { body: { location: 'eastus' } })).status, 201)
  assert.equal((await other.call('GET', group)).status, 200)
})
