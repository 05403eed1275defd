// The kernel's table as it really looks: escaped blanks, optional fields, order.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAtOrBelow, parseMountInfo } from './mount-table.ts'

test('mount points are unescaped and optional fields skipped', () => {
  const [plain, odd] = parseMountInfo(
    [
      '36 35 98:0 / /mnt rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue',
      '37 36 0:5 /loop0 /mnt/a\\040b\\134c rw - tmpfs none rw',
      '',
    ].join('\n'),
  )
  assert.deepEqual(plain, {
    mountPoint: '/mnt',
    root: '/',
    fileSystem: 'ext3',
    source: '/dev/root',
    superOptions: ['rw', 'errors=continue'],
  })
  assert.deepEqual([odd?.mountPoint, odd?.root], ['/mnt/a b\\c', '/loop0'])
})

test('a path that only begins like another does not lie below it', () => {
  assert.equal(isAtOrBelow('/data/m10', '/data/m1'), false)
  assert.equal(isAtOrBelow('/data/m1/x', '/data/m1'), true)
  assert.equal(isAtOrBelow('/data/m1', '/data/m1/'), true)
})
