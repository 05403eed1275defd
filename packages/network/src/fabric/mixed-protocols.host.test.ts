// One address, one port, two protocols: a load balancer takes TCP and UDP to backends of their own, packet by real packet.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LoadBalancerRule } from '@aksel/provider/fabric'
import { withHost } from '../testing/host-bench.ts'
import { openFabric } from './fabric.ts'

const VNET = '/vnets/mixed'

/** What a datagram is answered with; '' where nothing comes back. */
async function datagram(address: string, port: number): Promise<string> {
  const socket = createSocket('udp4')
  try {
    socket.send('who are you', port, address)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(2_000) })) as [Buffer]
    return answer.toString().trim()
  } catch {
    return ''
  } finally {
    socket.close()
  }
}

test('a balancer with TCP and UDP on one port takes each to its own backends, and loses one without the other', () =>
  withHost(async (bench) => {
    using fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const subnetId = `${VNET}/subnets/nodes`
    await fabric.ensureVirtualNetwork(bench.scope, {
      id: VNET,
      addressPrefix: '10.224.0.0/12',
      subnets: [{ id: subnetId, addressPrefix: '10.224.0.0/16' }],
    })
    const attach = (machine: string) => fabric.attach(bench.scope, { virtualNetworkId: VNET, subnetId, machine })
    const [web, dns] = [await attach('web'), await attach('dns')]
    // Both listen for both: only the rules tell them apart.
    await bench.listen(web.networkNamespace, '0.0.0.0', 30080, 'web')
    await bench.listen(dns.networkNamespace, '0.0.0.0', 30053, 'dns')
    const rule = (protocol: 'TCP' | 'UDP', address: string, port: number): LoadBalancerRule => ({
      protocol,
      port: 53,
      backends: [{ address, port }],
      sourceRanges: [],
    })
    const tcp = rule('TCP', web.address, 30080)
    const udp = rule('UDP', dns.address, 30053)
    const put = (rules: readonly LoadBalancerRule[]) =>
      fabric.ensureLoadBalancer(bench.scope, { id: 'mixed', virtualNetworkId: VNET, rules })
    const { address } = await put([tcp, udp])
    assert.match(await bench.ask(address, 53), /^web /)
    assert.match(await datagram(address, 53), /^dns /)
    await put([tcp])
    assert.match(await bench.ask(address, 53), /^web /)
    assert.equal(await datagram(address, 53), '', 'UDP is served no more')
    await put([rule('TCP', dns.address, 30053), rule('UDP', web.address, 30080)])
    assert.match(await bench.ask(address, 53), /^dns /)
    assert.match(await datagram(address, 53), /^web /)
    await fabric.deleteVirtualNetwork(bench.scope, VNET)
  }))
