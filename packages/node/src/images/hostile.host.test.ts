// Hostile images against a real containerd and agent: nothing of the host is read or changed, whatever an archive says.

import assert from 'node:assert/strict'
import { lstat, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { run } from '@aksel/host/command'
import { startAgent, busyboxPod } from '../testing/agent-harness.ts'
import type { AgentHarness } from '../testing/agent-harness.ts'
import { startContainerd } from '../testing/containerd-harness.ts'
import type { ContainerdHarness } from '../testing/containerd-harness.ts'
import { hostileArchive, hostileImages, referenceOf } from '../testing/hostile-images.ts'
import type { HostileImage } from '../testing/hostile-images.ts'
import { testScope } from '../testing/test-scope.ts'

const SECRET = 'only-the-host-knows'

void suite('hostile images', () => {
  const scope = testScope()
  let containerd: ContainerdHarness
  let harness: AgentHarness
  let outside: string
  let importing: Promise<unknown> = Promise.resolve()

  before(async () => {
    outside = await mkdtemp(join(tmpdir(), 'aksel-outside-'))
    await writeFile(join(outside, 'secret'), SECRET)
    await writeFile(join(outside, 'victim'), 'as it was')
    await mkdir(join(outside, 'folder'))
    containerd = await startContainerd(scope)
    harness = await startAgent(scope, containerd)
  })
  after(async () => {
    await harness[Symbol.asyncDispose]()
    await containerd[Symbol.asyncDispose]()
    await rm(outside, { recursive: true })
    scope[Symbol.dispose]()
  })

  /** Everything of the folder that a change of it would change. */
  async function host(): Promise<readonly string[]> {
    const names = (await readdir(outside, { recursive: true })).sort()
    return Promise.all(
      ['.', ...names].map(async (name) => {
        const { mtimeMs, ctimeMs, mode, nlink, size } = await lstat(join(outside, name))
        return [name, mtimeMs, ctimeMs, mode, nlink, size].join(' ')
      }),
    )
  }

  /** What its containers say; `refused` where the archive is not taken. */
  async function tried(name: string, archive: Buffer, pod: Pod): Promise<string> {
    const path = join(containerd.directory, `${name}.tar`)
    await writeFile(path, archive)
    const ctr = ['ctr', '--address', containerd.socketPath, '--namespace', 'k8s.io', 'images', 'import', path]
    // One after the other: imports of the same layer wait for each other in vain.
    importing = importing.then(() => run(scope, ctr))
    const own = importing
    importing = importing.catch(() => {})
    try {
      await own
    } catch (error) {
      return `refused: ${(error as Error).message}`
    } finally {
      await rm(path)
    }
    await harness.client.create(pods, pod)
    const done = (await harness.podWhen(name, (now) => isOver(now)))!
    const log = join(containerd.directory, 'pod-logs', `default_${name}_${done.metadata.uid}`, 'main/0.log')
    const text = await readFile(log, 'utf8').catch(() => JSON.stringify(done.status?.containerStatuses?.[0]?.state))
    await harness.client.delete(pods, { namespace: 'default', name }, { gracePeriodSeconds: 0 })
    await harness.podWhen(name, (now) => now === undefined)
    return text
  }

  /** Reads what it can; what the node makes for it lies where the image may have links. */
  function reader(name: string, reads: readonly string[]): Pod {
    const script = ['ls /', ...reads.map((path) => `head -c 200 ${path}`), 'exit 0'].join('; ')
    const base = busyboxPod(name, ['/bin/sh', '-c', `exec 2>&1; ${script}`], { restartPolicy: 'Never' })
    const container = {
      ...base.spec.containers[0]!,
      image: referenceOf(name),
      workingDir: '/out/work',
      terminationMessagePath: '/out/last-words',
      volumeMounts: [{ name: 'work', mountPath: '/out/inner' }],
    }
    return { ...base, spec: { ...base.spec, containers: [container], volumes: [{ name: 'work', emptyDir: {} }] } }
  }

  test('what is planted is found: a container that reads and changes the host', async () => {
    const untouched = await host()
    const pod = reader('planted', ['/out/inner/secret; echo > /out/inner/new'])
    const volumes = [{ name: 'work', hostPath: { path: outside } }]
    const archive = await hostileArchive({ name: 'planted', layers: [], reads: [] })
    const said = await tried('planted', archive, { ...pod, spec: { ...pod.spec, volumes } })
    assert.match(said, new RegExp(SECRET))
    assert.notDeepEqual(await host(), untouched)
    await rm(join(outside, 'new'))
  })

  test('links, dots, hard links, whiteouts and devices lead nowhere', async (t) => {
    const untouched = await host()
    const trial = async (image: HostileImage): Promise<void> => {
      const said = await tried(image.name, await hostileArchive(image), reader(image.name, image.reads))
      t.diagnostic(`${image.name}: ${said.slice(-160).replaceAll('\n', ' | ')}`)
      assert.doesNotMatch(said, new RegExp(SECRET), image.name)
      if (image.name.startsWith('a-link-in-place-of-dev')) assert.match(said, /link in place of its folder \/dev/)
      if (image.name === 'a-disk-of-the-host') assert.equal(said.match(/Operation not permitted/g)?.length, 2, said)
    }
    await Promise.all(hostileImages(outside).map(trial))
    assert.deepEqual(await host(), untouched)
  })

  test('an archive that is not what its digests say is refused whole', async () => {
    const damages: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
      'a-changed-layer': (bytes) => replaced(bytes, 'as it was', 'otherwise'),
      'a-changed-manifest': (bytes) =>
        replaced(bytes, '"schemaVersion":2,"mediaType"', '"schemaVersion":3,"mediaType"'),
      'a-changed-configuration': (bytes) => replaced(bytes, '"os":"linux"', '"os":"plan9"'),
      'a-cut-archive': (bytes) => bytes.subarray(0, bytes.length / 2),
    }
    for (const [name, damage] of Object.entries(damages)) {
      const archive = await hostileArchive({ name, layers: [[{ name, data: 'as it was' }]], reads: [] }, damage)
      assert.match(await tried(name, archive, reader(name, [])), /^refused: /, name)
      // Whatever the failed import left under the name, nothing runs of it.
      await harness.client.create(pods, reader(name, []))
      const held = await harness.podWhen(name, (now) => isOver(now) || waitsForPull(now))
      assert.match(held?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? 'it ran', /Err|BackOff/, name)
    }
  })
})

function waitsForPull(pod: Pod | undefined): boolean {
  return /^(ErrImagePull|ImagePullBackOff)$/.test(pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '')
}

/** The first place changed, so that lengths stay. */
function replaced(bytes: Buffer, from: string, to: string): Buffer {
  const at = bytes.indexOf(from)
  assert.notEqual(at, -1, from)
  const changed = Buffer.from(bytes)
  changed.write(to, at)
  return changed
}

function isOver(pod: Pod | undefined): boolean {
  const state = pod?.status?.containerStatuses?.[0]?.state
  return state?.terminated !== undefined || state?.waiting?.reason?.endsWith('Error') === true
}
