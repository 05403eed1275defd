// Packets between a VNet's machines and a host elsewhere that joined, on the real kernel: a namespace with one cable is the other host.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, type CommandRunner } from '@aksel/host/command'
import type { Fabric } from '@aksel/provider/fabric'
import { withHost, type HostBench } from '../testing/host-bench.ts'
import { openFabric } from './fabric.ts'
import { layOverlay } from './overlay-end.ts'

const id = '/vnets/joined'
const [here, there] = ['10.244.0.2', '10.244.7.2']

/** Another host by this name, at this address of the cable's network; it goes when the work ends. */
async function withOtherHost(
  bench: HostBench,
  octet: number,
  work: (name: string, address: string) => Promise<void>,
): Promise<void> {
  const [name, cable] = [`other-${process.pid}-${octet}`, `o-${octet}`]
  const [near, far] = [`192.168.${octet}.1`, `192.168.${octet}.2`]
  const ip = (...argv: readonly string[]): Promise<unknown> => run(bench.scope, ['ip', ...argv])
  await ip('netns', 'add', name)
  try {
    await ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    await ip('addr', 'add', `${near}/24`, 'dev', cable)
    await ip('link', 'set', cable, 'up')
    await ip('-n', name, 'link', 'set', 'lo', 'up')
    await ip('-n', name, 'addr', 'add', `${far}/24`, 'dev', 'eth0')
    await ip('-n', name, 'link', 'set', 'eth0', 'up')
    await ip('-n', name, 'route', 'add', 'default', 'via', near)
    await work(name, far)
  } finally {
    await ip('netns', 'delete', name)
    await ip('link', 'delete', cable).catch(() => {})
  }
}

const inside =
  (name: string): CommandRunner =>
  (scope, argv, options) =>
    run(scope, ['nsenter', `--net=/run/netns/${name}`, ...argv], options)

async function vnet(
  bench: HostBench,
  fabric: Fabric,
): Promise<{ readonly machine: string; readonly hostAddress: string }> {
  const subnetId = `${id}/s`
  const spec = { id, addressPrefix: '10.224.0.0/12', subnets: [{ id: subnetId, addressPrefix: '10.224.0.0/16' }] }
  await fabric.ensureVirtualNetwork(bench.scope, spec)
  const hostAddress = await fabric.hostAddress(bench.scope, { virtualNetworkId: id, name: 'api' })
  const podCidr = '10.244.0.0/24'
  const { networkNamespace: machine } = await fabric.attach(bench.scope, {
    virtualNetworkId: id,
    subnetId,
    machine: 'n0',
    podCidr,
  })
  await bench.inside(machine, ['ip', 'addr', 'add', `${here}/32`, 'dev', 'lo'])
  return { machine, hostAddress }
}

test('pods of a host that joined and of the VNet find each other with their own addresses, after the router is made anew, too', () =>
  withHost(async (bench) => {
    const options = { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') }
    const fabric = await openFabric(bench.scope, options)
    const { machine, hostAddress } = await vnet(bench, fabric)
    await withOtherHost(bench, 81, async (other, address) => {
      const overlay = fabric.overlayOf({ virtualNetworkId: id, hostAddress })!
      assert.deepEqual(overlay.prefixes, ['10.224.0.0/12'])
      await bench.inside(other, ['ip', 'addr', 'add', `${there}/32`, 'dev', 'lo'])
      const podCidr = '10.244.7.0/24'
      const end = { overlay, clusterCidr: '10.244.0.0/16', podCidr, hostAddress }
      assert.deepEqual(await layOverlay(bench.scope, inside(other), end), [])
      await bench.listen(machine, '0.0.0.0', 8080, 'here')
      await bench.listen(other, '0.0.0.0', 8080, 'there')
      assert.equal(await bench.ask(there, 8080, machine), '', 'nobody leads there yet')

      const request = { virtualNetworkId: id, hostAddress, hosts: [{ address, podCidr }] }
      await fabric.joinHosts(bench.scope, request)
      const both = async (): Promise<void> => {
        assert.equal(await bench.askFrom(here, there, 8080, machine), `there ${here}`)
        assert.equal(await bench.askFrom(there, here, 8080, other), `here ${there}`)
        assert.equal(await bench.ask(there, 8080, machine), 'there 10.224.0.4', 'from the machine')
        assert.equal(await bench.ask('10.224.0.4', 8080, other), 'here 10.244.7.0', 'from the host')
      }
      await both()
      await fabric.joinHosts(bench.scope, request)
      await both()
      // The link is lost, as when a router is made anew; the next server finds it missing.
      await run(bench.scope, ['ip', '-n', await routerOf(bench), 'link', 'delete', await linkIn(bench)])
      await (await openFabric(bench.scope, options)).restore(bench.scope)
      await both()

      // A network of that host's own stays before the overlay, which says so, and takes nothing else with it.
      await bench.inside(other, ['ip', 'route', 'add', '10.230.0.0/24', 'via', '192.168.81.1'])
      const before = [{ prefix: '10.224.0.0/12', route: '10.230.0.0/24 via 192.168.81.1 dev eth0' }]
      assert.deepEqual(await layOverlay(bench.scope, inside(other), end), before)
      await both()

      await fabric.joinHosts(bench.scope, { ...request, hosts: [] })
      assert.equal(await bench.ask(there, 8080, machine), '', 'it has left')
      assert.equal(await linkIn(bench), '')
    })
  }))

test('who did not join is not heard in the overlay, and who joined has no other addresses there than its pods’', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const { machine, hostAddress } = await vnet(bench, fabric)
    const overlay = fabric.overlayOf({ virtualNetworkId: id, hostAddress })!
    await bench.listen(machine, '0.0.0.0', 8080, 'here')
    const end = { overlay, clusterCidr: '10.244.0.0/16', podCidr: '10.244.7.0/24', hostAddress }
    await withOtherHost(bench, 81, (joined, address) =>
      withOtherHost(bench, 82, async (stranger) => {
        await fabric.joinHosts(bench.scope, {
          virtualNetworkId: id,
          hostAddress,
          hosts: [{ address, podCidr: end.podCidr }],
        })
        await layOverlay(bench.scope, inside(joined), end)
        await layOverlay(bench.scope, inside(stranger), end)
        assert.equal(await bench.ask(here, 8080, joined), 'here 10.244.7.0')
        const dropped = async (): Promise<number> => {
          const { stdout } = await run(bench.scope, ['nft', 'list', 'tables', 'ip'])
          const table = /aksel_\w+_joined_\w+/.exec(stdout)![0]
          const listed = await run(bench.scope, ['nft', 'list', 'table', 'ip', table])
          return [...listed.stdout.matchAll(/counter packets (\d+)/g)].reduce(
            (sum, [, count]) => sum + Number(count),
            0,
          )
        }
        assert.equal(await dropped(), 0)
        assert.equal(await bench.ask(here, 8080, stranger), '')
        assert.ok((await dropped()) > 0, 'its packets came, and were dropped')
        // An address of the VNet, of which the answer would go elsewhere: not even the question arrives.
        await bench.inside(joined, ['ip', 'addr', 'add', '10.224.0.9/32', 'dev', 'lo'])
        const guard = ['nft', 'list', 'table', 'ip', await linkIn(bench)]
        await bench.askFrom('10.224.0.9', here, 8080, joined).catch(() => '')
        assert.match(await bench.inside(await routerOf(bench), guard), /saddr != [^\n]* counter packets [1-9]/)
      }),
    )
  }))

/** The only namespace with a router's link to the host. */
async function routerOf(bench: HostBench): Promise<string> {
  const entry = bench.ledger
    .entries()
    .find(({ owner, object }) => owner === `virtual-network/${id}` && object.kind === 'network-namespace')
  assert.ok(entry?.object.kind === 'network-namespace')
  return entry.object.name
}

/** The overlay's link in the router; '' where there is none. */
async function linkIn(bench: HostBench): Promise<string> {
  const shown = await bench.inside(await routerOf(bench), ['ip', '-br', 'link', 'show', 'type', 'vxlan'])
  return shown.split(/[@ ]/)[0]!.trim()
}
