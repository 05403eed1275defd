// The CNI configuration is what the plugins of the 0.4.0 specification read.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { renderCniConfig } from './cni-config.ts'

test('pods get routed links in the range of their node, and all state stays in the machine folder', () => {
  const config = JSON.parse(renderCniConfig({ pods: '10.244.3.0/24', dataDirectory: '/data/m1/cni' })) as {
    cniVersion: string
    plugins: { type: string; ipMasq?: boolean; ipam?: unknown; capabilities?: unknown }[]
  }
  assert.equal(config.cniVersion, '0.4.0')
  assert.deepEqual(
    config.plugins.map((plugin) => plugin.type),
    ['ptp', 'portmap'],
  )
  assert.equal(config.plugins[0]!.ipMasq, false)
  assert.deepEqual(config.plugins[0]!.ipam, {
    type: 'host-local',
    dataDir: '/data/m1/cni',
    ranges: [[{ subnet: '10.244.3.0/24' }]],
    routes: [{ dst: '0.0.0.0/0' }],
  })
  assert.deepEqual(config.plugins[1]!.capabilities, { portMappings: true })
})

test("a subnet's addresses become ranges that the plugin takes whole, with a gateway that is nobody's", () => {
  const pods = { subnet: '10.1.0.0/24', addresses: ['10.1.0.9', '10.1.0.5', '10.1.0.6', '10.1.0.7', '10.1.0.16'] }
  const config = JSON.parse(renderCniConfig({ pods, dataDirectory: '/data/m1/cni' })) as {
    plugins: { ipam?: { ranges: unknown } }[]
  }
  const shared = { subnet: '10.1.0.0/24', gateway: '10.1.0.2' }
  assert.deepEqual(config.plugins[0]!.ipam!.ranges, [
    [
      { ...shared, rangeStart: '10.1.0.5', rangeEnd: '10.1.0.7' },
      { ...shared, rangeStart: '10.1.0.9', rangeEnd: '10.1.0.9' },
      { ...shared, rangeStart: '10.1.0.16', rangeEnd: '10.1.0.16' },
    ],
  ])
})

test('pods of both families get an address of each, and their link finds no duplicates', () => {
  const request = { pods: '10.244.3.0/24', ipv6Pods: 'fd12:3456:789a:0:3::/80', dataDirectory: '/data/m1/cni' }
  const { plugins } = JSON.parse(renderCniConfig(request)) as { plugins: { type: string; ipam?: object }[] }
  assert.deepEqual(
    plugins.map(({ type }) => type),
    ['loopback', 'tuning', 'ptp', 'portmap'],
  )
  assert.deepEqual(plugins[1], { type: 'tuning', sysctl: { 'net.ipv6.conf.default.accept_dad': '0' } })
  assert.deepEqual(plugins[2]!.ipam, {
    type: 'host-local',
    dataDir: '/data/m1/cni',
    ranges: [[{ subnet: '10.244.3.0/24' }], [{ subnet: 'fd12:3456:789a:0:3::/80' }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  })
})
