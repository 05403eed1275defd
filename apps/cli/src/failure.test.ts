// What is said of failures, and how the program ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ArmError } from '@aksel/base/errors'
import { CommandError } from './command-error.ts'
import { failureOf } from './failure.ts'

test('users get a sentence, and we the stack with its causes', () => {
  assert.deepEqual(failureOf(new CommandError('Stopped.', 130)), { text: 'Stopped.', exitCode: 130 })
  assert.deepEqual(failureOf(new ArmError(404, 'NotFound', 'gone')), { text: '(NotFound) gone', exitCode: 1 })
  const { text, exitCode } = failureOf(new Error('outer', { cause: new Error('inner') }))
  assert.match(text, /outer[^]*inner/)
  assert.equal(exitCode, 70)
})

test('a benchmark that failed says why, even if its instance could not be taken down either', () => {
  const late = new Error('the machine is still there')
  const { text } = failureOf(new SuppressedError(late, new Error('14 pods did not start')))
  assert.match(text, /14 pods did not start/)
  assert.match(text, /the machine is still there/)
  const sentence = new CommandError('The agent ended.', 3)
  assert.deepEqual(failureOf(new SuppressedError(late, sentence)), { text: 'The agent ended.', exitCode: 3 })
})
