// What every machine provider promises, as tests. A provider's own test calls this with a way to open one.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Scope } from '@aksel/base/scope'
import type { CredentialsFor, MachineProvider, MachineSpec } from './machine-provider.ts'

/** A provider without machines, in clusters that `spec` may name; the suite disposes it. */
export interface OpenedMachines extends AsyncDisposable {
  readonly scope: Scope
  readonly machines: MachineProvider
  /** A machine that this provider can really start, of this name in this cluster. */
  readonly spec: (cluster: 'c1' | 'c2', name: string) => MachineSpec
  readonly credentialsFor: CredentialsFor
}

export function machineProviderContract(name: string, open: () => Promise<OpenedMachines>): void {
  describe(`the ${name} machine provider keeps the contract`, () => {
    creation(open)
    lifetime(open)
    failures(open)
  })
}

function creation(open: () => Promise<OpenedMachines>): void {
  test('a created machine runs, has an address, and got credentials for it', async () => {
    await using opened = await open()
    const { scope, machines, spec } = opened
    const asked: { readonly name: string; readonly addresses: readonly string[] }[] = []
    const machine = await machines.create(scope, spec('c1', 'aks-a-1-vmss000000'), (node) => {
      asked.push(node)
      return opened.credentialsFor(node)
    })
    assert.equal(machine.state, 'Running')
    assert.equal(machine.simulated, machines.kind === 'simulated')
    assert.deepEqual(asked, [{ name: 'aks-a-1-vmss000000', addresses: [machine.address] }])
    assert.deepEqual(machines.list(), [machine])
    assert.deepEqual(machines.find(machine.clusterId, machine.name), machine)
    assert.equal(machines.find(machine.clusterId, 'nothing'), undefined)
  })

  test('creating it again makes no second machine', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const first = await machines.create(scope, spec('c1', 'aks-a-1-vmss000000'), credentialsFor)
    const second = await machines.create(scope, spec('c1', 'aks-a-1-vmss000000'), credentialsFor)
    assert.deepEqual(second, first)
    assert.equal(machines.list().length, 1)
  })

  test('machines are listed by cluster, and names are free in each', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    await machines.create(scope, spec('c1', 'aks-a-1-vmss000000'), credentialsFor)
    await machines.create(scope, spec('c2', 'aks-a-1-vmss000000'), credentialsFor)
    const { clusterId } = spec('c1', 'aks-a-1-vmss000000')
    assert.deepEqual(
      machines.list(clusterId).map((machine) => machine.clusterId),
      [clusterId],
    )
    assert.equal(machines.list().length, 2)
  })
}

function lifetime(open: () => Promise<OpenedMachines>): void {
  test('a stopped machine starts again at its address', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const { clusterId, name } = spec('c1', 'aks-a-1-vmss000000')
    const { address } = await machines.create(scope, spec('c1', name), credentialsFor)
    await machines.stop(scope, clusterId, name)
    assert.equal(machines.list(clusterId)[0]?.state, 'Stopped')
    const started = await machines.start(scope, clusterId, name)
    assert.deepEqual([started.state, started.address], ['Running', address])
  })

  test('starting a running machine changes nothing', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const { clusterId, name } = spec('c1', 'aks-a-1-vmss000000')
    const created = await machines.create(scope, spec('c1', name), credentialsFor)
    assert.deepEqual(await machines.start(scope, clusterId, name), created)
  })

  test('a machine that was ordered down says so and stays down until it is booted', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const { clusterId, name } = spec('c1', 'aks-a-1-vmss000000')
    await machines.create(scope, spec('c1', name), credentialsFor)
    const stopped = await machines.order(scope, { clusterId, name }, 'stop', {})
    assert.deepEqual([stopped.state, stopped.heldBy], ['Stopped', 'stop'])
    assert.equal(machines.list(clusterId)[0]?.heldBy, 'stop')
    const booted = await machines.order(scope, { clusterId, name }, 'boot', {})
    assert.deepEqual([booted.state, booted.heldBy], ['Running', undefined])
    const rebooted = await machines.order(scope, { clusterId, name }, 'reboot', {})
    assert.deepEqual([rebooted.state, rebooted.address], ['Running', booted.address])
    await assert.rejects(async () => machines.order(scope, { clusterId, name: 'nothing' }, 'boot', {}))
  })

  test('a deleted machine is gone, and deleting it again is fine', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const { clusterId, name } = spec('c1', 'aks-a-1-vmss000000')
    await machines.create(scope, spec('c1', name), credentialsFor)
    await machines.delete(scope, clusterId, name)
    await machines.delete(scope, clusterId, name)
    assert.deepEqual(machines.list(), [])
  })
}

function failures(open: () => Promise<OpenedMachines>): void {
  test('starting a machine that does not exist is refused', async () => {
    await using opened = await open()
    await assert.rejects(async () => opened.machines.start(opened.scope, 'c1', 'nothing'))
  })

  test('a machine without credentials does not run, and can be created afterwards', async () => {
    await using opened = await open()
    const { scope, machines, spec, credentialsFor } = opened
    const wanted = spec('c1', 'aks-a-1-vmss000000')
    const refused = machines.create(scope, wanted, async () => {
      throw new Error('the engine signs nothing')
    })
    await assert.rejects(refused, /signs nothing/)
    assert.ok(machines.list().every(({ state }) => state !== 'Running'))
    assert.equal((await machines.create(scope, wanted, credentialsFor)).state, 'Running')
  })
}
