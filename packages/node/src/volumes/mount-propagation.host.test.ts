// Who sees whose mounts: the host, and containers that share a folder with it in each of the three ways.

import assert from 'node:assert/strict'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { events, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import { busyboxPod, startAgent, when } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'

const ways = { master: 'Bidirectional', slave: 'HostToContainer', private: 'None', unsaid: undefined } as const

function sharing(name: keyof typeof ways): Pod {
  const base = busyboxPod(name, ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'])
  const mountPropagation = ways[name]
  const container = {
    ...base.spec.containers[0]!,
    securityContext: { privileged: true },
    volumeMounts: [
      { name: 'shared', mountPath: '/shared', ...(mountPropagation === undefined ? {} : { mountPropagation }) },
    ],
  }
  const volumes = [{ name: 'shared', hostPath: { path: '/var/lib/kubelet/shared', type: 'DirectoryOrCreate' } }]
  return { ...base, spec: { ...base.spec, containers: [container], volumes } }
}

test('mounts are seen as the propagation of each container says, and go with their pods', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const names = Object.keys(ways) as (keyof typeof ways)[]
  const ids = new Map<string, string>()
  for (const name of names) {
    await client.create(pods, sharing(name))
    const pod = await harness.podWhen(name, (found) => found?.status?.containerStatuses?.[0]?.ready === true)
    ids.set(name, pod!.status!.containerStatuses![0]!.containerID!.replace('containerd://', ''))
  }
  const shared = join(containerd.directory, 'kubelet/shared')
  const exec = async (name: string, script: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await containerd.runtime.execSync(ids.get(name)!, ['sh', '-c', script], 20)
    assert.equal(exitCode, 0, `${name}: ${script}: ${Buffer.from(stderr).toString()}`)
    return Buffer.from(stdout).toString()
  }
  const mount = (name: string, folder: string): string =>
    `mount -t tmpfs tmpfs ${folder}/${name} && touch ${folder}/${name}/of-${name}`
  for (const name of [...names, 'host']) await mkdir(join(shared, name))
  for (const name of names) await exec(name, mount(name, '/shared'))
  await run(scope, ['sh', '-c', mount('host', shared)])

  const seenBy = async (list: (folder: string) => Promise<readonly string[]>): Promise<readonly string[]> => {
    const found = await Promise.all([...names, 'host'].map((name) => list(name)))
    return found.flat().sort()
  }
  const inside = (name: string): Promise<readonly string[]> =>
    seenBy(async (folder) => (await exec(name, `ls /shared/${folder}`)).split('\n').filter((line) => line !== ''))
  assert.deepEqual(await inside('master'), ['of-host', 'of-master'])
  assert.deepEqual(await inside('slave'), ['of-host', 'of-master', 'of-slave'])
  assert.deepEqual(await inside('private'), ['of-private'])
  assert.deepEqual(await inside('unsaid'), ['of-unsaid'])
  assert.deepEqual(await seenBy((folder) => readdir(join(shared, folder))), ['of-host', 'of-master'])
  for (const name of names) {
    await client.delete(pods, { namespace: 'default', name }, { gracePeriodSeconds: 1 })
    await harness.podWhen(name, (pod) => pod === undefined)
  }
  // What a pod mounted for its host stays its host's, as everywhere.
  assert.deepEqual((await mountsBelow(shared)).toSorted(), [join(shared, 'host'), join(shared, 'master')])
})

test('a mount that is to be read-only all the way down is refused, for this runtime cannot', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { client } = harness
  const base = busyboxPod('strict', ['sleep', '1000'])
  const volumeMounts = [{ name: 'work', mountPath: '/work', readOnly: true, recursiveReadOnly: 'Enabled' }]
  const containers = [{ ...base.spec.containers[0]!, volumeMounts }]
  const volumes = [{ name: 'work', emptyDir: {} }]
  await client.create(pods, { ...base, spec: { ...base.spec, containers, volumes } })
  const held = await harness.podWhen('strict', (pod) => {
    return pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError'
  })
  const why = 'volume "work" requested recursive read-only mode, but it is not supported by the runtime'
  assert.equal(held?.status?.containerStatuses?.[0]?.state?.waiting?.message, why)
  await when(scope, client, events, '', () =>
    client.peekAll(events, 'default').some(({ message }) => message === `Error: ${why}`),
  )
})
