// The judge of histories knows right ones from wrong ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notLinearizable, type HistoryEntry, type KeyOperation } from './linearizability.ts'

function at(calledMs: number, answeredMs: number, operation: KeyOperation): HistoryEntry {
  return { key: 'k', operation, calledMs, answeredMs }
}

const write = (value: string): KeyOperation => ({ kind: 'write', value })
const read = (result: string | undefined): KeyOperation => ({ kind: 'read', result })
const swap = (expected: string | undefined, value: string, done: boolean): KeyOperation => ({
  kind: 'swap',
  expected,
  value,
  done,
})

const right: Readonly<Record<string, readonly HistoryEntry[]>> = {
  'one after the other': [
    at(0, 1, write('a')),
    at(2, 3, read('a')),
    at(4, 5, swap('a', 'b', true)),
    at(6, 7, read('b')),
  ],
  'overlapping reads may see before and after': [at(0, 10, write('a')), at(1, 2, read(undefined)), at(3, 4, read('a'))],
  'an unanswered write may have happened': [at(0, 1, write('a')), at(2, Infinity, write('b')), at(3, 4, read('b'))],
  'an unanswered write may happen late, or never': [
    at(0, 1, write('a')),
    at(2, Infinity, write('b')),
    at(3, 4, read('a')),
  ],
  'of two swaps one is done': [
    at(0, 5, swap(undefined, 'a', true)),
    at(0, 5, swap(undefined, 'b', false)),
    at(6, 7, read('a')),
  ],
}

const wrong: Readonly<Record<string, readonly HistoryEntry[]>> = {
  'an acknowledged write is gone': [at(0, 1, write('a')), at(2, 3, write('b')), at(4, 5, read('a'))],
  'a value goes back': [at(0, 10, write('a')), at(1, 2, read('a')), at(3, 4, read(undefined))],
  'two swaps of the same state are done': [at(0, 5, swap(undefined, 'a', true)), at(0, 5, swap(undefined, 'b', true))],
  'a value that nobody wrote': [at(0, 1, write('a')), at(2, 3, read('z'))],
  'a swap is refused although it held': [at(0, 1, write('a')), at(2, 3, swap('a', 'b', false))],
  'an unanswered write comes and goes': [
    at(0, 1, write('a')),
    at(2, Infinity, write('b')),
    at(3, 4, read('b')),
    at(5, 6, read('a')),
  ],
}

for (const [name, history] of Object.entries(right)) {
  test(`a right history: ${name}`, () => assert.equal(notLinearizable(history), undefined))
}
for (const [name, history] of Object.entries(wrong)) {
  test(`a wrong history: ${name}`, () => assert.equal(notLinearizable(history), 'k'))
}
