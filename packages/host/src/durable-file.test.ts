// A state file is whole whatever changes it at once.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { StateFile } from './durable-file.ts'

test('StateFile.write() by many at once ends in the last state, and a failure is told to whom it was of', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-state-'))
  try {
    const path = join(directory, 'state')
    const file = new StateFile(path)
    const state: string[] = []
    const writes = Array.from({ length: 20 }, (_, at) => {
      state.push('x'.repeat(20 - at))
      return file.write(() => {
        if (at === 7) throw new Error('no')
        return state.join()
      })
    })
    const failed = (await Promise.allSettled(writes)).flatMap(({ status }, at) => (status === 'rejected' ? [at] : []))
    assert.deepEqual(failed, [7])
    assert.equal(await readFile(path, 'utf8'), state.join())
  } finally {
    await rm(directory, { recursive: true })
  }
})
