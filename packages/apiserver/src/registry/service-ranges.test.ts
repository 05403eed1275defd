// Service addresses have an IPAddress object each, and come from every ServiceCIDR.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { KubernetesObject } from '@aksel/api/resource'
import { createMemoryStore } from '@aksel/store/memory-store'
import { startTestServer, testScope, type TestServer } from '../test-server.ts'

interface Listed {
  readonly items: readonly (KubernetesObject & { readonly spec: { readonly parentRef: { readonly name: string } } })[]
}

const services = '/api/v1/namespaces/default/services'
const addresses = '/apis/networking.k8s.io/v1/ipaddresses'
const ranges = '/apis/networking.k8s.io/v1/servicecidrs'

function service(name: string, clusterIP?: string): object {
  return { metadata: { name }, spec: { ports: [{ port: 80 }], ...(clusterIP === undefined ? {} : { clusterIP }) } }
}

async function holders(test: TestServer): Promise<Readonly<Record<string, string>>> {
  const { items } = (await test.ask(addresses)).json as unknown as Listed
  return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.parentRef.name]))
}

void suite('service addresses', () => {
  void test('have an object each, made and removed with their service', async () => {
    await using server = await startTestServer()
    assert.deepEqual(await holders(server), { '10.0.0.1': 'kubernetes' })
    const made = await server.ask(services, { body: service('web', '10.0.7.7') })
    assert.equal(made.status, 201, made.text)
    const found = await server.ask(`${addresses}/10.0.7.7`)
    const { metadata, spec } = found.json as { metadata: Record<string, unknown>; spec: unknown }
    assert.deepEqual(metadata['labels'], {
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    })
    assert.deepEqual(spec, { parentRef: { resource: 'services', namespace: 'default', name: 'web' } })
    await server.ask(`${services}/web`, { method: 'DELETE' })
    const again = await server.ask(services, { body: service('other', '10.0.7.7') })
    assert.equal(again.status, 201, again.text)
    assert.deepEqual(await holders(server), { '10.0.0.1': 'kubernetes', '10.0.7.7': 'other' })
  })

  void test('are what they mean, however they were written, and stay as they were written', async () => {
    await using server = await startTestServer()
    const body = service('web', '010.0.7.7')
    const made = await server.ask(services, { body })
    assert.equal(made.status, 201, made.text)
    assert.match(
      String(made.headers['warning']),
      /non-standard IP address \\"010.0.7.7\\" is invalid: use \\"10.0.7.7\\"/,
    )
    const { spec } = made.json as unknown as { spec: { clusterIP: string; clusterIPs: readonly string[] } }
    assert.deepEqual([spec.clusterIP, spec.clusterIPs], ['010.0.7.7', ['010.0.7.7']])
    assert.deepEqual(await holders(server), { '10.0.0.1': 'kubernetes', '10.0.7.7': 'web' })
    const taken = await server.ask(services, { body: service('other', '10.0.7.7') })
    assert.match(taken.text, /provided IP is already allocated/)
    const again = await server.ask(`${services}/web`, {
      method: 'PATCH',
      body,
      headers: { 'content-type': 'application/merge-patch+json' },
    })
    assert.equal(again.status, 200, again.text)
    await server.ask(`${services}/web`, { method: 'DELETE' })
    assert.deepEqual(await holders(server), { '10.0.0.1': 'kubernetes' })
  })

  void test('leave no object behind a dry run or a refusal', async () => {
    await using server = await startTestServer()
    await server.ask(`${services}?dryRun=All`, { body: service('dry', '10.0.7.7') })
    const bad = {
      ...service('bad', '10.0.7.8'),
      spec: { clusterIP: '10.0.7.8', type: 'NodePort', ports: [{ port: 80, nodePort: 1 }] },
    }
    assert.equal((await server.ask(services, { body: bad })).status, 422)
    const good = await server.ask(services, { body: service('good', '10.0.7.8') })
    assert.equal(good.status, 201, good.text)
    assert.deepEqual(await holders(server), { '10.0.0.1': 'kubernetes', '10.0.7.8': 'good' })
  })

  void test('that somebody else holds by an object are not given', async () => {
    await using server = await startTestServer()
    const parentRef = { resource: 'gadgets', group: 'example.com', name: 'g' }
    const held = await server.ask(addresses, { body: { metadata: { name: '10.0.7.7' }, spec: { parentRef } } })
    assert.equal(held.status, 201, held.text)
    const refused = await server.ask(services, { body: service('web', '10.0.7.7') })
    assert.match(refused.text, /failed to allocate IP 10.0.7.7: provided IP is already allocated/)
    await server.ask(`${addresses}/10.0.7.7`, { method: 'DELETE' })
    assert.equal((await server.ask(services, { body: service('web', '10.0.7.7') })).status, 201)
  })

  void test('come from a ServiceCIDR as soon as it is there, and no longer when it is gone', async () => {
    await using server = await startTestServer()
    const before = await server.ask(services, { body: service('early', '172.30.0.9') })
    assert.match(before.text, /is not in the valid range. The range of valid IPs is 10.0.0.0\/16/)
    await server.ask(ranges, { body: { metadata: { name: 'more' }, spec: { cidrs: ['172.30.0.0/24'] } } })
    assert.equal((await server.ask(services, { body: service('web', '172.30.0.9') })).status, 201)
    await server.ask(`${ranges}/more`, { method: 'DELETE' })
    assert.equal((await server.ask(services, { body: service('late', '172.30.0.10') })).status, 422)
  })

  void test('are told again by their services after a crash, and orphans go', async () => {
    const stop = new AbortController()
    await using store = createMemoryStore(testScope([], stop.signal))
    {
      await using first = await startTestServer({ store })
      await first.ask(services, { body: service('web', '10.0.7.7') })
      // As if the server had died between two writes.
      await store.transact({
        guards: [],
        writes: [{ kind: 'delete', key: 'clusters/test/services/specs/default/web' }],
      })
    }
    await using second = await startTestServer({ store })
    assert.equal((await second.ask(services, { body: service('next', '10.0.7.7') })).status, 201)
    assert.deepEqual(await holders(second), { '10.0.0.1': 'kubernetes', '10.0.7.7': 'next' })
    stop.abort()
  })

  void test('of a service get their object back when somebody deletes it', async () => {
    await using server = await startTestServer()
    await server.ask(services, { body: service('web', '10.0.7.7') })
    await server.ask(`${addresses}/10.0.7.7`, { method: 'DELETE' })
    const taken = await server.ask(services, { body: service('thief', '10.0.7.7') })
    assert.equal(taken.status, 422, taken.text)
  })
})
