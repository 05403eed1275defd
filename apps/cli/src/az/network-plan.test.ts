// Designs of every model against Azure's documented sums, and the first thing that ends each.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planNetwork, type NetworkDesign } from './network-plan.ts'
import { runAz } from './run.ts'

const managed: NetworkDesign = {
  model: 'overlay',
  vnetPrefixes: ['10.224.0.0/12'],
  subnetPrefix: '10.224.0.0/16',
  podCidr: '10.244.0.0/16',
  serviceCidr: '10.0.0.0/16',
  dnsServiceIp: '10.0.0.10',
  nodeCount: 3,
  maxPods: 250,
  maxSurge: '10%',
  months: 12,
}
const own: NetworkDesign = {
  ...managed,
  vnetPrefixes: ['10.1.0.0/16'],
  subnetPrefix: '10.1.0.0/21',
}

test('a node subnet holds a node, its pods and the surge: 50 nodes of 30 pods with one more need 1581 addresses', () => {
  const plan = planNetwork({ ...own, model: 'nodeSubnet', nodeCount: 50, maxPods: 30, maxSurge: '1' })
  assert.deepEqual(
    plan.rows.map(({ stage, nodes, needed, available }) => [stage, nodes, needed, available]),
    [
      ['now', 50, 1_550, 2_043],
      ['upgrade', 51, 1_581, 2_043],
    ],
  )
  // 65 × 31 = 2015 fit in 2043 and 66 do not: one of the 65 is the surge.
  assert.deepEqual([plan.nodesMax, plan.podsMax, plan.limitedBy], [64, 1_920, 'the node subnet 10.1.0.0/21'])
  assert.deepEqual(plan.problems, [])
})

test('an overlay gives each node a /24, whatever it holds', () => {
  const plan = planNetwork({ ...own, nodeCount: 10, maxPods: 30, maxSurge: '1' })
  assert.deepEqual(
    plan.rows.filter(({ range }) => range === 'pod CIDR').map(({ needed, available }) => [needed, available]),
    [
      [10, 256],
      [11, 256],
    ],
  )
  assert.deepEqual([plan.nodesMax, plan.limitedBy], [255, 'the pod CIDR 10.244.0.0/16'])
})

test('a pod subnet is taken in sixteens, dynamically with eight to spare, statically in blocks', () => {
  const subnets = { ...own, podSubnetPrefix: '10.1.64.0/22', nodeCount: 2, maxSurge: '1' }
  const dynamic = planNetwork({ ...subnets, model: 'podSubnet', maxPods: 110 })
  // 110 pods and 8 free addresses are 8 batches.
  assert.deepEqual(dynamic.rows.filter(({ range }) => range === 'pod subnet')[0], {
    stage: 'now',
    nodes: 2,
    range: 'pod subnet',
    prefix: '10.1.64.0/22',
    needed: 256,
    available: 1_019,
    unit: 'addresses',
    fits: true,
  })
  const fixed = (maxPods: number): number =>
    planNetwork({ ...subnets, model: 'podSubnetStatic', maxPods }).rows.find(({ unit }) => unit === '/28 blocks')!
      .needed
  assert.deepEqual([fixed(31), fixed(32), fixed(47)], [4, 6, 6])
})

test('kubenet, network policy azure and a cluster end at their own limits', () => {
  const wide = { ...own, subnetPrefix: '10.1.0.0/16', podCidr: '100.64.0.0/10', maxSurge: '0' }
  assert.deepEqual(
    [
      planNetwork({ ...wide, model: 'kubenet', maxPods: 110 }),
      planNetwork({ ...wide, azureNetworkPolicy: true }),
      planNetwork(wide),
    ].map(({ nodesMax, limitedBy }) => [nodesMax, limitedBy]),
    [
      [400, 'the 400 nodes of kubenet'],
      [250, 'the 250 nodes of network policy azure'],
      [5_000, 'the 5000 nodes of a cluster'],
    ],
  )
  const tooMany = planNetwork({ ...wide, model: 'kubenet', maxPods: 110, nodeCount: 401 })
  assert.deepEqual(
    tooMany.problems.map(({ code }) => code),
    ['NodeLimitExceeded'],
  )
})

test('growth is followed month by month until a range is full', () => {
  const small = { ...own, model: 'nodeSubnet' as const, subnetPrefix: '10.1.0.0/24', maxPods: 30, maxSurge: '1' }
  // 251 addresses bear 8 nodes, the surge among them.
  const steady = planNetwork({ ...small, nodeCount: 3, growth: '1', months: 6 })
  assert.deepEqual([steady.nodesMax, steady.monthsCarried], [7, 4])
  assert.deepEqual(steady.problems, [
    {
      code: 'InsufficientSubnetSize',
      message:
        'Pre-allocated IPs 310 exceeds IPs available 251 in Subnet Cidr 10.1.0.0/24, Subnet Name aks-subnet (upgrade in 6 months, 10 nodes).',
    },
  ])
  assert.equal(planNetwork({ ...small, nodeCount: 4, growth: '20%' }).monthsCarried, 3)
  assert.equal(planNetwork({ ...small, nodeCount: 4, growth: '0' }).monthsCarried, undefined)
  assert.equal(planNetwork({ ...small, nodeCount: 40, growth: '1' }).monthsCarried, 0)
})

const wrong: readonly (readonly [string, Partial<NetworkDesign>, string])[] = [
  ['a subnet outside the network', { subnetPrefix: '10.2.0.0/24' }, 'NetcfgSubnetRangeOutsideVnet'],
  [
    'a subnet larger than the network',
    {
      subnetPrefix: '10.0.0.0/8',
      serviceCidr: '192.168.0.0/16',
      dnsServiceIp: '192.168.0.10',
      podCidr: '172.16.0.0/16',
    },
    'NetcfgSubnetRangeOutsideVnet',
  ],
  ['a subnet too small for Azure', { subnetPrefix: '10.1.0.0/30', nodeCount: 0, maxSurge: '0' }, 'NetcfgInvalidSubnet'],
  [
    'two subnets that overlap',
    { model: 'podSubnet', podSubnetPrefix: '10.1.4.0/22', maxPods: 110 },
    'NetcfgSubnetRangesOverlap',
  ],
  [
    'services in a subnet',
    { serviceCidr: '10.1.0.0/24', dnsServiceIp: '10.1.0.10' },
    'ServiceCidrOverlapExistingSubnetsCidr',
  ],
  ['services among pods', { serviceCidr: '10.244.0.0/24', dnsServiceIp: '10.244.0.10' }, 'ServiceCidrOverlapPodCidr'],
  ['too many services', { serviceCidr: '172.0.0.0/11', dnsServiceIp: '172.0.0.10' }, 'ServiceCidrTooLarge'],
  ['DNS elsewhere', { dnsServiceIp: '10.9.0.10' }, 'DnsServiceIpOutOfServiceCidr'],
  ["DNS at kubernetes.default's address", { dnsServiceIp: '10.0.0.1' }, 'InvalidParameter'],
  ['pods in the network', { podCidr: '10.1.128.0/18' }, 'InvalidParameter'],
  ['pods where Azure lets nobody have any', { podCidr: '172.16.0.0/12' }, 'InvalidParameter'],
  ['too many pods on a node', { maxPods: 251 }, 'InvalidParameter'],
  ['a pool of fewer than 30 pods', { maxPods: 29, nodeCount: 1 }, 'InvalidParameter'],
  ['a pod range that is too small', { podCidr: '10.244.0.0/23' }, 'InsufficientPodCidr'],
]

for (const [what, change, code] of wrong) {
  test(`planNetwork() finds ${what}`, () => {
    const { carries, problems } = planNetwork({ ...own, ...change })
    assert.ok(
      problems.some((problem) => problem.code === code),
      JSON.stringify(problems),
    )
    assert.equal(carries, false)
  })
}

test('the defaults of a managed network carry themselves', () => {
  const { problems, nodesMax } = planNetwork(managed)
  assert.deepEqual(problems, [])
  // 232 and a surge of 24 are the 256 parts of the pod range.
  assert.equal(nodesMax, 232)
})

async function plan(...args: readonly string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', '']
  const terminal = {
    out: (text: string) => void (out += text),
    error: (text: string) => void (error += text),
    interactive: false,
    ask: async () => 'n',
  }
  const nowhere = '/nonexistent'
  const cli = { repositoryRoot: nowhere, dataDir: nowhere, isRoot: false, environment: { HOME: nowhere } }
  const code = await runAz(cli, ['network', 'plan', ...args], terminal)
  return { code, out, error }
}

const flat = ['--network-plugin', 'azure', '--vnet-prefixes', '10.1.0.0/16', '--subnet-prefix', '10.1.0.0/25']

test('az network plan prints a table without a server, and what will not fit as warnings', async () => {
  const ran = await plan(...flat, '-c', '4', '--max-surge', '1')
  assert.deepEqual(ran, {
    code: 0,
    out: `Stage    Nodes  Range        Prefix       Needed  Available  Unit       Fits
-------  -----  -----------  -----------  ------  ---------  ---------  -----
now      4      node subnet  10.1.0.0/25  124     123        addresses  False
upgrade  5      node subnet  10.1.0.0/25  155     123        addresses  False
`,
    error: `WARNING: (InsufficientSubnetSize) Pre-allocated IPs 124 exceeds IPs available 123 in Subnet Cidr 10.1.0.0/25, Subnet Name aks-subnet (now, 4 nodes).
Carries 2 nodes and 60 pods with room for their upgrade; then the node subnet 10.1.0.0/25 ends it.
`,
  })
})

test('az network plan answers in json and to a query', async () => {
  const json = await plan(...flat, '-c', '2', '--max-surge', '1', '-o', 'json')
  const read = JSON.parse(json.out) as { readonly carries: boolean; readonly rows: readonly unknown[] }
  assert.deepEqual([read.carries, read.rows.length, json.error], [true, 2, ''])
  const query = await plan(...flat, '--query', '[model,maxPods,nodesMax]', '-o', 'tsv')
  assert.equal(query.out, 'nodeSubnet\n30\n2\n')
})

test('az network plan picks the model as AKS does, and refuses what does not go together', async () => {
  const modelOf = async (...args: readonly string[]): Promise<string> =>
    (await plan(...args, '--query', 'model', '-o', 'tsv')).out.trim()
  const pods = ['--pod-subnet-prefix', '10.225.0.0/16']
  assert.equal(await modelOf(), 'overlay')
  assert.equal(await modelOf('--network-plugin', 'azure'), 'nodeSubnet')
  assert.equal(await modelOf('--network-plugin', 'azure', '--network-plugin-mode', 'overlay'), 'overlay')
  assert.equal(await modelOf(...pods), 'podSubnet')
  assert.equal(await modelOf(...pods, '--pod-ip-allocation-mode', 'StaticBlock'), 'podSubnetStatic')
  assert.equal(await modelOf('--network-plugin', 'kubenet'), 'kubenet')
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['--network-plugin', 'kubenet', ...pods], /for --network-plugin azure alone/],
    [['--network-plugin-mode', 'overlay', ...pods], /Pods of an overlay have no subnet/],
    [['--pod-ip-allocation-mode', 'StaticBlock'], /needs --pod-subnet-prefix/],
    [['--network-plugin', 'flannel'], /invalid choice: 'flannel'/],
    [['--subnet-prefix', '10.0.0.0'], /invalid CIDR: '10.0.0.0'/],
    [['--max-surge', 'some'], /neither a number nor a share/],
  ]
  for (const [args, words] of refused) {
    const { code, error } = await plan(...args)
    assert.ok(code !== 0, args.join(' '))
    assert.match(error, words)
  }
})
