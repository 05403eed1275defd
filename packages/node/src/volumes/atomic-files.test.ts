// A projected folder changes all at once and never leaves its place.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { testScope } from '@aksel/testing/test-scope'
import { writeAtomically } from './atomic-files.ts'
import type { ProjectedFile } from './atomic-files.ts'
import { configMapFiles, downwardFiles, secretFiles } from './projections.ts'

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'aksel-files-'))
  t.after(() => rmSync(directory, { recursive: true }))
  return join(directory, 'volume')
}

const files = (entries: Readonly<Record<string, string>>, mode = 0o644): ReadonlyMap<string, ProjectedFile> =>
  new Map(Object.entries(entries).map(([path, text]) => [path, { data: Buffer.from(text), mode }]))

test('writeAtomically() shows files through one link, and swaps it when they change', async (t) => {
  const scope = testScope()
  const directory = folder(t)
  assert.equal(await writeAtomically(scope, directory, files({ a: '1', 'sub/b': '2' }), undefined), true)
  const first = readlinkSync(join(directory, '..data'))
  assert.equal(readlinkSync(join(directory, 'sub')), '..data/sub')
  assert.equal(readFileSync(join(directory, 'sub/b'), 'utf8'), '2')
  assert.equal(await writeAtomically(scope, directory, files({ a: '1', 'sub/b': '2' }), undefined), false)
  assert.equal(await writeAtomically(scope, directory, files({ a: '3', c: '4' }), undefined), true)
  assert.notEqual(readlinkSync(join(directory, '..data')), first)
  assert.deepEqual(
    readdirSync(directory).filter((name) => !name.startsWith('..')),
    ['a', 'c'],
  )
  assert.equal(readFileSync(join(directory, 'a'), 'utf8'), '3')
  assert.equal(readdirSync(directory).filter((name) => name.startsWith('..2')).length, 1)
})

test('writeAtomically() goes on after a crash between its steps', async (t) => {
  const scope = testScope()
  const directory = folder(t)
  await writeAtomically(scope, directory, files({ a: '1' }), undefined)
  symlinkSync('..nowhere', join(directory, '..data_tmp'))
  await writeAtomically(scope, directory, files({ a: '2' }), undefined)
  assert.equal(readFileSync(join(directory, 'a'), 'utf8'), '2')
})

test('writeAtomically() sets modes, and lets the group of the pod read', async (t) => {
  const scope = testScope()
  const directory = folder(t)
  await writeAtomically(scope, directory, files({ a: '1' }, 0o400), process.getgid!())
  assert.equal(statSync(join(directory, 'a')).mode & 0o777, 0o440)
})

test('writeAtomically() refuses paths that leave the volume', async (t) => {
  const directory = folder(t)
  for (const path of ['../x', '/x', 'a/../../x', '..data']) {
    await assert.rejects(
      writeAtomically(testScope(), directory, files({ [path]: '1' }), undefined),
      /must be relative/,
      path,
    )
  }
})

test('ConfigMaps and Secrets give all keys, or those that are named', () => {
  const map = { metadata: { name: 'cm' }, data: { a: '1' }, binaryData: { b: btoa('2') } }
  const text = (found: ReadonlyMap<string, ProjectedFile>): Readonly<Record<string, string>> =>
    Object.fromEntries(
      [...found].map(([path, { data, mode }]) => [path, `${Buffer.from(data).toString()} ${mode.toString(8)}`]),
    )
  assert.deepEqual(text(configMapFiles('cm', map, {}, 0o644)), { a: '1 644', b: '2 644' })
  const items = [{ key: 'a', path: 'x/y', mode: 0o600 }]
  assert.deepEqual(text(configMapFiles('cm', map, { items }, 0o644)), { 'x/y': '1 600' })
  assert.deepEqual(text(secretFiles('s', { metadata: { name: 's' }, data: { k: btoa('v') } }, {}, 0o400)), {
    k: 'v 400',
  })
  assert.throws(() => configMapFiles('cm', undefined, {}, 0o644), /^Error: configmap "cm" not found$/)
  assert.equal(configMapFiles('cm', undefined, { optional: true }, 0o644).size, 0)
  assert.throws(() => secretFiles('s', undefined, { items }, 0o644), /secret "s" not found/)
  assert.throws(
    () => configMapFiles('cm', map, { items: [{ key: 'z', path: 'z' }] }, 0o644),
    /references non-existent config key: z/,
  )
})

test('downward files show labels as sorted lines', () => {
  const pod = { metadata: { name: 'p', labels: { b: '2', a: '"1"' } }, spec: { containers: [] } }
  const facts = { addresses: { podIps: [], hostIps: [] }, allocatable: {} }
  const found = downwardFiles(pod, [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }], facts, 0o644)
  assert.equal(Buffer.from(found.get('labels')!.data).toString(), 'a="\\"1\\""\nb="2"')
})
