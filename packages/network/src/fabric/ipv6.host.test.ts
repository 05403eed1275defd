// Both address families on the real kernel: two machines of a VNet, pods of both families, the service proxy and policies of each.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { endpointSlices, networkPolicies, nodes, pods, services } from '@aksel/api/resources'
import type { NetworkPolicySpec } from '@aksel/api/types/networking-v1'
import type { Attachment } from '@aksel/provider/fabric'
import { InteractiveNft } from '../nft/interactive.ts'
import { spawnedNft } from '../nft/runner.ts'
import { NetworkPolicies } from '../policy/network-policies.ts'
import { runServiceProxy } from '../service-proxy/service-proxy.ts'
import { testScope, withHost, type HostBench } from '../testing/host-bench.ts'
import { MemoryCaches } from '../testing/memory-caches.ts'
import { endpoint, service, slice } from '../testing/objects.ts'
import { addPod, type TestPod } from '../testing/pods.ts'
import { openFabric } from './fabric.ts'

const VNET = '/vnets/both'
const subnet = { id: `${VNET}/subnets/s`, addressPrefix: '10.224.0.0/16', ipv6Prefix: 'fd00:a:e0::/64' }
const cidrOf = (index: number): string => `fd12:3456:789a:0:${index}::/80`

async function withMachines(
  work: (bench: HostBench, machines: readonly [Attachment, Attachment]) => Promise<void>,
): Promise<void> {
  await withHost(async (host) => {
    using fabric = await openFabric(host.scope, { ledger: host.ledger, stateDir: join(host.directory, 'fabric') })
    const securityRules = [
      { name: 'AllowVnetInBound', priority: 65_000, access: 'Allow', ...tagged('VirtualNetwork') },
      { name: 'DenyAllInBound', priority: 65_500, access: 'Deny', ...tagged('*') },
    ] as const
    await fabric.ensureVirtualNetwork(host.scope, {
      id: VNET,
      addressPrefix: '10.224.0.0/12',
      podPrefixes: ['10.244.0.0/16'],
      subnets: [{ ...subnet, securityRules }],
      ipv6: { prefixes: ['fd00:a:e0::/56'], podPrefixes: ['fd12:3456:789a::/64'] },
    })
    const attach = (index: number): Promise<Attachment> =>
      fabric.attach(host.scope, {
        virtualNetworkId: VNET,
        subnetId: subnet.id,
        machine: `n${index}`,
        podCidr: `10.244.${index}.0/24`,
        ipv6PodCidr: cidrOf(index),
      })
    await work(host, [await attach(0), await attach(1)])
  })
}

function tagged(tag: string) {
  const ends = { sources: [tag], destinations: [tag], sourcePorts: ['*'], destinationPorts: ['*'] }
  return { direction: 'Inbound', protocol: '*', ...ends } as const
}

function policyOf(spec: Partial<NetworkPolicySpec>): never {
  return {
    metadata: { namespace: 'shop', name: 'p' },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ...spec },
  } as never
}

test('pods of two nodes speak by IPv6 at once, through services, node ports and policies of each family', () =>
  withMachines(async (host, machines) => {
    const pod = (index: 0 | 1, name: string): Promise<TestPod> =>
      addPod(host, {
        machineNamespace: machines[index].networkNamespace,
        podCidr: `10.244.${index}.0/24`,
        ipv6PodCidr: cidrOf(index),
        name,
      })
    const [client, near, far] = [await pod(0, 'client'), await pod(0, 'near'), await pod(1, 'far')]
    assert.doesNotMatch(await host.inside(far.networkNamespace, ['ip', '-6', 'addr']), /tentative/, 'no waiting')
    await host.listen(near.networkNamespace, '::', 8080, 'near')
    await host.listen(far.networkNamespace, '::', 8080, 'far')
    const ask = (address: string, port: number): Promise<string> => host.ask(address, port, client.networkNamespace)
    // The kernel takes up to a second to let packets through links that have just come up, and asks for a neighbour once a second.
    let first = ''
    for (let tries = 0; first === '' && tries < 10; tries += 1) first = await ask(far.ipv6Address!, 8080)
    assert.equal(first, `far ${client.ipv6Address!}`)

    const caches = new MemoryCaches()
    const stop = new AbortController()
    const scope = testScope(stop.signal)
    const parts = machines.map(({ networkNamespace, address, ipv6Address }, index) => {
      const nft = new InteractiveNft(['nsenter', `--net=/run/netns/${networkNamespace}`])
      const loader = spawnedNft({ networkNamespace })
      const proxied = Promise.withResolvers<void>()
      const guarded = Promise.withResolvers<void>()
      const proxy = runServiceProxy(scope, {
        caches,
        nft,
        loader,
        node: { name: `n${index}` },
        nodeAddresses: [address, ipv6Address!],
        servedHere: [],
        podCidr: `10.244.${index}.0/24`,
        nonMasqueradeCidrs: ['10.244.0.0/16'],
        ipv6: { podCidr: cidrOf(index), nonMasqueradeCidrs: ['fd12:3456:789a::/64'] },
        onSynced: proxied.resolve,
      })
      const guard = new NetworkPolicies({
        caches,
        engine: 'calico',
        nodeName: `n${index}`,
        ipv6: true,
        clusterDns: '10.0.0.10',
        nft,
        loader,
        onSynced: guarded.resolve,
      })
      const ended = Promise.all([proxy, guard.run(scope)]).finally(() => nft[Symbol.dispose]())
      return { ended, guard, ready: Promise.race([Promise.all([proxied.promise, guarded.promise]), ended]) }
    })
    try {
      for (const [index, { address, ipv6Address }] of machines.entries()) {
        const addresses = [address, ipv6Address].map((each) => ({ type: 'InternalIP', address: each }))
        caches.of(nodes).put({ metadata: { name: `n${index}` }, spec: {}, status: { addresses } } as never)
      }
      for (const [name, nodeName, { address, ipv6Address }] of [
        ['client', 'n0', client],
        ['near', 'n0', near],
        ['far', 'n1', far],
      ] as const)
        caches.of(pods).put({
          metadata: { namespace: 'shop', name, uid: name, labels: { app: name } },
          spec: { nodeName, containers: [] },
          status: { podIP: address, podIPs: [{ ip: address }, { ip: ipv6Address }] },
        } as never)
      const six = [endpoint(near.ipv6Address!, { nodeName: 'n0' }), endpoint(far.ipv6Address!, { nodeName: 'n1' })]
      caches.of(endpointSlices).put({ ...slice('web', six), addressType: 'IPv6' })
      caches.of(services).put(
        service('web', {
          type: 'NodePort',
          clusterIP: 'fd10::50',
          ipFamilies: ['IPv6'],
          sessionAffinity: 'ClientIP',
          ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30_080 }],
        }),
      )
      await Promise.all(parts.map(({ ready }) => ready))
      const settled = (): Promise<unknown> => Promise.all(parts.map(({ guard }) => guard.settled()))

      const seen = new Set<string>()
      for (let n = 0; n < 6; n += 1) seen.add(await ask('fd10::50', 80))
      assert.equal(seen.size, 1, `ClientIP keeps to one pod, which sees who asks: ${[...seen].join()}`)
      assert.match([...seen].join(), new RegExp(`^(?:near|far) ${client.ipv6Address!}$`))
      assert.equal(await ask('fd10::50', 81), '', 'a port that the service has not')
      assert.match(await ask(machines[1].ipv6Address!, 30_080), /^(?:near|far) fd/)
      // What leaves the pods' range has the node's address.
      await host.listen(machines[1].networkNamespace, '::', 9000, 'node')
      assert.equal(await ask(machines[1].ipv6Address!, 9000), `node ${machines[0].ipv6Address!}`)

      caches.of(networkPolicies).put(policyOf({ ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16' } }] }] }))
      await settled()
      assert.equal(await ask(far.ipv6Address!, 8080), '', 'a range of IPv4 lets nobody in by IPv6')
      assert.match(await ask(far.address, 8080), /^far ::ffff:10\.244\./)
      caches
        .of(networkPolicies)
        .put(policyOf({ ingress: [{ from: [{ ipBlock: { cidr: `${client.ipv6Address!}/128` } }] }] }))
      await settled()
      assert.equal(await ask(far.ipv6Address!, 8080), `far ${client.ipv6Address!}`)
      assert.equal(await ask(far.address, 8080), '')
      await assert.rejects(host.inside(client.networkNamespace, ['busybox', 'nc', '-w', '2', '2001:db8::1', '80']), /./)
    } finally {
      stop.abort()
      await Promise.all(parts.map(({ ended }) => ended))
    }
  }))
