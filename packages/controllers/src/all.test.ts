// All loops together against the real API server, in one process.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import {
  configMaps,
  deployments,
  endpointSlices,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  replicaSets,
  serviceAccounts,
  services,
  statefulSets,
} from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import { startTestServer, type TestServer } from '@aksel/apiserver/test-server'
import { createClient } from '@aksel/client/typed-client'
import { createCaches } from '@aksel/runtime/caches'
import type { Caches, Controller } from '@aksel/runtime/controller'
import { runControllers } from '@aksel/runtime/runner'
import { controllersFor } from './all.ts'
import { isLoopBeyondItsRole, loopUserAgent, managerUser, systemAccount, type LoopUser } from './identities.ts'
import { newClaim, newDeployment, newStatefulSet } from './testing/objects.ts'

interface AuditedCall {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly userAgent: string
  readonly objectRef?: { readonly resource: string }
}

function inShop({ metadata }: KubernetesObject): boolean {
  return metadata.namespace === 'shop'
}

/** Resolves when the cache shows what is asked for; fails with what it shows instead when that takes too long. */
async function until<T extends KubernetesObject>(
  caches: Caches,
  type: ResourceType<T>,
  isThere: (all: readonly T[]) => boolean,
): Promise<readonly T[]> {
  const cache = caches.of(type)
  const found = Promise.withResolvers<void>()
  using _ = cache.subscribe(() => {
    if (isThere(cache.list())) found.resolve()
  })
  if (isThere(cache.list())) found.resolve()
  const late = setTimeout(
    () => found.reject(new Error(`Not seen: ${JSON.stringify(cache.list()).slice(0, 4000)}`)),
    20_000,
  )
  await found.promise.finally(() => clearTimeout(late))
  return cache.list()
}

function clientAs({ server }: TestServer, user: LoopUser): Client {
  return createClient(server.transportFor(user), { userAgent: loopUserAgent(user) })
}

/** Every loop as in production: with its own account, and no more than its role. */
function loopsOf(server: TestServer, caches: Caches): readonly Controller[] {
  return controllersFor({
    client: clientAs(server, managerUser),
    clientOf: (account) => clientAs(server, systemAccount(account)),
    caches,
    rootCaPem: 'PEM',
  })
}

/** Nodes for pods: each pod is assigned and reported as running, and a terminating one as ended. */
function runPods(client: Client, caches: Caches): Disposable {
  const act = async (pod: Pod): Promise<void> => {
    try {
      if (pod.metadata.deletionTimestamp !== undefined)
        await client.delete(pods, pod.metadata, { gracePeriodSeconds: 0 })
      else if (pod.spec.nodeName === undefined) {
        const target = { kind: 'Node', apiVersion: 'v1', name: 'node-1' }
        await client.createSubresource(pods, pod.metadata, 'binding', {
          kind: 'Binding',
          apiVersion: 'v1',
          metadata: { name: pod.metadata.name },
          target,
        })
      } else if (pod.status?.phase === 'Pending') {
        const lastTransitionTime = formatTime(Date.now())
        const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime }]
        const status = {
          ...pod.status,
          phase: 'Running',
          podIP: '10.244.0.9',
          podIPs: [{ ip: '10.244.0.9' }],
          conditions,
        }
        await client.update(pods, { ...pod, status }, { subresource: 'status' })
      }
    } catch (error) {
      if (!isReason(error, 'Conflict', 'NotFound')) throw error
    }
  }
  return caches.of(pods).subscribe((now) => void (now !== undefined && act(now)))
}

test('the loops make a deployment, a stateful set, a service and a claim real on the API server, and clean up', async () => {
  await using server = await startTestServer()
  const client = server.client()
  await using caches = createCaches(server.scope, clientAs(server, managerUser))
  const stop = new AbortController()
  const scope = { ...server.scope, signal: stop.signal }
  const loops = runControllers(scope, { caches, controllers: loopsOf(server, caches) })
  try {
    using _ = runPods(client, caches)
    await client.create(namespaces, { metadata: { name: 'shop' }, spec: {} })
    await until(caches, serviceAccounts, (all) => all.some(inShop))
    await until(caches, configMaps, (all) => all.some(inShop))
    await client.create(deployments, newDeployment('web'))
    await client.create(services, {
      metadata: { name: 'web', namespace: 'shop' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    })
    await client.create(statefulSets, newStatefulSet('db'))
    await client.create(persistentVolumes, {
      metadata: { name: 'one' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: '',
        hostPath: { path: '/tmp' },
      },
    })
    await client.create(persistentVolumeClaims, newClaim('data', { storageClassName: '' }))
    await until(caches, deployments, ([web]) => web?.status?.availableReplicas === 3)
    await until(caches, statefulSets, ([db]) => db?.status?.availableReplicas === 3)
    await until(caches, endpointSlices, (all) => all.filter(inShop).flatMap(({ endpoints }) => endpoints).length === 3)
    await until(caches, persistentVolumeClaims, ([claim]) => claim?.status?.phase === 'Bound')

    const image = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'web:2' }]
    await client.patch(deployments, { namespace: 'shop', name: 'web' }, { kind: 'json', body: image })
    await until(caches, deployments, ([web]) => web!.status!.updatedReplicas === 3 && web!.status!.replicas === 3)
    const sets = await until(caches, replicaSets, (all) => all.filter(({ spec }) => spec.replicas === 0).length === 1)
    assert.equal(sets.length, 2)

    const written = await client.get(deployments, { namespace: 'shop', name: 'web' })
    const managers = (written.metadata.managedFields ?? []).map(({ manager, subresource }) => [manager, subresource])
    assert.ok(
      managers.some(([manager, subresource]) => manager === 'kube-controller-manager' && subresource === 'status'),
    )

    await client.delete(deployments, { namespace: 'shop', name: 'web' }, { propagationPolicy: 'Foreground' })
    await until(caches, deployments, (all) => all.length === 0)
    assert.equal(caches.of(replicaSets).list().length, 0)
    await client.delete(namespaces, { name: 'shop' })
    await until(caches, namespaces, (all) => !all.some(({ metadata }) => metadata.name === 'shop'))
    const errors = server.lines.filter(({ level }) => level === 'error' || level === 'warn')
    assert.deepEqual(errors, [])
    assert.deepEqual(server.audit.filter(isLoopBeyondItsRole), [])
    const makers = server.audit.flatMap((entry) => {
      const { verb, user, objectRef, userAgent } = entry as unknown as AuditedCall
      return verb === 'create' && objectRef?.resource === 'replicasets' ? [[user.username, userAgent]] : []
    })
    const account = 'system:serviceaccount:kube-system:deployment-controller'
    assert.deepEqual(makers, Array(2).fill([account, `kube-controller-manager/${account}`]))
  } finally {
    stop.abort(new Error('The test ended'))
    await loops
  }
})
