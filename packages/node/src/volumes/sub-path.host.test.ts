// A path in a volume is mounted, links or not, and never one outside it.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import { testScope } from '../testing/test-scope.ts'
import { mountSubPath } from './sub-path.ts'

async function withVolume(
  work: (paths: { volume: string; target: (name: string) => string; outside: string }) => Promise<void>,
) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'aksel-sub-')))
  using scope = testScope()
  try {
    mkdirSync(join(root, 'volume'))
    mkdirSync(join(root, 'outside'))
    writeFileSync(join(root, 'outside', 'secret'), 'hidden')
    await work({
      volume: join(root, 'volume'),
      outside: join(root, 'outside'),
      target: (name) => join(root, 'targets', name),
    })
  } finally {
    for (const path of await mountsBelow(root)) await run(scope, ['umount', path])
    rmSync(root, { recursive: true })
  }
}

test('folders and files are mounted, missing folders are made, and a second mount changes nothing', () =>
  withVolume(async ({ volume, target }) => {
    using scope = testScope()
    writeFileSync(join(volume, 'file'), 'one')
    await mountSubPath(scope, { volumePath: volume, subPath: 'file', targetPath: target('file') })
    await mountSubPath(scope, { volumePath: volume, subPath: 'a/b', targetPath: target('folder') })
    await mountSubPath(scope, { volumePath: volume, subPath: 'a/b', targetPath: target('folder') })
    writeFileSync(join(volume, 'a/b/x'), 'two')
    assert.equal(readFileSync(target('file'), 'utf8'), 'one')
    assert.equal(readFileSync(join(target('folder'), 'x'), 'utf8'), 'two')
    assert.equal((await mountsBelow(target(''))).length, 2)
  }))

test('a link within the volume is followed, as projected files need', () =>
  withVolume(async ({ volume, target }) => {
    using scope = testScope()
    mkdirSync(join(volume, '..2026'))
    writeFileSync(join(volume, '..2026', 'key'), 'value')
    symlinkSync('..2026', join(volume, '..data'))
    symlinkSync('..data/key', join(volume, 'key'))
    await mountSubPath(scope, { volumePath: volume, subPath: 'key', targetPath: target('key') })
    assert.equal(readFileSync(target('key'), 'utf8'), 'value')
  }))

test('links and names that lead out are refused', () =>
  withVolume(async ({ volume, outside, target }) => {
    using scope = testScope()
    symlinkSync(outside, join(volume, 'out'))
    symlinkSync('../outside', join(volume, 'relative'))
    const refuse = (subPath: string, words: RegExp): Promise<void> =>
      assert.rejects(mountSubPath(scope, { volumePath: volume, subPath, targetPath: target('x') }), words)
    await refuse('out/secret', /leads out of its volume/)
    await refuse('relative', /leads out of its volume/)
    await refuse('out/new', /leads out of its volume/)
    await refuse('../outside', /must be relative/)
    await refuse('/etc', /must be relative/)
    assert.deepEqual(await mountsBelow(target('')), [])
  }))
