// What a machine leaves in the ledger, so that it can be taken back in the right order.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { Fabric } from '@aksel/provider/fabric'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { openLocalMachines } from './local-machines.ts'
import type { MachinePaths } from './machine-files.ts'
import type { MachinePrograms } from './machine-programs.ts'

const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

const spec: MachineSpec = {
  name: 'aks-nodepool1-12345678-vmss000000',
  clusterId: '/clusters/c1',
  vmSize: 'Standard_D2s_v5',
  vcpus: 2,
  memoryBytes: 8 * 2 ** 30,
  nodeImage: 'image',
  maxPods: 110,
  labels: {},
  taints: [],
  subnetId: '/vnets/one/subnets/aks-subnet',
  boot: {
    kubernetesVersion: '1.35.7',
    nodeUrl: 'https://100.65.0.1:443',
    tunnelSocket: '/tunnel.sock',
    clusterDns: '10.0.0.10',
    clusterDomain: 'cluster.local',
    serviceCidr: '10.0.0.0/16',
    podCidr: '10.244.0.0/24',
  },
}

const attach: Fabric['attach'] = () =>
  Promise.resolve({ networkNamespace: 'aksel-1', address: '10.224.0.4', prefixLength: 16, gateway: '10.224.0.1' })

test('a machine that is begun again after a crash still has its folder before its mounts in the ledger', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-machines-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  try {
    const programs = (start: MachinePrograms['start']): MachinePrograms => ({
      prepare: () => Promise.resolve(),
      start: async (own, machine) => {
        const isKnown = ledger.entries().some(({ object }) => object.kind === 'mounts')
        if (!isKnown) await ledger.record('machine', { kind: 'mounts', path: machine.paths.root })
        await start(own, machine)
      },
      offer: () => Promise.resolve(),
      wipe: () => Promise.resolve(),
      shutDown: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    })
    const create = async (start: MachinePrograms['start']): Promise<unknown> => {
      const machines = await openLocalMachines({
        scope,
        ledger,
        fabric: { attach } as Fabric,
        machinesDirectory: join(directory, 'machines'),
        cgroupRoot: '/aksel-test',
        programs: programs(start),
        virtualNetworkOf: () => '/vnets/one',
        undo: () => Promise.resolve(),
      })
      return machines.create(scope, spec, () => Promise.resolve({ kubeconfig: '' }))
    }
    await assert.rejects(
      create(() => Promise.reject(new Error('the power went'))),
      /the power went/,
    )
    await create(() => Promise.resolve())
    assert.deepEqual(
      ledger.entries().map(({ object }) => object.kind),
      ['mounts', 'path'],
      'newest first, the order of undoing',
    )
  } finally {
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
})

test('a machine has a disk of its own where the host can give it one, and keeps to it; else its disk cannot be filled', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-machines-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  let canHave = true
  const begun: MachinePaths[] = []
  const open = (): ReturnType<typeof openLocalMachines> =>
    openLocalMachines({
      scope,
      ledger,
      fabric: { attach } as Fabric,
      machinesDirectory: join(directory, 'machines'),
      cgroupRoot: '/aksel-test',
      programs: {
        prepare: () => Promise.resolve(),
        start: async (_scope, { paths }) => void begun.push(paths),
        offer: () => Promise.resolve(),
        wipe: () => Promise.resolve(),
        shutDown: () => Promise.resolve(),
        stop: () => Promise.resolve(),
      },
      virtualNetworkOf: () => '/vnets/one',
      hostHasDisks: () => Promise.resolve(canHave),
      undo: () => Promise.resolve(),
    })
  try {
    const machines = await open()
    const credentials = (): Promise<{ kubeconfig: string }> => Promise.resolve({ kubeconfig: '' })
    const osDiskBytes = 30 * 2 ** 30
    await machines.create(scope, { ...spec, osDiskBytes }, credentials)
    canHave = false
    await machines.create(scope, { ...spec, name: 'other', osDiskBytes }, credentials)
    assert.deepEqual(
      begun.map(({ hasDisk, root, agentRoot, containerdRoot, podLogs }) => [
        hasDisk,
        ...[agentRoot, containerdRoot, podLogs].map((path) => path.slice(root.length)),
      ]),
      [
        [true, '/os/kubelet', '/os/containerd', '/os/pod-logs'],
        [false, '/kubelet', '/containerd', '/pod-logs'],
      ],
    )
    // The next server takes each up as it was made, whatever the host has by then.
    const next = await open()
    await next.start(scope, spec.clusterId, spec.name)
    canHave = true
    await next.start(scope, spec.clusterId, 'other')
    assert.deepEqual(
      begun.map(({ hasDisk }) => hasDisk),
      [true, false, true, false],
    )
    await assert.rejects(
      next.order(scope, { clusterId: spec.clusterId, name: 'other' }, 'fill', {}),
      /The disk of machine ".*-other" is the host's: it has none of its own to be filled/,
    )
  } finally {
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  }
})
