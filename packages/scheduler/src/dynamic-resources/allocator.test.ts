// What devices a claim gets: selection, counts, constraints, taints, shared counters and shared capacity.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Device, DeviceClass, ResourceClaim, ResourceSlice } from '@aksel/api/types/resource-v1'
import { claim, deviceClass, deviceNode, driver, exactly, picking, slice } from '../testing/devices.ts'
import { allocationOf } from './allocation-result.ts'
import { allocate, type Offer } from './allocator.ts'
import { TakenDevices } from './consumption.ts'
import { Pools } from './pools.ts'
import { Selectors } from './selection.ts'

interface Given {
  readonly slices: readonly ResourceSlice[]
  readonly classes?: readonly DeviceClass[]
  readonly node?: string
  readonly labels?: Record<string, string>
  readonly taken?: TakenDevices
}

function offerOf({
  slices,
  classes = [deviceClass()],
  node = 'a',
  labels = {},
  taken = new TakenDevices(),
}: Given): Offer {
  return {
    pools: new Pools(slices).for(deviceNode(node, labels)),
    taken,
    selectors: new Selectors(),
    deviceClass: (name) => classes.find(({ metadata }) => metadata.name === name),
    taintsOf: ({ device }) => device.taints ?? [],
  }
}

/** `request=device`, claim by claim; undefined where there is no way. */
function chosen(claims: readonly ResourceClaim[], given: Given): readonly string[] | undefined {
  return allocate(claims, offerOf(given))?.map((choices) =>
    choices.map(({ wish, device }) => `${wish.reference}=${device.device.name}`).join(' '),
  )
}

const gpu = (name: string, model: string, more: Partial<Device> = {}): Device => ({
  name,
  attributes: { model: { string: model }, numa: { int: name.endsWith('1') ? 1 : 0 } },
  capacity: { memory: { value: model === 'big' ? '40Gi' : '10Gi' } },
  ...more,
})
const two = [slice('a', [gpu('g0', 'small'), gpu('g1', 'big')])]

test('a request gets the first device that its class and its own selectors let through', () => {
  assert.deepEqual(chosen([claim('c')], { slices: two }), ['one=g0'])
  const big = claim('c', { requests: [exactly('one', picking(`device.attributes["${driver}"].model == "big"`))] })
  assert.deepEqual(chosen([big], { slices: two }), ['one=g1'])
  const roomy = `device.driver == "${driver}" && device.capacity["${driver}"].memory.isGreaterThan(quantity("20Gi"))`
  const classes = [deviceClass('gpu', { selectors: [{ cel: { expression: roomy } }] })]
  assert.deepEqual(chosen([claim('c')], { slices: two, classes }), ['one=g1'])
  assert.equal(chosen([claim('c'), claim('d')], { slices: two, classes }), undefined)
  assert.equal(chosen([claim('c')], { slices: two, node: 'b' }), undefined)
})

test('a domain that a device does not know reads as empty, a name that it lacks is a runtime error', () => {
  const asks = (expression: string): ResourceClaim => claim('c', { requests: [exactly('one', picking(expression))] })
  assert.equal(chosen([asks('has(device.attributes["other"].x)')], { slices: two }), undefined)
  assert.equal(chosen([asks('"other" in device.attributes')], { slices: two }), undefined)
  assert.throws(() => chosen([asks(`device.attributes["${driver}"].speed > 1`)], { slices: two }), {
    message: 'claim default/c: selector #0: CEL runtime error: no such key: speed',
  })
})

test('several requests and claims of a pod get different devices, also where the first choice has to be taken back', () => {
  const big = exactly('big', picking(`device.attributes["${driver}"].model == "big"`))
  assert.deepEqual(chosen([claim('c', { requests: [exactly('any'), big] })], { slices: two }), ['any=g0 big=g1'])
  const reversed = [slice('a', [gpu('g1', 'big'), gpu('g0', 'small')])]
  assert.deepEqual(chosen([claim('c'), claim('d', { requests: [big] })], { slices: reversed }), ['one=g0', 'big=g1'])
  assert.deepEqual(chosen([claim('c', { requests: [exactly('both', { count: 2 })] })], { slices: two }), [
    'both=g0 both=g1',
  ])
  assert.equal(chosen([claim('c', { requests: [exactly('more', { count: 3 })] })], { slices: two }), undefined)
})

test('allocationMode All takes every device that suits, none of them in use', () => {
  const all = claim('c', { requests: [{ name: 'all', exactly: { deviceClassName: 'gpu', allocationMode: 'All' } }] })
  assert.deepEqual(chosen([all], { slices: two }), ['all=g0 all=g1'])
  assert.equal(chosen([claim('x'), all], { slices: two }), undefined)
  assert.equal(chosen([all], { slices: [] }), undefined)
  const half = [slice('a', ['g0'], { pool: { name: 'a', generation: 1, resourceSliceCount: 2 } })]
  assert.throws(
    () => chosen([all], { slices: half }),
    /asks for all devices, but resource pool .*\/a is currently being updated/,
  )
  assert.equal(chosen([claim('c')], { slices: half }), undefined)
})

test('a pool is what its newest generation says', () => {
  const old = slice('a', ['old'])
  const now = slice('a', ['new'], { pool: { name: 'a', generation: 2, resourceSliceCount: 1 } })
  assert.deepEqual(chosen([claim('c')], { slices: [old, { ...now, metadata: { name: 'later' } }] }), ['one=new'])
  assert.throws(
    () => chosen([claim('c')], { slices: [slice('a', ['x', 'x'])] }),
    /pool .* is invalid: duplicate device name x/,
  )
})

test('matchAttribute binds the requests that it names, distinctAttribute keeps them apart', () => {
  const devices = [gpu('a0', 'small'), gpu('b1', 'small'), gpu('c1', 'small')]
  const requests = [exactly('left'), exactly('right')]
  const numa = `${driver}/numa`
  const slices = [slice('a', devices)]
  assert.deepEqual(chosen([claim('c', { requests, constraints: [{ matchAttribute: numa }] })], { slices }), [
    'left=b1 right=c1',
  ])
  const only = { requests: ['left'], matchAttribute: numa }
  assert.deepEqual(chosen([claim('c', { requests, constraints: [only] })], { slices }), ['left=a0 right=b1'])
  assert.deepEqual(
    chosen([claim('c', { requests, constraints: [{ distinctAttribute: `${driver}/model` }] })], { slices }),
    undefined,
  )
  assert.deepEqual(chosen([claim('c', { requests, constraints: [{ distinctAttribute: numa }] })], { slices }), [
    'left=a0 right=b1',
  ])
  assert.equal(chosen([claim('c', { constraints: [{ matchAttribute: `${driver}/none` }] })], { slices }), undefined)
})

test('of a prioritized list the first alternative that can be had is taken', () => {
  const alternative = (name: string, model: string, count = 1) => ({
    name,
    deviceClassName: 'gpu',
    allocationMode: 'ExactCount',
    count,
    ...picking(`device.attributes["${driver}"].model == "${model}"`),
  })
  const wish = (...firstAvailable: ReturnType<typeof alternative>[]): ResourceClaim =>
    claim('c', { requests: [{ name: 'any', firstAvailable }] })
  assert.deepEqual(chosen([wish(alternative('best', 'big'), alternative('good', 'small'))], { slices: two }), [
    'any/best=g1',
  ])
  assert.deepEqual(chosen([wish(alternative('two', 'big', 2), alternative('good', 'small'))], { slices: two }), [
    'any/good=g0',
  ])
  assert.equal(chosen([wish(alternative('two', 'big', 2))], { slices: two }), undefined)
})

test('who has admin access gets devices that are in use, and takes them from nobody', () => {
  const taken = new TakenDevices()
  taken.set('x', [{ request: 'one', driver, pool: 'a', device: 'g0' }])
  taken.set('y', [{ request: 'one', driver, pool: 'a', device: 'g1', adminAccess: true }])
  const admin = claim('c', { requests: [exactly('watch', { adminAccess: true, count: 2 })] })
  assert.deepEqual(chosen([admin, claim('d')], { slices: two, taken }), ['watch=g0 watch=g1', 'one=g1'])
  taken.set('x', undefined)
  assert.deepEqual(chosen([claim('d')], { slices: two, taken }), ['one=g0'])
})

test('a tainted device goes to whom it does not scare', () => {
  const taint = (effect: string): Device['taints'] => [{ key: 'broken', value: 'fan', effect }]
  for (const effect of ['NoSchedule', 'NoExecute']) {
    const slices = [slice('a', [gpu('g0', 'small', { taints: taint(effect)! })])]
    assert.equal(chosen([claim('c')], { slices }), undefined)
    const asks = (toleration: object): ResourceClaim =>
      claim('c', { requests: [exactly('one', { tolerations: [toleration] })] })
    assert.deepEqual(chosen([asks({ operator: 'Exists' })], { slices }), ['one=g0'])
    assert.deepEqual(chosen([asks({ key: 'broken', operator: 'Equal', value: 'fan', effect })], { slices }), ['one=g0'])
    assert.equal(chosen([asks({ key: 'broken', operator: 'Equal', value: 'pump' })], { slices }), undefined)
  }
  assert.deepEqual(chosen([claim('c')], { slices: [slice('a', [gpu('g0', 'small', { taints: taint('None')! })])] }), [
    'one=g0',
  ])
})

test('partitions of a device share its counters, with whoever has some of them already', () => {
  const part = (name: string, slots: string): Device => ({
    name,
    consumesCounters: [{ counterSet: 'card', counters: { slots: { value: slots } } }],
  })
  const pool = { name: 'a', generation: 1, resourceSliceCount: 2 }
  const { devices: _, ...counters } = slice('a', []).spec
  const slices: ResourceSlice[] = [
    {
      metadata: { name: 'counters' },
      spec: { ...counters, pool, sharedCounters: [{ name: 'card', counters: { slots: { value: '4' } } }] },
    },
    {
      metadata: { name: 'parts' },
      spec: slice('a', [part('whole', '4'), part('half', '2'), part('quarter', '1'), part('other-half', '2')], { pool })
        .spec,
    },
  ]
  assert.deepEqual(chosen([claim('c')], { slices }), ['one=whole'])
  assert.deepEqual(chosen([claim('c'), claim('d')], { slices }), ['one=half', 'one=quarter'])
  assert.equal(chosen([claim('c', { requests: [exactly('three', { count: 3 })] })], { slices }), undefined)
  const taken = new TakenDevices()
  taken.set('x', [{ request: 'one', driver, pool: 'a', device: 'half' }])
  assert.deepEqual(chosen([claim('c')], { slices, taken }), ['one=quarter'])
  assert.deepEqual(chosen([claim('c', { requests: [exactly('one', { count: 2 })] })], { slices, taken }), undefined)
})

test('a device for several is shared by capacity, rounded as its policy says', () => {
  const shared: Device = {
    name: 'nic',
    allowMultipleAllocations: true,
    capacity: { bandwidth: { value: '10G', requestPolicy: { default: '1G', validRange: { min: '1G', step: '2G' } } } },
  }
  const asks = (name: string, amount: string | undefined): ResourceClaim =>
    claim(name, {
      requests: [exactly('one', amount === undefined ? {} : { capacity: { requests: { bandwidth: amount } } })],
    })
  const slices = [slice('a', [shared])]
  const shares = (...claims: ResourceClaim[]): unknown =>
    allocate(claims, offerOf({ slices }))?.map(([choice]) => choice!.share!['bandwidth'])
  assert.deepEqual(shares(asks('c', '2G'), asks('d', undefined), asks('e', '4500M')), ['3G', '1G', '5G'])
  assert.equal(shares(asks('c', '6G'), asks('d', '4G')), undefined)
  const result = allocationOf({
    claim: asks('c', '2G'),
    choices: allocate([asks('c', '2G')], offerOf({ slices }))![0]!,
    nodeName: 'a',
    deviceClass: () => undefined,
    shareId: () => 'share-1',
  })
  assert.deepEqual(result.devices!.results, [
    { request: 'one', driver, pool: 'a', device: 'nic', shareID: 'share-1', consumedCapacity: { bandwidth: '3G' } },
  ])
  const taken = new TakenDevices()
  taken.set('x', [
    { request: 'one', driver, pool: 'a', device: 'nic', shareID: 's', consumedCapacity: { bandwidth: '9G' } },
  ])
  assert.deepEqual(chosen([asks('c', '1G')], { slices, taken }), ['one=nic'])
  assert.equal(chosen([asks('c', '2G')], { slices, taken }), undefined)
})

test('an allocation tells which nodes can use it, and what its drivers are told', () => {
  const place = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['z1'] }] }] }
  const configured = (of: string) => ({ opaque: { driver, parameters: { of } } })
  const wish = claim('c', {
    config: [
      { requests: ['one'], ...configured('one') },
      { requests: ['gone'], ...configured('gone') },
      configured('all'),
    ],
  })
  const classes = [deviceClass('gpu', { config: [configured('class')] })]
  const of = (slices: readonly ResourceSlice[]): ReturnType<typeof allocationOf> =>
    allocationOf({
      claim: wish,
      choices: allocate([wish], offerOf({ slices, classes, labels: { zone: 'z1' } }))![0]!,
      nodeName: 'a',
      deviceClass: (name) => classes.find(({ metadata }) => metadata.name === name),
      shareId: () => '',
    })
  assert.deepEqual(of(two), {
    devices: {
      results: [{ request: 'one', driver, pool: 'a', device: 'g0' }],
      config: [
        { source: 'FromClass', requests: ['one'], ...configured('class') },
        { source: 'FromClaim', requests: ['one'], ...configured('one') },
        { source: 'FromClaim', ...configured('all') },
      ],
    },
    nodeSelector: {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] }],
    },
  })
  assert.deepEqual(of([slice('net', ['x'], { nodeSelector: place })]).nodeSelector, place)
  assert.equal(of([slice('net', ['x'], { allNodes: true })]).nodeSelector, undefined)
  const mixed = [
    slice(
      'net',
      [
        { name: 'far', nodeName: 'b' },
        { name: 'near', nodeName: 'a' },
      ],
      { perDeviceNodeSelection: true },
    ),
  ]
  assert.equal(of(mixed).devices!.results![0]!.device, 'near')
})
