// A data folder goes whole, and empties where it is a mount of the user's own.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { removeData } from './remove-data.ts'

function fill(folder: string): void {
  mkdirSync(join(folder, 'store', 'segments'), { recursive: true })
  writeFileSync(join(folder, 'store', 'segments', '1'), 'bytes')
  writeFileSync(join(folder, 'kubeconfig'), 'words')
}

test('a data folder goes with all that is in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-data-'))
  fill(folder)
  await removeData(folder)
  assert.equal(existsSync(folder), false)
})

test('a data folder that is a mount is emptied and stays', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-data-'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder])
  try {
    fill(folder)
    await removeData(folder)
    assert.deepEqual(readdirSync(folder), [])
  } finally {
    execFileSync('umount', [folder])
    rmSync(folder, { recursive: true })
  }
})
