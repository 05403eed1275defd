// The log store on the real disk, and the lock that must end with its process.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { put, text } from './contract-help.ts'
import { isDiskError } from './disk.ts'
import { openLogStore } from './log-store.ts'
import { nodeDisk } from './node-disk.ts'
import { testScope } from './test-scope.ts'

async function scratch(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'aksel-store-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a log store on the real disk shows what was written when opened again', async () => {
  await using folder = await scratch()
  const options = { disk: nodeDisk(), directory: join(folder.path, 'deep/store') }
  {
    await using store = await openLogStore(testScope(), options)
    await Promise.all(Array.from({ length: 200 }, (_, i) => put(store, `a/${i}`, String(i))))
  }
  await using store = await openLogStore(testScope(), options)
  assert.deepEqual([store.revision, await store.count('a/'), text(await store.get('a/7'))], [200, 200, '7'])
})

test('a folder is locked against a second opening, and free again after the first', async () => {
  await using folder = await scratch()
  const disk = nodeDisk()
  for (let round = 0; round < 3; round++) {
    await using lock = await disk.lock(folder.path)
    await assert.rejects(disk.lock(folder.path), (error) => isDiskError(error, 'ELOCKED'))
    assert.ok(lock)
  }
  assert.deepEqual((await readdir(folder.path)).length, 1)
})

test('of many who lock a folder at once exactly one succeeds', async () => {
  await using folder = await scratch()
  const disk = nodeDisk()
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => disk.lock(folder.path)))
  assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1)
})

test('a lock ends with its process, even by kill -9', async () => {
  await using folder = await scratch()
  const module = new URL('node-disk.ts', import.meta.url).href
  const program = `const { nodeDisk } = await import(${JSON.stringify(module)})
    await nodeDisk().lock(${JSON.stringify(folder.path)}); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  await once(child.stdout, 'data')
  await assert.rejects(nodeDisk().lock(folder.path), new RegExp(`in use by process ${child.pid}`))
  child.kill('SIGKILL')
  await exited
  await using lock = await nodeDisk().lock(folder.path)
  assert.ok(lock)
})

test('a lock file of a process of another boot, or an empty one, holds nothing', async () => {
  await using folder = await scratch()
  await writeFile(join(folder.path, 'LOCK.4'), JSON.stringify({ pid: 1, startTicks: '1', bootId: 'other' }))
  await (await nodeDisk().lock(folder.path))[Symbol.asyncDispose]()
  await writeFile(join(folder.path, 'LOCK.99'), '')
  await using lock = await nodeDisk().lock(folder.path)
  assert.deepEqual(await readdir(folder.path), ['LOCK.100'])
  assert.ok(lock)
})
