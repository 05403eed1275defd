// Services and endpoints as the API has them; nothing is routed.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { labelled, Objects, Refusal, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('kinds of the network', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const core = (resource: string, namespace?: string): Objects => new Objects(cluster, 'v1', resource, namespace)
  const isNotFound = (error: unknown): boolean => error instanceof Refusal && error.code === 404

  void test('[sig-network] Endpoints should test the lifecycle of an Endpoint [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('endpoints')
    const endpoints = core('endpoints', namespace)
    const name = 'testservice'
    const query = { labelSelector: 'test-endpoint-static=true' }
    const { metadata } = await endpoints.list(query)
    using watch = await endpoints.watch({ ...query, resourceVersion: metadata.resourceVersion })
    const subset = (ip: string, port: number): object => ({
      addresses: [{ ip }],
      ports: [{ name: 'http', port, protocol: 'TCP' }],
    })
    await endpoints.create({
      metadata: { name, labels: { 'test-endpoint-static': 'true' } },
      subsets: [subset('10.0.0.24', 80)],
    })
    await watch.until(({ type }) => type === 'ADDED')
    const { items } = await core('endpoints').list(query)
    assert.ok(items.some((each) => each.metadata.name === name && each.metadata.namespace === namespace))
    await endpoints.update(name, (each) => ({ ...each, metadata: labelled(each, { 'test-service': 'updated' }) }))
    await watch.until(({ type }) => type === 'MODIFIED')
    assert.equal((await endpoints.get(name)).metadata.labels?.['test-service'], 'updated')
    const patch = { metadata: { labels: { 'test-service': 'patched' } }, subsets: [subset('10.0.0.25', 8080)] }
    await endpoints.patch(name, patch, 'strategic')
    await watch.until(
      ({ type, object }) => type === 'MODIFIED' && object.metadata.labels?.['test-service'] === 'patched',
    )
    const patched = await endpoints.get(name)
    assert.equal(patched.metadata.labels?.['test-service'], 'patched')
    assert.deepEqual(patched['subsets'], [subset('10.0.0.25', 8080)])
    await endpoints.deleteCollection(query)
    await watch.until(({ type }) => type === 'DELETED')
    await assert.rejects(endpoints.get(name), isNotFound)
  })

  void test('[sig-network] Services should complete a service status lifecycle [Conformance]', deadline, async () => {
    const services = core('services', await cluster.namespace('services'))
    const name = fresh('test-service')
    const query = { labelSelector: 'test-service-static=true' }
    const { metadata } = await services.list(query)
    using watch = await services.watch({ ...query, resourceVersion: metadata.resourceVersion })
    const port = { name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }
    await services.create({
      metadata: { name, labels: { 'test-service-static': 'true' } },
      spec: { type: 'LoadBalancer', ports: [port] },
    })
    await watch.until(({ type, object }) => type === 'ADDED' && object.metadata.name === name)
    assert.equal((await core('services').list(query)).items.length, 1)

    const status = await services.get(name, 'status')
    assert.ok(typeof status['status'].loadBalancer === 'object')
    const ingress = [{ ip: '203.0.113.1' }]
    const patched = await services.patch(
      name,
      { metadata: { annotations: { patchedstatus: 'true' } }, status: { loadBalancer: { ingress } } },
      'merge',
      'status',
    )
    assert.equal(patched['status'].loadBalancer.ingress[0].ip, '203.0.113.1')
    assert.equal(patched.metadata.annotations?.['patchedstatus'], 'true')
    await watch.until(({ object }) => object.metadata.annotations?.['patchedstatus'] === 'true')

    const condition = { type: 'StatusUpdate', status: 'True', reason: 'E2E', message: 'Set from e2e test' }
    await services.update(
      name,
      (each) => ({
        ...each,
        status: { ...each['status'], conditions: [...(each['status'].conditions ?? []), condition] },
      }),
      'status',
    )
    await watch.until(({ object }) =>
      object['status'].conditions?.some(
        (each: typeof condition) => each.type === 'StatusUpdate' && each.reason === 'E2E',
      ),
    )
    await services.patch(name, { metadata: { labels: { 'test-service': 'patched' } } }, 'strategic')
    await watch.until(({ object }) => object.metadata.labels?.['test-service'] === 'patched')
    await services.update(name, (each) => ({ ...each, metadata: labelled(each, { 'test-service': 'updated' }) }))
    await watch.until(({ object }) => object.metadata.labels?.['test-service'] === 'updated')
    await services.delete(name)
    await watch.until(({ type }) => type === 'DELETED')
  })

  void test('[sig-network] Services should delete a collection of services [Conformance]', deadline, async () => {
    const services = core('services', await cluster.namespace('services'))
    const make = (name: string, labels: object): Promise<unknown> =>
      services.create({ metadata: { name, labels }, spec: { ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }] } })
    await make('e2e-svc-a', { 'e2e-type': 'first', 'e2e-group': 'services' })
    await make('e2e-svc-b', { 'e2e-type': 'first', 'e2e-group': 'services' })
    await make('e2e-svc-c', { 'e2e-type': 'second', 'e2e-group': 'services' })
    const all = { labelSelector: 'e2e-group=services' }
    assert.equal((await services.list(all)).items.length, 3)
    await services.deleteCollection({ labelSelector: 'e2e-type=first' })
    const { items } = await services.listed(all, (left) => left.length === 1)
    assert.equal(items[0]!.metadata.name, 'e2e-svc-c')
  })

  void test(
    '[sig-network] Services should find a service from listing all namespaces [Conformance]',
    deadline,
    async () => {
      const { items } = await core('services').list()
      const isIt = ({ metadata: { name, namespace } }: AnyObject): boolean =>
        name === 'kubernetes' && namespace === 'default'
      assert.ok(items.some(isIt))
    },
  )

  void test('[sig-network] API Server should provide secure master service [Conformance]', deadline, async () => {
    const service = await core('services', 'default').get('kubernetes')
    assert.ok(
      service['spec'].ports.some(({ name, port }: { name: string; port: number }) => name === 'https' && port === 443),
    )
  })
})
