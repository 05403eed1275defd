// A path in a volume is mounted, links or not, and never one outside it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import { sized } from '@aksel/testing/test-size'
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

test('a folder that becomes a link out while it is mounted never shows what lies outside', () =>
  withVolume(async ({ volume, outside, target }) => {
    using scope = testScope()
    mkdirSync(join(volume, 'real/sub'), { recursive: true })
    writeFileSync(join(volume, 'real/sub/secret'), 'own')
    mkdirSync(join(outside, 'sub'))
    writeFileSync(join(outside, 'sub/secret'), 'hidden')
    // As fast as it can: the path is the folder, then a link that leads out, then the folder again.
    const swap = `
      const { renameSync, rmSync, symlinkSync, unlinkSync } = require('node:fs')
      const [volume, outside] = process.argv.slice(1)
      process.stdout.write('swapping')
      for (;;) {
        try {
          renameSync(volume + '/real', volume + '/path')
          renameSync(volume + '/path', volume + '/real')
          symlinkSync(outside, volume + '/path')
          unlinkSync(volume + '/path')
        } catch {
          // The other side made the folder that it missed, and maybe goes on in it.
          try { rmSync(volume + '/path', { recursive: true, force: true }) } catch {}
        }
      }`
    const swapper = spawn(process.execPath, ['-e', swap, volume, outside], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(swapper, 'exit')
    try {
      await once(swapper.stdout, 'data')
      let mounted = 0
      const tries = sized({ gate: 100, full: 500 })
      // Goes on where every race was lost, which proves nothing.
      for (let count = 0; count < tries || (mounted === 0 && count < 20 * tries); count += 1) {
        const targetPath = target(String(count))
        const request = { volumePath: volume, subPath: 'path/sub/secret', targetPath }
        const failure = await mountSubPath(scope, request).catch((error: Error) => error)
        // What a lost race left is an empty file; what a won one shows is the volume's own, or a folder made in it.
        const isMounted = (await mountsBelow(targetPath)).length > 0
        assert.equal(failure === undefined, isMounted, String(failure))
        if (!isMounted) continue
        mounted += 1
        const shown = statSync(targetPath).isFile() ? readFileSync(targetPath, 'utf8') : 'a folder'
        assert.ok(['own', 'a folder'].includes(shown), shown)
        await run(scope, ['umount', targetPath])
      }
      assert.ok(mounted > 0)
      assert.deepEqual(readdirSync(outside).toSorted(), ['secret', 'sub'])
      assert.deepEqual(readdirSync(join(outside, 'sub')), ['secret'])
    } finally {
      swapper.kill('SIGKILL')
      await ended
    }
  }))
