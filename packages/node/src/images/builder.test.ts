// The archives are the same at every build, and the pause program really ends when it is asked to.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ociArchive } from './oci-archive.ts'
import type { ImageSpec } from './oci-archive.ts'
import { pauseElf } from './pause-elf.ts'

const spec: ImageSpec = {
  references: ['example.org/a:1', 'example.org/a:latest'],
  architecture: 'amd64',
  layers: [[{ path: 'b', content: { kind: 'file', data: Buffer.from('b'), mode: 0o755 } }]],
  config: { Entrypoint: ['/b'] },
}

test('ociArchive() gives the same bytes for the same files and names each reference in its index', async () => {
  const [first, second] = [await ociArchive(spec), await ociArchive(spec)]
  assert.ok(first.bytes.equals(second.bytes))
  assert.match(first.digest, /^sha256:[0-9a-f]{64}$/)
  for (const reference of spec.references) assert.ok(first.bytes.includes(`"io.containerd.image.name":"${reference}"`))
})

test('pauseElf() is a program that waits and ends with 0 on SIGTERM', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-pause-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'pause')
  writeFileSync(path, pauseElf(process.arch === 'arm64' ? 'arm64' : 'amd64'), { mode: 0o755 })
  const child = spawn(path, [], { stdio: 'ignore' })
  await once(child, 'spawn')
  // Caught signals show up in the program's status once it has said what it handles.
  while (!/SigCgt:\s+0*4002\n/.test(readFileSync(`/proc/${child.pid}/status`, 'utf8'))) await new Promise(setImmediate)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})

test('pauseElf() for arm64 has the machine type and the length that its headers say', () => {
  const elf = Buffer.from(pauseElf('arm64'))
  assert.equal(elf.readUInt16LE(18), 183)
  assert.equal(Number(elf.readBigUInt64LE(96)), elf.length)
})
