// Kinds that the suite tests only as kinds: made, read, listed, watched, changed and deleted by every verb there is.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { crud } from '../crud.ts'
import {
  annotated,
  assertNewer,
  isDiscovered,
  Objects,
  Refusal,
  supportsOperations,
  type AnyObject,
  type Query,
} from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('API operations', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  /** A label that only the objects of one test have. */
  const special = (): { labels: Record<string, string>; query: Query } => {
    const value = fresh('operations')
    return { labels: { 'special-label': value }, query: { labelSelector: `special-label=${value}` } }
  }

  /** Reads the status, patches a condition into it, then writes one more. */
  const statusOf = async (objects: Objects, { metadata }: AnyObject, kind: string): Promise<void> => {
    const { name, uid } = metadata
    const read = await objects.get(name, 'status')
    assert.deepEqual([read.apiVersion, read.kind, read.metadata.uid], [objects.groupVersion, kind, uid])
    const condition = { type: 'PatchStatusFailed', status: 'False', reason: 'e2e' }
    const patched = await objects.patch(name, { status: { conditions: [condition] } }, 'merge', 'status')
    assert.ok(hasCondition(patched, 'PatchStatusFailed'), JSON.stringify(patched))
    const more = { type: 'StatusUpdateFailed', status: 'False', reason: 'E2E', message: 'Set from an e2e test' }
    const updated = await objects.update(
      name,
      (object) => ({ ...object, status: { conditions: [...object['status'].conditions, more] } }),
      'status',
    )
    assert.ok(hasCondition(updated, 'StatusUpdateFailed'), JSON.stringify(updated))
  }

  void test(
    '[sig-api-machinery] API priority and fairness should support FlowSchema API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'flowcontrol.apiserver.k8s.io/v1', 'flowschemas')
      await isDiscovered(objects, ['status'])
      const { labels, query } = special()
      await supportsOperations({
        objects,
        query,
        template: {
          metadata: { generateName: 'e2e-example-fs-', labels },
          spec: {
            matchingPrecedence: 10_000,
            priorityLevelConfiguration: { name: 'global-default' },
            distinguisherMethod: { type: 'ByUser' },
            rules: [
              {
                subjects: [{ kind: 'User', user: { name: 'example-e2e-non-existent-user' } }],
                nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
              },
            ],
          },
        },
        patch: { spec: { matchingPrecedence: 9999 } },
        update: (object) => ({ ...object, spec: { ...object['spec'], matchingPrecedence: 9000 } }),
        async beforeDelete(created) {
          const { spec } = await objects.get(created.metadata.name)
          assert.equal(spec.matchingPrecedence, 9000)
          await statusOf(objects, created, 'FlowSchema')
        },
      })
    },
  )

  void test(
    '[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'flowcontrol.apiserver.k8s.io/v1', 'prioritylevelconfigurations')
      await isDiscovered(objects, ['status'])
      const { labels, query } = special()
      const limited = { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } }
      await supportsOperations({
        objects,
        query,
        template: { metadata: { generateName: 'e2e-example-pl-', labels }, spec: { type: 'Limited', limited } },
        patch: { spec: { limited: { nominalConcurrencyShares: 4 } } },
        update: (object) => ({
          ...object,
          spec: { ...object['spec'], limited: { ...object['spec'].limited, nominalConcurrencyShares: 6 } },
        }),
        async beforeDelete(created) {
          const { spec } = await objects.get(created.metadata.name)
          assert.equal(spec.limited.nominalConcurrencyShares, 6)
          await statusOf(objects, created, 'PriorityLevelConfiguration')
        },
      })
    },
  )

  void test(
    '[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'networking.k8s.io/v1', 'ingressclasses')
      await isDiscovered(objects)
      const { labels, query } = special()
      await supportsOperations({
        objects,
        query,
        template: {
          metadata: { generateName: 'e2e-example-ing', labels },
          spec: { controller: 'example.com/controller' },
        },
      })
    },
  )

  void test(
    '[sig-network] Ingress API should support creating Ingress API operations [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('ingress')
      const objects = new Objects(cluster, 'networking.k8s.io/v1', 'ingresses', namespace)
      await isDiscovered(objects, ['status'])
      const { labels, query } = special()
      const backend = { service: { name: 'default-backend', port: { number: 80 } } }
      await supportsOperations({
        objects,
        everywhere: new Objects(cluster, 'networking.k8s.io/v1', 'ingresses'),
        query,
        template: {
          metadata: { generateName: 'e2e-example-ing', labels },
          spec: {
            defaultBackend: backend,
            rules: [{ host: 'foo.bar.com', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
          },
        },
        async beforeDelete({ metadata: { name, uid } }) {
          const read = await objects.get(name, 'status')
          assert.deepEqual([read.apiVersion, read.kind, read.metadata.uid], ['networking.k8s.io/v1', 'Ingress', uid])
          const withAddress = (ip: string): object => ({ loadBalancer: { ingress: [{ ip }] } })
          const patched = await objects.patch(
            name,
            { metadata: { annotations: { patchedstatus: 'true' } }, status: withAddress('169.1.1.1') },
            'merge',
            'status',
          )
          assert.deepEqual(patched['status'], withAddress('169.1.1.1'))
          assert.equal(patched.metadata.annotations?.['patchedstatus'], 'true')
          const change = (object: AnyObject): object => ({ ...object, status: withAddress('169.1.1.2') })
          assert.deepEqual((await objects.update(name, change, 'status'))['status'], withAddress('169.1.1.2'))
        },
      })
    },
  )

  void test(
    '[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('endpointslice')
      const objects = new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices', namespace)
      await isDiscovered(objects)
      const { labels, query } = special()
      await supportsOperations({
        objects,
        everywhere: new Objects(cluster, 'discovery.k8s.io/v1', 'endpointslices'),
        query,
        template: {
          metadata: { generateName: 'e2e-example-ing', labels },
          addressType: 'IPv4',
          endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }],
        },
      })
    },
  )

  void test(
    '[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'networking.k8s.io/v1', 'servicecidrs')
      await isDiscovered(objects, ['status'])
      const read = await objects.get('kubernetes')
      const status = await objects.get('kubernetes', 'status')
      assert.deepEqual(
        [status.apiVersion, status.kind, status.metadata.uid],
        ['networking.k8s.io/v1', 'ServiceCIDR', read.metadata.uid],
      )
      assert.ok((await objects.list()).items.length > 0)
      using watch = await objects.watch({})
      await watch.until(({ object }) => object.metadata.name === 'kubernetes')
    },
  )

  void test(
    '[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'networking.k8s.io/v1', 'ipaddresses')
      await isDiscovered(objects)
      const parentRef = { group: 'mygroup', resource: 'myresources', namespace: 'foo', name: 'bar' }
      const address = (name: string, type: string): object => ({
        metadata: { name, labels: { type } },
        spec: { parentRef },
      })
      const name = '255.255.255.255'
      const created = await objects.create(address(name, 'broadcast'))
      await objects.create(address('fe80::42:1dff:fe84:f9e2', 'link-local'))
      const patched = await objects.patch(name, { metadata: { annotations: { patched: 'true' } } })
      assert.equal(patched.metadata.annotations?.['patched'], 'true')
      assertNewer(patched, created)
      const change = (object: AnyObject): object => ({ ...object, metadata: annotated(object, { updated: 'true' }) })
      assert.equal((await objects.update(name, change)).metadata.annotations?.['updated'], 'true')
      await objects.get(name)
      assert.equal((await objects.list({ labelSelector: 'type=broadcast' })).items.length, 1)
      using watch = await objects.watch({ labelSelector: 'type=broadcast' })
      await watch.until(({ object }) => object.metadata.name === name)
      await objects.delete(name)
      await objects.deleteCollection({ labelSelector: 'type=link-local' })
      assert.equal((await objects.list({ labelSelector: 'type=link-local' })).items.length, 0)
    },
  )

  void test(
    '[sig-node] RuntimeClass should support RuntimeClasses API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'node.k8s.io/v1', 'runtimeclasses')
      await isDiscovered(objects)
      const { labels, query } = special()
      await objects.create({ metadata: { name: 'e2e-example-rc' }, handler: 'test-handler' })
      await assert.rejects(
        objects.create({ metadata: { name: 'e2e-example-rc' }, handler: 'test-handler' }),
        (error) => error instanceof Refusal && error.code === 409 && error.status.reason === 'AlreadyExists',
      )
      await supportsOperations({
        objects,
        query,
        template: { metadata: { generateName: 'e2e-example-rc-', labels }, handler: 'test-handler' },
      })
    },
  )

  void test(
    '[sig-storage] CSIStorageCapacity should support CSIStorageCapacities API operations [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('csistoragecapacity')
      const objects = new Objects(cluster, 'storage.k8s.io/v1', 'csistoragecapacities', namespace)
      await isDiscovered(objects)
      const { labels, query } = special()
      await supportsOperations({
        objects,
        everywhere: new Objects(cluster, 'storage.k8s.io/v1', 'csistoragecapacities'),
        query,
        template: {
          metadata: { generateName: 'e2e-example-', labels },
          storageClassName: 'example-storage-class',
          nodeTopology: {},
          capacity: '1Gi',
        },
        patch: { capacity: '2Gi' },
      })
    },
  )

  void test(
    '[sig-auth] Certificates API [Privileged:ClusterAdmin] should support CSR API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, 'certificates.k8s.io/v1', 'certificatesigningrequests')
      await isDiscovered(objects, ['approval', 'status'])
      const signerName = `example.com/e2e-${fresh('csr')}`
      await supportsOperations({
        objects,
        query: { fieldSelector: `spec.signerName=${signerName}` },
        template: {
          metadata: { generateName: 'e2e-example-csr-' },
          spec: {
            request: Buffer.from(certificateRequest).toString('base64'),
            signerName,
            expirationSeconds: 3600,
            usages: ['digital signature', 'key encipherment', 'server auth'],
          },
        },
        async beforeDelete({ metadata: { name, uid } }) {
          const { spec } = await objects.get(name)
          assert.equal(spec.expirationSeconds, 3600)
          for (const subresource of ['approval', 'status']) {
            const read = await objects.get(name, subresource)
            assert.deepEqual(
              [read.apiVersion, read.kind, read.metadata.uid],
              ['certificates.k8s.io/v1', 'CertificateSigningRequest', uid],
            )
          }
          const condition = { type: 'ApprovalPatch', status: 'True', reason: 'e2e' }
          const patched = await objects.patch(
            name,
            { metadata: { annotations: { patchedapproval: 'true' } }, status: { conditions: [condition] } },
            'merge',
            'approval',
          )
          assert.deepEqual(conditionTypes(patched), ['ApprovalPatch'])
          assert.equal(patched.metadata.annotations?.['patchedapproval'], 'true')
          const withCondition =
            (type: string) =>
            (object: AnyObject): object => {
              const more = { type, status: 'True', reason: 'E2E', message: 'Set from an e2e test' }
              return { ...object, status: { ...object['status'], conditions: [...object['status'].conditions, more] } }
            }
          const approved = await objects.update(name, withCondition('Approved'), 'approval')
          assert.deepEqual(conditionTypes(approved), ['ApprovalPatch', 'Approved'])

          const certificate = Buffer.from(cluster.config.getCurrentCluster()!.caData!, 'base64').toString('base64')
          const signed = await objects.patch(
            name,
            { metadata: { annotations: { patchedstatus: 'true' } }, status: { certificate } },
            'merge',
            'status',
          )
          assert.equal(signed['status'].certificate, certificate)
          assert.equal(signed.metadata.annotations?.['patchedstatus'], 'true')
          const updated = await objects.update(name, withCondition('StatusUpdate'), 'status')
          assert.deepEqual(conditionTypes(updated), ['ApprovalPatch', 'Approved', 'StatusUpdate'])
        },
      })
    },
  )

  void test('[sig-node] Lease lease API should be available [Conformance]', deadline, async () => {
    const namespace = await cluster.namespace('lease')
    const objects = new Objects(cluster, 'coordination.k8s.io/v1', 'leases', namespace)
    const spec = (holderIdentity: string, leaseTransitions: number): object => ({
      holderIdentity,
      leaseDurationSeconds: 30,
      acquireTime: '2026-01-02T03:04:05.000006Z',
      renewTime: '2026-01-02T03:04:06.000007Z',
      leaseTransitions,
    })
    const first = spec('holder', 0)
    await objects.create({ metadata: { name: 'lease' }, spec: first })
    assert.deepEqual((await objects.get('lease'))['spec'], first)
    const second = spec('holder2', 1)
    await objects.update('lease', (object) => ({ ...object, spec: second }))
    assert.deepEqual((await objects.get('lease'))['spec'], second)
    await objects.patch('lease', { spec: spec('holder3', 2) }, 'strategic')
    assert.deepEqual((await objects.get('lease'))['spec'], spec('holder3', 2))
    await objects.create({ metadata: { name: 'lease2', labels: { deletecollection: 'true' } }, spec: first })
    assert.equal((await objects.list()).items.length, 2)
    await objects.deleteCollection({ labelSelector: 'deletecollection=true' })
    await assert.rejects(objects.get('lease2'), (error) => error instanceof Refusal && error.code === 404)
    await objects.delete('lease')
    await assert.rejects(objects.get('lease'), (error) => error instanceof Refusal && error.code === 404)
    const everywhere = new Objects(cluster, 'coordination.k8s.io/v1', 'leases')
    assert.ok((await everywhere.list()).items.length > 0)
  })

  const draGroup = 'resource.k8s.io/v1'
  const claim = { devices: { requests: [{ name: 'req-0', exactly: { deviceClassName: 'dra.example.com' } }] } }
  const testLabel = { metadata: { labels: { 'test.dra.example.com': 'test' } } }
  const withLabel = (object: AnyObject): object => ({
    ...object,
    metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...testLabel.metadata.labels } },
  })

  void test('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 DeviceClass [Conformance]', deadline, () => {
    const selectors = (expression: string): object => ({ spec: { selectors: [{ cel: { expression } }] } })
    return crud({
      objects: new Objects(cluster, draGroup, 'deviceclasses'),
      initial: { metadata: { name: fresh('test') }, ...selectors('false') },
      update: (object) => ({ ...object, ...selectors('1 == 0') }),
      patches: [['strategic', selectors('1 == 0')]],
    })
  })
  void test('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim [Conformance]', deadline, async () => {
    const allocated = { status: { allocation: {} } }
    await crud({
      objects: new Objects(cluster, draGroup, 'resourceclaims', await cluster.namespace('dra')),
      everywhere: new Objects(cluster, draGroup, 'resourceclaims'),
      initial: { metadata: { name: 'test' }, spec: claim },
      update: withLabel,
      updateStatus: (object) => ({ ...object, ...allocated }),
      patches: [
        ['strategic', testLabel],
        ['apply', testLabel],
        ['merge', testLabel],
        ['json', [{ op: 'add', path: '/metadata/labels/test.dra.example.com', value: 'test' }]],
      ],
      statusPatches: [
        ['strategic', allocated],
        ['apply', allocated],
        ['merge', allocated],
        ['json', [{ op: 'add', path: '/status/allocation', value: {} }]],
      ],
    })
  })
  void test(
    '[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate [Conformance]',
    deadline,
    async () => {
      await crud({
        objects: new Objects(cluster, draGroup, 'resourceclaimtemplates', await cluster.namespace('dra')),
        everywhere: new Objects(cluster, draGroup, 'resourceclaimtemplates'),
        initial: { metadata: { name: 'test' }, spec: { spec: claim } },
        update: withLabel,
        patches: [['strategic', testLabel]],
      })
    },
  )
  void test('[sig-node] [DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice [Conformance]', deadline, () => {
    const pool = { name: 'cluster', generation: 1, resourceSliceCount: 1 }
    const devices = { devices: [{ name: 'device-0' }] }
    return crud({
      objects: new Objects(cluster, draGroup, 'resourceslices'),
      initial: {
        metadata: { name: fresh('test') },
        spec: { driver: 'dra.example.com', pool, nodeName: 'no-such-node' },
      },
      update: (object) => ({ ...object, spec: { ...object['spec'], ...devices } }),
      patches: [['strategic', { spec: devices }]],
    })
  })
})

function conditionTypes(object: AnyObject): readonly string[] {
  return (object['status'].conditions as readonly { readonly type: string }[]).map(({ type }) => type)
}

function hasCondition(object: AnyObject, type: string): boolean {
  return conditionTypes(object).includes(type)
}

/** For `CN=e2e.example.com`, made once with openssl. */
const certificateRequest = `-----BEGIN CERTIFICATE REQUEST-----
MIIBATCBqQIBADAaMRgwFgYDVQQDDA9lMmUuZXhhbXBsZS5jb20wWTATBgcqhkjO
PQIBBggqhkjOPQMBBwNCAAT8VbyYa/h7SmqK27T4p9ZQ+hPHbdAFsqc0wD1hWQzU
bDoOeMhavsWC/+NNXVtG60JG4t71qcByPjaOwnz4CKLZoC0wKwYJKoZIhvcNAQkO
MR4wHDAaBgNVHREEEzARgg9lMmUuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDRwAw
RAIgDh18NElQ074lLwSS+IxG7KAfXR8WwiyO6d+3iLb3NTkCIG0qOS6nMWKzbxmD
tDKZJ/CWoBYXWB8a0Hd0gUdac1o5
-----END CERTIFICATE REQUEST-----
`
