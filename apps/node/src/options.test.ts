// The options file: what is taken, and what is refused with its name.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseOptions } from './options.ts'

const file = {
  nodeName: 'n1',
  nodeAddress: '10.224.0.4',
  kubeconfigPath: '/m/kubeconfig',
  containerdSocket: '/m/c.sock',
  podLogsDir: '/m/logs',
  rootDir: '/m/kubelet',
  cgroupRoot: '/aksel/m',
  tunnelSocket: '/s/tunnel.sock',
  clusterDns: '10.0.0.10',
  clusterDomain: 'cluster.local',
  podCidr: '10.244.3.0/24',
  serviceCidr: '10.0.0.0/16',
  maxPods: 250,
  capacity: { cpuMilli: 2000, memoryBytes: 8e9 },
  kubernetesVersion: '1.35.7',
  nodeImage: 'AKSUbuntu-2204gen2containerd-202611.01.0',
  providerId: 'azure:///n1',
  disksDir: '/d',
  ledgerDir: '/m/ledger',
  machineKey: 'c1-n1',
  simulated: false,
}

test('parseOptions() takes a whole file and keeps pods of the cluster unmasqueraded', () => {
  const options = parseOptions('agent.json', file, 'info')
  assert.deepEqual(options.nonMasqueradeCidrs, ['10.244.0.0/16'])
  assert.deepEqual(options.capacity, file.capacity)
  assert.deepEqual([options.labels, options.taints], [{}, []])
})

test('parseOptions() names the field that is wrong', () => {
  assert.throws(
    () => parseOptions('agent.json', { ...file, nodeName: '' }, 'info'),
    /field "nodeName": expected a text, found ""/,
  )
  assert.throws(
    () => parseOptions('agent.json', { ...file, capacity: { cpuMilli: 1 } }, 'info'),
    /capacity.*"memoryBytes"/,
  )
  assert.throws(
    () => parseOptions('agent.json', { ...file, simulated: true }, 'info'),
    /hollow nodes live in the server/,
  )
  assert.throws(() => parseOptions('agent.json', [], 'info'), /not a JSON object/)
})

test('parseOptions() reads how the node looks after itself, over what AKS sets', () => {
  const usual = parseOptions('agent.json', file, 'info').settings
  assert.deepEqual(
    usual.thresholds.map(({ signal, isHard }) => [signal, isHard]),
    ['memory.available', 'nodefs.available', 'nodefs.inodesFree', 'pid.available'].map((signal) => [signal, true]),
  )
  assert.deepEqual([usual.images.highPercent, usual.images.lowPercent, usual.logs.maxFiles], [85, 80, 5])
  const kubelet = { evictionHard: { 'memory.available': '5%' }, containerLogMaxSize: '10Mi' }
  const own = parseOptions('agent.json', { ...file, kubelet }, 'info').settings
  assert.deepEqual(
    own.thresholds.map(({ below }) => below),
    [{ kind: 'fraction', fraction: 0.05 }],
  )
  assert.equal(own.logs.maxBytes, 10 * 2 ** 20)
  const wrong = (field: object): void => void parseOptions('agent.json', { ...file, kubelet: field }, 'info')
  assert.throws(() => wrong({ evictionSort: {} }), /field "kubelet": .*unknown field "evictionSort"/)
  assert.throws(() => wrong({ containerLogMaxFiles: 1 }), /containerLogMaxFiles must be greater than 1/)
  assert.throws(() => wrong({ imageGCHighThresholdPercent: 70 }), /80 must be less than .* 70/)
})

test('a node of both address families is told its ranges of the second one; pods keep their address in its own at least', () => {
  const ipv6 = { nodeAddress: 'fd00:a:e0::4', podCidr: 'fd12::/80', serviceCidr: 'fd10::/108' }
  assert.deepEqual(parseOptions('agent.json', { ...file, ipv6 }, 'info').ipv6, {
    ...ipv6,
    nonMasqueradeCidrs: ['fd12::/80'],
  })
  const wide = { ...ipv6, nonMasqueradeCidrs: ['fd12::/64'] }
  assert.deepEqual(parseOptions('agent.json', { ...file, ipv6: wide }, 'info').ipv6, wide)
  const { podCidr: _, ...without } = ipv6
  assert.throws(() => parseOptions('agent.json', { ...file, ipv6: without }, 'info'), /ipv6: field "podCidr"/)
})
