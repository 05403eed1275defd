// What the runtime is asked for: resources, rights, names, DNS.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container, Pod, PodSpec } from '@aksel/api/types/core-v1'
import type { ImageEntry } from '../cri/types.ts'
import { containerConfig } from './container-config.ts'
import { dnsConfigOf, parseResolvConf } from './dns.ts'
import { linuxResources, oomScoreAdj, podLimits, qosOf, sharesOf } from './resources.ts'
import { hostNames, sandboxConfig } from './sandbox-config.ts'
import { requestOf } from './totals.ts'

const capacity = { cpuMilli: 2000, memoryBytes: 8 * 2 ** 30 }
const image: ImageEntry = { id: 'sha256:1', repoTags: [], repoDigests: [], size: 1, uid: null, username: '' }

const podOf = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u', labels: { app: 'web' } },
  spec: { containers: [], ...spec },
})

function config(
  container: Partial<Container>,
  spec: Partial<PodSpec> = {},
  its: ImageEntry = image,
): ReturnType<typeof containerConfig> {
  const facts = { attempt: 2, imageRef: 'sha256:1', image: its, env: new Map([['A', 'b']]), mounts: [], capacity }
  return containerConfig(podOf(spec), { name: 'main', ...container }, facts)
}

test('containerConfig() names the container as the kubelet does, and expands its command', () => {
  const made = config({ command: ['echo', '$(A)'], args: ['$(C)'] })
  assert.deepEqual([made.command, made.args], [['echo', 'b'], ['$(C)']])
  assert.deepEqual(made.labels, {
    'io.kubernetes.container.name': 'main',
    'io.kubernetes.pod.name': 'web',
    'io.kubernetes.pod.namespace': 'shop',
    'io.kubernetes.pod.uid': 'u',
  })
  assert.equal(made.annotations['io.kubernetes.container.restartCount'], '2')
  assert.equal(made.logPath, 'main/2.log')
})

test('rights come from the container, then from its pod', () => {
  const { linux } = config(
    {
      securityContext: {
        runAsUser: 5,
        capabilities: { drop: ['ALL'] },
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
      },
    },
    {
      securityContext: {
        runAsUser: 1,
        runAsGroup: 2,
        fsGroup: 3,
        supplementalGroups: [4],
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
  )
  const { runAsUser, runAsGroup, supplementalGroups, capabilities, noNewPrivs, readonlyRootfs, seccomp } =
    linux.securityContext
  assert.deepEqual([runAsUser?.value, runAsGroup?.value, supplementalGroups], [5, 2, [4, 3]])
  assert.deepEqual([capabilities.dropCapabilities, noNewPrivs, readonlyRootfs], [['ALL'], true, true])
  assert.equal(seccomp.profileType, 'RuntimeDefault')
  const privileged = config({ securityContext: { privileged: true } }).linux.securityContext
  assert.deepEqual([privileged.maskedPaths, privileged.seccomp.profileType], [[], 'Unconfined'])
})

test('a group without a user is given the user of the image', () => {
  const group = { securityContext: { runAsGroup: 7 } }
  assert.equal(config(group).linux.securityContext.runAsUser?.value, 0)
  assert.equal(config(group, {}, { ...image, uid: { value: 9 } }).linux.securityContext.runAsUser?.value, 9)
  assert.equal(config(group, {}, { ...image, username: 'web' }).linux.securityContext.runAsUsername, 'web')
})

test('runAsNonRoot refuses root in the words of upstream', () => {
  const nonRoot = { securityContext: { runAsNonRoot: true } }
  const where = /\(pod: "web_shop\(u\)", container: main\)$/
  assert.throws(() => config(nonRoot), /container has runAsNonRoot and image will run as root/)
  assert.throws(() => config(nonRoot), where)
  assert.throws(
    () => config(nonRoot, {}, { ...image, username: 'web' }),
    /non-numeric user \(web\), cannot verify user is non-root/,
  )
  assert.throws(
    () => config({ securityContext: { runAsNonRoot: true, runAsUser: 0 } }),
    /runAsUser breaks non-root policy/,
  )
  config(nonRoot, {}, { ...image, uid: { value: 65535 } })
})

test('requests become shares, limits become quotas no larger than the machine', () => {
  const container = {
    name: 'a',
    resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '500m', memory: '2Gi' } },
  }
  const pod = podOf({ containers: [container] })
  assert.deepEqual(linuxResources(pod, container, capacity), {
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    memoryLimitInBytes: 2 * 2 ** 30,
    oomScoreAdj: 875,
  })
  const unified = linuxResources(pod, container, { ...capacity, isUnified: true })
  assert.deepEqual(unified.unified, { 'memory.oom.group': '1' })
  const large = { name: 'a', resources: { limits: { cpu: '64' } } }
  assert.equal(linuxResources(podOf({ containers: [large] }), large, capacity).cpuQuota, 200_000)
  const { cpuPeriod, cpuQuota } = linuxResources(podOf({ containers: [large] }), large, {
    ...capacity,
    cpuPeriodUs: 20_000,
  })
  assert.deepEqual([cpuPeriod, cpuQuota], [20_000, 40_000])
  const tiny = { name: 'a', resources: { limits: { cpu: '100m' } } }
  const [short, small] = [{ ...capacity, cpuPeriodUs: 5_000 }, podOf({ containers: [tiny] })]
  const least = linuxResources(small, tiny, short).cpuQuota!
  assert.deepEqual([least, podLimits(small, short).cpuQuota], [1_000, 20_000], 'the pod has no less than its container')
  assert.equal(podLimits(small, capacity).cpuQuota, 10_000)
  const unbound = { ...capacity, cpuPeriodUs: 0 }
  assert.equal('cpuQuota' in linuxResources(podOf({ containers: [large] }), large, unbound), false)
  assert.equal('cpuQuota' in podLimits(podOf({ containers: [large] }), unbound), false)
  assert.deepEqual([0, 1, 1000, 1e9].map(sharesOf), [2, 2, 1024, 262_144])
})

test('the class of a pod decides who dies first', () => {
  const best = { name: 'a' }
  const same = { name: 'a', resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } } }
  const some = { name: 'a', resources: { requests: { cpu: '1' } } }
  const rows = [
    [best, 'BestEffort', 1000],
    [same, 'Guaranteed', -997],
    [some, 'Burstable', 999],
  ] as const
  for (const [container, qos, score] of rows) {
    const pod = podOf({ containers: [container] })
    assert.deepEqual([qosOf(pod), oomScoreAdj(pod, container, capacity.memoryBytes)], [qos, score])
  }
})

test('a pod is limited where all its containers are', () => {
  const limited = { name: 'a', resources: { limits: { memory: '64Mi', cpu: '100m' }, requests: { cpu: '100m' } } }
  const init = { name: 'i', resources: { limits: { memory: '256Mi' } } }
  const both = podLimits(podOf({ containers: [limited, { ...limited, name: 'b' }], initContainers: [init] }), capacity)
  assert.deepEqual(both, { cpuShares: 204, memoryBytes: 256 * 2 ** 20 })
  assert.deepEqual(podLimits(podOf({ containers: [limited, { name: 'c' }] }), capacity), { cpuShares: 102 })
  const resources = { requests: { cpu: '500m' }, limits: { memory: '1Gi' } }
  const whole = podLimits(podOf({ containers: [limited, { name: 'c' }], resources }), capacity)
  assert.deepEqual(whole, { cpuShares: 512, memoryBytes: 2 ** 30 })
})

test('what a pod says for itself bounds it as a whole, and what its runtime costs comes on top', () => {
  const limited = { name: 'a', resources: { limits: { memory: '64Mi', cpu: '100m' }, requests: { cpu: '100m' } } }
  const overhead = { memory: '600Mi', cpu: '50m' }
  assert.deepEqual(podLimits(podOf({ containers: [limited], overhead }), capacity), {
    cpuShares: sharesOf(150),
    cpuQuota: 15_000,
    memoryBytes: 664 * 2 ** 20,
  })
  const resources = { requests: { memory: '1Gi', cpu: '500m' }, limits: { memory: '2Gi' } }
  const free = { name: 'free' }
  const pod = podOf({ containers: [limited, free], resources })
  assert.deepEqual(podLimits(pod, capacity), { cpuShares: 512, memoryBytes: 2 * 2 ** 30 })
  assert.equal(linuxResources(pod, free, capacity).memoryLimitInBytes, 2 * 2 ** 30)
  assert.equal(linuxResources(pod, limited, capacity).memoryLimitInBytes, 64 * 2 ** 20)
  // Half of the gibibyte of eight, for each of two.
  assert.equal(oomScoreAdj(pod, free, capacity.memoryBytes), 1000 - 62)
})

test('a side-car is killed no sooner than those it serves, and what the node cannot do without last', () => {
  const main = { name: 'main', resources: { requests: { memory: '2Gi' } } }
  const sidecar = { name: 'beside', restartPolicy: 'Always', resources: { requests: { memory: '1Mi' } } }
  const spec = { containers: [main], initContainers: [sidecar] }
  assert.equal(oomScoreAdj(podOf(spec), sidecar, capacity.memoryBytes), 750)
  assert.equal(oomScoreAdj(podOf({ ...spec, priority: 2_000_001_000 }), main, capacity.memoryBytes), -997)
  // It runs beside the steps that follow it.
  const step = { name: 'step', resources: { requests: { memory: '3Gi' } } }
  assert.equal(
    requestOf(podOf({ containers: [main], initContainers: [sidecar, step] }), 'memory'),
    3 * 2 ** 30 + 2 ** 20,
  )
})

test('DNS follows the policy of the pod', () => {
  const node = parseResolvConf('# c\nnameserver 10.1.1.1\nsearch corp.example .\noptions timeout:2 ndots:1\n')
  const facts = { clusterDns: '10.0.0.10', clusterDomain: 'cluster.local', node }
  assert.deepEqual(dnsConfigOf(podOf(), facts), {
    servers: ['10.0.0.10'],
    searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
    options: ['ndots:5'],
  })
  assert.deepEqual(dnsConfigOf(podOf({ hostNetwork: true }), facts), node)
  assert.deepEqual(dnsConfigOf(podOf({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }), facts).servers, [
    '10.0.0.10',
  ])
  const own = { nameservers: ['1.1.1.1'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] }
  assert.deepEqual(dnsConfigOf(podOf({ dnsPolicy: 'None', dnsConfig: own }), facts), {
    servers: ['1.1.1.1'],
    searches: [],
    options: ['ndots:2', 'edns0'],
  })
  assert.deepEqual(dnsConfigOf(podOf({ dnsConfig: own }), facts).options, ['ndots:2', 'edns0'])
})

test('sandboxConfig() gives a pod on the network of its node no name of its own', () => {
  const facts = {
    attempt: 0,
    podLogsRoot: '/logs',
    cgroupParent: '/p',
    dns: { servers: [], searches: [], options: [] },
  }
  const hostnameOf = (spec: object): string =>
    sandboxConfig(podOf(spec), { ...facts, clusterDomain: 'cluster.local' }).hostname
  assert.equal(hostnameOf({ hostNetwork: true }), '')
  assert.notEqual(hostnameOf({}), '')
})

test('sandboxConfig() carries labels, ports and namespaces', () => {
  const pod = podOf({
    containers: [{ name: 'a', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }],
    hostPID: true,
    securityContext: { sysctls: [{ name: 'net.core.somaxconn', value: '9' }] },
  })
  const facts = {
    attempt: 1,
    podLogsRoot: '/l',
    cgroupParent: '/c',
    dns: { servers: [], searches: [], options: [] },
    clusterDomain: 'cluster.local',
  }
  const made = sandboxConfig(pod, facts)
  assert.equal(made.logDirectory, '/l/shop_web_u')
  assert.equal(made.labels['app'], 'web')
  assert.deepEqual(made.portMappings, [{ protocol: 'TCP', containerPort: 80, hostPort: 8080, hostIp: '' }])
  assert.deepEqual(made.linux.securityContext.namespaceOptions, { network: 'POD', pid: 'NODE', ipc: 'POD' })
  assert.deepEqual(made.linux.sysctls, { 'net.core.somaxconn': '9' })
})

test('hostNames() cuts what is too long and adds the subdomain', () => {
  assert.equal(
    hostNames({ ...podOf(), metadata: { name: `${'a'.repeat(62)}-b` } }, 'cluster.local').hostname,
    'a'.repeat(62),
  )
  assert.equal(hostNames(podOf({ subdomain: 'store' }), 'cluster.local').fqdn, 'web.store.shop.svc.cluster.local')
  const overridden = podOf({ subdomain: 'store', hostname: 'other', hostnameOverride: 'node.example.com' })
  assert.deepEqual(hostNames(overridden, 'cluster.local'), { hostname: 'node.example.com' })
})
