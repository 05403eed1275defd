// APIServices: those that this server keeps for itself, and one of another server, from its first check to its removal.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { apiServices } from '@aksel/api/resources'
import { availableCondition } from '@aksel/api/kinds/api-service'
import type { APIServiceCondition } from '@aksel/api/types/apiregistration-v1'
import { crds, install, loose } from '../custom-resources/test-definitions.ts'
import { clientCertificate, listenForTest, startTestServer, type TestServer } from '../test-server.ts'
import { root, startSampleServer, type SampleServer } from './test-flunders.ts'

const path = '/apis/apiregistration.k8s.io/v1/apiservices'
const name = 'v1alpha1.wardle.example.com'
const flunders = `${root}/namespaces/default/flunders`

/** Resolves when the APIService's condition makes the predicate true. */
async function judged(
  server: TestServer,
  of: string,
  wanted: (condition: APIServiceCondition | undefined) => boolean,
): Promise<APIServiceCondition | undefined> {
  const signal = AbortSignal.timeout(10_000)
  const client = server.client()
  const { items, metadata } = await client.list(apiServices, { fieldSelector: `metadata.name=${of}` })
  const first = items[0] === undefined ? undefined : availableCondition(items[0])
  if (wanted(first)) return first
  const { resourceVersion = '0' } = metadata as { readonly resourceVersion?: string }
  for await (const event of client.watch(apiServices, {
    resourceVersion,
    signal,
    fieldSelector: `metadata.name=${of}`,
  })) {
    if (event.type === 'BOOKMARK') continue
    const found = event.type === 'DELETED' ? undefined : availableCondition(event.object)
    if (wanted(found)) return found
  }
  throw new Error(`the watch of ${of} ended`)
}

function apiService(sample: SampleServer, more: object = {}): object {
  return {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name },
    spec: {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      caBundle: sample.caBundle,
      service: { namespace: 'default', name: 'sample-api', port: sample.port },
      ...more,
    },
  }
}

/** A Service that leads to this host: its endpoints need no cluster network. */
function outside(): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'sample-api' },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  }
}

async function register(server: TestServer, sample: SampleServer): Promise<void> {
  loose(await server.ask('/api/v1/namespaces/default/services', { body: outside() }), 201)
  loose(await server.ask(path, { body: apiService(sample) }), 201)
  await judged(server, name, (condition) => condition?.status === 'True')
}

test('every group version of our own has an APIService, and a custom one as long as it is served', async () => {
  await using server = await startTestServer()
  const apps = loose(await server.ask(`${path}/v1.apps`))
  assert.equal(apps['metadata']!['labels']!['kube-aggregator.kubernetes.io/automanaged'] as unknown, 'onstart')
  assert.equal(apps['status']!['conditions']![0]!['reason'] as unknown, 'Local')
  assert.equal((await server.ask(`${path}/v1.`)).status, 200)
  await install(server, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'tins.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'tins', kind: 'Tin' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  })
  await judged(server, 'v1.example.com', (condition) => condition?.reason === 'Local')
  const own = loose(await server.ask(`${path}/v1.example.com`))
  assert.equal(own['metadata']!['labels']!['kube-aggregator.kubernetes.io/automanaged'] as unknown, 'true')
  assert.deepEqual([own['spec']!['groupPriorityMinimum'], own['spec']!['versionPriority']] as unknown, [1000, 100])
  loose(await server.ask(`${crds}/tins.example.com`, { method: 'DELETE' }))
  await judged(server, 'v1.example.com', (condition) => condition === undefined)
  assert.deepEqual(server.lines, [])
})

test('another server answers for its group version, as the user that asked', async () => {
  await using server = await startTestServer()
  await using sample = await startSampleServer(server)
  await register(server, sample)
  const body = { apiVersion: 'wardle.example.com/v1alpha1', kind: 'Flunder', metadata: { name: 'one' } }
  loose(await server.ask(flunders, { body }), 201)
  const list = loose(
    await server.ask(flunders, { headers: { 'x-remote-user': 'somebody', authorization: 'Bearer x' } }),
  )
  assert.equal(list['items']![0]!['metadata']!['name'] as unknown, 'one')
  assert.equal((await server.ask(`${flunders}/two`)).status, 404)
  const stranger = { name: 'jane', groups: ['dev', 'system:authenticated'] }
  assert.equal((await server.ask(flunders, { user: stranger })).status, 403)
  assert.deepEqual(sample.seen, [
    `POST ${flunders} as masterclient in system:authenticated,system:masters`,
    `GET ${flunders} as masterclient in system:authenticated,system:masters`,
    `GET ${flunders}/two as masterclient in system:authenticated,system:masters`,
  ])
  const watch = server.server.transportFor({ name: 'masterclient', groups: ['system:masters'] }).send({
    method: 'GET',
    path: `${flunders}?watch=1`,
    headers: {},
  })
  const response = await watch
  sample.announce('ADDED', 'one')
  for await (const piece of response.body) {
    assert.match(Buffer.from(piece).toString('utf8'), /"type":"ADDED".*"name":"one"/)
    break
  }
})

test('what another server serves is in discovery and in OpenAPI, until its APIService goes', async () => {
  await using server = await startTestServer()
  await using sample = await startSampleServer(server)
  await register(server, sample)
  const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const groups = loose(await server.ask('/apis', { headers: { accept: aggregated } }))['items']!
  const own = groups.find((one) => (one['metadata']!['name'] as unknown) === 'wardle.example.com')!['versions']![0]!
  assert.equal(own['freshness'] as unknown, 'Current')
  assert.deepEqual(
    own['resources']!.map((one) => [one['resource'], one['scope'], one['subresources']!.length] as unknown),
    [['flunders', 'Namespaced', 1]],
  )
  assert.equal((await server.ask('/apis/wardle.example.com')).status, 200)
  const legacy = loose(await server.ask(root))
  assert.equal(legacy['resources']!.length, 2)
  const index = loose(await server.ask('/openapi/v3'))['paths'] as unknown as Record<string, object>
  const { serverRelativeURL } = index['apis/wardle.example.com/v1alpha1'] as { readonly serverRelativeURL: string }
  const document = loose(await server.ask(serverRelativeURL))
  assert.ok(document['components']!['schemas']!['com.example.wardle.v1alpha1.Flunder'])
  const merged = loose(await server.ask('/openapi/v2'))
  assert.ok(merged['definitions']!['com.example.wardle.v1alpha1.Flunder'])
  assert.ok(merged['paths']![`${flunders.replace('default', '{namespace}')}`])

  loose(await server.ask(`${path}/${name}`, { method: 'DELETE' }))
  assert.equal((await server.ask(root)).status, 404)
  assert.equal((await server.ask(flunders)).status, 404)
  assert.equal((await server.ask('/apis/wardle.example.com')).status, 404)
})

test('an APIService says what its server lacks, and calls are refused as long as it does', async () => {
  await using server = await startTestServer()
  await using sample = await startSampleServer(server)
  const service = { namespace: 'default', name: 'sample-api', port: 443 }
  loose(await server.ask(path, { body: apiService(sample, { service }) }), 201)
  const condition = (reason: string) => judged(server, name, (found) => found?.reason === reason)
  assert.equal((await condition('ServiceNotFound'))?.message, 'service/sample-api in "default" is not present')
  const refused = await server.ask(flunders)
  assert.deepEqual([refused.status, refused.text], [503, 'service unavailable\n'])
  const services = '/api/v1/namespaces/default/services'
  const spec = { ports: [{ port: 443, targetPort: sample.port }] }
  loose(await server.ask(services, { body: { metadata: { name: 'sample-api' }, spec } }), 201)
  assert.equal(
    (await condition('EndpointsNotFound'))?.message,
    'cannot find endpointslices for service/sample-api in "default"',
  )
  const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices'
  const metadata = { name: 'sample-api-1', labels: { 'kubernetes.io/service-name': 'sample-api' } }
  const empty = { metadata, addressType: 'IPv4', endpoints: [], ports: [{ name: '', port: 1 }] }
  loose(await server.ask(slices, { body: empty }), 201)
  await condition('MissingEndpoints')
  loose(await server.ask(`${slices}/sample-api-1`, { method: 'DELETE' }))
  loose(await server.ask(`${services}/sample-api`, { method: 'DELETE' }))
  loose(await server.ask(services, { body: outside() }), 201)
  const headers = { 'content-type': 'application/merge-patch+json' }
  sample.fail(403)
  const there = { spec: { service: { port: sample.port } } }
  loose(await server.ask(`${path}/${name}`, { method: 'PATCH', headers, body: there }))
  const url = `https://sample-api.default.svc:${sample.port}${root}`
  const message = `failing or missing response from ${url}: bad status from ${url}: 403`
  await judged(server, name, (found) => found?.reason === 'FailedDiscoveryCheck' && found.message === message)
  sample.fail(200)
  loose(await server.ask(`${path}/${name}`, { method: 'PATCH', headers, body: { metadata: { labels: { a: 'b' } } } }))
  assert.equal((await condition('Passed'))?.message, 'all checks passed')
  assert.equal((await server.ask(flunders)).status, 200)
})

test('a request to change protocols goes through to the other server', async () => {
  await using server = await startTestServer()
  await using sample = await startSampleServer(server)
  await register(server, sample)
  const { port } = await listenForTest(server)
  const { certificatePem, keyPem } = await clientCertificate(server, { name: 'root', groups: ['system:masters'] })
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, cert: certificatePem, key: keyPem })
  const head = ['host: x', 'connection: Upgrade', 'upgrade: echo'].join('\r\n')
  socket.write(`GET ${flunders}/one/attach HTTP/1.1\r\n${head}\r\n\r\n`)
  let read = ''
  for await (const piece of socket.setEncoding('utf8') as AsyncIterable<string>) {
    if (read === '') socket.write('hello')
    read += piece
    if (read.endsWith('hello')) break
  }
  assert.match(read, /^HTTP\/1.1 101 Switching Protocols/)
  assert.deepEqual(sample.seen, [`upgrade ${flunders}/one/attach as root`])
})

test('an APIService that is not right is refused', async () => {
  await using server = await startTestServer()
  await using sample = await startSampleServer(server)
  const cases: readonly (readonly [object, string])[] = [
    [
      { version: 'v2' },
      'metadata.name: Invalid value: "v1alpha1.wardle.example.com": must be `spec.version+"."+spec.group`: "v2.wardle.example.com"',
    ],
    [
      { groupPriorityMinimum: 20_001 },
      'spec.groupPriorityMinimum: Invalid value: 20001: must be positive and less than 20000',
    ],
    [{ versionPriority: 0 }, 'spec.versionPriority: Invalid value: 0: must be positive and less than 1000'],
    [
      { insecureSkipTLSVerify: true },
      'spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present',
    ],
    [{ service: { name: 'x' } }, 'spec.service.namespace: Required value'],
    [
      { service: { name: 'x', namespace: 'y', port: 70_000 } },
      'spec.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive',
    ],
  ]
  for (const [spec, words] of cases) {
    const { status, json } = await server.ask(path, { body: apiService(sample, spec) })
    assert.deepEqual(
      [status, json['message']],
      [422, `APIService.apiregistration.k8s.io ${JSON.stringify(name)} is invalid: ${words}`],
    )
  }
})
