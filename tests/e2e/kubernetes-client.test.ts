// The Kubernetes project's own JavaScript client, unmodified, against a simulated cluster and a real container.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, suite, test } from 'node:test'
import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  Exec,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  Watch,
  type V1ConfigMap,
  type V1Status,
} from '@kubernetes/client-node'
import { Aksel } from './aksel.ts'

const namespace = 'default'
const deadline = { timeout: 60_000 }

void suite('@kubernetes/client-node', () => {
  let aksel: Aksel
  let config: KubeConfig
  let core: CoreV1Api

  before(async () => {
    aksel = await Aksel.inNewFolder()
    await aksel.ok(['up', '--simulated', '--nodes', '1'])
    config = new KubeConfig()
    config.loadFromFile(join(aksel.dataDir, 'kubeconfig'))
    core = config.makeApiClient(CoreV1Api)
  })
  after(async () => {
    await aksel[Symbol.asyncDispose]()
  })

  void test('creates, reads, lists, replaces, patches and deletes', deadline, async () => {
    const created = await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'settings', labels: { app: 'web' } }, data: { colour: 'blue' } },
    })
    assert.ok(created.metadata?.creationTimestamp instanceof Date)
    const replaced = await core.replaceNamespacedConfigMap({
      namespace,
      name: 'settings',
      body: { metadata: created.metadata, data: { colour: 'red' } },
    })
    assert.notEqual(replaced.metadata?.resourceVersion, created.metadata.resourceVersion)
    await core.patchNamespacedConfigMap({
      namespace,
      name: 'settings',
      body: [{ op: 'add', path: '/data/size', value: 'large' }],
    })
    const { items } = await core.listNamespacedConfigMap({ namespace, labelSelector: 'app=web' })
    assert.deepEqual(
      items.map(({ data }) => data),
      [{ colour: 'red', size: 'large' }],
    )
    await core.deleteNamespacedConfigMap({ namespace, name: 'settings' })
    await assert.rejects(core.readNamespacedConfigMap({ namespace, name: 'settings' }), (error) => {
      assert.ok(error instanceof ApiException)
      assert.equal(error.code, 404)
      assert.match(String(error.body), /configmaps \\"settings\\" not found/)
      return true
    })
  })

  void test('a stale replace is a conflict', deadline, async () => {
    const name = 'contended'
    const old = await core.createNamespacedConfigMap({ namespace, body: { metadata: { name } } })
    await core.replaceNamespacedConfigMap({ namespace, name, body: { metadata: old.metadata!, data: { a: 'b' } } })
    await assert.rejects(
      core.replaceNamespacedConfigMap({ namespace, name, body: { metadata: old.metadata!, data: { c: 'd' } } }),
      (error) => error instanceof ApiException && error.code === 409,
    )
  })

  void test('finds the resource of a kind by itself', deadline, async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'any', namespace }, stringData: { a: 'b' } }
    await objects.create(secret)
    const read = await objects.read<{ data?: Record<string, string> } & typeof secret>(secret)
    assert.equal(read.data?.['a'], 'Yg==')
  })

  void test('watches what happens', deadline, async () => {
    const seen: string[] = []
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const path = `/api/v1/namespaces/${namespace}/configmaps`
    const watching = await new Watch(config).watch(
      path,
      { labelSelector: 'story=watch' },
      (phase, object: V1ConfigMap) => {
        seen.push(`${phase} ${object.metadata?.name}`)
        if (phase === 'DELETED') resolve()
      },
      (error: unknown) => reject(error),
    )
    await core.createNamespacedConfigMap({
      namespace,
      body: { metadata: { name: 'watched', labels: { story: 'watch' } } },
    })
    await core.deleteNamespacedConfigMap({ namespace, name: 'watched' })
    await promise
    watching.abort()
    assert.deepEqual(seen, ['ADDED watched', 'DELETED watched'])
  })

  void test('an informer follows a deployment until its pods are ready', deadline, async () => {
    const labels = { app: 'informed' }
    const list = (): ReturnType<CoreV1Api['listNamespacedPod']> => core.listNamespacedPod({ namespace })
    const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/pods`, list)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    informer.on('error', reject)
    informer.on('change', () => {
      const ready = informer
        .list(namespace)
        .filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'))
      if (ready.length === 2) resolve()
    })
    await informer.start()
    await config.makeApiClient(AppsV1Api).createNamespacedDeployment({
      namespace,
      body: {
        metadata: { name: 'informed' },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'nginx:1.28' }] } },
        },
      },
    })
    await promise
    assert.ok(informer.list(namespace).every(({ spec }) => spec?.nodeName?.startsWith('aks-nodepool1-')))
    await informer.stop()
  })

  void test('applies on the server, and is told who else owns a field', deadline, async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const applied = (colour: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'applied', namespace },
      data: { colour },
    })
    const apply = (colour: string, manager: string, force = false) =>
      objects.patch(applied(colour), undefined, undefined, manager, force, PatchStrategy.ServerSideApply)
    await apply('blue', 'painter')
    await assert.rejects(apply('red', 'other'), (error) => {
      assert.ok(error instanceof ApiException)
      assert.equal(error.code, 409)
      assert.match(String(error.body), /Apply failed with 1 conflict: conflict with \\"painter\\": \.data\.colour/)
      return true
    })
    await apply('red', 'other', true)
    const { data, metadata } = await core.readNamespacedConfigMap({ namespace, name: 'applied' })
    assert.deepEqual(data, { colour: 'red' })
    const owners = metadata?.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`)
    assert.deepEqual(owners, ['other Apply'])
  })

  void test('a watch brings its initial state, a bookmark that ends it, and what follows', deadline, async () => {
    const seen: string[] = []
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const name = 'bookmarked'
    await core.createNamespacedConfigMap({ namespace, body: { metadata: { name, labels: { story: 'bookmark' } } } })
    const query = {
      labelSelector: 'story=bookmark',
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
    }
    const onEvent = (phase: string, object: V1ConfigMap): void => {
      const ends = object.metadata?.annotations?.['k8s.io/initial-events-end']
      seen.push(phase === 'BOOKMARK' ? `BOOKMARK ${ends}` : `${phase} ${object.metadata?.name}`)
      if (phase === 'BOOKMARK') void core.deleteNamespacedConfigMap({ namespace, name }).catch(reject)
      if (phase === 'DELETED') resolve()
    }
    const watching = await new Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, query, onEvent, reject)
    await promise
    watching.abort()
    assert.deepEqual(seen, [`ADDED ${name}`, 'BOOKMARK true', `DELETED ${name}`])
  })

  void test('an informer misses nothing through a server that is killed and comes back', deadline, async () => {
    const labelSelector = 'story=restart'
    const list = (): ReturnType<CoreV1Api['listNamespacedConfigMap']> =>
      core.listNamespacedConfigMap({ namespace, labelSelector })
    const informer = makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, list, labelSelector)
    /** What the events alone say: names with their last content. */
    const told = new Map<string, string | undefined>()
    const note = ({ metadata, data }: V1ConfigMap): void => void told.set(metadata!.name!, data?.['round'])
    let check = (): void => {}
    informer.on('add', note)
    informer.on('update', note)
    informer.on('delete', ({ metadata }) => void told.delete(metadata!.name!))
    informer.on('change', () => check())
    // As the client's documentation has it: an informer that lost its server starts again.
    let ended = false
    informer.on('error', () => {
      if (!ended) setTimeout(() => void informer.start(), 50)
    })
    await informer.start()
    const names = Array.from({ length: 30 }, (_, index) => `kept-${index}`)
    const body = (name: string, round: string) => ({
      metadata: { name, labels: { story: 'restart' } },
      data: { round },
    })
    for (const name of names) await core.createNamespacedConfigMap({ namespace, body: body(name, 'first') })
    process.kill(await aksel.serverPid(), 'SIGKILL')
    await aksel.ok(['up', '--simulated', '--nodes', '1'])
    for (const name of names.slice(0, 10)) await core.deleteNamespacedConfigMap({ namespace, name })
    for (const name of names.slice(10, 20))
      await core.replaceNamespacedConfigMap({ namespace, name, body: body(name, 'second') })
    await core.createNamespacedConfigMap({ namespace, body: body('last', 'second') })
    const expected = new Map((await list()).items.map(({ metadata, data }) => [metadata!.name!, data?.['round']]))
    assert.equal(expected.size, 21)
    await new Promise<void>((resolve) => {
      check = () => {
        if (told.size === expected.size && [...expected].every(([name, round]) => told.get(name) === round)) resolve()
      }
      check()
    })
    ended = true
    await informer.stop()
  })

  void test('exec on a simulated node is refused', deadline, async () => {
    const { items } = await core.listNamespacedPod({ namespace })
    const pod = items[0]?.metadata?.name
    assert.ok(pod !== undefined)
    const output = new PassThrough()
    const attempt = new Promise<V1Status>((resolve, reject) => {
      new Exec(config)
        .exec(namespace, pod, 'web', ['true'], output, output, null, false, resolve)
        .then((socket) => once(socket, 'close'), reject)
        .catch(reject)
    })
    await assert.rejects(attempt, (error) => {
      assert.match(String((error as { message?: string }).message ?? error), /Unexpected server response: 50\d/)
      return true
    })
  })
})

void test('exec in a real container: both outputs, input, and the exit code; and its log', deadline, async () => {
  await using aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'])
  const config = new KubeConfig()
  config.loadFromFile(join(aksel.dataDir, 'kubeconfig'))
  const core = config.makeApiClient(CoreV1Api)
  const image = 'docker.io/library/busybox:1.36'
  const container = { name: 'shell', image, command: ['sh', '-c', 'echo hello; exec sleep 1000'] }
  const spec = { terminationGracePeriodSeconds: 0, containers: [container] }
  await core.createNamespacedPod({ namespace, body: { metadata: { name: 'real' }, spec } })
  await aksel.kubectl('wait --for=condition=Ready pod/real --timeout=30s')

  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const script = 'read word; echo got $word; echo oops >&2; exit 3'
  const status = await new Promise<V1Status>((resolve, reject) => {
    new Exec(config)
      .exec(namespace, 'real', 'shell', ['sh', '-c', script], output, errors, input, false, resolve)
      .then(() => input.write('this\n'), reject)
  })
  assert.equal(status.reason, 'NonZeroExitCode')
  assert.deepEqual(status.details?.causes, [{ reason: 'ExitCode', message: '3' }])
  assert.deepEqual([String(output.read()), String(errors.read())], ['got this\n', 'oops\n'])
  assert.equal(await core.readNamespacedPodLog({ namespace, name: 'real' }), 'hello\n')
})
