// What a pod can do since 1.36 by default: restart all its containers for one's end, and be resized as a whole.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Pod } from '@kubernetes/client-node'
import { busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 180_000 }

/** Newer fields than the client's types know. */
interface NewerPod extends V1Pod {
  readonly status?: V1Pod['status'] & {
    readonly resources?: Readonly<Record<string, Readonly<Record<string, string>>>>
    readonly allocatedResources?: Readonly<Record<string, string>>
  }
}

void suite('pods since 1.36', { concurrency: 2 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, version: '1.36' })
    pods = await podsIn(cluster, 'newer')
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test('the end of one container restarts all of them in place', deadline, async () => {
    const name = fresh('restarted')
    const mount = [{ name: 'kept', mountPath: '/kept' }]
    const container = (own: string, command: string, more: object = {}) => ({
      name: own,
      image: busybox,
      command: ['sh', '-c', command],
      volumeMounts: mount,
      ...more,
    })
    const rules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }]
    const made = await pods.create(name, {
      restartPolicy: 'Never',
      volumes: [{ name: 'kept', emptyDir: {} }],
      initContainers: [container('first', 'echo first >> /kept/log')],
      containers: [
        container('main', 'sleep 3600'),
        container('trigger', 'mkdir /kept/once && exit 42; sleep 3600', {
          restartPolicy: 'Never',
          restartPolicyRules: rules,
        }),
      ],
    })
    const counts = ({ status }: V1Pod): string =>
      [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
        .map(({ restartCount }) => restartCount)
        .join()
    const pod = await pods.until(name, (seen) => counts(seen) === '1,1,1' && isTrue(seen, 'Ready'))
    assert.equal(pod.metadata?.uid, made.metadata?.uid)
    assert.equal(pod.status?.phase, 'Running')
    assert.equal(isTrue(pod, 'AllContainersRestarting'), false)
    assert.equal(await pods.exec(name, ['cat', '/kept/log'], 'main'), 'first\nfirst\n')
  })

  void test('a pod’s own resources are resized while it runs, and shown', deadline, async () => {
    const name = fresh('resized')
    await pods.create(name, {
      resources: { requests: { cpu: '20m', memory: '32Mi' }, limits: { cpu: '40m', memory: '64Mi' } },
      containers: [{ name: 'main', image: busybox, command: ['sleep', '3600'] }],
    })
    await pods.ready(name)
    const resources = { requests: { cpu: '30m', memory: '48Mi' }, limits: { cpu: '60m', memory: '96Mi' } }
    const patch = ['-n', pods.namespace, 'patch', 'pod', name, '--subresource=resize', '-p']
    await cluster.aksel.kubectl([...patch, JSON.stringify({ spec: { resources } })])
    const pod = (await pods.until(name, (seen) => {
      const { status, metadata } = seen as NewerPod
      const resizing = status?.conditions?.some(({ type }) => type.startsWith('PodResize')) === true
      return (
        status?.resources?.['limits']?.['memory'] === '96Mi' &&
        !resizing &&
        status.observedGeneration === metadata?.generation
      )
    })) as NewerPod
    assert.deepEqual(pod.status?.resources, resources)
    assert.deepEqual(pod.status?.allocatedResources, resources.requests)
    assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0)
  })
})

function isTrue({ status }: V1Pod, type: string): boolean {
  return status?.conditions?.some((one) => one.type === type && one.status === 'True') === true
}
