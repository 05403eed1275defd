// Our CRI messages against a real containerd.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startContainerd } from '../testing/containerd-harness.ts'
import { testScope } from '../testing/test-scope.ts'
import type { ContainerConfig, PodSandboxConfig } from './types.ts'

test('a sandbox and a container run, answer to exec, and say how they ended', async () => {
  using scope = testScope()
  await using harness = await startContainerd(scope)
  const { runtime } = harness
  assert.equal((await runtime.version()).runtimeName, 'containerd')
  const sandbox: PodSandboxConfig = {
    metadata: { name: 'a', uid: 'u', namespace: 'default', attempt: 0 },
    hostname: 'a',
    logDirectory: `${harness.directory}/logs/default_a_u`,
    dnsConfig: { servers: ['10.0.0.10'], searches: ['svc.cluster.local'], options: ['ndots:5'] },
    portMappings: [],
    labels: { 'io.kubernetes.pod.uid': 'u' },
    annotations: {},
    linux: {
      cgroupParent: `${harness.cgroupRoot}/poda`,
      securityContext: {
        namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
        supplementalGroups: [],
        privileged: false,
        seccomp: { profileType: 'RuntimeDefault' },
      },
      sysctls: {},
    },
  }
  const sandboxId = await runtime.runPodSandbox(sandbox, '')
  const status = await runtime.podSandboxStatus(sandboxId)
  assert.equal(status.state, 'SANDBOX_READY')
  assert.match(status.network?.ip ?? '', /^10\.99\.0\.\d+$/)
  assert.deepEqual(
    (await runtime.listPodSandboxes({ 'io.kubernetes.pod.uid': 'u' })).map(({ id }) => id),
    [sandboxId],
  )
  const config: ContainerConfig = {
    metadata: { name: 'c', attempt: 3 },
    image: { image: 'docker.io/library/busybox:1.36' },
    command: ['sh', '-c', 'trap "exit 7" TERM; cat /etc/resolv.conf; while :; do sleep 0.05; done'],
    args: [],
    workingDir: '/tmp',
    envs: [{ key: 'A', value: 'b' }],
    mounts: [],
    devices: [],
    labels: { 'io.kubernetes.pod.uid': 'u', 'io.kubernetes.container.name': 'c' },
    annotations: { 'io.kubernetes.container.restartCount': '3' },
    logPath: 'c/3.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    linux: {
      resources: { cpuShares: 102, memoryLimitInBytes: 32 << 20, oomScoreAdj: 1000 },
      securityContext: {
        capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
        privileged: false,
        namespaceOptions: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' },
        runAsUser: { value: 1234 },
        readonlyRootfs: true,
        supplementalGroups: [55],
        noNewPrivs: true,
        maskedPaths: ['/proc/kcore'],
        readonlyPaths: ['/proc/sys'],
        seccomp: { profileType: 'RuntimeDefault' },
      },
    },
  }
  const containerId = await runtime.createContainer(sandboxId, config, sandbox)
  await runtime.startContainer(containerId)
  const exec = await runtime.execSync(containerId, ['sh', '-c', 'id -u; id -G; pwd; echo $A $HOSTNAME; touch /x'], 5)
  assert.equal(Buffer.from(exec.stdout).toString(), '1234\n0 55\n/tmp\nb a\n')
  assert.equal(exec.exitCode, 1)
  assert.match(Buffer.from(exec.stderr).toString(), /Read-only file system/)
  assert.deepEqual((await runtime.listContainers())[0]?.metadata, { name: 'c', attempt: 3 })
  await runtime.stopContainer(containerId, 5)
  const ended = await runtime.containerStatus(containerId)
  assert.deepEqual([ended.state, ended.exitCode, ended.reason], ['CONTAINER_EXITED', 7, 'Error'])
  assert.ok(ended.finishedAt >= ended.startedAt && ended.startedAt >= ended.createdAt)
})
