// DNS as a pod meets it: on the cluster's DNS address, answered by its own node.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFabric } from '../fabric/fabric.ts'
import { withHost } from '../testing/host-bench.ts'
import { addPod } from '../testing/pods.ts'

test('a pod resolves a service by name at 10.0.0.10 on its own node', () =>
  withHost(async (bench) => {
    const fabric = await openFabric(bench.scope, { ledger: bench.ledger, stateDir: join(bench.directory, 'fabric') })
    const subnetId = '/vnets/dns/s'
    await fabric.ensureVirtualNetwork(bench.scope, {
      id: '/vnets/dns',
      addressPrefix: '10.224.0.0/12',
      subnets: [{ id: subnetId, addressPrefix: '10.224.0.0/16' }],
    })
    const podCidr = '10.244.0.0/24'
    const request = { virtualNetworkId: '/vnets/dns', subnetId, machine: 'n0', podCidr }
    const machine = await fabric.attach(bench.scope, request)
    const pod = await addPod(bench, { machineNamespace: machine.networkNamespace, podCidr, name: 'client' })
    const program = join(import.meta.dirname, '..', 'testing', 'dns-program.ts')
    const server = spawn('nsenter', [`--net=/run/netns/${machine.networkNamespace}`, process.execPath, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(server.stdout, 'data')
      const argv = ['busybox', 'nslookup', 'web.default.svc.cluster.local', '10.0.0.10']
      assert.match(await bench.inside(pod.networkNamespace, argv), /Address: 10\.0\.0\.80/)
    } finally {
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
  }))
