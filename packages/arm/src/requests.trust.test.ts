// Thousands of requests that no client of sense would send: none is answered with a fault of ours, nothing is half made.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, type Random } from '@aksel/base/ids'
import { sized } from '@aksel/testing/test-size'
import { openFrontDoor, subscriptionId, tenantId, type OpenedFrontDoor } from './testing/opened-front-door.ts'

const subscription = `/subscriptions/${subscriptionId}`
const seed = 20_261_127

class Dice {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  below(limit: number): number {
    const [a, b, c] = this.#random.nextBytes(3)
    return ((a! << 16) | (b! << 8) | c!) % limit
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }
}

const names = ['a', 'b', 'c1', 'default', 'GroupTwo', 'x'.repeat(91), '..%2F', '%00', 'naïve', "o'clock", 'a%20b', '-']
const types: Readonly<Record<string, object>> = {
  'Microsoft.ContainerService/managedClusters': {
    location: 'eastus',
    properties: { dnsPrefix: 'c', agentPoolProfiles: [{ name: 'a', mode: 'System', count: 1 }] },
  },
  'Microsoft.ContainerService/snapshots': {
    location: 'eastus',
    properties: { creationData: { sourceResourceId: '/x' } },
  },
  'Microsoft.Network/virtualNetworks': {
    location: 'eastus',
    properties: {
      addressSpace: { addressPrefixes: ['10.9.0.0/16'] },
      subnets: [{ name: 's', properties: { addressPrefix: '10.9.1.0/24' } }],
    },
  },
  'Microsoft.Network/networkSecurityGroups': { location: 'eastus', properties: { securityRules: [] } },
  'Microsoft.Network/publicIPAddresses': { location: 'eastus', properties: {}, sku: { name: 'Standard' } },
  'Microsoft.Network/routeTables': { location: 'eastus', properties: { routes: [] } },
  'Microsoft.ManagedIdentity/userAssignedIdentities': { location: 'eastus' },
  'Microsoft.ContainerRegistry/registries': { location: 'eastus', sku: { name: 'Basic' } },
  'Microsoft.OperationalInsights/workspaces': { location: 'eastus', properties: { retentionInDays: 30 } },
  'Microsoft.KeyVault/vaults': { location: 'eastus', properties: { tenantId, enableRbacAuthorization: true } },
  'Microsoft.Resources/deployments': {
    properties: { mode: 'Incremental', template: { contentVersion: '1.0.0.0', resources: [], outputs: {} } },
  },
  'Microsoft.Nobody/things': {},
}
const children = [
  'agentPools',
  'subnets',
  'federatedIdentityCredentials',
  'maintenanceConfigurations',
  'securityRules',
  'routes',
]
const actions = [
  'start',
  'stop',
  'abort',
  'listClusterUserCredential',
  'sharedKeys',
  'whatIf',
  'validate',
  'cancel',
  'rotateClusterCertificates',
]
const extensions = ['Microsoft.Authorization/locks/keep', 'Microsoft.Resources/tags/default']
const methods = ['GET', 'PUT', 'PUT', 'PUT', 'PATCH', 'DELETE', 'POST', 'HEAD'] as const
const oddities: readonly unknown[] = [
  null,
  -1,
  1e308,
  true,
  '',
  'x',
  [],
  {},
  [null],
  { properties: null },
  '10.0.0.0/33',
  '\u0000',
  ['a', 1],
]

/** The same thing with some of its values, at any depth, changed into something odd. */
function bent(dice: Dice, value: unknown): unknown {
  if (dice.below(6) === 0) return dice.of(oddities)
  if (Array.isArray(value)) return value.map((item: unknown) => bent(dice, item))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(() => dice.below(12) > 0)
  return Object.fromEntries(entries.map(([name, item]) => [name, bent(dice, item)]))
}

function pathOf(dice: Dice, method: string, type: string): string {
  const group = `${subscription}/resourceGroups/${dice.of(names.slice(0, dice.below(3) === 0 ? names.length : 2))}`
  const kind = method === 'POST' && dice.below(3) > 0 ? 2 : dice.below(12)
  if (kind === 0 && (method !== 'DELETE' || dice.below(4) === 0)) return group
  const one = `${group}/providers/${type}/${dice.of(names.slice(0, dice.below(3) === 0 ? names.length : 4))}`
  if (kind === 1) return `${one}/${dice.of(children)}/${dice.of(names)}`
  if (kind === 2) return `${one}/${dice.of(actions)}`
  if (kind === 3) return `${dice.of([group, one])}/providers/${dice.of(extensions)}`
  if (kind === 4) return `${dice.of([subscription, group])}/providers/${type}`
  return one
}

const queries = [
  '',
  '?$top=1',
  '?$top=x',
  '?$skiptoken=%%%',
  '?api-version=',
  '?api-version=1999-01-01',
  "?$filter=name eq '",
  '?$filter=1',
]

function bodyOf(dice: Dice, method: string, type: string): unknown {
  if (method === 'GET' || method === 'HEAD' || method === 'DELETE') return undefined
  const whole = types[type]!
  const roll = dice.below(8)
  if (roll < 3) return whole
  if (roll === 3) return dice.of(['', '{', '[1,2', '"x"', 'nul', '{"a":1,"a":2}', `${'['.repeat(5_000)}`])
  if (roll === 4) return { properties: { level: 'ReadOnly', tags: { a: 'b' } }, operation: 'Merge', tags: { a: 'b' } }
  return bent(dice, whole)
}

async function refresh(door: OpenedFrontDoor): Promise<void> {
  for (const name of ['a', 'b']) {
    const group = `${subscription}/resourceGroups/${name}`
    const { body } = await door.call('GET', `${group}/providers/Microsoft.Authorization/locks`)
    const locks = (body?.['value'] ?? []) as unknown as readonly { readonly id: string }[]
    for (const { id } of locks) await door.call('DELETE', encodeURI(id))
    await door.call('PUT', group, { body: { location: 'eastus' } })
  }
}

test('no request is answered with a fault of ours, and nothing is half made', { timeout: 1_200_000 }, async () => {
  await using door = await openFrontDoor()
  const dice = new Dice(seededRandom(seed))
  const statuses = new Map<number, number>()
  for (let at = 0; at < sized({ gate: 2_000, full: 20_000 }); at += 1) {
    // What was deleted or locked a while ago comes back, so that requests meet more than absent groups.
    if (at % 25 === 0) await refresh(door)
    const type = dice.of(Object.keys(types))
    const method = dice.of(methods)
    const path = `${pathOf(dice, method, type)}${dice.below(8) === 0 ? dice.of(queries) : ''}`
    const body = bodyOf(dice, method, type)
    const etag = dice.below(10) === 0 ? { 'if-match': dice.of(['*', 'x', '']) } : {}
    const answer = await door.call(method, path.replaceAll(' ', '%20'), {
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      headers: etag,
    })
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
    const told = `request ${at} of seed ${seed}: ${method} ${path} ${JSON.stringify(body)} got ${answer.status} ${answer.text}`
    assert.ok(
      answer.status < 500,
      `${told}\n${JSON.stringify(door.logLines.filter(({ level }) => level === 'error').at(-1))}`,
    )
    if (answer.status >= 400 && method !== 'HEAD') assert.match(answer.text, /"code":"\w+"/, told)
  }
  // A 409 wants an operation that is still under way, which hangs on how fast the machine is.
  for (const status of [200, 201, 202, 204, 400, 404])
    assert.ok(statuses.has(status), `no request got ${status}: ${JSON.stringify([...statuses])}`)
  await door.door.idle()
  const listed = await door.call('GET', `${subscription}/resources?$expand=provisioningState`)
  const resources = listed.body?.['value'] as unknown as readonly {
    readonly id: string
    readonly provisioningState: string
  }[]
  for (const { id, provisioningState } of resources) {
    assert.match(provisioningState, /^(Succeeded|Failed|Canceled)$/, id)
    assert.equal((await door.call('GET', encodeURI(id))).status, 200, id)
  }
})
