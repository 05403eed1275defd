// Reads the repository itself: habits that no compiler checks.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { sourceFiles } from './source-files.ts'

const files = sourceFiles().filter(
  ({ relative }) => !/\/generated\/|packages\/api\/src\/types\/|tools\/tidy\.test\.ts$/.test(relative),
)

/** What may not stand in the code, and what to write instead. */
const banned: readonly { readonly pattern: RegExp; readonly instead: string; readonly where?: RegExp }[] = [
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: 'do it, or refuse clearly' },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, instead: 'a type that fits' },
  { pattern: /\bas any\b/, instead: 'unknown and a parser' },
  { pattern: /\b(test|it|describe)\.(skip|only|todo)\b|\bskip: *true/, instead: 'a test that runs' },
  { pattern: /oxlint-disable|eslint-disable/, instead: 'code that the rule accepts' },
  {
    pattern: /\bDate\.now\(\)|\bMath\.random\(\)/,
    instead: 'the clock and the chance that are handed in',
    where: /^packages\/(?!base\/src\/(clock|ids)\.ts|testing\/)/,
  },
  {
    pattern: /\bAbortSignal\.any\b/,
    instead: 'anySignal, which misses no abort',
    where: /^(?!packages\/base\/src\/any-signal)/,
  },
  {
    pattern: /\bprocess\.env\b/,
    instead: 'options.ts, which reads the environment once',
    where: /^packages\/(?!testing\/src\/test-size\.ts)/,
  },
]

test('no banned word stands in the code', () => {
  const wrong: string[] = []
  for (const { relative, absolute } of files) {
    const lines = readFileSync(absolute, 'utf8').split('\n')
    for (const { pattern, instead, where } of banned) {
      if (where !== undefined && (!where.test(relative) || relative.includes('.test.'))) continue
      lines.forEach((line, index) => {
        if (pattern.test(line))
          wrong.push(`${relative}:${index + 1}: ${line.trim().slice(0, 80)} (instead: ${instead})`)
      })
    }
  }
  assert.ok(files.length > 50, `only ${files.length} files were seen`)
  assert.deepEqual(wrong, [])
})

test('every file says in its first line why it exists, and stays under 400 lines', () => {
  const wrong: string[] = []
  for (const { relative, absolute } of files) {
    const text = readFileSync(absolute, 'utf8')
    if (!/^(#!.*\n)?\/\/ \S/.test(text) && !/^(#!.*\n)?\/\*\*? \S/.test(text))
      wrong.push(`${relative}: no opening comment`)
    const lines = text.split('\n').length
    if (lines > 401 && !relative.includes('.test.')) wrong.push(`${relative}: ${lines} lines`)
  }
  assert.deepEqual(wrong, [])
})

test('no module keeps mutable state', () => {
  const wrong = files
    .filter(({ relative }) => relative.startsWith('packages/') && !relative.includes('.test.'))
    .flatMap(({ relative, absolute }) =>
      readFileSync(absolute, 'utf8')
        .split('\n')
        .flatMap((line, index) => (/^(export )?let /.test(line) ? [`${relative}:${index + 1}: ${line}`] : [])),
    )
  assert.deepEqual(wrong, [])
})
