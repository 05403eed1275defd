// Reading: the version, lists in chunks, watches from anywhere.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1ConfigMap, V1PodTemplate } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { rawCall } from '../raw-call.ts'
import { WatchLog, type SeenEvent } from '../watch-log.ts'

const deadline = { timeout: 120_000 }
const short = (events: readonly SeenEvent<V1ConfigMap>[]): readonly string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata!.name} ${object.data?.['mutation'] ?? '0'}`)

void suite('reads', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test('[sig-api-machinery] server version should find the server version [Conformance]', deadline, async () => {
    const version = await cluster.get<{ readonly major: string; readonly minor: string; readonly gitVersion: string }>(
      '/version',
    )
    assert.match(version.major, /^[0-9]+$/)
    assert.match(version.minor, /^[0-9]+\+?$/)
    assert.ok(version.gitVersion.startsWith(`v${version.major}.${version.minor}.`))
  })

  void test(
    '[sig-api-machinery] Servers with support for Table transformation should return a 406 for a backend which does not implement metadata [Conformance]',
    deadline,
    async () => {
      const { status, text } = await rawCall(cluster.config, {
        method: 'POST',
        path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { nonResourceAttributes: { verb: 'get', path: '/' } },
        },
      })
      assert.equal(status, 406, text)
      assert.equal((JSON.parse(text) as { readonly reason: string }).reason, 'NotAcceptable')
    },
  )

  void test(
    '[sig-api-machinery] Servers with support for API chunking should return chunks of results for list calls [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('chunking')
      const total = 400
      const make = (n: number): Promise<V1PodTemplate> => {
        const name = `template-${String(n).padStart(4, '0')}`
        const template = { spec: { containers: [{ name: 'test', image: 'test2' }] } }
        return cluster.core.createNamespacedPodTemplate({ namespace, body: { metadata: { name }, template } })
      }
      for (let from = 0; from < total; from += 20)
        await Promise.all(Array.from({ length: 20 }, (_, n) => make(from + n)))
      for (const limit of [17, 133, 400, 1000]) {
        let seen = 0
        let token: string | undefined
        let version: string | undefined
        do {
          const page = await cluster.core.listNamespacedPodTemplate({
            namespace,
            limit,
            ...(token === undefined ? {} : { _continue: token }),
          })
          const { resourceVersion, _continue, remainingItemCount } = page.metadata!
          version ??= resourceVersion!
          assert.equal(resourceVersion, version, 'all chunks are of one version')
          assert.ok(page.items.length <= limit)
          for (const item of page.items) {
            assert.equal(item.metadata!.name, `template-${String(seen).padStart(4, '0')}`)
            seen += 1
          }
          token = _continue === undefined || _continue === '' ? undefined : _continue
          if (token === undefined) assert.ok(remainingItemCount === undefined || remainingItemCount === 0)
          else assert.equal(seen + remainingItemCount!, total)
        } while (token !== undefined)
        assert.equal(seen, total)
      }
      const whole = await cluster.core.listNamespacedPodTemplate({ namespace })
      assert.equal(whole.items.length, total)
    },
  )

  /** The config map's label that watches select, and its counter. */
  const map = (name: string, label: string, mutation = 0): V1ConfigMap => ({
    metadata: { name, labels: { 'watch-this-configmap': label } },
    ...(mutation === 0 ? {} : { data: { mutation: String(mutation) } }),
  })
  const paths = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`
  const labelled = (value: string): Readonly<Record<string, string>> => ({
    labelSelector: `watch-this-configmap in (${value})`,
  })

  void test(
    '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('watch')
      const { config, core } = cluster
      await using a = await WatchLog.open<V1ConfigMap>(config, paths(namespace), labelled('label-a'))
      await using b = await WatchLog.open<V1ConfigMap>(config, paths(namespace), labelled('label-b'))
      await using both = await WatchLog.open<V1ConfigMap>(config, paths(namespace), labelled('label-a,label-b'))
      await core.createNamespacedConfigMap({ namespace, body: map('map-a', 'label-a') })
      for (const mutation of [1, 2])
        await core.replaceNamespacedConfigMap({ namespace, name: 'map-a', body: map('map-a', 'label-a', mutation) })
      await core.deleteNamespacedConfigMap({ namespace, name: 'map-a' })
      await core.createNamespacedConfigMap({ namespace, body: map('map-b', 'label-b') })
      await core.deleteNamespacedConfigMap({ namespace, name: 'map-b' })
      const ofA = ['ADDED map-a 0', 'MODIFIED map-a 1', 'MODIFIED map-a 2', 'DELETED map-a 2']
      const ofB = ['ADDED map-b 0', 'DELETED map-b 0']
      assert.deepEqual(short(await both.first(6)), [...ofA, ...ofB])
      assert.deepEqual(short(await a.first(4)), ofA)
      assert.deepEqual(short(await b.first(2)), ofB)
      // Nobody heard of what the others selected.
      assert.deepEqual([a.events.length, b.events.length, both.events.length], [4, 2, 6])
    },
  )

  void test(
    '[sig-api-machinery] Watchers should be able to start watching from a specific resource version [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('watch')
      const { core } = cluster
      await core.createNamespacedConfigMap({ namespace, body: map('map', 'from-version') })
      const change = (mutation: number): Promise<V1ConfigMap> =>
        core.replaceNamespacedConfigMap({ namespace, name: 'map', body: map('map', 'from-version', mutation) })
      const { metadata } = await change(1)
      await change(2)
      await core.deleteNamespacedConfigMap({ namespace, name: 'map' })
      const query = { ...labelled('from-version'), resourceVersion: metadata!.resourceVersion! }
      await using log = await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), query)
      assert.deepEqual(short(await log.first(2)), ['MODIFIED map 2', 'DELETED map 2'])
    },
  )

  void test(
    '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('watch')
      const { core } = cluster
      const first = await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), labelled('restarted'))
      await core.createNamespacedConfigMap({ namespace, body: map('map', 'restarted') })
      const change = (mutation: number): Promise<V1ConfigMap> =>
        core.replaceNamespacedConfigMap({ namespace, name: 'map', body: map('map', 'restarted', mutation) })
      await change(1)
      const seen = await first.first(2)
      assert.deepEqual(short(seen), ['ADDED map 0', 'MODIFIED map 1'])
      await first[Symbol.asyncDispose]()
      await change(2)
      await core.deleteNamespacedConfigMap({ namespace, name: 'map' })
      const { resourceVersion } = seen[1]!.object.metadata!
      const query = { ...labelled('restarted'), resourceVersion: resourceVersion! }
      await using second = await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), query)
      assert.deepEqual(short(await second.first(2)), ['MODIFIED map 2', 'DELETED map 2'])
    },
  )

  void test(
    '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('watch')
      const { core } = cluster
      await using log = await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), labelled('selected'))
      const change = (label: string, mutation: number): Promise<V1ConfigMap> =>
        core.replaceNamespacedConfigMap({ namespace, name: 'map', body: map('map', label, mutation) })
      await core.createNamespacedConfigMap({ namespace, body: map('map', 'selected') })
      await change('selected', 1)
      await change('other', 1)
      await change('other', 2)
      await change('selected', 3)
      await core.deleteNamespacedConfigMap({ namespace, name: 'map' })
      assert.deepEqual(short(await log.first(5)), [
        'ADDED map 0',
        'MODIFIED map 1',
        'DELETED map 1',
        'ADDED map 3',
        'DELETED map 3',
      ])
    },
  )

  void test(
    '[sig-api-machinery] Watchers should receive events on concurrent watches in same order [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('watch')
      const { core } = cluster
      const rounds = 30
      // Every round changes something; a watch starts from each version that was seen, so all overlap.
      const from = (await core.listNamespacedConfigMap({ namespace })).metadata!.resourceVersion!
      const logs = [await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), { resourceVersion: from })]
      for (let n = 0; n < rounds; n += 1) {
        const name = `map-${n % 5}`
        const known = n >= 5 && n % 3 !== 0
        const { metadata } = known
          ? await core.replaceNamespacedConfigMap({ namespace, name, body: map(name, 'order', n) })
          : await core
              .createNamespacedConfigMap({ namespace, body: map(`${name}-${n}`, 'order', n) })
              .then(async (made) => {
                if (n >= 5) return made
                await core.createNamespacedConfigMap({ namespace, body: map(name, 'order', n) })
                return made
              })
        logs.push(
          await WatchLog.open<V1ConfigMap>(cluster.config, paths(namespace), {
            resourceVersion: metadata!.resourceVersion!,
          }),
        )
      }
      const last = await core.createNamespacedConfigMap({ namespace, body: map('last', 'order') })
      const until = last.metadata!.resourceVersion!
      const versions = (log: WatchLog<V1ConfigMap>): readonly string[] =>
        log.events.map(({ object }) => object.metadata!.resourceVersion!)
      for (let count = 1; !versions(logs[0]!).includes(until); count += 1) await logs[0]!.first(count)
      const whole = versions(logs[0]!)
      for (const log of logs.slice(1)) {
        for (let count = 1; !versions(log).includes(until); count += 1) await log.first(count)
        assert.deepEqual(versions(log), whole.slice(whole.length - log.events.length))
      }
      for (const log of logs) await log[Symbol.asyncDispose]()
    },
  )
})

void test(
  '[sig-api-machinery] Servers with support for API chunking should support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow] [Conformance]',
  deadline,
  async () => {
    // Upstream's test waits for five minutes of history to go; a server may keep less.
    const flags = ['--etcd-compaction-interval', '5s']
    await using cluster = await conformanceCluster({ nodes: 'simulated', count: 1, flags })
    const namespace = await cluster.namespace('compacted')
    const [total, limit] = [400, 40]
    const nameOf = (n: number): string => `template-${String(n).padStart(4, '0')}`
    const template = { spec: { containers: [{ name: 'test', image: 'test2' }] } }
    for (let from = 0; from < total; from += 20)
      await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          cluster.core.createNamespacedPodTemplate({
            namespace,
            body: { metadata: { name: nameOf(from + n) }, template },
          }),
        ),
      )
    const path = `/api/v1/namespaces/${namespace}/podtemplates`
    interface Answered {
      readonly code?: number
      readonly reason?: string
      readonly items: readonly V1PodTemplate[]
      readonly metadata: {
        readonly resourceVersion: string
        readonly continue?: string
        readonly remainingItemCount?: number
      }
    }
    const list = async (token?: string): Promise<Answered & { readonly status: number }> => {
      const more = token === undefined ? '' : `&continue=${encodeURIComponent(token)}`
      const { status, text } = await rawCall(cluster.config, { method: 'GET', path: `${path}?limit=${limit}${more}` })
      return { ...(JSON.parse(text) as Answered), status }
    }
    const isPage = (page: Answered, from: number): void => {
      assert.deepEqual(
        page.items.map(({ metadata }) => metadata!.name),
        Array.from({ length: limit }, (_, n) => nameOf(from + n)),
      )
      const left = total - from - limit
      assert.equal(page.metadata.remainingItemCount ?? 0, left)
    }
    const first = await list()
    isPage(first, 0)
    const started = performance.now()
    let expired = await list(first.metadata.continue)
    while (expired.status !== 410 && performance.now() - started < 60_000) {
      await new Promise((resolve) => setTimeout(resolve, 500))
      expired = await list(first.metadata.continue)
    }
    assert.deepEqual([expired.status, expired.reason], [410, 'Expired'])
    assert.notEqual(expired.metadata.continue ?? '', '')
    const second = await list(expired.metadata.continue)
    isPage(second, limit)
    assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion)
    let [token, from] = [second.metadata.continue, 2 * limit]
    while (token !== undefined && token !== '') {
      const page = await list(token)
      isPage(page, from)
      assert.equal(page.metadata.resourceVersion, second.metadata.resourceVersion)
      token = page.metadata.continue
      from += limit
    }
    assert.equal(from, total)
  },
)
