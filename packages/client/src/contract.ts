// What every client does, whichever transport carries it. Each case runs against a real API server; tests hand it one.

import type { ConfigMap } from '@aksel/api/types/core-v1'
import { configMaps, namespaces } from '@aksel/api/resources'
import { ApiError, type Reason } from '@aksel/base/errors'
import type { Client, WatchEvent } from './client.ts'
import { readBody } from './response-body.ts'

export interface ContractCase {
  /** A statement. */
  readonly name: string
  /** `namespace` exists and is this case's own. Throws where the client does not keep the contract. */
  check(client: Client, namespace: string): Promise<void>
}

function configMap(namespace: string, name: string, data: Readonly<Record<string, string>> = {}): ConfigMap {
  return { metadata: { name, namespace }, data }
}

function same(actual: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (left !== right) throw new Error(`expected ${right}, got ${left}`)
}

async function refused(call: Promise<unknown>, reason: Reason, code: number): Promise<void> {
  try {
    await call
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return same([error.reason, error.code], [reason, code])
  }
  throw new Error(`expected ${reason}, but the call succeeded`)
}

/** The next events of a watch, as type, name and one value of the data. */
async function take(events: AsyncIterable<WatchEvent<ConfigMap>>, count: number): Promise<readonly string[]> {
  const seen: string[] = []
  for await (const { type, object } of events) {
    seen.push(`${type} ${object.metadata.name} ${object.data?.['n'] ?? ''}`)
    if (seen.length === count) break
  }
  return seen
}

export const clientContract: readonly ContractCase[] = [
  {
    name: 'create returns the stored object, and get returns the same',
    async check(client, namespace) {
      const created = await client.create(configMaps, configMap(namespace, 'a', { n: '1' }))
      if (!created.metadata.uid || !created.metadata.resourceVersion) throw new Error('identity is missing')
      same(await client.get(configMaps, { namespace, name: 'a' }), created)
    },
  },
  {
    name: 'a missing object is NotFound, a second create AlreadyExists, a stale update Conflict',
    async check(client, namespace) {
      await refused(client.get(configMaps, { namespace, name: 'nobody' }), 'NotFound', 404)
      const first = await client.create(configMaps, configMap(namespace, 'a'))
      await refused(client.create(configMaps, configMap(namespace, 'a')), 'AlreadyExists', 409)
      await client.update(configMaps, { ...first, data: { n: '2' } })
      await refused(client.update(configMaps, { ...first, data: { n: '3' } }), 'Conflict', 409)
    },
  },
  {
    name: 'list pages to its end with continue',
    async check(client, namespace) {
      for (const name of ['a', 'b', 'c']) await client.create(configMaps, configMap(namespace, name))
      const first = await client.list(configMaps, { namespace, limit: 2 })
      same([first.items.map((item) => item.metadata.name), first.metadata.remainingItemCount], [['a', 'b'], 1])
      const second = await client.list(configMaps, { namespace, limit: 2, continue: first.metadata.continue! })
      same([second.items.map((item) => item.metadata.name), second.metadata.continue ?? ''], [['c'], ''])
      same(second.metadata.resourceVersion, first.metadata.resourceVersion)
    },
  },
  {
    name: 'list selects by label and by field',
    async check(client, namespace) {
      await client.create(configMaps, {
        ...configMap(namespace, 'a'),
        metadata: { name: 'a', namespace, labels: { tier: 'web' } },
      })
      await client.create(configMaps, configMap(namespace, 'b'))
      const byLabel = await client.list(configMaps, { namespace, labelSelector: 'tier in (web, db)' })
      const byField = await client.list(configMaps, { namespace, fieldSelector: 'metadata.name!=a' })
      same(
        [byLabel, byField].map((list) => list.items.map((item) => item.metadata.name)),
        [['a'], ['b']],
      )
    },
  },
  {
    name: 'every kind of patch changes what it names and nothing else',
    async check(client, namespace) {
      const ref = { namespace, name: 'a' }
      await client.create(configMaps, configMap(namespace, 'a', { n: '1', keep: 'x' }))
      same((await client.patch(configMaps, ref, { kind: 'merge', body: { data: { n: '2' } } })).data, {
        keep: 'x',
        n: '2',
      })
      same((await client.patch(configMaps, ref, { kind: 'strategic', body: { data: { n: null } } })).data, {
        keep: 'x',
      })
      const json = [{ op: 'replace', path: '/data/keep', value: 'y' }]
      same((await client.patch(configMaps, ref, { kind: 'json', body: json })).data, { keep: 'y' })
    },
  },
  {
    name: 'a watch delivers adds, changes and deletes in order, from the version of a list',
    async check(client, namespace) {
      const { metadata } = await client.list(configMaps, { namespace })
      const watch = client.watch(configMaps, { namespace, resourceVersion: metadata.resourceVersion! })
      const created = await client.create(configMaps, configMap(namespace, 'a', { n: '1' }))
      await client.update(configMaps, { ...created, data: { n: 'zwei \u{1f642}' } })
      await client.delete(configMaps, { namespace, name: 'a' })
      same(await take(watch, 3), ['ADDED a 1', 'MODIFIED a zwei \u{1f642}', 'DELETED a zwei \u{1f642}'])
    },
  },
  {
    name: 'a watch with initial events sends what is there, then a bookmark that says so',
    async check(client, namespace) {
      await client.create(configMaps, configMap(namespace, 'a', { n: '1' }))
      const types: string[] = []
      // sendInitialEvents needs the version to be not older than any.
      const options = {
        namespace,
        sendInitialEvents: true,
        allowBookmarks: true,
        resourceVersionMatch: 'NotOlderThan',
      } as const
      for await (const { type, object } of client.watch(configMaps, options)) {
        types.push(type)
        if (type !== 'BOOKMARK') continue
        same(object.metadata.annotations?.['k8s.io/initial-events-end'], 'true')
        break
      }
      same(types, ['ADDED', 'BOOKMARK'])
    },
  },
  {
    name: 'a watch ends when its signal aborts',
    async check(client, namespace) {
      await client.create(configMaps, configMap(namespace, 'a'))
      const stop = new AbortController()
      const failure = await (async () => {
        for await (const _event of client.watch(configMaps, { namespace, signal: stop.signal }))
          stop.abort(new Error('enough'))
      })().catch((error: unknown) => error)
      if (failure !== undefined && !stop.signal.aborted) throw failure
    },
  },
  {
    name: 'a dry run answers as if it had written, and writes nothing',
    async check(client, namespace) {
      await client.create(configMaps, configMap(namespace, 'a'), { dryRun: true })
      await refused(client.get(configMaps, { namespace, name: 'a' }), 'NotFound', 404)
    },
  },
  {
    name: 'delete with a wrong precondition is a Conflict; deleteCollection takes what the selector names',
    async check(client, namespace) {
      await client.create(configMaps, configMap(namespace, 'a'))
      await client.create(configMaps, configMap(namespace, 'b'))
      await refused(
        client.delete(configMaps, { namespace, name: 'a' }, { preconditions: { uid: 'other' } }),
        'Conflict',
        409,
      )
      await client.deleteCollection(configMaps, { namespace, fieldSelector: 'metadata.name=a' })
      same(
        (await client.list(configMaps, { namespace })).items.map((item) => item.metadata.name),
        ['b'],
      )
    },
  },
  {
    name: 'send reaches any other path',
    async check(client) {
      const response = await client.send({ path: '/livez' })
      same([response.status, new TextDecoder().decode(await readBody(response.body))], [200, 'ok'])
    },
  },
  {
    name: 'cluster-scoped objects need no namespace',
    async check(client, namespace) {
      same((await client.get(namespaces, { name: namespace })).metadata.name, namespace)
    },
  },
  {
    name: 'a body that is read late is whole',
    async check(client, namespace) {
      const late = await client.send({ path: `/api/v1/namespaces/${namespace}` })
      for (let n = 0; n < 3; n += 1) await client.get(namespaces, { name: namespace })
      const object = JSON.parse(new TextDecoder().decode(await readBody(late.body))) as {
        readonly metadata: { readonly name: string }
      }
      same(object.metadata.name, namespace)
    },
  },
]
