// Real machines by order: stopped, cut off, booted, healed, filled up, made anew, and what the cluster sees of it.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, watch } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Aksel, runProgram } from './aksel.ts'
import { assertLeaksAreFound, plantSecrets } from './plant-secrets.ts'

interface NodeFacts {
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly spec: { readonly providerID: string; readonly taints?: unknown }
}

interface CapacityFacts {
  readonly status: Readonly<Record<'capacity' | 'allocatable', { readonly 'ephemeral-storage': string }>>
}

interface Placed {
  readonly attachment: { readonly networkNamespace: string; readonly address: string }
}

interface Request {
  readonly spec: { readonly signerName: string; readonly username: string; readonly groups: readonly string[] }
  readonly status: { readonly conditions: readonly { readonly type: string; readonly reason: string }[] }
}

let aksel: Aksel
let first: string
let second: string

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '2'])
  const { items } = await aksel.json<{ items: { metadata: { name: string } }[] }>('get nodes')
  ;[first, second] = items.map(({ metadata }) => metadata.name) as [string, string]
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

const order = (word: string, node: string, ...more: string[]): Promise<string> =>
  aksel.ok(['machine', word, '--node', node, ...more], { timeoutMs: 120_000 })
const machineFolder = async (node: string): Promise<string> => {
  const all = join(aksel.dataDir, 'machines')
  const name = (await readdir(all)).find((each) => each.endsWith(node.replace(/^aks-/, '')))
  return join(all, name!)
}
const wait = (node: string, condition: string, seconds = 120): Promise<string> =>
  aksel.kubectl(`wait node/${node} --for=condition=${condition} --timeout=${seconds}s`, {
    timeoutMs: (seconds + 20) * 1000,
  })
const isTainted = (node: string, key: string): Promise<string> =>
  aksel.kubectl(
    ['wait', `node/${node}`, `--for=jsonpath={.spec.taints[?(@.key=="${key}")].effect}=NoSchedule`, '--timeout=60s'],
    { timeoutMs: 80_000 },
  )
const containerIds = (): Promise<string> =>
  aksel.kubectl(['get', 'pods', '-o', 'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID} {end}'])

test('secrets of every kind come into containers, and a leak would be found', { timeout: 400_000 }, async () => {
  await plantSecrets(aksel, { runs: true })
  await assertLeaksAreFound(aksel, { runs: true })
})

test('a node is told by its cloud what its machine is, as AKS names it', async () => {
  const { items } = await aksel.json<{ items: NodeFacts[] }>('get nodes')
  for (const { metadata, spec } of items) {
    const [, digits, instance] = /^aks-nodepool1-(\d{8})-vmss(\w{6})$/.exec(metadata.name)!
    const scaleSet = `virtualMachineScaleSets/aks-nodepool1-${digits}-vmss`
    assert.match(
      spec.providerID,
      /^azure:\/\/\/subscriptions\/[0-9a-f-]{36}\/resourceGroups\/mc_aksel_demo_westeurope\//,
    )
    assert.ok(
      spec.providerID.endsWith(`Microsoft.Compute/${scaleSet}/virtualMachines/${Number.parseInt(instance!, 36)}`),
      spec.providerID,
    )
    assert.equal(spec.taints, undefined)
    const labels = [
      'node.kubernetes.io/instance-type',
      'topology.kubernetes.io/region',
      'topology.kubernetes.io/zone',
      'kubernetes.azure.com/os-sku-effective',
    ]
    assert.deepEqual(
      labels.map((name) => metadata.labels[name]),
      ['Standard_D2s_v5', 'westeurope', '0', 'Ubuntu2404'],
    )
  }
})

test(
  'a machine got its certificate by a bootstrap token, and asks for another when it has lost it: its containers go on',
  { timeout: 200_000 },
  async () => {
    const spec = { nodeName: first, hostNetwork: true }
    const run = ['run', 'keeps', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })]
    await aksel.kubectl([...run, '--', 'sleep', '10000'])
    await aksel.kubectl('wait pod/keeps --for=condition=Ready --timeout=60s', { timeoutMs: 80_000 })
    const names = await aksel.kubectl([
      'exec',
      'keeps',
      '--',
      'sh',
      '-c',
      'hostname; cat /etc/hostname; echo $HOSTNAME',
    ])
    assert.deepEqual(names.trim().split('\n'), [first, first, first], 'a pod on the host’s network has the node’s name')
    const container = await containerIds()
    const client = 'kubernetes.io/kube-apiserver-client-kubelet'
    const requests = async (): Promise<readonly Request[]> =>
      (await aksel.json<{ items: Request[] }>('get csr')).items.filter(({ spec: one }) => one.signerName === client)
    const begun = await requests()
    assert.equal(begun.length, 2)
    for (const { spec: asked, status } of begun) {
      assert.match(asked.username, /^system:bootstrap:[a-z0-9]{6}$/)
      assert.ok(asked.groups.includes('system:bootstrappers:aksel:nodes'))
      assert.deepEqual(
        status.conditions.map(({ type, reason }) => [type, reason]),
        [['Approved', 'AutoApproved']],
      )
    }
    const folder = await machineFolder(first)
    assert.match(await readFile(join(folder, 'bootstrap-kubeconfig'), 'utf8'), /token:/)
    assert.match(await readFile(join(folder, 'kubeconfig'), 'utf8'), /client-certificate-data:/)
    await rm(join(folder, 'pki'), { recursive: true })
    await rm(join(folder, 'kubeconfig'))
    process.kill(Number(await readFile(join(folder, 'agent.pid'), 'utf8')), 'SIGKILL')
    const again = watch(folder, { signal: AbortSignal.timeout(60_000) })
    if (!existsSync(join(folder, 'kubeconfig')))
      for await (const { filename } of again) if (filename === 'kubeconfig') break
    assert.equal((await requests()).length, 3)
    await aksel.kubectl(['exec', 'keeps', '--', 'true'])
    assert.equal(await containerIds(), container)
    await aksel.kubectl('delete pod keeps --grace-period=0 --force')
  },
)

test(
  'a machine that was killed and one that is cut off are lost to the cluster, and come back',
  { timeout: 400_000 },
  async () => {
    await aksel.kubectl([
      'run',
      'stays',
      '--image=busybox:1.36',
      '--overrides',
      JSON.stringify({ spec: { nodeName: second } }),
      '--',
      'sleep',
      '10000',
    ])
    await aksel.kubectl('wait pod/stays --for=condition=Ready --timeout=60s', { timeoutMs: 80_000 })
    const before = await containerIds()
    assert.match(await order('kill', first), /: kill done, Stopped until it is booted/)
    assert.match(await aksel.fails(['machine', 'fill', '--node', first]), /does not run: its state is Stopped/)
    assert.match(await order('partition', second), /: partition done, Running/)
    await Promise.all([wait(first, 'Ready=Unknown'), wait(second, 'Ready=Unknown')])
    await isTainted(first, 'node.cloudprovider.kubernetes.io/shutdown')
    await aksel.fails(['kubectl', 'exec', 'stays', '--', 'true'])
    assert.match(await order('heal', second), /: heal done, Running/)
    assert.match(await order('boot', first), /: boot done, Running/)
    await Promise.all([wait(first, 'Ready=True'), wait(second, 'Ready=True')])
    assert.equal(await containerIds(), before, 'what runs on a machine that is cut off goes on')
    assert.match(await aksel.ok(['machine', 'list']), new RegExp(`${first} +real`))
    // The scheduler sends nobody to a machine that is said to be off.
    const spec = { nodeSelector: { 'kubernetes.io/hostname': first } }
    const back = ['run', 'back', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })]
    await aksel.kubectl([...back, '--', 'sleep', '10000'])
    await aksel.kubectl('wait pod/back --for=condition=Ready --timeout=60s', { timeoutMs: 80_000 })
  },
)

test(
  'a machine whose disk and memory are taken says so and evicts; one made anew has none of its images and comes back',
  { timeout: 300_000 },
  async () => {
    const { items } = await aksel.json<{ items: CapacityFacts[] }>('get nodes')
    for (const { status } of items) {
      // 128 GiB less what the file system needs, and of that what eviction keeps free.
      const [all, free] = [status.capacity, status.allocatable].map(
        (of) => parseInt(of['ephemeral-storage'], 10) / 2 ** 20,
      )
      assert.ok(all! > 120 && all! < 128, String(all))
      assert.ok(Math.abs(free! - 0.9 * all!) < 0.1, String(free))
    }
    await order('slow', second, '--bits-per-second', '10000000')
    const { attachment } = JSON.parse(
      await readFile(join(await machineFolder(second), 'machine.json'), 'utf8'),
    ) as Placed
    const bounds = async (): Promise<string> =>
      (await runProgram(['nsenter', `--net=/run/netns/${attachment.networkNamespace}`, 'tc', 'qdisc', 'show'])).stdout
    assert.match(await bounds(), /qdisc tbf .*rate 10Mbit/)
    await order('fill', second)
    await order('fill', second, '--memory')
    await Promise.all([wait(second, 'DiskPressure=True'), wait(second, 'MemoryPressure=True')])
    await isTainted(second, 'node.kubernetes.io/disk-pressure')
    await isTainted(second, 'node.kubernetes.io/memory-pressure')
    await aksel.kubectl('wait pod/stays --for=jsonpath={.status.reason}=Evicted --timeout=120s', { timeoutMs: 140_000 })
    const why = await aksel.kubectl(['get', 'pod', 'stays', '-o', 'jsonpath={.status.message}'])
    assert.match(why, /^The node was low on resource: (ephemeral-storage|memory)\. Threshold quantity: /)
    await wait(first, 'DiskPressure=False')
    await order('reimage', second)
    await wait(second, 'Ready=True')
    await Promise.all([wait(second, 'DiskPressure=False'), wait(second, 'MemoryPressure=False')])
    assert.doesNotMatch(await bounds(), /tbf/)
    await aksel.kubectl([
      'run',
      'later',
      '--image=busybox:1.36',
      '--overrides',
      JSON.stringify({ spec: { nodeName: second } }),
      '--',
      'sleep',
      '10000',
    ])
    await aksel.kubectl('wait pod/later --for=condition=Ready --timeout=60s', { timeoutMs: 80_000 })
    // What disturbs a machine stays behind when it is redeployed.
    await order('partition', second)
    assert.match(await order('redeploy', second), /: redeploy done, Running/)
    const spec = { nodeName: second }
    const run = ['run', 'redeployed', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })]
    await aksel.kubectl([...run, '--', 'sleep', '10000'])
    await aksel.kubectl('wait pod/redeployed --for=condition=Ready --timeout=60s', { timeoutMs: 80_000 })
    await aksel.kubectl('exec redeployed -- true')
    await aksel.fails(['machine', 'reboot', '--node', 'nothing'])
  },
)

test(
  'a pool that scales by itself makes a real machine for a pod without a place, and gives it back',
  { timeout: 400_000 },
  async () => {
    const az = (line: string): Promise<string> => aksel.ok(['az', 'aks', ...line.split(' ')], { timeoutMs: 120_000 })
    await az(
      'update -g aksel -n demo --cluster-autoscaler-profile scan-interval=2s scale-down-delay-after-add=1m scale-down-unneeded-time=0m',
    )
    await az(
      'nodepool add -g aksel --cluster-name demo -n elastic -c 0 --enable-cluster-autoscaler --min-count 0 --max-count 2',
    )
    const overrides = JSON.stringify({
      spec: { nodeSelector: { agentpool: 'elastic' }, terminationGracePeriodSeconds: 1 },
    })
    await aksel.kubectl(['run', 'wide', '--image=busybox:1.36', '--overrides', overrides, '--', 'sleep', '10000'])
    await aksel.kubectl('wait pod/wide --for=condition=Ready --timeout=120s', { timeoutMs: 140_000 })
    const count = (): Promise<string> =>
      az('nodepool show -g aksel --cluster-name demo -n elastic --query [count,provisioningState] -o tsv')
    assert.match(await count(), /^1\s+Succeeded\n$/)
    const told = await aksel.kubectl([
      'get',
      'events',
      '--field-selector=reason=TriggeredScaleUp',
      '-o',
      'jsonpath={.items[*].message}',
    ])
    assert.match(told, /pod triggered scale-up: \[\{aks-elastic-\d+-vmss 0->1 \(max: 2\)\}\]/)
    const node = await aksel.kubectl(['get', 'pod', 'wide', '-o', 'jsonpath={.spec.nodeName}'])
    await aksel.kubectl('delete pod wide')
    await aksel.kubectl(`wait node/${node} --for=delete --timeout=150s`, { timeoutMs: 170_000 })
    assert.match(await count(), /^0\s+Succeeded\n$/)
    await az('nodepool delete -g aksel --cluster-name demo -n elastic -y')
  },
)

test(
  'a machine whose programs died is repaired by itself: its node is found silent, the machine rebooted, and pods run there again',
  { timeout: 400_000 },
  async () => {
    // A server whose patience is short; machines go on while it is changed for it.
    const server = await aksel.serverPid()
    process.kill(server, 'SIGKILL')
    await aksel.ok(['up'], { environment: { AKSEL_DEBUG_REPAIR_SECONDS: '3,100' }, timeoutMs: 120_000 })
    await wait(first, 'Ready=True')
    const folder = await machineFolder(first)
    // What no init system brings back: the loops first, then what they keep running.
    const loops = ['agent.loop.json', 'containerd.loop.json'].map(async (name) => {
      const { pid } = JSON.parse(await readFile(join(folder, name), 'utf8')) as { readonly pid: number }
      process.kill(pid, 'SIGKILL')
    })
    await Promise.all(loops)
    for (const name of ['agent.pid', 'containerd.pid'])
      process.kill(Number(await readFile(join(folder, name), 'utf8')), 'SIGKILL')
    await wait(first, 'Ready=Unknown')
    await wait(first, 'Ready=True', 180)
    const told = ['get', 'events', '-A', '--field-selector', `involvedObject.name=${first},source=aks-remediator`]
    const reasons = await aksel.kubectl([...told, '-o', 'jsonpath={.items[*].reason}'])
    assert.deepEqual(reasons.split(' ').toSorted(), ['NodeRebootEnd', 'NodeRebootStart'])
    const spec = { nodeName: first }
    const run = ['run', 'repaired', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })]
    await aksel.kubectl([...run, '--', 'sleep', '10000'])
    await aksel.kubectl('wait pod/repaired --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
  },
)
