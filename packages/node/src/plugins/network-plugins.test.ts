// Wrappers of the network plug-ins that a user brings.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { keepNetworkPlugins, wrapperOf } from './network-plugins.ts'

test("a wrapper shows its plug-in the machine's folders, whatever they are called", () => {
  const script = wrapperOf("/it's a machine", 'cilium-cni')
  assert.match(script, /^#!\/bin\/sh\nexec unshare --mount --propagation slave /)
  for (const place of ['/etc/cni', '/opt/cni', '/var/lib/cni']) assert.ok(script.includes(` ${place} && `), place)
  assert.match(script, / '\/opt\/cni\/bin\/cilium-cni' "\$@"\n$/)
})

test('keepNetworkPlugins() wraps what is there and what comes, and takes away the wrapper of what went', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-plugins-'))
  const [programs, wrappersDirectory] = [join(folder, 'cni/opt/bin'), join(folder, 'wrappers')]
  const stop = new AbortController()
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: stop.signal }
  await mkdir(programs, { recursive: true })
  await writeFile(join(programs, 'bridge'), '')
  const kept = keepNetworkPlugins(scope, { rootDirectory: folder, wrappersDirectory })
  const until = async (names: readonly string[]): Promise<void> => {
    const deadline = AbortSignal.timeout(20_000)
    let found: readonly string[] = []
    while (!deadline.aborted) {
      found = (await readdir(wrappersDirectory).catch((): string[] => [])).toSorted()
      if (found.join() === names.join()) return
    }
    assert.deepEqual(found, names)
  }
  try {
    await until(['bridge'])
    await writeFile(join(programs, 'flannel'), '')
    await until(['bridge', 'flannel'])
    assert.equal(await readFile(join(wrappersDirectory, 'flannel'), 'utf8'), wrapperOf(folder, 'flannel'))
    await rm(join(programs, 'bridge'))
    await until(['flannel'])
  } finally {
    stop.abort(new Error('The test ended'))
    await kept
    await rm(folder, { recursive: true })
  }
})
