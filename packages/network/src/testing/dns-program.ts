// A program for host tests: the DNS server in the namespace it is started in, with one service.

import { services } from '@aksel/api/resources'
import { runDns } from '../dns/dns-server.ts'
import { testScope } from './host-bench.ts'
import { MemoryCaches } from './memory-caches.ts'
import { service } from './objects.ts'

const caches = new MemoryCaches()
caches.of(services).put(service('web', { clusterIP: '10.0.0.80' }))
await runDns(testScope(), {
  caches,
  clusterDomain: 'cluster.local',
  address: '10.0.0.10',
  upstream: [],
  onReady: () => process.stdout.write('ready\n'),
})
