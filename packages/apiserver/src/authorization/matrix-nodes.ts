// The nodes among the callers of the matrix: what their pods refer to, planted by hand, and an oracle that was told the same. It
// is written from upstream's page on node authorization, and looks at no graph.

import assert from 'node:assert/strict'
import type { UserInfo } from '../authentication/user-info.ts'
import type { TestServer } from '../test-server.ts'

export const nodeCallers: Readonly<Record<string, UserInfo>> = {
  'a node with pods': { name: 'system:node:x', groups: ['system:nodes', 'system:authenticated'] },
  'a node with one pod': { name: 'system:node:y', groups: ['system:nodes', 'system:authenticated'] },
}

/** By node, then by resource: `namespace/name` of what its pods lead to. */
const related: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  x: {
    // The mirror a/y opens nothing; what controllers use of the volume is not for nodes.
    '/pods': ['a/x', 'a/y'],
    '/secrets': ['a/x', 'b/y'],
    '/configmaps': ['a/x'],
    '/serviceaccounts': ['a/x'],
    '/persistentvolumeclaims': ['a/x'],
    '/persistentvolumes': ['/x'],
    'storage.k8s.io/volumeattachments': ['/x'],
    'resource.k8s.io/resourceclaims': ['a/x'],
    'resource.k8s.io/resourceslices': ['/x'],
  },
  y: {
    '/pods': ['b/z'],
    '/secrets': ['b/z'],
    '/configmaps': [],
    '/serviceaccounts': ['b/z'],
    '/persistentvolumeclaims': ['b/z'],
    // The claim b/z names the volume x, which is a/x's.
    '/persistentvolumes': [],
    'storage.k8s.io/volumeattachments': ['/y'],
    'resource.k8s.io/resourceclaims': [],
    'resource.k8s.io/resourceslices': ['/y'],
  },
}

export interface NodeQuestion {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
  /** `spec.nodeName` that a selector asks for. */
  readonly ofNode?: string
}

/** Undefined where the rules of the role `system:node` and of RBAC decide alone. */
export function nodeOracle(user: UserInfo, question: NodeQuestion): boolean | undefined {
  const node = user.name.slice('system:node:'.length)
  const { verb, namespace, name, ofNode } = question
  const [plural = '', sub = ''] = question.resource.split('/')
  const kind = `${question.group}/${plural}`
  const leads = (related[node]![kind] ?? []).includes(`${namespace}/${name}`)
  const isOne = (...verbs: readonly string[]): boolean => verbs.includes(verb)
  switch (kind) {
    case '/secrets':
    case '/configmaps':
      return sub === '' && isOne('get', 'list', 'watch') && leads
    case '/persistentvolumes':
    case 'storage.k8s.io/volumeattachments':
    case 'resource.k8s.io/resourceclaims':
      return sub === '' && verb === 'get' && leads
    case '/persistentvolumeclaims':
      return leads && (sub === '' ? verb === 'get' : sub === 'status' && isOne('update', 'patch'))
    case '/serviceaccounts':
      return leads && (sub === '' ? verb === 'get' : sub === 'token' && verb === 'create')
    case '/pods':
      if (sub === 'status') return isOne('update', 'patch')
      if (sub !== '') return sub === 'eviction' && verb === 'create'
      if (isOne('create', 'delete')) return true
      return isOne('get', 'list', 'watch') && (leads || (ofNode === node && verb !== 'get'))
    case '/nodes':
      if (isOne('update', 'patch')) return sub === '' || sub === 'status'
      if (sub !== '') return false
      return verb === 'create' || (isOne('get', 'list', 'watch') && name === node)
    case 'storage.k8s.io/csinodes':
      return sub === '' && (verb === 'create' || (isOne('get', 'update', 'patch', 'delete') && name === node))
    case 'coordination.k8s.io/leases':
      return (
        namespace === 'kube-node-lease' &&
        (verb === 'create' || (isOne('get', 'update', 'patch', 'delete') && name === node))
      )
    case 'resource.k8s.io/resourceslices':
      if (isOne('list', 'watch', 'deletecollection')) return ofNode === node
      return verb === 'create' || (isOne('get', 'update', 'patch', 'delete') && leads)
    default:
      return undefined
  }
}

const ns = (namespace: string): string => `/api/v1/namespaces/${namespace}`

/** Pods, a mirror, volumes, attachments, claims and slices that lead to the nodes `x` and `y`, as `related` says. */
export async function plantRelations(server: TestServer): Promise<void> {
  const make = async (path: string, body: unknown): Promise<void> => {
    const { status, text } = await server.ask(path, { body })
    assert.equal(status, 201, `${path}: ${text}`)
  }
  for (const name of ['x', 'y']) await make('/api/v1/nodes', { metadata: { name } })
  for (const namespace of ['a', 'b'])
    for (const name of ['x', 'y', 'z']) {
      await make(`${ns(namespace)}/serviceaccounts`, { metadata: { name } })
      await make(`${ns(namespace)}/configmaps`, { metadata: { name } })
    }
  const size = { storage: '1Gi' }
  const accessModes = ['ReadWriteOnce']
  const secret = (name: string): object => ({ name, namespace: 'b' })
  const csi = {
    driver: 'd.example',
    volumeHandle: 'h',
    nodePublishSecretRef: secret('y'),
    controllerPublishSecretRef: secret('x'),
  }
  const claimRef = { kind: 'PersistentVolumeClaim', namespace: 'a', name: 'x' }
  for (const [name, of] of [
    ['x', claimRef],
    ['y', { ...claimRef, name: 'y' }],
  ] as const)
    await make('/api/v1/persistentvolumes', {
      metadata: { name },
      spec: { capacity: size, accessModes, csi, claimRef: of },
    })
  for (const [namespace, name] of [
    ['a', 'x'],
    ['a', 'y'],
    ['b', 'z'],
  ] as const) {
    const spec = {
      accessModes,
      resources: { requests: size },
      volumeName: name === 'z' ? 'x' : name,
      storageClassName: '',
    }
    await make(`${ns(namespace)}/persistentvolumeclaims`, { metadata: { name }, spec })
    const one = { name: 'one', exactly: { deviceClassName: 'lamps' } }
    const claims = `/apis/resource.k8s.io/v1/namespaces/${namespace}/resourceclaims`
    await make(claims, { metadata: { name }, spec: { devices: { requests: [one] } } })
  }
  const container = { name: 'c', image: 'i' }
  const pod = (name: string, nodeName: string, more: object): object => ({
    metadata: { name },
    spec: { nodeName, serviceAccountName: name, automountServiceAccountToken: false, containers: [container], ...more },
  })
  const volumes = (name: string): readonly object[] => [
    { name: 's', secret: { secretName: name } },
    { name: 'v', persistentVolumeClaim: { claimName: name } },
  ]
  const all = (name: string): object => ({
    volumes: volumes(name),
    containers: [{ ...container, envFrom: [{ configMapRef: { name } }] }],
    resourceClaims: [{ name: 'r', resourceClaimName: name }],
  })
  await make(`${ns('a')}/pods`, pod('x', 'x', all('x')))
  await make(`${ns('a')}/pods`, pod('y', 'x', all('y')))
  await make(`${ns('b')}/pods`, pod('z', 'y', { volumes: volumes('z') }))
  // Nobody's yet.
  const unbound = { containers: [container], volumes: volumes('x'), serviceAccountName: 'x' }
  await make(`${ns('b')}/pods`, { metadata: { name: 'x' }, spec: { ...unbound, automountServiceAccountToken: false } })
  await mirror(server, 'pods/a/y')
  for (const name of ['x', 'y']) {
    const spec = { attacher: 'd.example', nodeName: name, source: { persistentVolumeName: name } }
    await make('/apis/storage.k8s.io/v1/volumeattachments', { metadata: { name }, spec })
    await make('/apis/storage.k8s.io/v1/csinodes', { metadata: { name }, spec: { drivers: [] } })
    const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
    await make(leases, { metadata: { name }, spec: { holderIdentity: name } })
  }
  const pool = { name: 'p', generation: 1, resourceSliceCount: 1 }
  for (const [name, where] of Object.entries({ x: { nodeName: 'x' }, y: { nodeName: 'y' }, z: { allNodes: true } })) {
    const spec = { driver: 'd.example', pool: { ...pool, name }, ...where }
    await make('/apis/resource.k8s.io/v1/resourceslices', { metadata: { name }, spec })
  }
}

/** No request makes such a mirror, which refers to things: so it is put where it would be. */
async function mirror(server: TestServer, place: string): Promise<void> {
  const key = `clusters/test/${place}`
  const found = await server.store.get(key)
  const object = JSON.parse(Buffer.from(found!.value).toString()) as { metadata: { annotations?: object } }
  object.metadata.annotations = { 'kubernetes.io/config.mirror': 'static' }
  const value = Buffer.from(JSON.stringify(object))
  await server.store.transact({ guards: [], writes: [{ kind: 'put', key, value }] })
}
