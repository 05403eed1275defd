// Harder moments of a pod's life on a real containerd: a lost sandbox, failed liveness, hooks, a shortened grace, a disk.

import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { events, persistentVolumeClaims, persistentVolumes, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { run } from '@aksel/host/command'
import { mountsBelow } from '@aksel/host/mount-table'
import { podUidLabel } from './pod/names.ts'
import { podCgroup } from './pod/pod-cgroup.ts'
import { busyboxPod, startAgent, when } from './testing/agent-harness.ts'
import { startContainerd } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'
import type { DiskMounter } from './volumes/disk-mounter.ts'

const sleepForever = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done']
const stubborn = ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done']
const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const idOf = (pod: Pod | undefined): string => pod?.status?.containerStatuses?.[0]?.containerID?.slice(13) ?? ''

test('a pod whose sandbox is lost gets another one and goes on', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  await harness.client.create(pods, busyboxPod('a', sleepForever))
  const before = await harness.podWhen('a', isReady)
  const [sandbox] = await containerd.runtime.listPodSandboxes()
  await run(scope, [
    'ctr',
    '--address',
    containerd.socketPath,
    '-n',
    'k8s.io',
    'task',
    'kill',
    '-s',
    'KILL',
    sandbox!.id,
  ])
  const after = await harness.podWhen('a', (pod) => isReady(pod) && idOf(pod) !== idOf(before))
  assert.equal(after?.status?.containerStatuses?.[0]?.restartCount, 1)
  const said = harness.client.peekAll(events, 'default').map(({ reason }) => reason)
  assert.ok(said.includes('SandboxChanged'), said.join())
})

test('a pod that is called not ready while its node was silent is ready again by its node’s word', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  await harness.client.create(pods, busyboxPod('a', sleepForever))
  const before = (await harness.podWhen('a', isReady))!
  const conditions = before.status!.conditions!.map((one) => (one.type === 'Ready' ? { ...one, status: 'False' } : one))
  const spoken = await harness.client.update(
    pods,
    { ...before, status: { ...before.status, conditions } },
    { subresource: 'status' },
  )
  assert.ok(!isReady(spoken))
  const after = await harness.podWhen('a', isReady)
  assert.equal(idOf(after), idOf(before))
})

test('failed liveness restarts a container; hooks run after its start and before its end', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const base = busyboxPod('b', sleepForever)
  const pod: Pod = {
    ...base,
    spec: {
      ...base.spec,
      volumes: [
        { name: 'shared', hostPath: { path: join(containerd.directory, 'shared'), type: 'DirectoryOrCreate' } },
      ],
      containers: [
        {
          ...base.spec.containers[0]!,
          volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          lifecycle: {
            postStart: { exec: { command: ['sh', '-c', 'echo started >> /shared/hooks'] } },
            preStop: { exec: { command: ['sh', '-c', 'echo stopping >> /shared/hooks'] } },
          },
          livenessProbe: {
            exec: { command: ['sh', '-c', 'test ! -e /shared/sick'] },
            periodSeconds: 1,
            failureThreshold: 1,
          },
        },
      ],
    },
  }
  await harness.client.create(pods, pod)
  await harness.podWhen('b', isReady)
  await writeFile(join(containerd.directory, 'shared', 'sick'), '')
  await harness.podWhen('b', (found) => (found?.status?.containerStatuses?.[0]?.restartCount ?? 0) >= 1)
  const hooks = await readFile(join(containerd.directory, 'shared', 'hooks'), 'utf8')
  assert.match(hooks, /^started\nstopping\nstarted\n/)
  const said = harness.client.peekAll(events, 'default').map(({ reason, message }) => `${reason} ${message}`)
  assert.ok(said.includes('Killing Container main failed liveness probe, will be restarted'), said.join('\n'))
  assert.ok(
    said.some((line) => line.startsWith('Unhealthy Liveness probe failed:')),
    said.join('\n'),
  )
})

test('an exit that restarts all containers runs the init containers again, and no hook', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const base = busyboxPod('all', sleepForever)
  const main = { ...base.spec.containers[0]!, volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }
  const says = (words: string): readonly string[] => ['sh', '-c', words]
  const pod: Pod = {
    ...base,
    spec: {
      ...base.spec,
      restartPolicy: 'Never',
      volumes: [
        { name: 'shared', hostPath: { path: join(containerd.directory, 'shared'), type: 'DirectoryOrCreate' } },
      ],
      initContainers: [{ ...main, name: 'first', command: says('echo first >> /shared/log') }],
      containers: [
        {
          ...main,
          command: says('echo main >> /shared/log; while :; do sleep 0.1; done'),
          // Ready once it has written for the second time.
          readinessProbe: { exec: { command: [...says('test $(grep -c main /shared/log) = 2')] }, periodSeconds: 1 },
          lifecycle: { preStop: { exec: { command: [...says('echo hook >> /shared/log')] } } },
        },
        {
          ...main,
          name: 'trigger',
          command: says('until grep -q main /shared/log; do sleep 0.1; done; mkdir /shared/once && exit 42; sleep 600'),
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
        },
      ],
      terminationGracePeriodSeconds: 1,
    },
  }
  await harness.client.create(pods, pod)
  const counts = (found: Pod | undefined): readonly number[] =>
    [...(found?.status?.initContainerStatuses ?? []), ...(found?.status?.containerStatuses ?? [])].map(
      ({ restartCount }) => restartCount ?? 0,
    )
  const holds = (found: Pod | undefined): string | undefined =>
    found?.status?.conditions?.find(({ type }) => type === 'AllContainersRestarting')?.status
  await harness.podWhen('all', (found) => holds(found) === 'True')
  const after = await harness.podWhen('all', (found) => isReady(found) && counts(found).join() === '1,1,1')
  assert.equal(holds(after), 'False')
  const sandboxes = await containerd.runtime.listPodSandboxes()
  assert.equal(sandboxes.length, 1, 'the sandbox stays')
  const log = await readFile(join(containerd.directory, 'shared', 'log'), 'utf8')
  assert.equal(log, 'first\nmain\nfirst\nmain\n')
})

test('a second deletion with a shorter grace overtakes the first', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const base = busyboxPod('c', stubborn)
  await harness.client.create(pods, { ...base, spec: { ...base.spec, terminationGracePeriodSeconds: 600 } })
  await harness.podWhen('c', isReady)
  const ref = { namespace: 'default', name: 'c' }
  await harness.client.delete(pods, ref)
  await harness.client.delete(pods, ref, { gracePeriodSeconds: 1 })
  await harness.podWhen('c', (pod) => pod === undefined)
  assert.deepEqual(await containerd.runtime.listContainers(), [])
})

test('an ephemeral container joins a running pod', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  await harness.client.create(pods, busyboxPod('d', sleepForever))
  const running = (await harness.podWhen('d', isReady))!
  const debug = {
    name: 'debug',
    image: 'busybox:1.36',
    imagePullPolicy: 'IfNotPresent',
    targetContainerName: 'main',
    command: ['sh', '-c', 'grep -q trap /proc/1/cmdline'],
  }
  await harness.client.update(pods, { ...running, spec: { ...running.spec, ephemeralContainers: [debug] } })
  const done = await harness.podWhen(
    'd',
    (pod) => pod?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
  )
  assert.equal(done?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated?.exitCode, 0)
  assert.equal(done?.status?.phase, 'Running')
})

/** Disks as folders that are bind-mounted: what the agent asks for, and when. */
function folderDisks(directory: string, asked: string[]): DiskMounter {
  return {
    async mount(scope, { volumeHandle, targetPath, readOnly, owner }) {
      asked.push(`mount ${volumeHandle} ${String(readOnly)} ${owner}`)
      const disk = join(directory, volumeHandle)
      await mkdir(disk, { recursive: true })
      if (!(await mountsBelow(targetPath)).includes(targetPath)) await run(scope, ['mount', '--bind', disk, targetPath])
    },
    grow: () => Promise.reject(new Error('no claim of this test grows')),
    async unmount(scope, { volumeHandle, targetPath }) {
      asked.push(`unmount ${volumeHandle}`)
      if ((await mountsBelow(targetPath)).includes(targetPath)) await run(scope, ['umount', targetPath])
    },
  }
}

test('a claim waits until it is bound, is mounted for its pod, and is given back with its data', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  const asked: string[] = []
  await using harness = await startAgent(scope, containerd, {
    disks: folderDisks(join(containerd.directory, 'disks'), asked),
  })
  const { client } = harness
  const claim = await client.create(persistentVolumeClaims, {
    metadata: { namespace: 'default', name: 'data' },
    spec: { volumeName: 'pv1' },
  })
  const base = busyboxPod('e', ['sh', '-c', 'echo kept > /data/file'], { restartPolicy: 'Never' })
  await client.create(pods, {
    ...base,
    spec: {
      ...base.spec,
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
      containers: [{ ...base.spec.containers[0]!, volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    },
  })
  const refused = 'MountVolume.SetUp failed for volume "data" : PVC default/data is not bound'
  const isTold = (): boolean => client.peekAll(events, 'default').some(({ message }) => message === refused)
  await when(scope, client, events, 'default/any', isTold)
  client.objects.write(persistentVolumes, {
    metadata: { name: 'pv1', uid: 'pv-uid' },
    spec: { csi: { driver: 'disk.csi.azure.com', volumeHandle: 'disk-1' }, claimRef: { uid: claim.metadata.uid } },
  } as never)
  client.objects.write(persistentVolumeClaims, { ...claim, status: { phase: 'Bound' } } as never)
  await harness.podWhen('e', (pod) => pod?.status?.phase === 'Succeeded')
  // A pod that has ended gives its disk back while its object stays.
  assert.deepEqual([asked.includes('mount disk-1 false test'), asked.at(-1)], [true, 'unmount disk-1'])
  assert.equal(await readFile(join(containerd.directory, 'disks', 'disk-1', 'file'), 'utf8'), 'kept\n')
})

test('a container whose task the runtime has lost, as when an agent dies while it starts one, keeps no pod from going', async () => {
  using scope = testScope()
  await using containerd = await startContainerd(scope)
  await using harness = await startAgent(scope, containerd)
  const { runtime } = containerd
  await harness.client.create(pods, busyboxPod('haunted', ['sleep', '9999'], { terminationGracePeriodSeconds: 1 }))
  const pod = (await harness.podWhen('haunted', isReady))!
  const [sandbox] = await runtime.listPodSandboxes({ [podUidLabel]: pod.metadata.uid! })
  const namespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const
  const security = {
    namespaceOptions,
    supplementalGroups: [],
    privileged: false,
    seccomp: { profileType: 'RuntimeDefault' },
  } as const
  const metadata = { name: 'haunted', uid: pod.metadata.uid!, namespace: 'default', attempt: 0 }
  const cgroupParent = podCgroup(containerd.cgroupRoot, pod)
  const ghost = await runtime.createContainer(
    sandbox!.id,
    {
      metadata: { name: 'ghost', attempt: 0 },
      image: { image: 'docker.io/library/busybox:1.36' },
      command: ['sleep', '9999'],
      args: [],
      workingDir: '/',
      envs: [],
      mounts: [],
      devices: [],
      labels: {},
      annotations: {},
      logPath: 'ghost/0.log',
      stdin: false,
      stdinOnce: false,
      tty: false,
      linux: {
        resources: { oomScoreAdj: 1000 },
        securityContext: {
          ...security,
          capabilities: { addCapabilities: [], dropCapabilities: [] },
          readonlyRootfs: false,
          noNewPrivs: false,
          maskedPaths: [],
          readonlyPaths: [],
        },
      },
    },
    {
      metadata,
      hostname: 'haunted',
      logDirectory: join(containerd.directory, 'ghost-logs'),
      dnsConfig: { servers: [], searches: [], options: [] },
      portMappings: [],
      labels: {},
      annotations: {},
      linux: { cgroupParent, securityContext: security, sysctls: {} },
    },
  )
  const ctr = (...more: string[]): Promise<{ readonly stdout: string }> =>
    run(scope, ['ctr', '--address', containerd.socketPath, '-n', 'k8s.io', 'task', ...more])
  await ctr('start', '--detach', '--null-io', ghost)
  await assert.rejects(runtime.removeContainer(ghost), /cannot delete running task/)
  await harness.client.delete(pods, { namespace: 'default', name: 'haunted' })
  await harness.podWhen('haunted', (found) => found === undefined)
  const { stdout } = await ctr('list', '--quiet')
  assert.ok(!stdout.includes(ghost) && !stdout.includes(sandbox!.id), stdout)
})
