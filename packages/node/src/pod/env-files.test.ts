// Files of variables: what their syntax allows, and that none is read outside its volume.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Container } from '@aksel/api/types/core-v1'
import { run } from '@aksel/host/command'
import { testScope } from '../testing/test-scope.ts'
import { envFileValue, fileValue, readEnvFiles } from './env-files.ts'

test('envFileValue() takes quoted values as they are, over several lines, between comments', () => {
  const text = [
    '# a comment, with A=1',
    '',
    "  A='1'   # behind it",
    "B='two",
    "# lines'\t",
    "C= 'empty as in a shell'",
    "D='$A \\n \"'",
    "A='second'",
    "E='last'",
  ].join('\n')
  const found = ['A', 'B', 'C', 'D', 'E', 'F'].map((key) => envFileValue(text, key))
  assert.deepEqual(found, ['1', 'two\n# lines', '', '$A \\n "', 'last', ''])
})

for (const [text, complaint] of [
  ["A='1'\nB", "line 2: missing '='"],
  ["='1'", 'line 1: empty variable name'],
  ["A ='1'", "line 1: whitespace before '=' is not allowed"],
  ['A=1', 'line 1: value must be enclosed in single quotes'],
  ['A="1"', 'line 1: value must be enclosed in single quotes'],
  ["A='x\ny'z", 'line 2: unexpected content after closing quote'],
  ["\nA='x\ny", 'line 2: unclosed single quote'],
] as const) {
  test(`envFileValue() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => envFileValue(text, 'Z'), { message: `invalid environment variable format at ${complaint}` })
  })
}

test('files are read in their volume and nowhere else, and pipes hold nobody up', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-env-'))
  try {
    const volume = join(directory, 'volume')
    await mkdir(join(volume, '..data'), { recursive: true })
    await writeFile(join(directory, 'secret.env'), "KEY='outside'")
    await writeFile(join(volume, '..data', 'own.env'), "KEY='inside'")
    await symlink('..data/own.env', join(volume, 'own.env'))
    await symlink('../secret.env', join(volume, 'up.env'))
    await symlink(join(directory, 'secret.env'), join(volume, 'away.env'))
    using scope = testScope()
    await run(scope, ['mkfifo', join(volume, 'pipe.env')])
    const paths = ['own.env', 'up.env', 'away.env', 'pipe.env', '../secret.env', 'none.env']
    const refs = paths.map((path) => ({ volumeName: 'v', path, key: 'KEY', optional: true }))
    const env = refs.map((fileKeyRef) => ({ name: 'A', valueFrom: { fileKeyRef } }))
    const files = await readEnvFiles({ name: 'main', env } as Container, (name) => (name === 'v' ? volume : undefined))
    assert.equal(fileValue(files, refs[0]!), 'inside')
    for (const ref of refs.slice(1)) assert.throws(() => fileValue(files, ref), { message: "couldn't parse env file" })
  } finally {
    await rm(directory, { recursive: true })
  }
})
