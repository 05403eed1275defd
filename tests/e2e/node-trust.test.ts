// A node whose agent and containerd are killed, or which is cut off, while pods with volumes come and go: what runs goes on,
// and of what is gone nothing is left.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, readdir, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, before, test } from 'node:test'
import { fraction, seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import type { V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { pack } from 'tar-stream'
import { busybox, conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { changed, podsIn, type Pods } from '../conformance/pods.ts'
import { runProgram, type Outcome } from './aksel.ts'
import { added, heldForPods, machineOf, nothingAdded, pidOf, type TestMachine } from './machine-leftovers.ts'

let cluster: ConformanceCluster
let pods: Pods
let machine: TestMachine
let empty: readonly string[]
/** The node under trial, and one whose things are none of its business. */
let nodeName: string
let otherName: string

const SURVIVORS = 6
const CLEAN_MS = 60_000

before(async () => {
  cluster = await conformanceCluster({ nodes: 'real', count: 2 })
  pods = await podsIn(cluster, 'killed')
  const { core } = cluster
  const { namespace } = pods
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'words' }, data: { word: 'hello' } } })
  await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'key' }, stringData: { key: 's3cret' } } })
  const [node, other] = (await core.listNode()).items.map(({ metadata }) => metadata!.name!)
  ;[nodeName, otherName] = [node!, other!]
  machine = await machineOf(cluster.aksel.dataDir, nodeName)
  // The first pod makes what all share: cgroups of the classes of service, folders, a claim's storage class in use.
  await pods.create('first', podSpec(0))
  await pods.ready('first')
  await pods.delete('first')
  await pods.gone('first')
  empty = await heldForPods(machine)
})
after(() => cluster[Symbol.asyncDispose]())

/** With every kind of volume that leaves something on a node; every fifth with a disk of its own. */
function podSpec(index: number): V1PodSpec {
  const names = ['memory', 'work', 'words', 'key', 'about', ...(index % 5 === 0 ? ['disk'] : [])]
  return {
    nodeSelector: { 'kubernetes.io/hostname': nodeName },
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: busybox,
        command: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.2; done'],
        volumeMounts: [
          ...names.map((name) => ({ name, mountPath: `/${name}` })),
          { name: 'work', mountPath: '/inner', subPath: 'inner' },
        ],
      },
    ],
    volumes: [
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      { name: 'work', emptyDir: {} },
      { name: 'words', configMap: { name: 'words' } },
      { name: 'key', secret: { secretName: 'key' } },
      { name: 'about', downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
      ...(index % 5 === 0 ? [{ name: 'disk', ephemeral: { volumeClaimTemplate: { spec: claim } } }] : []),
    ],
  }
}

const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }

async function startSurvivors(): Promise<() => Promise<void>> {
  const names = Array.from({ length: SURVIVORS }, (_, index) => `survivor-${index}`)
  await Promise.all(names.map((name, index) => pods.create(name, podSpec(index))))
  const runs = async (): Promise<readonly string[]> => {
    const found = await Promise.all(names.map((name) => pods.ready(name)))
    return found.map(runOf)
  }
  const expected = await runs()
  return async () => {
    assert.deepEqual(await runs(), expected, 'what ran goes on')
    for (const name of names) assert.equal(await pods.exec(name, ['cat', '/words/word', '/key/key']), 'hellos3cret')
    await end(names)
  }
}

function isRunning({ status }: V1Pod): boolean {
  return status?.phase === 'Running'
}

function runOf({ metadata, status }: V1Pod): string {
  const [own] = status!.containerStatuses!
  return `${metadata!.name} ${own!.containerID} restarts ${own!.restartCount} at ${status!.podIP}`
}

async function end(names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => pods.delete(name, 1)))
  await Promise.all(names.map((name) => pods.gone(name, CLEAN_MS)))
}

async function kill(program: 'agent' | 'containerd'): Promise<void> {
  process.kill(await pidOf(machine.folder, program), 'SIGKILL')
}

test('what is planted is found: mounts, namespaces, links, cgroups, addresses, folders', async () => {
  const { folder, networkNamespace, cgroup } = machine
  const pod = join(folder, 'os/kubelet/pods/planted')
  const tree = join('/sys/fs/cgroup/pids', cgroup, 'kubepods/podplanted')
  const address = join(folder, 'cni-state/aksel/10.244.250.250')
  await mkdir(pod)
  await mkdir(tree)
  await writeFile(address, 'planted')
  const program = async (...argv: readonly string[]): Promise<void> => assert.equal((await runProgram(argv)).code, 0)
  await program('mount', '-t', 'tmpfs', 'tmpfs', pod)
  await program('ip', 'netns', 'add', 'cni-planted')
  await program('ip', '-n', networkNamespace, 'link', 'add', 'vethplanted', 'type', 'veth', 'peer', 'name', 'planted')
  const kinds = new Set(added(empty, await heldForPods(machine)).map((line) => line.split(' ')[0]))
  await program('ip', '-n', networkNamespace, 'link', 'del', 'vethplanted')
  await program('ip', 'netns', 'del', 'cni-planted')
  await program('umount', pod)
  await rm(address)
  await rmdir(tree)
  await rmdir(pod)
  assert.deepEqual(kinds, new Set(['address', 'cgroup', 'folder', 'link', 'mount', 'namespace']))
  assert.deepEqual(added(empty, await heldForPods(machine)), [])
})

test(
  'an agent and a containerd that are killed again and again under thirty pods stop none, and leave nothing of those that go',
  { timeout: sized({ gate: 240_000, full: 900_000 }) },
  async (t) => {
    const random = seededRandom(20261127)
    const check = await startSurvivors()
    const kills = sized({ gate: { agent: 5, containerd: 1 }, full: { agent: 20, containerd: 5 } })
    const rounds = kills.agent
    const size = 30 - SURVIVORS
    for (let round = 0; round < rounds; round += 1) {
      const names = Array.from({ length: Math.ceil(size / 3) }, (_, index) => `r${round}-${index}`)
      const churn = (async () => {
        await Promise.all(names.map((name, index) => pods.create(name, podSpec(index))))
        const [some, others] = [names.slice(0, names.length / 2), names.slice(names.length / 2)]
        // Some are deleted while they start, and forced out of the API: maybe while no agent sees it.
        await Promise.all(others.map((name) => pods.delete(name, 0)))
        await Promise.all(some.map((name) => pods.until(name, isRunning, 120_000)))
        await end(some)
      })()
      // A moment, not a wait for something: any is as good as another.
      await new Promise((resolve) => setTimeout(resolve, fraction(random) * 3000))
      await kill('agent')
      if (round % Math.ceil(rounds / kills.containerd) === 1) await kill('containerd')
      await churn
    }
    const names = Array.from({ length: size }, (_, index) => `last-${index}`)
    await Promise.all(names.map((name, index) => pods.create(name, podSpec(index))))
    await Promise.all(names.map((name) => pods.until(name, isRunning, 120_000)))
    await kill('agent')
    await end(names)
    await check()
    const startMs = Date.now()
    await nothingAdded(machine, empty, CLEAN_MS)
    t.diagnostic(`clean after ${Date.now() - startMs} ms`)
  },
)

test(
  'a node that is cut off keeps what runs, and takes away afterwards what was deleted meanwhile',
  { timeout: sized({ gate: 400_000, full: 900_000 }) },
  async (t) => {
    const check = await startSurvivors()
    const { aksel } = cluster
    for (const seconds of sized({ gate: [1, 8], full: [1, 5, 15, 30, 60] })) {
      const names = Array.from({ length: 6 }, (_, index) => `cut-${seconds}-${index}`)
      await Promise.all(names.map((name, index) => pods.create(name, podSpec(index))))
      await Promise.all(names.slice(0, 4).map((name) => pods.until(name, isRunning, 120_000)))
      await aksel.ok(['machine', 'partition', '--node', nodeName])
      // Two by force, which asks no node; one is made that nobody can start.
      await Promise.all(names.map((name, index) => pods.delete(name, index < 2 ? 0 : 1)))
      await pods.create(`late-${seconds}`, podSpec(1))
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
      await aksel.ok(['machine', 'heal', '--node', nodeName])
      await Promise.all(names.map((name) => pods.gone(name, CLEAN_MS)))
      await pods.until(`late-${seconds}`, isRunning, CLEAN_MS)
      await end([`late-${seconds}`])
      t.diagnostic(`cut off for ${seconds} s: whole again`)
    }
    await check()
    await nothingAdded(machine, empty, CLEAN_MS)
  },
)

test("a node's credentials reach nothing of another node", { timeout: 120_000 }, async () => {
  const { core, aksel } = cluster
  const { namespace } = pods
  await core.createNamespacedSecret({
    namespace,
    body: { metadata: { name: 'theirs' }, stringData: { key: 'theirs' } },
  })
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'theirs' }, data: { word: 'theirs' } } })
  const theirs = podSpec(1)
  const spec = changed(theirs, {
    nodeSelector: { 'kubernetes.io/hostname': otherName },
    volumes: theirs.volumes!.map((volume) => {
      if (volume.name === 'key') return { name: 'key', secret: { secretName: 'theirs' } }
      return volume.name === 'words' ? { name: 'words', configMap: { name: 'theirs' } } : volume
    }),
  })
  await pods.create('theirs', spec)
  await pods.create('ours', podSpec(1))
  const [{ metadata: their }] = await Promise.all([pods.ready('theirs'), pods.ready('ours')])
  const ask = (args: string): Promise<Outcome> =>
    aksel.run(['kubectl', '--kubeconfig', join(machine.folder, 'kubeconfig'), '-n', namespace, ...args.split(' ')])
  // What is its own it may: the harness would find a node that may nothing at all.
  for (const own of ['get pod ours', 'get secret key', 'get configmap words', `get node ${nodeName}`]) {
    assert.equal((await ask(own)).code, 0, own)
  }
  const patch = (what: string, value: object): string => `patch ${what} --type=merge -p ${JSON.stringify(value)}`
  const refused = [
    'get pod theirs',
    'get secret theirs',
    'get configmap theirs',
    'get secrets',
    'get configmaps -A',
    'get pods',
    `get pods --field-selector spec.nodeName=${otherName}`,
    'exec theirs -- true',
    'logs theirs',
    'delete pod theirs --wait=false',
    'create token default',
    `create token default --bound-object-kind=Pod --bound-object-name=theirs --bound-object-uid=${their!.uid}`,
    patch('pod theirs --subresource status', { status: { phase: 'Failed' } }),
    patch('pod ours', { metadata: { labels: { mine: 'yes' } } }),
    patch(`node ${otherName}`, { spec: { unschedulable: true } }),
    patch(`node ${otherName} --subresource status`, { status: { phase: 'x' } }),
    patch(`node ${nodeName}`, { metadata: { labels: { 'node-restriction.kubernetes.io/x': 'y' } } }),
    patch(`node ${nodeName}`, { spec: { taints: [{ key: 'x', effect: 'NoSchedule' }] } }),
    `delete node ${otherName}`,
    `delete node ${nodeName}`,
    `get lease -n kube-node-lease ${otherName}`,
    `get csinode ${otherName}`,
    `get --raw /api/v1/nodes/${otherName}/proxy/pods`,
    'get serviceaccounts',
    'get persistentvolumes',
    'get resourceslices',
    'get clusterroles',
  ]
  for (const args of refused) {
    const { code, stderr } = await ask(args)
    assert.notEqual(code, 0, `"${args}" was allowed`)
    assert.match(stderr, /orbidden/, args)
  }
  await end(['ours', 'theirs'])
})

test(
  'kubectl cp takes nothing out of the folder that it copies to, whatever the container answers',
  { timeout: 120_000 },
  async () => {
    const { aksel } = cluster
    const { namespace } = pods
    const folder = await mkdtemp(join(tmpdir(), 'aksel-cp-'))
    const outside = join(folder, 'outside')
    await mkdir(join(folder, 'to'))
    await mkdir(outside)
    await writeFile(join(outside, 'victim'), 'as it was')
    const archive = pack()
    const put = (header: Parameters<typeof archive.entry>[0], data = ''): void => void archive.entry(header, data)
    put({ name: 'data/plain' }, 'plain')
    put({ name: 'data/../../outside/dots' }, 'pwned')
    put({ name: `../../../../../../../..${outside}/dots` }, 'pwned')
    archive.entry({ name: 'data/link', type: 'symlink', linkname: outside })
    put({ name: 'data/link/through' }, 'pwned')
    put({ name: 'data/link/victim' }, 'pwned')
    archive.finalize()
    const bytes = await buffer(archive)
    await pods.create('liar', podSpec(1))
    await pods.ready('liar')
    const script =
      'base64 -d > /work/lie.tar; printf "#!/bin/sh\\ncat /work/lie.tar" > /bin/own-tar; chmod +x /bin/own-tar; rm /bin/tar; ln -s own-tar /bin/tar'
    await aksel.kubectl(['-n', namespace, 'exec', '-i', 'liar', '--', 'sh', '-c', script], {
      input: bytes.toString('base64'),
    })
    await aksel.run(['kubectl', 'cp', `${namespace}/liar:/data`, join(folder, 'to')])
    assert.equal(await readFile(join(folder, 'to/plain'), 'utf8'), 'plain')
    assert.deepEqual(await readdir(outside), ['victim'])
    assert.equal(await readFile(join(outside, 'victim'), 'utf8'), 'as it was')
    await rm(folder, { recursive: true })
    await end(['liar'])
  },
)

test(
  'a node whose disk and whose memory are full lets go what is deleted, and leaves nothing of it',
  { timeout: sized({ gate: 400_000, full: 1_200_000 }) },
  async (t) => {
    const { aksel } = cluster
    // The scheduler would keep them from a node under pressure, and so would the node those that ask for nothing. Without a
    // disk of their own, which the scheduler places.
    const bound = (index: number): V1PodSpec => {
      const spec = podSpec(index + 1)
      const main = changed(spec.containers[0]!, { resources: { requests: { memory: '1Mi' } } })
      return changed(spec, { nodeName, containers: [main] })
    }
    // The first of its class of service makes the class's cgroup, which stays.
    await pods.create('first-of-class', bound(0))
    await pods.ready('first-of-class')
    await end(['first-of-class'])
    const without = await heldForPods(machine)
    const rounds = sized({ gate: 1, full: 4 })
    for (let round = 0; round < rounds; round += 1) {
      for (const [resource, ...flags] of [
        ['memory', '--memory', '--leave-bytes', '31457280'],
        ['disk', '--leave-bytes', '0'],
      ] as const) {
        const names = Array.from({ length: 6 }, (_, index) => `${resource}-${round}-${index}`)
        const [before, during] = [names.slice(0, 3), names.slice(3)]
        await Promise.all(before.map((name, index) => pods.create(name, bound(index))))
        await Promise.all(before.map((name) => pods.until(name, ({ status }) => status?.phase !== 'Pending', 120_000)))
        await aksel.ok(['machine', 'fill', '--node', nodeName, ...flags], { timeoutMs: 180_000 })
        await Promise.all(during.map((name, index) => pods.create(name, bound(index))))
        await Promise.all([...before, during[0]!].map((name, index) => pods.delete(name, index % 2)))
        // As long as the node may take to look at itself.
        await new Promise((resolve) => setTimeout(resolve, sized({ gate: 5000, full: 15_000 })))
        await aksel.ok(['machine', 'heal', '--node', nodeName])
        await Promise.all(during.slice(1).map((name) => pods.delete(name, 1)))
        await Promise.all(names.map((name) => pods.gone(name, 2 * CLEAN_MS)))
        const ready = ['wait', `node/${nodeName}`, '--for=condition=Ready', '--timeout=120s']
        await aksel.kubectl(ready, { timeoutMs: 140_000 })
        const startMs = Date.now()
        await nothingAdded(machine, without, CLEAN_MS)
        t.diagnostic(`${resource} full: clean ${Date.now() - startMs} ms after the last pod`)
      }
    }
    // Pressure is told for five minutes after it is over; then the node takes pods again, and nobody restarted it.
    if (rounds === 1) return
    for (const type of ['DiskPressure', 'MemoryPressure'])
      await aksel.kubectl(['wait', `node/${nodeName}`, `--for=condition=${type}=False`, '--timeout=400s'], {
        timeoutMs: 420_000,
      })
    await pods.create('after', podSpec(0))
    await pods.ready('after')
    await end(['after'])
  },
)
