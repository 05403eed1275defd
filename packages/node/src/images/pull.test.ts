// When images are pulled, what is said about it, and how failures rest.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Container, Pod, Secret } from '@aksel/api/types/core-v1'
import { testScope } from '@aksel/testing/test-scope'
import type { ContainerRuntime, ImageAuth, ImageEntry } from '../cri/types.ts'
import { readKubeletConfig } from '../kubelet-config.ts'
import { authFor } from './credentials.ts'
import { ImageError, ImagePuller } from './pull.ts'
import { PulledImages } from './pulled-images.ts'

const pod: Pod = { metadata: { name: 'p', uid: 'u' }, spec: { containers: [] } }

function setUp(present: readonly string[], pulled?: PulledImages) {
  const scope = testScope()
  const images = new Set(present)
  const pulls: (readonly [string, ImageAuth | undefined])[] = []
  const news: string[] = []
  const state = { failure: undefined as string | undefined }
  const runtime = {
    imageStatus: async (image: string): Promise<ImageEntry | undefined> =>
      images.has(image)
        ? { id: `sha256:${image}`, repoTags: [image], repoDigests: [], size: 10, uid: null, username: '' }
        : undefined,
    pullImage: async (image: string, auth: ImageAuth | undefined) => {
      pulls.push([image, auth])
      if (state.failure !== undefined) throw new Error(`PullImage: ${state.failure}`)
      images.add(image)
      return image
    },
  } as unknown as ContainerRuntime
  const verifying = {
    onPulled: (id: string, image: string, auth?: ImageAuth) => pulled!.add(id, image, auth),
    mayUse: (id: string, image: string, auth?: ImageAuth) => pulled!.mayUse(id, image, auth),
  }
  const puller = new ImagePuller(scope, runtime, pulled === undefined ? {} : verifying)
  const ensure = (container: Partial<Container>, pullSecrets: readonly Secret[] = []): Promise<ImageEntry> =>
    puller.ensure({
      pod,
      container: { name: 'main', ...container },
      pullSecrets,
      tell: (type, reason, message) => news.push(`${type} ${reason} ${message}`),
      signal: scope.signal,
    })
  return { scope, puller, ensure, pulls, news, state }
}

async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.ok(error instanceof ImageError)
  return `${error.reason}: ${error.message}`
}

test('an image that a secret brought is asked for again by pods without it, and by nobody whom its registry let in', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-pulled-'))
  try {
    const pulled = new PulledImages(directory)
    const { ensure, pulls, news, state } = setUp(['shipped:1', 'old:1'], pulled)
    const image = 'private.example/tool:1'
    const secret = (password: string): readonly Secret[] => {
      const auths = { 'private.example': { username: 'u', password } }
      const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') }
      return [{ metadata: { name: 's' }, data }]
    }
    await ensure({ image }, secret('right'))
    await ensure({ image }, secret('right'))
    assert.equal(pulls.length, 1)
    assert.equal(
      news.at(-1),
      `Normal Pulled Container image "${image}" already present on machine and can be accessed by the pod`,
    )
    state.failure = 'no'
    assert.match(await failureOf(ensure({ image })), /^ErrImagePull/)
    assert.match(await failureOf(ensure({ image }, secret('wrong'))), /^ImagePullBackOff/)
    assert.match(
      await failureOf(ensure({ image, imagePullPolicy: 'Never' })),
      /^ErrImageNeverPull: .*is not present with pull policy of Never$/,
    )
    state.failure = undefined
    await ensure({ image: 'private.example/tool@sha256:' + 'a'.repeat(64) }, secret('right'))
    const known = (auth?: ImageAuth) => pulled.mayUse(`sha256:${image}`, 'private.example/tool:2', auth)
    assert.deepEqual([await known(), await known({ username: 'u', password: 'right' })], [false, true])
    await pulled.add(`sha256:${image}`, image)
    assert.equal(await known(), true, 'its registry asks nobody for a password')
    // What was imported is everybody's; what an earlier agent pulled has to be asked for once more.
    await ensure({ image: 'shipped:1' })
    await writeFile(join(directory, createHash('sha256').update('sha256:old:1').digest('hex')), 'sha256:old:1')
    assert.equal(await pulled.mayUse('sha256:old:1', 'old:1', undefined), false)
    assert.ok((await pulled.ids()).has('sha256:old:1') && (await pulled.ids()).has(`sha256:${image}`))
    assert.equal((await readFile(join(directory, (await readdir(directory))[0]!), 'utf8')).includes('right'), false)
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('pods that pull one image at once are all remembered, and of passwords that come and go the last hundred', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pulled-'))
  try {
    const pulled = new PulledImages(directory)
    const [id, image] = ['sha256:a', 'private.example/tool:1']
    const auth = (at: number): ImageAuth => ({ username: 'u', password: `p${at}` })
    const mayUse = (at: number): Promise<boolean> => pulled.mayUse(id, image, auth(at))
    await Promise.all(Array.from({ length: 8 }, (_, at) => pulled.add(id, image, auth(at))))
    assert.deepEqual(await Promise.all([0, 1, 2, 3, 4, 5, 6, 7, 8].map(mayUse)), [...Array(8).fill(true), false])
    await pulled.add(id, image, auth(0))
    for (let at = 8; at < 107; at += 1) await pulled.add(id, image, auth(at))
    assert.deepEqual(await Promise.all([0, 7, 8, 106].map(mayUse)), [true, false, true, true], 'the last used stay')
    await Promise.all([pulled.add(id, image), pulled.add(id, image, auth(200))])
    assert.equal(await pulled.mayUse(id, image, undefined), true, 'its registry asks nobody')
    await Promise.all([pulled.forget(id), pulled.ids()])
    assert.deepEqual([...(await pulled.ids())], [])
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('an image that is there is not pulled, unless the policy says Always', async () => {
  const { ensure, pulls, news } = setUp(['busybox:1.36'])
  assert.equal((await ensure({ image: 'busybox:1.36' })).id, 'sha256:busybox:1.36')
  assert.deepEqual([pulls, news], [[], ['Normal Pulled Container image "busybox:1.36" already present on machine']])
  await ensure({ image: 'busybox:1.36', imagePullPolicy: 'Always' })
  assert.equal(pulls.length, 1)
})

test('a missing image is pulled, with latest and untagged ones every time', async () => {
  const { ensure, pulls, news } = setUp([])
  await ensure({ image: 'web:1' })
  await ensure({ image: 'web:1' })
  await ensure({ image: 'web' })
  await ensure({ image: 'web' })
  assert.deepEqual(
    pulls.map(([image]) => image),
    ['web:1', 'web', 'web'],
  )
  assert.match(
    news[1]!,
    /^Normal Pulled Successfully pulled image "web:1" in 0\.000s \(0\.000s including waiting\)\. Image size: 10 bytes\.$/,
  )
})

test('a failed pull rests for 10 s, then 20 s, and is forgotten with its pod', async () => {
  const { scope, puller, ensure, pulls, state } = setUp([])
  state.failure = 'no such host'
  assert.equal(await failureOf(ensure({ image: 'web:1' })), 'ErrImagePull: failed to pull image "web:1": no such host')
  const rests = 'ImagePullBackOff: Back-off pulling image "web:1": ErrImagePull: no such host'
  assert.equal(await failureOf(ensure({ image: 'web:1' })), rests)
  await scope.clock.run(10_000)
  assert.match(await failureOf(ensure({ image: 'web:1' })), /^ErrImagePull/)
  await scope.clock.run(10_000)
  assert.match(await failureOf(ensure({ image: 'web:1' })), /^ImagePullBackOff/)
  puller.forget('u')
  assert.match(await failureOf(ensure({ image: 'web:1' })), /^ErrImagePull/)
  assert.equal(pulls.length, 3)
})

test('no more pulls run at once than may; who waited is told how long, and a failure passes its turn on', async () => {
  for (const [settings, expected] of [
    [{ serializeImagePulls: true }, 1],
    [{ maxParallelImagePulls: 2 }, 2],
    [{}, 4],
  ] as const) {
    const scope = testScope()
    const ends: (() => void)[] = []
    const news: string[] = []
    let [running, most] = [0, 0]
    const present = new Set<string>()
    const runtime = {
      imageStatus: async (image: string) =>
        present.has(image)
          ? { id: image, repoTags: [image], repoDigests: [], size: 1, uid: null, username: '' }
          : undefined,
      async pullImage(image: string) {
        running += 1
        most = Math.max(most, running)
        await new Promise<void>((resolve) => ends.push(resolve))
        running -= 1
        if (image === 'web:0') throw new Error('no such host')
        present.add(image)
        return image
      },
    } as unknown as ContainerRuntime
    const { imagePullsMax: pullsMax } = readKubeletConfig(settings)
    const puller = new ImagePuller(scope, runtime, pullsMax === undefined ? {} : { pullsMax })
    const wanted = ['web:0', 'web:1', 'web:2', 'web:3'].map((image) =>
      puller.ensure({
        pod,
        container: { name: 'main', image },
        pullSecrets: [],
        tell: (_type, reason, message) => news.push(`${reason} ${message}`),
        signal: scope.signal,
      }),
    )
    const over = Promise.allSettled(wanted)
    let isOver = false
    void over.then(() => (isOver = true))
    while (!isOver) {
      await scope.clock.run(1000)
      ends.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(most, expected)
    assert.deepEqual(
      (await over).map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    )
    const times = news.flatMap((line) => /web:3" in (\S+)s \((\S+)s including/.exec(line)?.slice(1).map(Number) ?? [])
    assert.equal(times[1]! > times[0]!, pullsMax !== undefined, String(times))
  }
  assert.throws(
    () => readKubeletConfig({ serializeImagePulls: true, maxParallelImagePulls: 2 }),
    /cannot be larger than 1/,
  )
})

test('Never and names that are no names are refused without a pull', async () => {
  const { ensure, pulls } = setUp([])
  assert.match(
    await failureOf(ensure({ image: 'web:1', imagePullPolicy: 'Never' })),
    /^ErrImageNeverPull: Container image "web:1" is not present/,
  )
  for (const image of ['UPPER:1', 'a b', '', 'x:y:z'])
    assert.match(await failureOf(ensure({ image })), /^InvalidImageName/, image)
  assert.equal(pulls.length, 0)
})

test('authFor() takes the entry that names most of the path', () => {
  const auths = {
    'https://index.docker.io/v1/': { auth: btoa('hub:one') },
    'reg.example:5000': { username: 'a', password: 'b' },
    'reg.example:5000/team': { auth: btoa('team:two:three') },
  }
  const secret = { metadata: { name: 's' }, data: { '.dockerconfigjson': btoa(JSON.stringify({ auths })) } }
  assert.equal(authFor('busybox', [secret])?.username, 'hub')
  assert.equal(authFor('reg.example:5000/other/x:1', [secret])?.username, 'a')
  assert.deepEqual(authFor('reg.example:5000/team/x:1', [secret]), { username: 'team', password: 'two:three' })
  assert.equal(authFor('elsewhere.example/x', [secret]), undefined)
  assert.equal(authFor('busybox', [{ metadata: { name: 'bad' }, data: { '.dockerconfigjson': btoa('{') } }]), undefined)
})
