// The search against brute force, in random small worlds: it finds devices exactly where there are some, and what it finds is right.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Device, DeviceConstraint, ResourceClaim } from '@aksel/api/types/resource-v1'
import { seededRandom } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { Chance } from '../testing/random-cluster.ts'
import { claim, deviceClass, deviceNode, driver, exactly, slice } from '../testing/devices.ts'
import { allocate, type Offer } from './allocator.ts'
import { TakenDevices } from './consumption.ts'
import { Pools, type OfferedDevice } from './pools.ts'
import { Selectors } from './selection.ts'

interface World {
  readonly claims: readonly ResourceClaim[]
  readonly devices: readonly OfferedDevice[]
  readonly offer: Offer
  readonly takenNames: ReadonlySet<string>
  readonly slots: number
}

const colours = ['red', 'blue'] as const

function worldOf(chance: Chance): World {
  const count = 1 + chance.below(5)
  const devices = Array.from({ length: count }, (_, index): Device => ({
    name: `d${index}`,
    attributes: {
      colour: { string: chance.one(colours) },
      ...(chance.is(0.8) ? { numa: { int: chance.below(2) } } : {}),
    },
    ...(chance.is(0.5)
      ? { consumesCounters: [{ counterSet: 'card', counters: { slots: { value: String(1 + chance.below(3)) } } }] }
      : {}),
  }))
  const slots = chance.below(6)
  const pool = { name: 'a', generation: 1, resourceSliceCount: 2 }
  const { devices: _, ...counters } = slice('a', []).spec
  const card = { name: 'card', counters: { slots: { value: String(slots) } } }
  const slices = [
    { metadata: { name: 'counters' }, spec: { ...counters, pool, sharedCounters: [card] } },
    { metadata: { name: 'devices' }, spec: slice('a', devices, { pool }).spec },
  ]
  const taken = new TakenDevices()
  const takenNames = new Set<string>()
  if (chance.is(0.4)) {
    takenNames.add(devices[0]!.name)
    taken.set('x', [{ request: 'one', driver, pool: 'a', device: devices[0]!.name }])
  }
  const claims = Array.from({ length: 1 + chance.below(2) }, (_, index) => claimOf(chance, `c${index}`))
  const pools = new Pools(slices).for(deviceNode('a'))
  return {
    claims,
    devices: pools.flatMap((each) => each.devices),
    takenNames,
    slots,
    offer: {
      pools,
      taken,
      selectors: new Selectors(),
      deviceClass: () => deviceClass(),
      taintsOf: () => [],
    },
  }
}

function claimOf(chance: Chance, name: string): ResourceClaim {
  const requests = ['one', 'two'].slice(0, 1 + chance.below(2)).map((request) => {
    const expression = `device.attributes["${driver}"].colour == "${chance.one(colours)}"`
    const selectors = chance.is(0.5) ? [{ cel: { expression } }] : []
    return exactly(request, { count: 1 + chance.below(2), selectors, adminAccess: chance.is(0.1) })
  })
  const attribute = `${driver}/numa`
  const constraints: DeviceConstraint[] = []
  if (chance.is(0.4)) constraints.push({ matchAttribute: attribute })
  if (chance.is(0.2)) constraints.push({ requests: ['one'], distinctAttribute: attribute })
  return claim(name, { requests, constraints })
}

/** One device for each of the claims' wants, in order. */
type Assignment = readonly OfferedDevice[]

interface Want {
  readonly claim: number
  readonly request: string
  readonly colour: string | undefined
  readonly isAdmin: boolean
}

function wantsOf({ claims }: World): readonly Want[] {
  return claims.flatMap(({ spec }, index) =>
    spec.devices.requests.flatMap(({ name, exactly: wish }) =>
      Array.from({ length: wish!.count! }, () => ({
        claim: index,
        request: name,
        colour: /"(red|blue)"/.exec(wish!.selectors?.[0]?.cel?.expression ?? '')?.[1],
        isAdmin: wish!.adminAccess === true,
      })),
    ),
  )
}

/** The rules once more, over a finished assignment. */
function isRight(world: World, wants: readonly Want[], got: Assignment): boolean {
  const users = wants.map((want, index) => ({ ...want, device: got[index]!.device }))
  const whole = users.filter(({ isAdmin }) => !isAdmin).map(({ device }) => device.name)
  if (new Set(whole).size < whole.length || whole.some((name) => world.takenNames.has(name))) return false
  for (const { claim: of, request } of users) {
    const names = users.filter((each) => each.claim === of && each.request === request).map(({ device }) => device.name)
    if (new Set(names).size < names.length) return false
  }
  if (users.some(({ colour, device }) => colour !== undefined && device.attributes!['colour']!.string !== colour))
    return false
  const consumers = [...new Set([...whole, ...world.takenNames])]
  const slotsOf = ({ device }: OfferedDevice): number =>
    Number(device.consumesCounters?.[0]?.counters['slots']?.value ?? 0)
  const counted = world.devices.filter(({ device }) => consumers.includes(device.name))
  const fresh = counted.filter(
    ({ device }) => !world.takenNames.has(device.name) && slotsOf({ device } as OfferedDevice) > 0,
  )
  const used = counted.reduce((sum, device) => sum + slotsOf(device), 0)
  if (fresh.length > 0 && used > world.slots) return false
  return world.claims.every(({ spec }, index) =>
    (spec.devices.constraints ?? []).every(({ requests = [], matchAttribute }) => {
      const values = users
        .filter(({ claim: of, request }) => of === index && (requests.length === 0 || requests.includes(request)))
        .map(({ device }) => device.attributes!['numa']?.int)
      if (values.includes(undefined)) return false
      const distinct = new Set(values).size
      return matchAttribute === undefined ? distinct === values.length : distinct <= 1
    }),
  )
}

function anyRight(world: World, wants: readonly Want[], got: Assignment = []): boolean {
  if (got.length === wants.length) return isRight(world, wants, got)
  return world.devices.some((device) => anyRight(world, wants, [...got, device]))
}

test('the search agrees with brute force', () => {
  const chance = new Chance(seededRandom(7))
  let fits = 0
  const rounds = sized({ gate: 1500, full: 50_000 })
  for (let round = 0; round < rounds; round += 1) {
    const world = worldOf(chance)
    const wants = wantsOf(world)
    if (wants.length > 6) continue
    const found = allocate(world.claims, world.offer)
    const told = (): string => JSON.stringify({ round, claims: world.claims, devices: world.devices })
    assert.equal(found !== undefined, anyRight(world, wants), told())
    if (found === undefined) continue
    fits += 1
    assert.ok(
      isRight(
        world,
        wants,
        found.flat().map(({ device }) => device),
      ),
      told(),
    )
  }
  assert.ok(fits > rounds / 10, `${fits} fit`)
})
