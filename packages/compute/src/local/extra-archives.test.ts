// The folder of extra image archives: what counts as one, and that a change of content shows.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { extraArchives } from './extra-archives.ts'

test('extraArchives() names the tar files of a folder with a digest that follows their content', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-archives-'))
  try {
    assert.deepEqual(await extraArchives(join(folder, 'nowhere')), [])
    await writeFile(join(folder, 'b.tar'), 'one')
    await writeFile(join(folder, 'a.tar'), 'two')
    await writeFile(join(folder, 'notes.txt'), 'three')
    const [a, b, ...others] = await extraArchives(folder)
    assert.deepEqual([a?.path, b?.path, others], [join(folder, 'a.tar'), join(folder, 'b.tar'), []])
    await writeFile(join(folder, 'a.tar'), 'four')
    const [changed, same] = await extraArchives(folder)
    assert.notEqual(changed?.digest, a?.digest)
    assert.equal(same?.digest, b?.digest)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
