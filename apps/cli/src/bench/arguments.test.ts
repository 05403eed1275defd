// What `aksel bench` takes, and what it refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandError } from '../command-error.ts'
import { parseBenchArguments } from './arguments.ts'
import { groupNames } from './group.ts'

test('without a group all groups run, once', () => {
  assert.deepEqual(parseBenchArguments([]), { groups: groupNames, json: false, runs: 1, full: false, tenth: false })
})

test('groups and flags are taken in any order, a group named twice runs once', () => {
  assert.deepEqual(parseBenchArguments(['-o', 'json', 'up', '--runs', '3', 'up', '--nodes', '2']), {
    groups: ['up'],
    json: true,
    runs: 3,
    full: false,
    tenth: false,
    nodes: 2,
  })
})

test('--full asks for the sizes that the targets are about', () => {
  assert.equal(parseBenchArguments(['create', '--full']).full, true)
  assert.equal(parseBenchArguments(['simulated', '--tenth']).tenth, true)
})

test('what is not known is refused with exit code 2 and what there is', () => {
  const refused = (args: readonly string[], message: RegExp): void =>
    assert.throws(
      () => parseBenchArguments(args),
      (error) => error instanceof CommandError && error.exitCode === 2 && message.test(error.message),
    )
  refused(['weather'], /Unknown benchmark group "weather"; the groups are: .*up/)
  refused(['constructor'], /Unknown benchmark group/)
  refused(['up', '-o', 'yaml'], /Unknown output format "yaml"/)
  refused(['up', '--fast'], /--fast[^]*Usage: aksel bench/)
  refused(['up', '--runs', '0'], /--runs is a whole number from 1 to 100/)
})
