// The process may end before or after any command. Whoever opens the fabric then finishes the work, and a purge finds everything.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, type CommandRunner } from '@aksel/host/command'
import type { Fabric } from '@aksel/provider/fabric'
import { withHost, type HostBench } from '../testing/host-bench.ts'
import { openFabric } from './fabric.ts'

const VNET = '/vnets/crash'
const subnetId = `${VNET}/s`

/** Everything a cluster asks of the fabric; returns what must be the same after a crash. */
async function build(
  bench: HostBench,
  fabric: Fabric,
): Promise<{ host: string; machine: string; address: string; balancer: string }> {
  const spec = { id: VNET, addressPrefix: '10.224.0.0/12', subnets: [{ id: subnetId, addressPrefix: '10.224.0.0/16' }] }
  await fabric.ensureVirtualNetwork(bench.scope, spec)
  const host = await fabric.hostAddress(bench.scope, { virtualNetworkId: VNET, name: 'c1' })
  const podCidr = '10.244.0.0/24'
  const machine = await fabric.attach(bench.scope, { virtualNetworkId: VNET, subnetId, machine: 'n0', podCidr })
  const backends = [{ address: machine.address, port: 30080 }]
  const { address: balancer } = await fabric.ensureLoadBalancer(bench.scope, {
    id: 'uid',
    virtualNetworkId: VNET,
    rules: [{ protocol: 'TCP', port: 80, backends, sourceRanges: [] }],
  })
  return { host, machine: machine.networkNamespace, address: machine.address, balancer }
}

/** Fails at the n-th command: before it runs, or when it has run already. */
function crashAt(
  nth: number,
  when: 'before' | 'after',
): { readonly runner: CommandRunner; readonly hasCrashed: () => boolean } {
  let count = 0
  const runner: CommandRunner = async (scope, argv, options) => {
    count += 1
    if (count > nth || (count === nth && when === 'before')) throw new Error('crash')
    const result = await run(scope, argv, options)
    if (count >= nth) throw new Error('crash')
    return result
  }
  return { runner, hasCrashed: () => count >= nth }
}

for (const when of ['before', 'after'] as const) {
  test(`a crash ${when} any command is mended by the next process`, () =>
    withHost(async (bench) => {
      const stateDir = join(bench.directory, 'fabric')
      const options = { ledger: bench.ledger, stateDir }
      let crashes = 0
      for (let nth = 1; ; nth += 1) {
        const { runner, hasCrashed } = crashAt(nth, when)
        const torn = await build(bench, await openFabric(bench.scope, { ...options, run: runner })).catch(
          () => undefined,
        )
        if (!hasCrashed()) break
        crashes += 1
        assert.equal(torn, undefined)
        const fabric = await openFabric(bench.scope, options)
        const built = await build(bench, fabric)
        assert.deepEqual(await build(bench, await openFabric(bench.scope, options)), built)
        await bench.listen(built.machine, '0.0.0.0', 30080, 'n0')
        assert.match(await bench.ask(built.balancer, 80), /^n0 /)
        await fabric.deleteVirtualNetwork(bench.scope, VNET)
        assert.deepEqual(bench.ledger.entries(), [])
      }
      assert.ok(crashes >= 8, `only ${crashes} commands were seen`)
    }))
}
