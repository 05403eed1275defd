// The table of kinds is what the rows and their refused examples say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderKinds, writeKindsIfStale } from './generate.ts'

test('the table of kinds is what the rows have', async () => {
  assert.equal(await writeKindsIfStale(), false, 'rewritten; look at the difference and commit it')
})

test('the table of kinds counts the refused examples of a pod, subresources apart', async () => {
  const line = (await renderKinds()).split('\n').find((one) => one.startsWith('| `Pod` |'))
  assert.match(
    line ?? '',
    /^\| `Pod` \| v1 \| \d{3} \| \d+ \| \d+ \| ephemeralcontainers \d+, resize \d+ \| attach, .* \| yes \|$/,
  )
})
