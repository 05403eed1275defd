// What security rules drop becomes an event of the pod, node or service whose packets they were.

import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import { events, nodes, pods, services } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { MemoryCaches } from '@aksel/network/testing/memory-caches'
import type { DropNews } from '@aksel/provider/fabric'
import { FakeClient } from '@aksel/testing/fake-client'
import { FakeFabric } from '@aksel/testing/fake-fabric'
import { testScope } from '@aksel/testing/test-scope'
import { tellDrops } from './dropped-packets.ts'

const network = '/subscriptions/s/resourcegroups/rg/providers/microsoft.network/virtualnetworks/v'

function news(change: Partial<DropNews>): DropNews {
  return {
    virtualNetworkId: network,
    subnetId: `${network}/subnets/nodes`,
    direction: 'Inbound',
    rule: 'deny-web',
    source: '10.244.0.7',
    destination: '10.224.0.4',
    protocol: 'TCP',
    destinationPort: 8080,
    count: 1,
    ...change,
  }
}

test('a dropped packet is told on whose rules judged it, in words that repeat and are counted', async () => {
  const [client, fabric, caches] = [new FakeClient(testScope()), new FakeFabric(), new MemoryCaches()]
  const node: Node = {
    metadata: { name: 'n0', uid: 'n' },
    spec: {},
    status: { addresses: [{ type: 'InternalIP', address: '10.224.0.4' }] },
  }
  caches.of(nodes).put(node)
  const pod = (name: string, phase: string): Pod => ({
    metadata: { name, namespace: 'shop', uid: name },
    spec: { containers: [] },
    status: { phase, podIP: '10.244.0.7' },
  })
  for (const each of [pod('old', 'Succeeded'), pod('web', 'Running')]) caches.of(pods).put(each)
  const ingress = [{ ip: '100.66.0.1' }]
  caches
    .of(services)
    .put({ metadata: { name: 'front', namespace: 'shop' }, spec: {}, status: { loadBalancer: { ingress } } })
  const stop = new AbortController()
  const scope = { ...testScope(), signal: stop.signal }
  const telling = tellDrops(scope, { client, caches, fabric, virtualNetworkId: () => network })
  fabric.tellDrop(news({}))
  fabric.tellDrop(news({ direction: 'Outbound' }))
  const { rule: _, ...closed } = news({ direction: 'Outbound', destination: '1.1.1.1' })
  fabric.tellDrop(closed)
  const { rule: __, ...lost } = news({ direction: 'Outbound', destination: '10.244.1.9' })
  fabric.tellDrop({ ...lost, noRoute: {} })
  fabric.tellDrop({ ...lost, source: '10.224.0.4', noRoute: { route: { name: 'udr', nextHop: 'None' } } })
  fabric.tellDrop(news({ source: '9.9.9.9', destination: '100.66.0.1', destinationPort: 80 }))
  for (const other of [
    news({ virtualNetworkId: `${network}2` }),
    news({ source: '9.9.9.9', destination: '8.8.8.8' }),
  ]) {
    fabric.tellDrop(other)
  }
  await setImmediate()
  fabric.tellDrop(news({ count: 40 }))
  await setImmediate()
  const { items } = await client.list(events, {})
  assert.deepEqual(
    items
      .map(({ involvedObject, reason, message, count }) => [
        involvedObject.kind,
        involvedObject.name,
        reason,
        message,
        count,
      ])
      .toSorted((left, right) => left.join().localeCompare(right.join())),
    [
      [
        'Node',
        'n0',
        'NetworkSecurityGroupDenied',
        'Packets were dropped: TCP from 10.244.0.7 to 10.224.0.4:8080 is denied by security rule "deny-web" (Inbound) of the network security group of subnet "nodes"',
        2,
      ],
      [
        'Node',
        'n0',
        'RouteMissing',
        'Packets were dropped: TCP from 10.224.0.4 to 10.244.1.9:8080 follows route "udr" of the route table of subnet "nodes", whose next hop None leads nowhere, no route to host',
        1,
      ],
      [
        'Pod',
        'web',
        'NetworkSecurityGroupDenied',
        'Packets were dropped: TCP from 10.244.0.7 to 10.224.0.4:8080 is denied by security rule "deny-web" (Outbound) of the network security group of subnet "nodes"',
        1,
      ],
      [
        'Pod',
        'web',
        'OutboundTypeNone',
        'Packets were dropped: TCP from 10.244.0.7 to 1.1.1.1:8080 may not leave subnet "nodes", whose cluster has the outbound type none',
        1,
      ],
      [
        'Pod',
        'web',
        'RouteMissing',
        'Packets were dropped: TCP from 10.244.0.7 to 10.244.1.9:8080 has no route: the route table of subnet "nodes" has none to the pods of 10.244.1.9, no route to host',
        1,
      ],
      [
        'Service',
        'front',
        'NetworkSecurityGroupDenied',
        'Packets were dropped: TCP from 9.9.9.9 to 100.66.0.1:80 is denied by security rule "deny-web" (Inbound) of the network security group of subnet "nodes"',
        1,
      ],
    ],
  )
  stop.abort()
  await telling
})
