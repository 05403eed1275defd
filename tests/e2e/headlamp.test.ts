// Stock Headlamp cannot be installed here (a Go server that no package registry of ours carries): so its calls are made, one by one, with
// the protocols that its front end and its multiplexer use, against a cluster of real containers.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { WebSocket } from 'ws'
import { conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { repositoryRoot } from './aksel.ts'
import { bearerProtocol, channelProtocols, lists, optionalLists, streamProtocol } from './headlamp-calls.ts'
import { HeadlampClient } from './headlamp-client.ts'

const deadline = { timeout: 180_000 }
const name = 'headlamp'

void suite('what Headlamp asks', () => {
  let cluster: ConformanceCluster
  let client: HeadlampClient
  let namespace: string

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1 })
    const { aksel } = cluster
    namespace = await cluster.namespace(name)
    await aksel.kubectl(['create', 'serviceaccount', name, '-n', namespace])
    const binding = ['clusterrolebinding', name, '--clusterrole=cluster-admin', `--serviceaccount=${namespace}:${name}`]
    await aksel.kubectl(['create', ...binding])
    const token = (await aksel.kubectl(['create', 'token', name, '-n', namespace])).trim()
    const { server, caData } = cluster.config.getCurrentCluster()!
    client = new HeadlampClient({ server, caPem: Buffer.from(caData!, 'base64').toString(), token })
    await client.json('POST', `/api/v1/namespaces/${namespace}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'talker' },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'main',
            image: 'docker.io/library/busybox:1.36',
            stdin: true,
            tty: true,
            command: ['sh', '-c', 'echo first line; while read -r line; do echo "heard $line"; done'],
          },
        ],
      },
    })
    await aksel.kubectl(['wait', 'pod/talker', '-n', namespace, '--for=condition=Ready', '--timeout=120s'])
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test('is named in docs/coverage/headlamp.md', async () => {
    const page = await readFile(join(repositoryRoot, 'docs/coverage/headlamp.md'), 'utf8')
    for (const path of [...lists.map(([path]) => path), ...optionalLists])
      assert.ok(page.includes(`\`${path}\``), `${path} is not in the table`)
  })

  void test('to begin with: health, version, rights, discovery, documentation', deadline, async () => {
    assert.equal((await client.send('GET', '/healthz')).text, 'ok')
    assert.match(String((await client.json<{ gitVersion: string }>('GET', '/version')).gitVersion), /^v1\.\d+\.\d+/)
    const rules = await client.json<{ status: { resourceRules: object[] } }>(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
      { spec: { namespace: 'default' } },
    )
    assert.ok(rules.status.resourceRules.length > 0)
    const access = await client.json<{ status: { allowed: boolean } }>(
      'POST',
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      {
        kind: 'SelfSubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        spec: { resourceAttributes: { namespace, resource: 'pods', verb: 'delete' } },
      },
    )
    assert.equal(access.status.allowed, true)
    const groups = await client.json<{ groups: { name: string }[] }>('GET', '/apis')
    assert.ok(groups.groups.some((group) => group.name === 'apps'))
    const core = await client.json<{ resources: { name: string }[] }>('GET', '/api/v1')
    assert.ok(core.resources.some((resource) => resource.name === 'pods/log'))
    const openapi = await client.json<{ definitions: Record<string, object> }>('GET', '/openapi/v2')
    assert.ok(openapi.definitions['io.k8s.api.core.v1.Pod'] !== undefined)
    const wrong = new HeadlampClient({ ...client.access, token: 'nonsense' })
    assert.equal((await wrong.send('GET', '/api/v1/nodes')).status, 401)
  })

  void test('every list of its pages, and the metrics', deadline, async () => {
    for (const [path, kind] of lists) {
      const list = await client.json<{ kind: string; items: object[]; metadata: { resourceVersion: string } }>(
        'GET',
        path,
      )
      assert.equal(list.kind, kind, path)
      assert.ok(Array.isArray(list.items) && Number(list.metadata.resourceVersion) > 0, path)
    }
    for (const path of optionalLists) {
      const { status } = await client.send('GET', path)
      assert.ok(status === 200 || status === 404, `${path}: ${status}`)
    }
    for (const path of ['/apis/metrics.k8s.io/v1beta1/nodes', '/apis/metrics.k8s.io/v1beta1/pods']) {
      const { items } = await client.json<{ items: object[] }>('GET', path)
      assert.ok(Array.isArray(items), path)
    }
  })

  void test(
    'a watch over a socket with the token as a subprotocol, as its multiplexer opens it',
    deadline,
    async () => {
      const path = `/api/v1/namespaces/${namespace}/configmaps`
      const { metadata } = await client.json<{ metadata: { resourceVersion: string } }>('GET', path)
      await using stream = await client.stream(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, {
        origin: client.access.server,
      })
      await client.json('POST', path, { metadata: { name: 'seen' }, data: { a: 'b' } })
      const event = JSON.parse(await stream.says(/"seen"/)) as { type: string; object: { metadata: { name: string } } }
      assert.deepEqual([event.type, event.object.metadata.name], ['ADDED', 'seen'])
    },
  )

  void test('edits: create, conflict and PUT, merge patch, scale, delete', deadline, async () => {
    const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
    const body = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'b' }] } },
      },
    }
    await client.json('POST', deployments, body)
    // Its editor posts first, and puts where the object is there.
    assert.equal((await client.send('POST', deployments, body)).status, 409)
    const configMaps = `/api/v1/namespaces/${namespace}/configmaps`
    interface Edited {
      readonly metadata: { readonly resourceVersion: string }
      readonly data: Readonly<Record<string, string>>
    }
    const made = await client.json<Edited>('POST', configMaps, { metadata: { name: 'edited' }, data: { a: 'b' } })
    const put = await client.json<Edited>('PUT', `${configMaps}/edited`, { ...made, data: { a: 'c' } })
    assert.deepEqual(put.data, { a: 'c' })
    assert.equal((await client.send('PUT', `${configMaps}/edited`, { ...made, data: { a: 'd' } })).status, 409)
    const patch = await client.send('PATCH', `${deployments}/web/scale`, { spec: { replicas: 1 } })
    assert.match(patch.text, /"replicas":1/)
    const restart = {
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': 'now' } } } },
    }
    assert.equal((await client.send('PATCH', `${deployments}/web`, restart)).status, 200)
    assert.equal((await client.send('DELETE', `${deployments}/web`)).status, 200)
  })

  void test('logs over a socket, each piece in base64', deadline, async () => {
    const query = 'container=main&previous=false&timestamps=false&follow=true&tailLines=100'
    await using stream = await client.stream(`/api/v1/namespaces/${namespace}/pods/talker/log?${query}`)
    assert.equal(stream.protocol, streamProtocol)
    assert.match(Buffer.from(await stream.says(/./), 'base64').toString(), /first line/)
  })

  for (const [verb, query, typed, heard] of [
    ['exec', 'container=main&command=sh&stdin=1&stderr=1&stdout=1&tty=1', 'echo it-$((40+2))\n', /it-42/],
    ['attach', 'container=main&stdin=true&stderr=true&stdout=true&tty=true', 'you\n', /heard you/],
  ] as const)
    void test(`${verb} over a socket, by channels`, deadline, async () => {
      await using stream = await client.stream(`/api/v1/namespaces/${namespace}/pods/talker/${verb}?${query}`, {
        more: channelProtocols,
      })
      assert.equal(stream.protocol, 'v4.channel.k8s.io')
      stream.type(4, JSON.stringify({ Width: 80, Height: 24 }))
      stream.type(0, typed)
      await stream.hears(heard)
    })

  void test('a socket whose token is wrong is refused', deadline, async () => {
    const url = `${client.access.server.replace('https', 'wss')}/api/v1/pods?watch=1`
    const socket = new WebSocket(url, [streamProtocol, bearerProtocol('nonsense')], { ca: client.access.caPem })
    const status = await new Promise<number>((resolve, reject) => {
      socket.once('unexpected-response', (_call, answer) => resolve(answer.statusCode ?? 0))
      socket.once('open', () => reject(new Error('it was let in')))
      socket.once('error', () => {})
    })
    socket.terminate()
    assert.equal(status, 401)
  })
})
