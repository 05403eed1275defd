// Which pods a node refuses, and in which words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerPort, Pod } from '@aksel/api/types/core-v1'
import { judgeAdmission } from './admission.ts'
import { appArmorProfile, checkSandboxSupport, judgeSupport } from './host-support.ts'

interface PodWish {
  readonly ports?: readonly ContainerPort[]
  readonly cpu?: string
  readonly phase?: string
}

const podOf = (name: string, { ports, cpu, phase }: PodWish = {}): Pod => ({
  metadata: { name, namespace: 'default', uid: name },
  spec: {
    containers: [
      {
        name: 'c',
        image: 'i',
        ...(ports && { ports }),
        ...(cpu !== undefined && { resources: { requests: { cpu } } }),
      },
    ],
  },
  status: { phase: phase ?? 'Pending' },
})

const allocatable = { cpu: '1', memory: '1Gi' }
const judge = (pod: Pod, ...admitted: readonly Pod[]) => judgeAdmission(pod, { allocatable, maxPods: 3, admitted })
const port = (hostPort: number, more: Partial<ContainerPort> = {}): PodWish => ({
  ports: [{ containerPort: 80, hostPort, ...more }],
})

test('judgeAdmission() refuses a port of the host that another pod has, unless address or protocol differ', () => {
  const holder = podOf('holder', port(21_017))
  assert.deepEqual(judge(podOf('late', port(21_017)), holder), {
    reason: 'NodePorts',
    message: "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
  })
  assert.equal(judge(podOf('late', port(21_018)), holder), undefined)
  assert.equal(judge(podOf('late', port(21_017, { protocol: 'UDP' })), holder), undefined)
  assert.equal(judge(podOf('late', port(21_017, { hostIP: '10.0.0.1' })), holder)?.reason, 'NodePorts')
  const bound = podOf('bound', port(21_017, { hostIP: '10.0.0.2' }))
  assert.equal(judge(podOf('late', port(21_017, { hostIP: '10.0.0.1' })), bound), undefined)
  assert.equal(judge(podOf('late', port(21_017)), podOf('over', { ...port(21_017), phase: 'Failed' })), undefined)
  assert.equal(judge(holder, holder), undefined)
})

test('judgeAdmission() refuses what exceeds the node, with amounts', () => {
  assert.deepEqual(judge(podOf('late', { cpu: '600m' }), podOf('early', { cpu: '500m' })), {
    reason: 'OutOfcpu',
    message: "Node didn't have enough resource: cpu, requested: 600, used: 500, capacity: 1000",
  })
  assert.equal(judge(podOf('late', { cpu: '500m' }), podOf('early', { cpu: '500m' })), undefined)
  assert.equal(judge(podOf('fourth'), podOf('a'), podOf('b'), podOf('c'))?.reason, 'OutOfpods')
})

test('judgeSupport() refuses what the kernel or the runtime has not, and takes it where they have', () => {
  const asking = (securityContext: Pod['spec']['securityContext'], annotations = {}): Pod => {
    const pod = podOf('asks')
    return {
      ...pod,
      metadata: { ...pod.metadata, annotations },
      spec: { ...pod.spec, ...(securityContext && { securityContext }) },
    }
  }
  const confined = asking({ appArmorProfile: { type: 'RuntimeDefault' } })
  assert.deepEqual(judgeSupport(confined, { appArmor: false }), {
    reason: 'AppArmor',
    message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host',
  })
  assert.equal(judgeSupport(confined, { appArmor: true }), undefined)
  const old = asking(undefined, { 'container.apparmor.security.beta.kubernetes.io/c': 'localhost/mine' })
  assert.equal(judgeSupport(old, { appArmor: false })?.reason, 'AppArmor')
  assert.deepEqual(appArmorProfile(old, old.spec.containers[0]!), { profileType: 'Localhost', localhostRef: 'mine' })
  assert.equal(judgeSupport(asking({ appArmorProfile: { type: 'Unconfined' } }), { appArmor: false }), undefined)
  const strict = judgeSupport(asking({ supplementalGroupsPolicy: 'Strict' }), { appArmor: true })
  assert.equal(strict?.reason, 'SupplementalGroupsPolicyNotSupported')
  assert.throws(
    () => checkSandboxSupport({ ...confined, spec: { ...confined.spec, hostUsers: false } }, 'kata'),
    /RuntimeClass handler "kata" does not support user namespaces/,
  )
})
