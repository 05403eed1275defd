// What a pod asks of its node beyond running, on a real containerd: memory and its end, namespaces of the host, rights, order of
// containers, variables from files. One node for all of it.

import assert from 'node:assert/strict'
import { chmod, mkdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { events, nodes, pods } from '@aksel/api/resources'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import { hostCgroups } from '@aksel/host/cgroup-world'
import { podCgroup } from './pod/pod-cgroup.ts'
import { busyboxPod, startAgent, type AgentHarness } from './testing/agent-harness.ts'
import { startContainerd, type ContainerdHarness } from './testing/containerd-harness.ts'
import { testScope } from './testing/test-scope.ts'

const MI = 2 ** 20
const scope = testScope()
let containerd: ContainerdHarness
let harness: AgentHarness
/** Given to pods as a volume: what they write there is read here. */
let shared: string

before(async () => {
  containerd = await startContainerd(scope)
  harness = await startAgent(scope, containerd, { kubelet: { allowedUnsafeSysctls: ['net.core.somax*'] } })
  shared = join(containerd.directory, 'shared')
  await mkdir(shared)
  await chmod(shared, 0o777)
})
after(async () => {
  await harness[Symbol.asyncDispose]()
  await containerd[Symbol.asyncDispose]()
  scope[Symbol.dispose]()
})

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
const isOver = (pod: Pod | undefined): boolean => ['Succeeded', 'Failed'].includes(pod?.status?.phase ?? '')

/** Every container sees `shared` at /shared. */
function sharing(pod: Pod): Pod {
  const mounts = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] }
  const withShared = (container: Container): Container => ({ ...container, ...mounts })
  return {
    ...pod,
    spec: {
      ...pod.spec,
      volumes: [...(pod.spec.volumes ?? []), { name: 'shared', hostPath: { path: shared } }],
      containers: pod.spec.containers.map(withShared),
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: pod.spec.initContainers.map(withShared) }),
    },
  }
}

/** What the pod's only container wrote to /shared/NAME, once it is over. */
async function outcome(
  name: string,
  script: string,
  spec: Partial<Pod['spec']> = {},
  own: Partial<Container> = {},
): Promise<string> {
  const base = busyboxPod(name, ['sh', '-c', `exec > /shared/${name} 2>&1; ${script}`], {
    restartPolicy: 'Never',
    ...spec,
  })
  const [main] = base.spec.containers
  await harness.client.create(pods, sharing({ ...base, spec: { ...base.spec, containers: [{ ...main!, ...own }] } }))
  const pod = await harness.podWhen(name, isOver)
  const waiting = pod?.status?.containerStatuses?.[0]?.state
  assert.equal(pod?.status?.phase, 'Succeeded', JSON.stringify(waiting))
  return readFile(join(shared, name), 'utf8')
}

const messagesOf = (reason: string): readonly string[] =>
  harness.client.peekAll(events, 'default').flatMap((event) => (event.reason === reason ? [event.message ?? ''] : []))

/** Resolves when there is such an event; rejects after the test's deadline with those that there are. */
async function toldOf(reason: string, message?: string): Promise<void> {
  const isThere = (): boolean => messagesOf(reason).some((one) => message === undefined || one === message)
  const end = AbortSignal.timeout(30_000)
  const list = await harness.client.list(events)
  if (isThere()) return
  const resourceVersion = list.metadata.resourceVersion ?? '0'
  for await (const _ of harness.client.watch(events, { resourceVersion, signal: end })) if (isThere()) return
  assert.fail(
    `no event ${reason}: ${harness.client
      .peekAll(events)
      .map((event) => event.reason)
      .join()}`,
  )
}

test('a container that has no memory left is OOMKilled, by 137, restarted, and the node is not told', async () => {
  const base = busyboxPod('eater', ['tail', '/dev/zero'], { terminationGracePeriodSeconds: 1 })
  const [main] = base.spec.containers
  const own = { ...main!, resources: { limits: { memory: '24Mi' }, requests: { memory: '24Mi' } } }
  await harness.client.create(pods, { ...base, spec: { ...base.spec, containers: [own] } })
  const pod = await harness.podWhen('eater', (found) => (found?.status?.containerStatuses?.[0]?.restartCount ?? 0) > 0)
  const ended = pod?.status?.containerStatuses?.[0]?.lastState?.terminated
  assert.deepEqual([ended?.reason, ended?.exitCode], ['OOMKilled', 137])
  assert.deepEqual(messagesOf('SystemOOM'), [])
  await harness.client.delete(pods, { namespace: 'default', name: 'eater' })
  await harness.podWhen('eater', (found) => found === undefined)
})

test('a machine that has no memory left is told as SystemOOM on its node, with who was ended', async () => {
  const limit = 'memory.limit_in_bytes'
  const trees = await hostCgroups.trees()
  const tree = trees.find(({ controllers }) => controllers.includes('memory'))!
  const file = join(tree.mountPoint, containerd.cgroupRoot, tree.version === 2 ? 'memory.max' : limit)
  const usage = join(
    tree.mountPoint,
    containerd.cgroupRoot,
    tree.version === 2 ? 'memory.current' : 'memory.usage_in_bytes',
  )
  await writeFile(file, String(Number(await readFile(usage, 'utf8')) + 64 * MI))
  try {
    await harness.client.create(pods, busyboxPod('glutton', ['tail', '/dev/zero'], { restartPolicy: 'Never' }))
    await harness.podWhen('glutton', isOver)
    await toldOf('SystemOOM')
  } finally {
    await writeFile(file, tree.version === 2 ? 'max' : '-1')
  }
  const [message] = messagesOf('SystemOOM')
  assert.match(message!, /^System OOM encountered, victim process: tail, pid: \d+$/)
  const event = harness.client.peekAll(events, 'default').find(({ reason }) => reason === 'SystemOOM')
  assert.deepEqual(
    [event?.type, event?.involvedObject?.kind, event?.involvedObject?.name],
    ['Warning', nodes.kind, 'n1'],
  )
})

test('memory is given back in place, and not while a container uses more than it would have', async () => {
  const limited = (memory: string): Container => ({
    ...busyboxPod('shrink', [
      'sh',
      '-c',
      'dd if=/dev/zero of=/dev/shm/file bs=1M count=40 2>/dev/null; trap "rm /dev/shm/file" USR1; while :; do sleep 0.1; done',
    ]).spec.containers[0]!,
    resources: { limits: { memory }, requests: { memory } },
    volumeMounts: [{ name: 'shm', mountPath: '/dev/shm' }],
  })
  const base = busyboxPod('shrink', [], { terminationGracePeriodSeconds: 1 })
  const spec = {
    ...base.spec,
    containers: [limited('128Mi')],
    volumes: [{ name: 'shm', emptyDir: { medium: 'Memory' } }],
  }
  await harness.client.create(pods, { ...base, spec })
  const running = (await harness.podWhen('shrink', isReady))!
  const id = running.status!.containerStatuses![0]!.containerID!.slice('containerd://'.length)
  const trees = await hostCgroups.trees()
  const tree = trees.find(({ controllers }) => controllers.includes('memory'))!
  const folder = join(tree.mountPoint, podCgroup(containerd.cgroupRoot, running), id)
  const bound = async (): Promise<number> =>
    Number(await readFile(join(folder, tree.version === 2 ? 'memory.max' : 'memory.limit_in_bytes'), 'utf8'))
  assert.equal(await bound(), 128 * MI)
  const used = async (mebibytes: number): Promise<void> => {
    const file = join(folder, tree.version === 2 ? 'memory.current' : 'memory.usage_in_bytes')
    const until = scope.clock.monotonicMs() + 20_000
    while (Number(await readFile(file, 'utf8')) < mebibytes * MI)
      assert.ok(scope.clock.monotonicMs() < until, 'it takes no memory')
  }
  await used(40)
  const resize = async (memory: string): Promise<void> => {
    const pod = harness.client.peek(pods, 'default/shrink')!
    await harness.client.update(pods, {
      ...pod,
      metadata: { ...pod.metadata, generation: 2 },
      spec: { ...pod.spec, containers: [limited(memory)] },
    })
  }
  const progress = (pod: Pod | undefined): string =>
    pod?.status?.conditions?.find(({ type }) => type === 'PodResizeInProgress')?.message ?? ''
  await resize('32Mi')
  const refused = await harness.podWhen('shrink', (pod) => progress(pod) !== '')
  assert.match(
    progress(refused),
    /^attempting to set (container "main"|pod) memory limit \(33554432\) below current usage \(\d+\)$/,
  )
  assert.equal(await bound(), 128 * MI)
  await resize('96Mi')
  await harness.podWhen(
    'shrink',
    (pod) => pod?.status?.containerStatuses?.[0]?.resources?.limits?.['memory'] === '96Mi',
  )
  assert.equal(await bound(), 96 * MI)
  assert.equal(harness.client.peek(pods, 'default/shrink')?.status?.containerStatuses?.[0]?.restartCount, 0)
})

// `$$$$` is `$$` once the node has expanded it.
test('a pod has the host’s processes and its IPC only where it asks; its containers see each other’s where they share', async () => {
  const script = 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc'
  const own = (await Promise.all(['pid', 'ipc'].map((name) => readlink(`/proc/self/ns/${name}`)))).join('\n')
  assert.equal((await outcome('of-host', script, { hostPID: true, hostIPC: true })).trim(), own)
  const apart = (await outcome('apart', script)).trim().split('\n')
  assert.ok(apart.every((name) => !own.includes(name)))
  assert.equal((await outcome('first', 'echo $$$$')).trim(), '1')
  // The pause process is the first of a pod that shares.
  assert.match(
    await outcome('sharing', 'cat /proc/1/cmdline; echo; [ $$$$ = 1 ] || echo not first', {
      shareProcessNamespace: true,
    }),
    /pause[^]*not first/,
  )
})

test('kernel settings of its own are a pod’s to choose, those that the node allows too; others are refused for good', async () => {
  const sysctls = [{ name: 'net.core.somaxconn', value: '77' }]
  assert.equal(
    (await outcome('allowed', 'cat /proc/sys/net/core/somaxconn', { securityContext: { sysctls } })).trim(),
    '77',
  )
  const others = { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '9000' }] } }
  await harness.client.create(pods, busyboxPod('forbidden', ['true'], others))
  const { status } = (await harness.podWhen('forbidden', isOver))!
  const message = 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted'
  assert.deepEqual([status?.reason, status?.message], ['SysctlForbidden', message])
})

test('/proc is masked and partly read-only, unless a container may see all of it', async () => {
  const script =
    'grep -c " /proc/" /proc/mounts; head -c 1 /proc/kcore | wc -c; [ -w /proc/sys/kernel/domainname ] && echo yes || echo no'
  const [mounts, bytes, writable] = (
    await outcome(
      'masked',
      'grep -c " /proc/" /proc/mounts; head -c 1 /proc/keys | wc -c; sh -c "echo x > /proc/sys/kernel/domainname" 2>/dev/null && echo yes || echo no',
    )
  )
    .trim()
    .split('\n')
  assert.ok(Number(mounts) > 5)
  assert.deepEqual([bytes, writable], ['0', 'no'])
  const open = await outcome('unmasked', script, {}, { securityContext: { procMount: 'Unmasked' } })
  assert.equal(open.split('\n')[0], '0')
})

test('a profile of one’s own confines system calls: it lies in the folder that plug-ins know as /var/lib/kubelet/seccomp', async () => {
  const folder = join(containerd.directory, 'kubelet', 'seccomp', 'profiles')
  await mkdir(folder, { recursive: true })
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
  }
  await writeFile(join(folder, 'no-folders.json'), JSON.stringify(profile))
  const seccompProfile = { type: 'Localhost', localhostProfile: 'profiles/no-folders.json' }
  const script = 'mkdir /tmp/a && echo made; grep Seccomp: /proc/self/status'
  assert.match(
    await outcome('confined', script, {}, { securityContext: { seccompProfile } }),
    /Operation not permitted\nSeccomp:\t2/,
  )
  assert.match(
    await outcome('free', script, {}, { securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    /^made\nSeccomp:\t0/,
  )
})

test('a container has the user, groups and capabilities that it asks for, and no others', async () => {
  const script =
    'id -u; id -g; id -G; grep -E "Cap(Eff|Bnd)|NoNewPrivs" /proc/self/status; touch /file 2>/dev/null || echo read-only'
  const own = {
    runAsUser: 1000,
    runAsGroup: 2000,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  }
  const spec = { securityContext: { supplementalGroups: [3000, 4000], fsGroup: 5000 } }
  assert.deepEqual((await outcome('modest', script, spec, { securityContext: own })).trim().split('\n'), [
    '1000',
    '2000',
    '2000 3000 4000 5000',
    'CapEff:\t0000000000000000',
    'CapBnd:\t0000000000000000',
    'NoNewPrivs:\t1',
    'read-only',
  ])
  const NET_ADMIN = 1n << 12n
  const MKNOD = 1n << 27n
  const bounds = async (name: string, context: object): Promise<bigint> => {
    const text = await outcome(name, 'grep CapBnd /proc/self/status', {}, { securityContext: context })
    return BigInt(`0x${text.trim().split('\t')[1]}`)
  }
  const plain = await bounds('plain', {})
  const changed = await bounds('changed', { capabilities: { add: ['NET_ADMIN'], drop: ['MKNOD'] } })
  assert.deepEqual([plain & NET_ADMIN, plain & MKNOD], [0n, MKNOD])
  assert.equal(changed, (plain | NET_ADMIN) & ~MKNOD)
})

test('paths of the host are what their types say: made where that is said, refused where they are something else', async () => {
  const at = (name: string): string => join(containerd.directory, 'paths', name)
  await mkdir(at('folder'), { recursive: true })
  await writeFile(at('file'), '')
  const server = createServer().listen(at('socket'))
  await once(server, 'listening')
  const good: readonly (readonly [type: string, path: string])[] = [
    ['', at('folder')],
    ['Directory', at('folder')],
    ['DirectoryOrCreate', at('new/folder')],
    ['File', at('file')],
    ['FileOrCreate', at('new-file')],
    ['Socket', at('socket')],
    ['CharDevice', '/dev/null'],
  ]
  const volumes = good.map(([type, path], index) => ({ name: `v${index}`, hostPath: { path, type } }))
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/seen/${name}` }))
  const kind = 'for v in 0 1 2 3 4 5 6; do stat -c %F /seen/v$v; done'
  const base = busyboxPod('paths', ['sh', '-c', `${kind} > /dev/termination-log`], { restartPolicy: 'Never', volumes })
  const [main] = base.spec.containers
  await harness.client.create(pods, { ...base, spec: { ...base.spec, containers: [{ ...main!, volumeMounts }] } })
  const seen = await harness.podWhen('paths', isOver)
  assert.deepEqual(seen?.status?.containerStatuses?.[0]?.state?.terminated?.message?.trim().split('\n'), [
    'directory',
    'directory',
    'directory',
    'regular empty file',
    'regular empty file',
    'socket',
    'character special file',
  ])
  server.close()
  for (const [type, path, noun] of [
    ['Directory', at('file'), 'directory'],
    ['File', at('folder'), 'file'],
    ['Socket', at('file'), 'socket file'],
    ['CharDevice', at('file'), 'character device'],
    ['BlockDevice', '/dev/null', 'block device'],
    ['Directory', at('nowhere'), 'directory'],
  ] as const) {
    const name = `wrong-${type.toLowerCase()}-${path.endsWith('nowhere') ? 'missing' : 'other'}`
    const wrong = [{ name: 'v', hostPath: { path, type } }]
    await harness.client.create(pods, busyboxPod(name, ['true'], { volumes: wrong, terminationGracePeriodSeconds: 0 }))
    await toldOf(
      'FailedMount',
      `MountVolume.SetUp failed for volume "v" : hostPath type check failed: ${path} is not a ${noun}`,
    )
  }
})

test('side-cars start in their order, before what follows them, and end after it, in reverse', async () => {
  const say = (word: string): string => `echo ${word} >> /shared/order`
  const lives = (name: string): string =>
    `${say(`${name}-up`)}; touch /shared/${name}; trap "${say(`${name}-down`)}; exit 0" TERM; while :; do sleep 0.05; done`
  const sidecar = (name: string): Container => ({
    name,
    image: 'busybox:1.36',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', lives(name)],
    restartPolicy: 'Always',
    startupProbe: { exec: { command: ['test', '-e', `/shared/${name}`] }, periodSeconds: 1, failureThreshold: 30 },
  })
  const init = (name: string): Container => ({
    name,
    image: 'busybox:1.36',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', say(name)],
  })
  const base = busyboxPod('ordered', ['sh', '-c', lives('main')], { terminationGracePeriodSeconds: 20 })
  const initContainers = [init('one'), sidecar('first'), init('two'), sidecar('second')]
  await harness.client.create(pods, sharing({ ...base, spec: { ...base.spec, initContainers } }))
  await harness.podWhen('ordered', isReady)
  // Ready says that it runs; that its shell has come to its trap is another thing.
  const order = (): Promise<readonly string[]> =>
    readFile(join(shared, 'order'), 'utf8').then((text) => text.trim().split('\n'))
  const until = scope.clock.monotonicMs() + 20_000
  while (!(await order()).includes('main-up')) assert.ok(scope.clock.monotonicMs() < until)
  assert.deepEqual(await order(), ['one', 'first-up', 'two', 'second-up', 'main-up'])
  await harness.client.delete(pods, { namespace: 'default', name: 'ordered' })
  await harness.podWhen('ordered', (pod) => pod === undefined)
  assert.deepEqual((await order()).slice(5), ['main-down', 'second-down', 'first-down'])
})

test('variables come from a file that an init container wrote, and what is wrong with it is told', async () => {
  const volumes = [{ name: 'config', emptyDir: {} }]
  const write = (text: string): Container => ({
    name: 'write',
    image: 'busybox:1.36',
    imagePullPolicy: 'IfNotPresent',
    command: ['sh', '-c', `printf "%s" "${text}" > /config/app.env`],
    volumeMounts: [{ name: 'config', mountPath: '/config' }],
  })
  const fileKeyRef = { volumeName: 'config', path: 'app.env', key: 'GREETING' }
  const env = [{ name: 'HELLO', valueFrom: { fileKeyRef } }]
  const withFile = (name: string, text: string): Pod => {
    const base = busyboxPod(name, ['sh', '-c', '[ "$HELLO" = "good day" ]'], { restartPolicy: 'Never' })
    const [main] = base.spec.containers
    return { ...base, spec: { ...base.spec, volumes, initContainers: [write(text)], containers: [{ ...main!, env }] } }
  }
  await harness.client.create(pods, withFile('greeted', "# for all\nGREETING='good day'\n"))
  assert.equal((await harness.podWhen('greeted', isOver))?.status?.phase, 'Succeeded')
  await harness.client.create(pods, withFile('unquoted', 'GREETING=hello'))
  const waiting = await harness.podWhen(
    'unquoted',
    (pod) => pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
  )
  assert.equal(waiting?.status?.containerStatuses?.[0]?.state?.waiting?.message, "couldn't parse env file")
})
