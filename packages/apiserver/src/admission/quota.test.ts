// Quotas and limit ranges through the whole server, in upstream's words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'

async function server(): Promise<TestServer> {
  const api = await startTestServer()
  await api.ask('/api/v1/namespaces', { body: { metadata: { name: 'web' } } })
  await api.ask('/api/v1/namespaces/web/serviceaccounts', { body: { metadata: { name: 'default' } } })
  return api
}

const quotas = '/api/v1/namespaces/web/resourcequotas'
const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } }

/** A quota as its controller leaves it: nothing used yet. */
async function quota(api: TestServer, name: string, hard: Record<string, string>, spec: object = {}): Promise<void> {
  const made = await api.ask(quotas, { body: { metadata: { name }, spec: { hard, ...spec } } })
  assert.equal(made.status, 201, made.text)
  const used = Object.fromEntries(Object.keys(hard).map((key) => [key, '0']))
  const status = await api.ask(`${quotas}/${name}/status`, { ...merge, body: { status: { hard, used } } })
  assert.equal(status.status, 200, status.text)
}

async function used(api: TestServer, name: string): Promise<unknown> {
  const { json } = await api.ask(`${quotas}/${name}`)
  return (json['status'] as { used: unknown }).used
}

function pod(api: TestServer, name: string, resources?: object, query = ''): Promise<Asked> {
  return api.ask(`/api/v1/namespaces/web/pods${query}`, {
    body: {
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'a', ...(resources === undefined ? {} : { resources }) }] },
    },
  })
}

function configMap(api: TestServer, name: string): Promise<Asked> {
  return api.ask('/api/v1/namespaces/web/configmaps', { body: { metadata: { name } } })
}

test('200 creates at once get exactly what the quota has', async () => {
  await using api = await server()
  await quota(api, 'q', { 'count/configmaps': '37', configmaps: '37' })
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => (await configMap(api, `c-${index}`)).status),
  )
  assert.equal(statuses.filter((status) => status === 201).length, 37)
  assert.equal(statuses.filter((status) => status === 403).length, 163)
  assert.deepEqual(await used(api, 'q'), { 'count/configmaps': '37', configmaps: '37' })
  const { json } = await api.ask('/api/v1/namespaces/web/configmaps')
  assert.equal((json['items'] as unknown[]).length, 37)
})

test('what passes a quota is refused with what was asked, used and allowed', async () => {
  await using api = await server()
  await quota(api, 'q', { pods: '2', 'requests.cpu': '1', 'requests.memory': '1Gi', 'limits.cpu': '2' })
  const unstated = await pod(api, 'a')
  assert.equal(
    unstated.json['message'],
    'pods "a" is forbidden: failed quota: q: must specify limits.cpu for: c; requests.cpu for: c; requests.memory for: c',
  )
  const fits = { requests: { cpu: '600m', memory: '500Mi' }, limits: { cpu: '1' } }
  assert.equal((await pod(api, 'dry', fits, '?dryRun=All')).status, 201)
  assert.equal((await pod(api, 'a', fits)).status, 201)
  assert.deepEqual(await used(api, 'q'), {
    pods: '1',
    'requests.cpu': '600m',
    'requests.memory': '500Mi',
    'limits.cpu': '1',
  })
  const refused = await pod(api, 'b', { requests: { cpu: '500m', memory: '600Mi' }, limits: { cpu: '1' } })
  assert.deepEqual(
    [refused.status, refused.json['message']],
    [
      403,
      'pods "b" is forbidden: exceeded quota: q, requested: requests.cpu=500m,requests.memory=600Mi, used: requests.cpu=600m,requests.memory=500Mi, limited: requests.cpu=1,requests.memory=1Gi',
    ],
  )
})

test('a quota whose status is not known yet holds everything up', async () => {
  await using api = await server()
  await api.ask(quotas, { body: { metadata: { name: 'q' }, spec: { hard: { pods: '1', secrets: '2' } } } })
  assert.equal(
    (await pod(api, 'a')).json['message'],
    'pods "a" is forbidden: status unknown for quota: q, resources: pods,secrets',
  )
  assert.equal((await configMap(api, 'a')).status, 201)
})

test('quotas with scopes are about the objects in them alone', async () => {
  await using api = await server()
  await quota(api, 'best-effort', { pods: '0' }, { scopes: ['BestEffort'] })
  assert.match(
    (await pod(api, 'a')).text,
    /exceeded quota: best-effort, requested: pods=1, used: pods=0, limited: pods=0/,
  )
  assert.equal((await pod(api, 'a', { requests: { cpu: '1m' } })).status, 201)
})

test('an update is charged for what it takes beyond before', async () => {
  await using api = await server()
  await quota(api, 'q', { services: '2', 'services.nodeports': '1', 'services.loadbalancers': '0' })
  const services = '/api/v1/namespaces/web/services'
  const made = await api.ask(services, { body: { metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } } })
  assert.equal(made.status, 201, made.text)
  const opened = await api.ask(`${services}/a`, { ...merge, body: { spec: { type: 'NodePort' } } })
  assert.equal(opened.status, 200, opened.text)
  assert.deepEqual(await used(api, 'q'), { services: '1', 'services.nodeports': '1', 'services.loadbalancers': '0' })
  const balanced = await api.ask(`${services}/a`, { ...merge, body: { spec: { type: 'LoadBalancer' } } })
  assert.match(
    balanced.text,
    /exceeded quota: q, requested: services\.loadbalancers=1, used: services\.loadbalancers=0, limited: services\.loadbalancers=0/,
  )
})

test('limit ranges fill in what containers leave open, and say so', async () => {
  await using api = await server()
  await api.ask('/api/v1/namespaces/web/limitranges', {
    body: {
      metadata: { name: 'l' },
      spec: {
        limits: [
          {
            type: 'Container',
            min: { cpu: '50m' },
            max: { cpu: '500m', memory: '500Mi' },
            default: { cpu: '500m', memory: '500Mi' },
            defaultRequest: { cpu: '100m', memory: '200Mi' },
            maxLimitRequestRatio: { cpu: '5' },
          },
        ],
      },
    },
  })
  const { json } = await pod(api, 'a')
  const { metadata, spec } = json as {
    metadata: { annotations: Record<string, string> }
    spec: { containers: { resources: unknown }[] }
  }
  assert.deepEqual(spec.containers[0]!.resources, {
    requests: { cpu: '100m', memory: '200Mi' },
    limits: { cpu: '500m', memory: '500Mi' },
  })
  assert.equal(
    metadata.annotations['kubernetes.io/limit-ranger'],
    'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c',
  )
  const wrong = await pod(api, 'b', { requests: { cpu: '40m' }, limits: { cpu: '600m', memory: '1Gi' } })
  assert.deepEqual(
    [wrong.status, wrong.json['message']],
    [
      403,
      'pods "b" is forbidden: [minimum cpu usage per Container is 50m, but request is 40m, maximum cpu usage per Container is 500m, but limit is 600m, maximum memory usage per Container is 500Mi, but limit is 1Gi, cpu max limit to request ratio per Container is 5, but provided ratio is 15.000000]',
    ],
  )
})

test('limit ranges bound whole pods and claims', async () => {
  await using api = await server()
  await api.ask('/api/v1/namespaces/web/limitranges', {
    body: {
      metadata: { name: 'l' },
      spec: {
        limits: [
          { type: 'Pod', max: { memory: '1Gi' } },
          { type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } },
        ],
      },
    },
  })
  assert.match((await pod(api, 'a')).text, /maximum memory usage per Pod is 1Gi\. {2}No limit is specified/)
  const claim = (storage: string): Promise<Asked> =>
    api.ask('/api/v1/namespaces/web/persistentvolumeclaims', {
      body: { metadata: { name: 'c' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } },
    })
  assert.match((await claim('3Gi')).text, /maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi/)
  assert.match((await claim('1Mi')).text, /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi/)
  assert.equal((await claim('1Gi')).status, 201)
})
