// Who takes part when a neighbour is noisy: the greedy one, those who are modest, the nodes, and the candidates of an election.

import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  namespaces,
  roleBindings,
  roles,
  serviceAccounts,
} from '@aksel/api/resources'
import type { Client } from '@aksel/client/client'
import type { ClusterAccess } from '@aksel/runtime/kubeconfig'
import type { Child } from '../load/orders.ts'
import type { LoadOrders } from '../load/load-main.ts'
import type { LoadResult, RequestLoad } from '../load/requests.ts'
import { versionMark } from '../load/requests.ts'
import { microTimeMark, numberMark } from '../load/template.ts'
import { base64, json, requests, targetOf, type Rig } from './rig.ts'

const rbac = 'rbac.authorization.k8s.io'
/** Nodes that renew their leases every ten seconds, one after the other. */
const NODES = 100
const NODE_PERIOD_MS = 10_000

export interface Neighbours {
  /** In the priority level of who is greedy, with all rights in one namespace; may act as a node. */
  readonly modest: Rig['target']
  /** Lists everything there is, of all namespaces. */
  readonly greedy: Rig['target']
  readonly candidate: ClusterAccess
  /** May write whatever it likes, and takes seats for it. */
  readonly bomber: ClusterAccess
}

export async function prepareNeighbours(rig: Rig): Promise<Neighbours> {
  const { admin, user, access } = rig
  await admin.create(clusterRoles, {
    metadata: { name: 'bench-reader' },
    rules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }],
  })
  await admin.create(clusterRoles, {
    metadata: { name: 'bench-nodes' },
    rules: [{ verbs: ['impersonate'], apiGroups: [''], resources: ['users', 'groups'] }],
  })
  await admin.create(namespaces, { metadata: { name: 'greedy' }, spec: {} })
  await admin.create(serviceAccounts, { metadata: { name: 'greedy', namespace: 'greedy' } })
  const modest = { name: 'modest', namespace: user.namespace }
  await admin.create(serviceAccounts, { metadata: modest })
  await admin.create(roleBindings, {
    metadata: modest,
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', ...modest }],
  })
  await admin.create(serviceAccounts, { metadata: { name: 'candidate', namespace: 'kube-system' } })
  for (const [name, namespace, account] of [
    ['bench-reader', 'greedy', 'greedy'],
    ['bench-nodes', modest.namespace, modest.name],
  ] as const)
    await admin.create(clusterRoleBindings, {
      metadata: { name },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace }],
    })
  const metadata = { name: 'candidate', namespace: 'kube-system' }
  const rules = [{ verbs: ['get', 'create', 'update'], apiGroups: ['coordination.k8s.io'], resources: ['leases'] }]
  await admin.create(roles, { metadata, rules })
  await admin.create(roleBindings, {
    metadata,
    roleRef: { apiGroup: rbac, kind: 'Role', name: 'candidate' },
    subjects: [{ kind: 'ServiceAccount', name: 'candidate', namespace: 'kube-system' }],
  })
  await admin.create(serviceAccounts, { metadata: { name: 'bomber', namespace: 'greedy' } })
  await admin.create(clusterRoleBindings, {
    metadata: { name: 'bench-bomber' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'bomber', namespace: 'greedy' }],
  })
  await admin.create(configMaps, { metadata: { name: 'target', namespace: 'default' } })
  const { server, caPem, serverName } = access
  const as = async (namespace: string, name: string): Promise<ClusterAccess> => {
    const token = await tokenOf(admin, namespace, name)
    return { server, caPem, token, ...(serverName === undefined ? {} : { serverName }) }
  }
  return {
    modest: targetOf(access, await tokenOf(admin, modest.namespace, modest.name)),
    greedy: targetOf(access, await tokenOf(admin, 'greedy', 'greedy')),
    candidate: await as('kube-system', 'candidate'),
    bomber: await as('greedy', 'bomber'),
  }
}

async function tokenOf(admin: Client, namespace: string, name: string): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 14_400 } }
  const answer = await admin.createSubresource<{ readonly status: { readonly token: string } }>(
    serviceAccounts,
    { namespace, name },
    'token',
    body,
  )
  return answer.status.token
}

const small = { protocol: 'h1', connections: 4, streams: 1, bodyBase64: '', firstNumber: 0 } as const

/** A get of something small, a hundred times a second: as a service account, in the level of who is greedy. */
export function modestReads(rig: Rig, { modest }: Neighbours, durationMs: number): RequestLoad {
  const { namespace, serviceAccount } = rig.user
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}`
  return { ...modest, ...small, method: 'GET', path, durationMs, perSecond: 100 }
}

export function modestWrites(
  rig: Rig,
  { modest }: Neighbours,
  { firstNumber, durationMs }: { readonly firstNumber: number; readonly durationMs: number },
): RequestLoad {
  const metadata = { name: `modest-${numberMark}` }
  return {
    ...modest,
    ...small,
    headers: { ...modest.headers, ...json },
    method: 'POST',
    path: `/api/v1/namespaces/${rig.user.namespace}/configmaps`,
    bodyBase64: base64({ kind: 'ConfigMap', apiVersion: 'v1', metadata, data: { a: 'b' } }),
    firstNumber,
    durationMs,
    perSecond: 25,
  }
}

/** As each of the nodes in turn. */
export function nodeLeases({ modest }: Neighbours, method: 'POST' | 'PUT', durationMs: number): RequestLoad {
  const path = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const version = method === 'PUT' ? { resourceVersion: versionMark } : {}
  const lease = {
    kind: 'Lease',
    apiVersion: 'coordination.k8s.io/v1',
    metadata: { name: numberMark, namespace: 'kube-node-lease', ...version },
    spec: { holderIdentity: numberMark, leaseDurationSeconds: 40, renewTime: microTimeMark },
  }
  const node = { 'impersonate-user': `system:node:${numberMark}`, 'impersonate-group': 'system:nodes' }
  return {
    ...modest,
    ...small,
    headers: { ...modest.headers, ...json, ...node },
    method,
    path: method === 'POST' ? path : `${path}/${numberMark}`,
    bodyBase64: base64(lease),
    numbers: NODES,
    versions: method === 'PUT',
    ...(method === 'POST' ? { requestsMax: NODES } : { durationMs, perSecond: NODES / (NODE_PERIOD_MS / 1000) }),
  }
}

/** What everyone else noticed. */
export interface Beside {
  readonly reads: LoadResult
  readonly writes: LoadResult
  readonly leases: LoadResult
  readonly election: Awaited<ReturnType<LoadOrders['elect']>>
}

export async function everyoneElse(
  rig: Rig,
  neighbours: Neighbours,
  { firstNumber, durationMs }: { readonly firstNumber: number; readonly durationMs: number },
): Promise<Beside> {
  const load: Child<LoadOrders> = rig.load
  const lease = { namespace: 'kube-system', name: 'bench-election' }
  const [reads, writes, leases, election] = await Promise.all([
    requests(load, modestReads(rig, neighbours, durationMs)),
    requests(load, modestWrites(rig, neighbours, { firstNumber, durationMs })),
    requests(load, nodeLeases(neighbours, 'PUT', durationMs)),
    load.ask('elect', { access: neighbours.candidate, lease, candidates: 2, durationMs }),
  ])
  return { reads, writes, leases, election }
}
