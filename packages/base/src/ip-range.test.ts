// Ranges of both families.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIp, formatRange, parseIp, parseRange, rangeContains, rangesOverlap, sizeOfRange } from './ip-range.ts'

for (const [text, canonical] of [
  ['10.0.0.1', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['::', '::'],
  ['::1', '::1'],
  ['fd00::', 'fd00::'],
  ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
] as const)
  test(`the address ${text} is ${canonical}`, () => assert.equal(formatIp(parseIp(text)!), canonical))

for (const text of [
  '',
  '10.0.0',
  '10.0.0.256',
  '010.0.0.1',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8::',
  'g::',
  '::1%eth0',
])
  test(`"${text}" is no address`, () => assert.equal(parseIp(text), undefined))

test('a range has its first address, its size, and no bits behind its prefix', () => {
  assert.equal(formatRange(parseRange('10.244.3.7/24')!), '10.244.3.0/24')
  assert.equal(formatRange(parseRange('fd12:3456::9/64')!), 'fd12:3456::/64')
  assert.equal(sizeOfRange(parseRange('10.0.0.0/16')!), 65_536n)
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', 'fd00::/129', 'x/8'])
    assert.equal(parseRange(text), undefined, text)
})

test('ranges contain and overlap within their family only', () => {
  const [wide, narrow, other, six] = ['10.0.0.0/8', '10.244.0.0/16', '10.245.0.0/16', 'fd00::/8'].map((text) =>
    parseRange(text)!,
  ) as [NonNullable<ReturnType<typeof parseRange>>, ...NonNullable<ReturnType<typeof parseRange>>[]]
  assert.ok(rangeContains(wide, narrow!) && rangeContains(wide, wide) && !rangeContains(narrow!, wide))
  assert.ok(rangesOverlap(narrow!, wide) && !rangesOverlap(narrow!, other!) && !rangesOverlap(wide, six!))
})
