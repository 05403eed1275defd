// Log files of a container that writes much: which stay, which are compressed, and what a reader that follows sees.

import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { testScope } from '@aksel/testing/test-scope'
import { planRotation, rotateIfLarge } from './rotation.ts'

test('planRotation() keeps one less than the files allowed beside the current one, and ends what a crash left', () => {
  const folder = ['0.log', '0.log.1', '0.log.2.gz', '0.log.2', '0.log.3.gz.tmp', '0.log.4', '1.log.1']
  assert.deepEqual(planRotation('0.log', folder, 5), {
    compress: ['0.log.1', '0.log.4'],
    remove: ['0.log.3.gz.tmp', '0.log.2'],
  })
  assert.deepEqual(planRotation('0.log', folder, 3).remove, ['0.log.3.gz.tmp', '0.log.2', '0.log.1', '0.log.2.gz'])
  assert.deepEqual(planRotation('0.log', folder, 2).compress, [])
})

test('a large log is renamed and begun anew; the one before is compressed; a refused reopening changes nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-logs-'))
  try {
    const scope = testScope()
    const path = join(folder, '0.log')
    let refuses = false
    const world = {
      logs: () => [],
      reopen: async () => {
        if (refuses) throw new Error('containerd is away')
        await appendFile(path, '')
      },
    }
    const settings = { maxBytes: 10, maxFiles: 3, periodMs: 1 }
    const rotate = (): Promise<void> => rotateIfLarge(scope, settings, world, { containerId: 'c', path })
    await writeFile(path, 'short')
    await rotate()
    assert.deepEqual(await readdir(folder), ['0.log'])
    for (const text of ['first line', 'second line', 'third line']) {
      await writeFile(path, text)
      await scope.clock.run(1000)
      await rotate()
    }
    const names = (await readdir(folder)).toSorted()
    assert.deepEqual(
      names.map((name) => name.replace(/\d{8}-\d{6}\.\d{3}/, 'TIME')),
      ['0.log', '0.log.TIME.gz', '0.log.TIME'],
    )
    assert.equal(gunzipSync(await readFile(join(folder, names[1]!))).toString(), 'second line')
    assert.equal(await readFile(join(folder, names[2]!), 'utf8'), 'third line')
    refuses = true
    await writeFile(path, 'fourth line')
    await assert.rejects(rotate(), /containerd is away/)
    assert.equal(await readFile(path, 'utf8'), 'fourth line')
    // The agent was killed between renaming and reopening: the next pass reopens.
    refuses = false
    await rename(path, `${path}.x`)
    await rotate()
    assert.ok((await readdir(folder)).includes('0.log'))
  } finally {
    await rm(folder, { recursive: true })
  }
})
