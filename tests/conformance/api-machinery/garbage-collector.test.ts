// What goes with its owner, what stays, and who waits for whom.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { sized } from '@aksel/testing/test-size'
import {
  AppsV1Api,
  type V1Deployment,
  type V1OwnerReference,
  type V1Pod,
  type V1ReplicationController,
} from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { changed, fresh, Pods } from '../pods.ts'
import { watchedSet } from '../watched.ts'

const deadline = { timeout: 180_000 }
/** Upstream looks half a minute long whether something is deleted by mistake. */
const WATCHED_MS = sized({ gate: 5000, full: 30_000 })

void suite('garbage collector', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 2 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const template = (labels: Record<string, string>) => ({
    metadata: { labels },
    spec: { containers: [{ name: 'nginx', image: busybox }], terminationGracePeriodSeconds: 0 },
  })
  const controllerOf = async (namespace: string, name: string, replicas: number): Promise<V1ReplicationController> => {
    const labels = { app: name }
    const made = await cluster.core.createNamespacedReplicationController({
      namespace,
      body: { metadata: { name }, spec: { replicas, selector: labels, template: template(labels) } },
    })
    await podsAre(namespace, name, (pods) => pods.length === replicas)
    return made
  }
  const podsAre = (namespace: string, app: string, isWanted: (pods: readonly V1Pod[]) => boolean, waitMs = 90_000) =>
    watchedSet<V1Pod>(cluster.config, {
      path: `/api/v1/namespaces/${namespace}/pods`,
      labelSelector: `app=${app}`,
      list: async () => (await cluster.core.listNamespacedPod({ namespace, labelSelector: `app=${app}` })).items,
      isWanted,
      waitMs,
    })
  const controllers = async (namespace: string, name: string): Promise<number> =>
    (await cluster.core.listNamespacedReplicationController({ namespace, fieldSelector: `metadata.name=${name}` }))
      .items.length
  const controllerGoes = (namespace: string, name: string) =>
    watchedSet<V1ReplicationController>(cluster.config, {
      path: `/api/v1/namespaces/${namespace}/replicationcontrollers`,
      labelSelector: '',
      list: async () => (await cluster.core.listNamespacedReplicationController({ namespace })).items,
      isWanted: (items) => items.every(({ metadata }) => metadata?.name !== name),
      waitMs: 90_000,
    })
  const none = (pods: readonly unknown[]): boolean => pods.length === 0

  void test(
    '[sig-api-machinery] Garbage collector should delete pods created by rc when not orphaning [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const { metadata } = await controllerOf(namespace, 'simpletest.rc', 2)
      const preconditions = { uid: metadata!.uid! }
      await cluster.core.deleteNamespacedReplicationController({
        namespace,
        name: 'simpletest.rc',
        body: { propagationPolicy: 'Background', preconditions },
      })
      await podsAre(namespace, 'simpletest.rc', none)
      assert.equal(await controllers(namespace, 'simpletest.rc'), 0)
    },
  )
  void test(
    '[sig-api-machinery] Garbage collector should orphan pods created by rc if delete options say so [Serial] [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const name = 'simpletest.rc'
      const replicas = sized({ gate: 20, full: 100 })
      const { metadata } = await controllerOf(namespace, name, replicas)
      await cluster.core.deleteNamespacedReplicationController({
        namespace,
        name,
        body: { propagationPolicy: 'Orphan', preconditions: { uid: metadata!.uid! } },
      })
      await controllerGoes(namespace, name)
      await assert.rejects(
        podsAre(namespace, name, (pods) => pods.length < replicas, WATCHED_MS),
        /not as wanted/,
      )
      const { items } = await cluster.core.listNamespacedPod({ namespace, labelSelector: `app=${name}` })
      assert.ok(items.every((pod) => (pod.metadata?.ownerReferences ?? []).length === 0))
    },
  )
  void test(
    '[sig-api-machinery] Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so [Serial] [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const name = 'simpletest.rc'
      await controllerOf(namespace, name, sized({ gate: 20, full: 100 }))
      await cluster.core.deleteNamespacedReplicationController({
        namespace,
        name,
        body: { propagationPolicy: 'Foreground' },
      })
      // Whenever a pod is there, its owner is there too, waiting.
      await podsAre(namespace, name, none)
      await controllerGoes(namespace, name)
      assert.equal((await cluster.core.listNamespacedPod({ namespace, labelSelector: `app=${name}` })).items.length, 0)
    },
  )
  void test(
    "[sig-api-machinery] Garbage collector should not delete dependents that have both valid owner and owner that's waiting for dependents to be deleted [Serial] [Conformance]",
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const half = sized({ gate: 10, full: 50 })
      const dying = await controllerOf(namespace, 'simpletest-rc-to-be-deleted', half * 2)
      const staying = await controllerOf(namespace, 'simpletest-rc-to-stay', 0)
      const { items } = await cluster.core.listNamespacedPod({
        namespace,
        labelSelector: 'app=simpletest-rc-to-be-deleted',
      })
      const second: V1OwnerReference = {
        apiVersion: 'v1',
        kind: 'ReplicationController',
        name: 'simpletest-rc-to-stay',
        uid: staying.metadata!.uid!,
      }
      const kept = items.slice(0, half).map(({ metadata }) => metadata!.name!)
      for (const name of kept) {
        const patch = JSON.stringify([{ op: 'add', path: '/metadata/ownerReferences/-', value: second }])
        await cluster.aksel.kubectl(['-n', namespace, 'patch', 'pod', name, '--type=json', '-p', patch])
      }
      await cluster.core.deleteNamespacedReplicationController({
        namespace,
        name: 'simpletest-rc-to-be-deleted',
        body: { propagationPolicy: 'Foreground', preconditions: { uid: dying.metadata!.uid! } },
      })
      await controllerGoes(namespace, 'simpletest-rc-to-be-deleted')
      const left = (await cluster.core.listNamespacedPod({ namespace })).items
      assert.deepEqual(new Set(left.map(({ metadata }) => metadata!.name!)), new Set(kept))
      for (const pod of left)
        assert.deepEqual(
          pod.metadata?.ownerReferences?.map(({ name }) => name),
          ['simpletest-rc-to-stay'],
        )
      assert.ok(left.every(({ metadata }) => metadata?.deletionTimestamp === undefined))
    },
  )
  void test(
    '[sig-api-machinery] Garbage collector should not be blocked by dependency circle [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const pods = new Pods(cluster, namespace)
      const made: V1Pod[] = []
      for (const name of ['pod1', 'pod2', 'pod3'])
        made.push(await pods.create(name, template({}).spec, { labels: { app: 'circle' } }))
      const owns = (owner: V1Pod): V1OwnerReference[] => [
        {
          apiVersion: 'v1',
          kind: 'Pod',
          name: owner.metadata!.name!,
          uid: owner.metadata!.uid!,
          controller: true,
          blockOwnerDeletion: true,
        },
      ]
      for (const [index, pod] of made.entries()) {
        const name = pod.metadata!.name!
        const present = await cluster.core.readNamespacedPod({ namespace, name })
        const metadata = changed(present.metadata!, {
          ownerReferences: owns(made[(index + 2) % 3]!),
          resourceVersion: undefined,
        })
        await cluster.core.replaceNamespacedPod({ namespace, name, body: changed(present, { metadata }) })
      }
      await cluster.core.deleteNamespacedPod({ namespace, name: 'pod1', body: { propagationPolicy: 'Foreground' } })
      await podsAre(namespace, 'circle', none)
    },
  )

  const deployment = async (namespace: string): Promise<string> => {
    const name = fresh('simpletest-deployment')
    const labels = { app: name }
    await cluster.config.makeApiClient(AppsV1Api).createNamespacedDeployment({
      namespace,
      body: {
        metadata: { name },
        spec: { replicas: 2, selector: { matchLabels: labels }, template: template(labels) },
      },
    })
    await replicaSetsAre(namespace, name, (sets) => sets.length === 1)
    return name
  }
  const replicaSetsAre = (
    namespace: string,
    app: string,
    isWanted: (sets: readonly V1Deployment[]) => boolean,
    waitMs = 90_000,
  ) =>
    watchedSet<V1Deployment>(cluster.config, {
      path: `/apis/apps/v1/namespaces/${namespace}/replicasets`,
      labelSelector: `app=${app}`,
      list: async () =>
        (
          await cluster.config
            .makeApiClient(AppsV1Api)
            .listNamespacedReplicaSet({ namespace, labelSelector: `app=${app}` })
        ).items as never,
      isWanted,
      waitMs,
    })
  void test(
    '[sig-api-machinery] Garbage collector should delete RS created by deployment when not orphaning [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const name = await deployment(namespace)
      await cluster.config
        .makeApiClient(AppsV1Api)
        .deleteNamespacedDeployment({ namespace, name, body: { propagationPolicy: 'Background' } })
      await replicaSetsAre(namespace, name, none)
    },
  )
  void test(
    '[sig-api-machinery] Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('gc')
      const name = await deployment(namespace)
      const apps = cluster.config.makeApiClient(AppsV1Api)
      await apps.deleteNamespacedDeployment({ namespace, name, body: { propagationPolicy: 'Orphan' } })
      await replicaSetsAre(
        namespace,
        name,
        ([set]) => set !== undefined && (set.metadata?.ownerReferences ?? []).length === 0,
      )
      await assert.rejects(replicaSetsAre(namespace, name, none, WATCHED_MS), /not as wanted/)
      assert.equal((await apps.listNamespacedDeployment({ namespace })).items.length, 0)
    },
  )
})
