// The counted tree against a plain map, by seed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { endOfPrefix, KeyIndex, type IndexEntry } from './key-index.ts'

test('KeyIndex keeps order and counts while keys come and go', () => {
  const random = seededRandom(11)
  const index = new KeyIndex<IndexEntry>()
  const model = new Map<string, IndexEntry>()
  const key = (): string => `k${Math.floor(fraction(random) * 3000)}`
  for (let step = 0; step < 20_000; step++) {
    const growing = step % 8000 < 5000
    const name = key()
    const entry = model.get(name)
    if (entry === undefined && (growing || fraction(random) < 0.2)) {
      const added: IndexEntry = { key: name, live: 1 }
      model.set(name, added)
      index.insert(added)
    } else if (entry !== undefined && fraction(random) < (growing ? 0.2 : 0.9)) {
      if (fraction(random) < 0.3) index.setLive(entry, entry.live === 1 ? 0 : 1)
      else {
        index.remove(name)
        model.delete(name)
      }
    }
    if (step % 500 === 0) compare(index, model, key())
  }
  for (const name of model.keys()) index.remove(name)
  compare(index, new Map(), '')
})

function compare(index: KeyIndex<IndexEntry>, model: ReadonlyMap<string, IndexEntry>, from: string): void {
  const sorted = [...model.keys()].toSorted()
  const seen: string[] = []
  index.visitFrom(from, (entry) => seen.push(entry.key) > 0)
  assert.deepEqual(
    seen,
    sorted.filter((name) => name >= from),
  )
  const live = sorted.filter((name) => name < from && model.get(name)!.live === 1)
  assert.equal(index.liveBelow(from), live.length)
  assert.equal(index.size, model.size)
  assert.equal(index.get(from), model.get(from))
}

test('endOfPrefix() is the first string behind all that begin with the prefix', () => {
  assert.equal(endOfPrefix('pods/'), 'pods0')
  assert.equal(endOfPrefix('a\uffff'), 'b')
  assert.equal(endOfPrefix(''), undefined)
})
