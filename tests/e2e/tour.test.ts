// The tour, whole, on real nodes: nothing is passed over.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chapters } from '@aksel/cli/tour/chapters'
import { Aksel } from './aksel.ts'

interface Result {
  readonly chapter: string
  readonly command: string
  readonly result: string
}

void test('the tour shows every step of every chapter', { timeout: 700_000 }, async () => {
  await using aksel = await Aksel.inNewFolder()
  const outcome = await aksel.run(['tour', '-o', 'json'], { timeoutMs: 690_000 })
  assert.equal(outcome.code, 0, outcome.stderr)
  const results = JSON.parse(outcome.stdout) as readonly Result[]
  const steps = chapters.flatMap(({ name, steps: each }) => each.map(({ run }) => `${name}: ./aksel ${run}`))
  assert.deepEqual(
    results.map(({ chapter, command }) => `${chapter}: ${command}`),
    steps,
  )
  assert.deepEqual(
    results.filter(({ result }) => result !== 'shown'),
    [],
  )
  const list = await aksel.ok(['tour', '--list'])
  for (const { name } of chapters) assert.match(list, new RegExp(`^${name} `, 'm'))
  const wrong = await aksel.run(['tour', '--chapter', 'nope'])
  assert.equal(wrong.code, 2)
})
