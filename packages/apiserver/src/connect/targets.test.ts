// Which container, node and address a call means, and upstream's words where it means none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod, Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import { seededRandom, systemRandom } from '@aksel/base/ids'
import { systemClock } from '@aksel/base/clock'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { createConnectHandler } from './handler.ts'
import { chooseContainer, nodePath } from './pod-target.ts'
import { findProxyTarget, parseProxyName } from './proxy-target.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

const pod: Pod = {
  metadata: { name: 'web', namespace: 'default', uid: 'u1' },
  spec: {
    nodeName: 'n1',
    containers: [{ name: 'a', ports: [{ containerPort: 8080 }] }, { name: 'b' }],
    initContainers: [{ name: 'i' }],
  },
  status: { podIP: '10.244.0.7' },
}

const service: Service = {
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    ports: [
      { name: 'http', port: 80 },
      { name: 'tls', port: 443 },
    ],
  },
}

const slice: EndpointSlice = {
  metadata: { name: 'web-1', namespace: 'default' },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080 }],
  endpoints: [
    { addresses: ['10.244.0.8'], conditions: { ready: false }, nodeName: 'n0' },
    { addresses: ['10.244.0.7'], conditions: { ready: true }, nodeName: 'n1' },
  ],
}

function options(objects: { readonly [plural: string]: unknown }): ConnectOptions {
  return {
    nodes: { open: (name) => Promise.reject(new Error(`no tunnel to node "${name}"`)) },
    objects: {
      get: async (type) => objects[type.plural] as never,
      list: async () => ({ metadata: {}, items: objects['endpointslices'] as never }),
    },
  }
}

function callOf(parts: Partial<ConnectCall>): ConnectCall {
  return {
    resource: 'pods',
    subresource: 'log',
    namespace: 'default',
    name: 'web',
    proxyPath: '',
    method: 'GET',
    query: new URLSearchParams(),
    headers: {},
    body: (async function* () {})(),
    signal: new AbortController().signal,
    ...parts,
  }
}

test('chooseContainer() takes the one that is asked for, or the only one', () => {
  assert.equal(chooseContainer(pod, 'i'), 'i')
  assert.equal(chooseContainer({ ...pod, spec: { containers: [{ name: 'only' }] } }, null), 'only')
  assert.throws(() => chooseContainer(pod, ''), {
    reason: 'BadRequest',
    message: 'a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]',
  })
  assert.throws(() => chooseContainer(pod, 'x'), { message: 'container x is not valid for pod web' })
})

test('nodePath() names the pod by namespace, name and uid', () => {
  assert.equal(nodePath('exec', pod, 'a', new URLSearchParams({ tty: '1' })), '/exec/default/web/a?tty=1&uid=u1')
})

test('log options are judged as upstream judges them', async () => {
  const handler = createConnectHandler(options({ pods: pod }))
  const cases: readonly (readonly [string, string])[] = [
    [
      'tailLines=-1',
      'PodLogOptions "web" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
    ],
    ['limitBytes=0', 'PodLogOptions "web" is invalid: limitBytes: Invalid value: 0: must be greater than 0'],
    ['sinceSeconds=0', 'PodLogOptions "web" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
  ]
  for (const [query, message] of cases) {
    await assert.rejects(handler(scope, callOf({ query: new URLSearchParams(query) })), { reason: 'Invalid', message })
  }
})

test('a pod without a node has an empty log, and refuses sessions', async () => {
  const waiting = { ...pod, spec: { containers: [{ name: 'a' }] } }
  const handler = createConnectHandler(options({ pods: waiting }))
  const answer = await handler(scope, callOf({}))
  assert.ok(answer !== 'upgraded')
  assert.equal(answer.status, 200)
  const exec = callOf({ subresource: 'exec', query: new URLSearchParams('stdout=true&command=ls') })
  await assert.rejects(handler(scope, exec), { message: 'pod web does not have a host assigned' })
})

test('a session needs an upgrade, a stream and a command', async () => {
  const handler = createConnectHandler(options({ pods: pod }))
  const ask = (query: string) => handler(scope, callOf({ subresource: 'exec', query: new URLSearchParams(query) }))
  await assert.rejects(ask('container=a&command=ls'), { message: /at least one of stdin, stdout, stderr/ })
  await assert.rejects(ask('container=a&stdout=1'), { message: /at least one command/ })
  await assert.rejects(ask('container=a&stdout=1&command=ls'), { message: 'Upgrade request required' })
})

test('a node without a tunnel is answered as a Status without a reason', async () => {
  const handler = createConnectHandler(options({ pods: pod }))
  const answer = await handler(scope, callOf({ query: new URLSearchParams('container=a') }))
  assert.ok(answer !== 'upgraded')
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.body) chunks.push(chunk)
  const status = JSON.parse(Buffer.concat(chunks).toString()) as { message: string; reason?: string }
  assert.deepEqual(
    [answer.status, status.message, status.reason],
    [500, 'error dialing backend: no tunnel to node "n1"', undefined],
  )
})

test('parseProxyName() splits scheme, name and port', () => {
  assert.deepEqual(parseProxyName('web'), { scheme: 'http', name: 'web', port: '' })
  assert.deepEqual(parseProxyName('web:8080'), { scheme: 'http', name: 'web', port: '8080' })
  assert.deepEqual(parseProxyName('https:web:tls'), { scheme: 'https', name: 'web', port: 'tls' })
  assert.equal(parseProxyName('ftp:web:21'), undefined)
})

test('findProxyTarget() finds the pod, or a ready endpoint of the service, and the node to dial from', async () => {
  const objects = { pods: pod, services: service, endpointslices: [slice] }
  const find = (resource: 'pods' | 'services', name: string) =>
    findProxyTarget(seededRandom(1), options(objects), callOf({ resource, name }))
  const target = { scheme: 'http', host: '10.244.0.7', port: 8080, nodeName: 'n1' }
  assert.deepEqual(await find('pods', 'web'), target)
  assert.deepEqual(await find('pods', 'https:web:9'), { ...target, scheme: 'https', port: 9 })
  assert.deepEqual(await find('services', 'web:http'), target)
  assert.deepEqual(await find('services', 'web:80'), target)
  await assert.rejects(find('services', 'web:81'), { message: 'no service port "81" found for service "web"' })
  await assert.rejects(find('services', 'web:tls'), { message: 'no endpoints available for service "web"' })
})

test('the proxy of a node does not open its internal doors', async () => {
  const handler = createConnectHandler(options({}))
  for (const proxyPath of ['/dial', '/x/../dial', '/%64ial', '/exec/a/b/c', '/portForward/a/b', '/%zz']) {
    const call = callOf({ resource: 'nodes', subresource: 'proxy', name: 'n1', proxyPath })
    await assert.rejects(handler(scope, call), { reason: 'Forbidden' })
  }
})
