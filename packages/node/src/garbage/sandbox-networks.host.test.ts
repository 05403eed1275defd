// What a killed containerd had begun is given back, and nothing else.

import assert from 'node:assert/strict'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { pods } from '@aksel/api/resources'
import { run } from '@aksel/host/command'
import { busyboxPod, startAgent } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'
import { removeUnownedNetworks } from './sandbox-networks.ts'

test('namespaces and addresses that no sandbox names go; those of pods stay', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { runtime } = containerd
  await harness.client.create(pods, busyboxPod('stays', ['sleep', '1000']))
  const running = (await harness.podWhen('stays', (pod) => pod?.status?.phase === 'Running'))!
  const { namespacesDirectory } = (await runtime.network())!
  const owned = await readdir(namespacesDirectory!)
  // As containerd makes them: a bind mount of a namespace, and a lease in the name of a sandbox it had not stored yet.
  await run(scope, ['unshare', `--net=${await emptyFile(join(namespacesDirectory!, 'cni-begun'))}`, 'true'])
  const addresses = join(containerd.directory, 'addresses/aksel')
  await mkdir(addresses, { recursive: true })
  await writeFile(join(addresses, '10.99.0.200'), `${'ab'.repeat(32)}\r\neth0`)
  await removeUnownedNetworks(scope, { runtime, pending: new Set(), settleMs: 100 })
  assert.deepEqual(await readdir(namespacesDirectory!), owned)
  assert.doesNotMatch(await readFile('/proc/self/mountinfo', 'utf8'), /cni-begun/)
  const leases = (await readdir(addresses)).filter((name) => name.startsWith('10.'))
  assert.deepEqual(leases, [running.status!.podIP])
})

async function emptyFile(path: string): Promise<string> {
  await writeFile(path, '')
  return path
}
