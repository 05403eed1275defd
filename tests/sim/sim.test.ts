// The simulation in the gate: many seeds end well, a seed tells the same story twice, and planted bugs are found.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { pods } from '@aksel/api/resources'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Client } from '@aksel/client/client'
import { newFrontProxy } from '@aksel/apiserver/aggregation/front-proxy'
import { createAuthority, createServiceAccountKey } from '@aksel/runtime/pki'
import type { PlantedBugs, ServerKeys } from '@aksel/testing/simulation/simulated-cluster'
import { sized } from '@aksel/testing/test-size'
import { testScope } from '@aksel/testing/test-scope'
import { simulate } from './simulate.ts'

let keys: ServerKeys

before(async () => {
  using scope = testScope()
  const authority = await createAuthority(scope, { commonName: 'ca', years: 10 })
  keys = {
    clientAuthority: authority.certificatePem,
    serviceAccountKey: await createServiceAccountKey(),
    frontProxy: await newFrontProxy(scope),
  }
  // What is loaded from files on first use must not come in the middle of a run.
  await simulate({ seed: 1, keys, steps: 2 })
})

const seeds = sized({ gate: 200, full: 1000 })
const steps = sized({ gate: 8, full: 25 })

test(`${seeds} seeds: nothing unsafe ever shows, and everything comes to rest`, async () => {
  const failed: string[] = []
  let promises = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const verdict = await simulate({ seed, keys, steps })
    promises += verdict.promises
    if (verdict.failures.length > 0) failed.push(`seed ${seed}: ${verdict.failures.join('; ')}`)
  }
  assert.deepEqual(failed, [], 'run `npm run sim -- SEED` to see one step by step')
  assert.ok(promises > seeds * steps, `only ${promises} writes were promised: the runs test too little`)
})

test('a seed tells the same story twice', async () => {
  for (const seed of [3, 14, 27]) assert.deepEqual(await simulate({ seed, keys }), await simulate({ seed, keys }))
})

/** A client whose creations of pods go through `change`. */
function withPods(change: (client: Client, pod: KubernetesObject) => Promise<KubernetesObject>): PlantedBugs {
  return {
    controllersClient: (client) => ({
      ...forwarded(client),
      create: <T extends KubernetesObject>(type: ResourceType<T>, object: T, options?: object) =>
        (type as ResourceType).plural === pods.plural
          ? (change(client, object) as Promise<T>)
          : client.create(type, object, options),
    }),
  }
}

/** The methods of a class do not come along with a spread. */
function forwarded(client: Client): Client {
  return {
    get: (type, ref) => client.get(type, ref),
    list: (type, options) => client.list(type, options),
    create: (type, object, options) => client.create(type, object, options),
    update: (type, object, options) => client.update(type, object, options),
    patch: (type, ref, patch, options) => client.patch(type, ref, patch, options),
    delete: (type, ref, options) => client.delete(type, ref, options),
    deleteCollection: (type, options) => client.deleteCollection(type, options),
    createSubresource: (type, ref, subresource, body) => client.createSubresource(type, ref, subresource, body),
    watch: (type, options) => client.watch(type, options),
    send: (request) => client.send(request),
  }
}

const bugs: readonly { readonly name: string; readonly bugs: PlantedBugs; readonly words: RegExp }[] = [
  {
    name: 'a disk that says it wrote what it did not',
    bugs: { lyingDisk: true },
    words: /config map "c\d" holds|the store does not open: .* it is damaged/,
  },
  {
    name: 'a creation that is sent twice',
    bugs: withPods(async (client, pod) => {
      await client.create(pods, pod as never)
      return client.create(pods, pod as never)
    }),
    words: /active pods of (ReplicaSet|Job) .* were asked for/,
  },
  {
    name: 'pods made in the wrong namespace',
    bugs: withPods((client, pod) =>
      client.create(pods, { ...pod, metadata: { ...pod.metadata, namespace: 'default' } } as never),
    ),
    words: /is owned by work\/.* of another namespace/,
  },
]

for (const { name, bugs: planted, words } of bugs) {
  test(`a planted bug is found: ${name}`, async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const { failures } = await simulate({ seed, keys, bugs: planted, restMs: 10_000 })
      if (failures.some((failure) => words.test(failure))) return
    }
    assert.fail('twelve seeds did not find it')
  })
}
