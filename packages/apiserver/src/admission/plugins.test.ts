// The smaller plug-ins through the whole server, each with what it gives and what it refuses.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from '../test-server.ts'

const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } }

async function server(): Promise<TestServer> {
  const api = await startTestServer()
  await api.ask('/api/v1/namespaces', { body: { metadata: { name: 'web' } } })
  await api.ask('/api/v1/namespaces/web/serviceaccounts', { body: { metadata: { name: 'default' } } })
  return api
}

async function make(api: TestServer, path: string, body: unknown): Promise<Asked> {
  const asked = await api.ask(path, { body })
  assert.equal(asked.status, 201, asked.text)
  return asked
}

function pod(api: TestServer, name: string, spec: object): Promise<Asked> {
  return api.ask('/api/v1/namespaces/web/pods', {
    body: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } },
  })
}

test('a runtime class gives its overhead and its place, and refuses what contradicts it', async () => {
  await using api = await server()
  await make(api, '/apis/node.k8s.io/v1/runtimeclasses', {
    metadata: { name: 'box' },
    handler: 'box',
    overhead: { podFixed: { cpu: '100m' } },
    scheduling: { nodeSelector: { box: 'yes' }, tolerations: [{ key: 'box', operator: 'Exists' }] },
  })
  const made = await pod(api, 'a', { runtimeClassName: 'box', nodeSelector: { disk: 'ssd' } })
  const { overhead, nodeSelector, tolerations } = made.json['spec'] as Record<string, unknown>
  assert.deepEqual([overhead, nodeSelector], [{ cpu: '100m' }, { disk: 'ssd', box: 'yes' }])
  assert.ok((tolerations as { key: string }[]).some(({ key }) => key === 'box'))
  const message = async (spec: object): Promise<unknown> => (await pod(api, 'b', spec)).json['message']
  assert.equal(
    await message({ runtimeClassName: 'gone' }),
    'pods "b" is forbidden: pod rejected: RuntimeClass "gone" not found',
  )
  assert.equal(
    await message({ runtimeClassName: 'box', overhead: { cpu: '1' } }),
    `pods "b" is forbidden: pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead`,
  )
  assert.equal(
    await message({ runtimeClassName: 'box', nodeSelector: { box: 'no' } }),
    'pods "b" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[box] = yes; pod.spec.nodeSelector[box] = no',
  )
  assert.equal(
    await message({ overhead: { cpu: '1' } }),
    'pods "b" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
  )
})

test('a pod gets the number of its class or of the default one, of which there is one at most', async () => {
  await using api = await server()
  const classes = '/apis/scheduling.k8s.io/v1/priorityclasses'
  await make(api, classes, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' })
  await make(api, classes, { metadata: { name: 'usual' }, value: 10, globalDefault: true })
  const given = async (name: string, spec: object): Promise<readonly unknown[]> => {
    const { json } = await pod(api, name, spec)
    const { priorityClassName, priority, preemptionPolicy } = (json['spec'] ?? {}) as Record<string, unknown>
    return priority === undefined ? [json['message']] : [priorityClassName, priority, preemptionPolicy]
  }
  assert.deepEqual(await given('a', {}), ['usual', 10, 'PreemptLowerPriority'])
  assert.deepEqual(await given('b', { priorityClassName: 'high' }), ['high', 1000, 'Never'])
  assert.deepEqual(await given('c', { priorityClassName: 'high', priority: 5 }), [
    'pods "c" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 1000 from the given PriorityClass name',
  ])
  assert.deepEqual(await given('d', { preemptionPolicy: 'Never' }), [
    'pods "d" is forbidden: the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name',
  ])
  const second = await api.ask(classes, { body: { metadata: { name: 'other' }, value: 1, globalDefault: true } })
  assert.deepEqual(
    [second.status, second.json['message']],
    [
      403,
      'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist',
    ],
  )
  const labelled = await api.ask(`${classes}/usual`, { ...merge, body: { metadata: { labels: { a: 'b' } } } })
  assert.equal(labelled.status, 200, labelled.text)
})

test('pods of an account that says so mount its secrets and no others', async () => {
  await using api = await server()
  await make(api, '/api/v1/namespaces/web/serviceaccounts', {
    metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } },
    secrets: [{ name: 'mine' }],
    imagePullSecrets: [{ name: 'pull' }],
  })
  const said = async (spec: object): Promise<string> => {
    const { status, json } = await pod(api, 'p', { serviceAccountName: 'strict', ...spec })
    if (status === 201) await api.ask('/api/v1/namespaces/web/pods/p?gracePeriodSeconds=0', { method: 'DELETE' })
    return status === 201 ? 'created' : String(json['message']).replace('pods "p" is forbidden: ', '')
  }
  const env = (name: string): object => ({ name: 'E', valueFrom: { secretKeyRef: { name, key: 'k' } } })
  const not = 'is not allowed because service account strict does not reference that'
  const rows: readonly (readonly [object, string])[] = [
    [{ volumes: [{ name: 'v', secret: { secretName: 'mine' } }] }, 'created'],
    [
      { volumes: [{ name: 'v', secret: { secretName: 'other' } }] },
      `volume with secret.secretName="other" ${not} secret`,
    ],
    [{ containers: [{ name: 'c', image: 'i', env: [env('mine')] }] }, 'created'],
    [
      { containers: [{ name: 'c', image: 'i', env: [env('other')] }] },
      `container c with envVar E referencing secret.secretName="other" ${not} secret`,
    ],
    [
      { initContainers: [{ name: 'i', image: 'i', env: [env('other')] }] },
      `init container i with envVar E referencing secret.secretName="other" ${not} secret`,
    ],
    [{ imagePullSecrets: [{ name: 'pull' }] }, 'created'],
    [{ imagePullSecrets: [{ name: 'other' }] }, `imagePullSecrets[0].name="other" ${not} imagePullSecret`],
    [{ serviceAccountName: 'default', imagePullSecrets: [{ name: 'other' }] }, 'created'],
  ]
  for (const [spec, expected] of rows) assert.equal(await said(spec), expected)
  assert.equal((await pod(api, 'debugged', { serviceAccountName: 'strict' })).status, 201)
  const path = '/api/v1/namespaces/web/pods/debugged/ephemeralcontainers'
  const attached = await api.ask(path, {
    ...merge,
    body: { spec: { ephemeralContainers: [{ name: 'd', image: 'i', env: [env('other')] }] } },
  })
  assert.deepEqual(
    [attached.status, attached.json['message']],
    [
      403,
      `pods "debugged" is forbidden: ephemeral container d with envVar E referencing secret.secretName="other" ${not} secret`,
    ],
  )
})

test('a mirror pod refers to no account and no secret, whoever makes it', async () => {
  await using api = await server()
  const mirror = async (spec: object): Promise<unknown> => {
    const metadata = { name: 'm', annotations: { 'kubernetes.io/config.mirror': 'hash' } }
    const containers = [{ name: 'c', image: 'i' }]
    const body = { metadata, spec: { nodeName: 'n', containers, ...spec } }
    return (await api.ask('/api/v1/namespaces/web/pods', { body })).json['message']
  }
  const word = (text: string): string => `pods "m" is forbidden: a mirror pod may not ${text}`
  assert.equal(await mirror({ serviceAccountName: 'default' }), word('reference service accounts'))
  assert.equal(await mirror({ volumes: [{ name: 'v', secret: { secretName: 's' } }] }), word('reference secrets'))
  assert.equal(await mirror({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }), undefined)
})

test('access to devices that others use is for namespaces that are marked for it', async () => {
  await using api = await server()
  const claims = '/apis/resource.k8s.io/v1/namespaces/web/resourceclaims'
  const exactly = { deviceClassName: 'gpu', allocationMode: 'All', adminAccess: true }
  const claim = { metadata: { name: 'monitor' }, spec: { devices: { requests: [{ name: 'all', exactly }] } } }
  const refused = await api.ask(claims, { body: claim })
  assert.equal(
    refused.json['message'],
    'ResourceClaim.resource.k8s.io "monitor" is invalid: spec.devices.requests[0].exactly.adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
  )
  const labels = { 'resource.kubernetes.io/admin-access': 'true' }
  await api.ask('/api/v1/namespaces/web', { ...merge, body: { metadata: { labels } } })
  await make(api, claims, claim)
})

test('an ingress without a class gets the default one, the newest of several', async () => {
  await using api = await server()
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' }
  const group = '/apis/networking.k8s.io/v1'
  await make(api, `${group}/ingressclasses`, { metadata: { name: 'b', annotations }, spec: { controller: 'x.io/b' } })
  await make(api, `${group}/ingressclasses`, { metadata: { name: 'other' }, spec: { controller: 'x.io/o' } })
  const ingress = (name: string, own: Record<string, string> = {}): object => ({
    metadata: { name, annotations: own },
    spec: { defaultBackend: { service: { name: 's', port: { number: 80 } } } },
  })
  const made = await make(api, `${group}/namespaces/web/ingresses`, ingress('a'))
  assert.equal((made.json['spec'] as Record<string, unknown>)['ingressClassName'], 'b')
  const old = await make(api, `${group}/namespaces/web/ingresses`, ingress('c', { 'kubernetes.io/ingress.class': 'x' }))
  assert.equal((old.json['spec'] as Record<string, unknown>)['ingressClassName'], undefined)
})

test('a claim grows only when it is bound and its class allows it', async () => {
  await using api = await server()
  for (const [name, allowVolumeExpansion] of [
    ['fixed', false],
    ['grows', true],
  ] as const) {
    await make(api, '/apis/storage.k8s.io/v1/storageclasses', {
      metadata: { name },
      provisioner: 'x.io/p',
      allowVolumeExpansion,
    })
    await make(api, '/api/v1/namespaces/web/persistentvolumeclaims', {
      metadata: { name },
      spec: { storageClassName: name, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    })
  }
  const path = (name: string): string => `/api/v1/namespaces/web/persistentvolumeclaims/${name}`
  const grow = async (name: string): Promise<readonly [number, unknown]> => {
    const { status, json } = await api.ask(path(name), {
      ...merge,
      body: { spec: { resources: { requests: { storage: '2Gi' } } } },
    })
    return [status, json['message']]
  }
  // Of a claim that is not bound nothing may change, which validation says first.
  assert.equal((await grow('grows'))[0], 422)
  for (const name of ['fixed', 'grows'])
    await api.ask(`${path(name)}/status`, { ...merge, body: { status: { phase: 'Bound' } } })
  assert.deepEqual(await grow('fixed'), [
    403,
    'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
  ])
  assert.equal((await grow('grows'))[0], 200)
})

/** A request of the shape that the restriction reads: an organisation in a name, in DER. */
function requestFor(organization: string): string {
  const name = Buffer.concat([
    Buffer.from([0x06, 0x03, 0x55, 0x04, 0x0a, 0x0c, organization.length]),
    Buffer.from(organization),
  ])
  const body = name.toString('base64')
  return Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`).toString(
    'base64',
  )
}

test('volumes and claims are kept from going while they are in use', async () => {
  await using api = await server()
  const volume = await make(api, '/api/v1/persistentvolumes', {
    metadata: { name: 'v' },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/v' } },
  })
  const claim = await make(api, '/api/v1/namespaces/web/persistentvolumeclaims', {
    metadata: { name: 'c' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  })
  const kept = ({ json }: Asked): unknown => (json['metadata'] as Readonly<Record<string, unknown>>)['finalizers']
  assert.deepEqual([kept(volume), kept(claim)], [['kubernetes.io/pv-protection'], ['kubernetes.io/pvc-protection']])
})

test('approving and signing need the right to do so for the signer; nobody asks for the masters’ group', async () => {
  await using api = await server()
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
  const request = (name: string, organization: string): object => ({
    metadata: { name },
    spec: {
      request: requestFor(organization),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['client auth'],
    },
  })
  const masters = await api.ask(path, { body: request('m', 'system:masters') })
  assert.deepEqual(
    [masters.status, masters.json['message']],
    [
      403,
      'certificatesigningrequests.certificates.k8s.io "m" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    ],
  )
  await make(api, path, request('a', 'team'))
  await make(api, '/apis/rbac.authorization.k8s.io/v1/clusterroles', {
    metadata: { name: 'csr' },
    rules: [
      {
        apiGroups: ['certificates.k8s.io'],
        resources: [
          'certificatesigningrequests',
          'certificatesigningrequests/approval',
          'certificatesigningrequests/status',
        ],
        verbs: ['*'],
      },
    ],
  })
  await make(api, '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
    metadata: { name: 'csr' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'csr' },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }],
  })
  const ann = { name: 'ann', groups: ['system:authenticated'] }
  const approved = { type: 'Approved', status: 'True', reason: 'r', message: 'm' }
  const approve = (user?: typeof ann): Promise<Asked> =>
    api.ask(`${path}/a/approval`, {
      ...merge,
      ...(user === undefined ? {} : { user }),
      body: { status: { conditions: [approved] } },
    })
  assert.equal(
    (await approve(ann)).json['message'],
    'certificatesigningrequests.certificates.k8s.io "a" is forbidden: user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"',
  )
  assert.equal((await approve()).status, 200)
  const signed = await api.ask(`${path}/a/status`, {
    ...merge,
    user: ann,
    body: { status: { conditions: [approved, { type: 'Failed', status: 'True' }] } },
  })
  assert.match(signed.text, /user not permitted to sign requests with signerName/)
})

test('a pod that is bound gets its node’s zone', async () => {
  await using api = await server()
  await make(api, '/api/v1/nodes', {
    metadata: { name: 'n', labels: { 'topology.kubernetes.io/zone': 'z1', other: 'x' } },
  })
  await pod(api, 'a', {})
  await make(api, '/api/v1/namespaces/web/pods/a/binding', {
    metadata: { name: 'a' },
    target: { kind: 'Node', name: 'n' },
  })
  const { json } = await api.ask('/api/v1/namespaces/web/pods/a')
  assert.deepEqual((json['metadata'] as { labels: unknown }).labels, { 'topology.kubernetes.io/zone': 'z1' })
})
