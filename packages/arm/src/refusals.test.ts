// What Azure refuses, with its status, code and words; and that nothing is half created.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  openFrontDoor,
  subscriptionId,
  type Answer,
  type CallOptions,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'

const sub = `/subscriptions/${subscriptionId}`
const group = `${sub}/resourcegroups/rg`
const clusters = `${group}/providers/Microsoft.ContainerService/managedClusters`

interface Refusal {
  readonly name: string
  readonly method?: string
  readonly path: string
  readonly options?: CallOptions
  readonly status: number
  readonly code: string
  readonly message: RegExp
}

function codeOf(answer: Answer): { readonly code: string; readonly message: string } {
  const body = answer.body as unknown as { code: string; message: string; error?: { code: string; message: string } }
  return body.error ?? body
}

async function check(opened: OpenedFrontDoor, refusal: Refusal): Promise<void> {
  const answer = await opened.call(refusal.method ?? 'GET', refusal.path, refusal.options)
  const { code, message } = codeOf(answer)
  assert.deepEqual([answer.status, code], [refusal.status, refusal.code], `${refusal.name}: ${message}`)
  assert.match(message, refusal.message, refusal.name)
}

const frontDoor: readonly Refusal[] = [
  {
    name: 'no api-version',
    path: `${group}?x=1&api-version=`,
    status: 400,
    code: 'MissingApiVersionParameter',
    message: /^The api-version query parameter \(\?api-version=\) is required for all requests\.$/,
  },
  {
    name: 'malformed api-version',
    path: `${group}?api-version=latest`,
    status: 400,
    code: 'InvalidApiVersionParameter',
    message: /^The api-version 'latest' is invalid\. The supported versions are '2025-/,
  },
  {
    name: 'api-version older than the provider',
    path: `${clusters}/c1?api-version=2015-01-01`,
    status: 400,
    code: 'NoRegisteredProviderFound',
    message: /API version '2015-01-01' for type 'managedClusters'/,
  },
  {
    name: 'no token',
    path: group,
    options: { token: null },
    status: 401,
    code: 'AuthenticationFailed',
    message: /'Authorization' header is missing/,
  },
  {
    name: 'a token that is none',
    path: group,
    options: { token: 'abc' },
    status: 401,
    code: 'InvalidAuthenticationToken',
    message: /^The access token is invalid\.$/,
  },
  {
    name: 'another subscription',
    path: '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups',
    status: 404,
    code: 'SubscriptionNotFound',
    message: /could not be found/,
  },
  {
    name: 'a subscription that is no id',
    path: '/subscriptions/mine/resourcegroups',
    status: 400,
    code: 'InvalidSubscriptionId',
    message: /'mine' is malformed or invalid/,
  },
  {
    name: 'an unknown namespace',
    path: `${sub}/providers/Microsoft.Nothing`,
    status: 404,
    code: 'InvalidResourceNamespace',
    message: /The resource namespace 'Microsoft\.Nothing' is invalid/,
  },
  {
    name: 'an unknown type',
    method: 'PUT',
    path: `${group}/providers/Microsoft.ContainerService/teapots/t`,
    options: { body: {} },
    status: 404,
    code: 'InvalidResourceType',
    message: /'teapots'/,
  },
  {
    name: 'a body that is no JSON',
    method: 'PUT',
    path: group,
    options: { body: '{"location":' },
    status: 400,
    code: 'InvalidRequestContent',
    message: /could not be deserialized: 'unexpected end of JSON input'/,
  },
  {
    name: 'a group without a location',
    method: 'PUT',
    path: group,
    options: { body: {} },
    status: 400,
    code: 'LocationRequired',
    message: /location property is required/,
  },
  {
    name: 'a group in an unknown place',
    method: 'PUT',
    path: group,
    options: { body: { location: 'moon' } },
    status: 400,
    code: 'LocationNotAvailableForResourceGroup',
    message: /^The provided location 'moon' is not available/,
  },
  {
    name: 'a group name with a star',
    method: 'PUT',
    path: `${sub}/resourcegroups/a*b`,
    options: { body: { location: 'eastus' } },
    status: 400,
    code: 'InvalidResourceGroup',
    message: /has these invalid characters: '\*'/,
  },
  {
    name: 'a group that is not there',
    path: `${sub}/resourcegroups/nothing`,
    status: 404,
    code: 'ResourceGroupNotFound',
    message: /^Resource group 'nothing' could not be found\.$/,
  },
  {
    name: 'a cluster in no group',
    method: 'PUT',
    path: clusters.replace('/rg/', '/nothing/').concat('/c1'),
    options: { body: { location: 'eastus', properties: {} } },
    status: 404,
    code: 'ResourceGroupNotFound',
    message: /'nothing'/,
  },
  {
    name: 'a cluster that is not there',
    path: `${clusters}/nothing`,
    status: 404,
    code: 'ResourceNotFound',
    message:
      /^The Resource 'Microsoft\.ContainerService\/managedClusters\/nothing' under resource group 'rg' was not found\./,
  },
  {
    name: 'a pool of no cluster',
    path: `${clusters}/nothing/agentPools/a`,
    status: 404,
    code: 'ParentResourceNotFound',
    message: /parent resource/,
  },
]

test('the front door refuses what Resource Manager refuses', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  for (const refusal of frontDoor) await check(opened, refusal)
  const unauthorized = await opened.call('GET', group, { token: null })
  assert.match(
    String(unauthorized.headers['www-authenticate']),
    /^Bearer authorization_uri="https:\/\/127\.0\.0\.1:\d+\/aaaaaaaa-/,
  )
})

const system = { name: 'system', mode: 'System', count: 1 }
const body = (properties: object, more: object = {}): CallOptions => ({
  body: { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles: [system], ...properties }, ...more },
})
const pool = (changes: object): CallOptions => body({ agentPoolProfiles: [{ ...system, ...changes }] })

type Row = readonly [
  name: string,
  options: CallOptions,
  status: number,
  code: string,
  message: RegExp,
  cluster?: string,
]

const creates: readonly Row[] = [
  [
    'a cluster name with a dot',
    body({}),
    400,
    'InvalidParameter',
    /^The value of parameter resourceName is invalid\. Error details: Resource name 'a\.b'/,
    'a.b',
  ],
  ['a trademark as name', body({}), 400, 'ReservedResourceName', /trademarked or reserved word/, 'my-windows'],
  [
    'an unknown place',
    body({}, { location: 'moon' }),
    400,
    'LocationNotAvailableForResourceType',
    /'moon' is not available for resource type 'Microsoft\.ContainerService\/managedClusters'/,
  ],
  [
    'no dnsPrefix',
    body({ dnsPrefix: undefined }),
    400,
    'InvalidParameter',
    /^Required parameter dnsPrefix is missing \(null\)\.$/,
  ],
  ['a bad dnsPrefix', body({ dnsPrefix: '-x-' }), 400, 'InvalidParameter', /DNS prefix '-x-' is invalid/],
  ['no pools', body({ agentPoolProfiles: [] }), 400, 'InvalidParameter', /agentPoolProfiles is missing/],
  ['no system pool', pool({ mode: 'User' }), 400, 'InvalidParameter', /Must define at least one system pool/],
  ['a pool name in capitals', pool({ name: 'Pool' }), 400, 'InvalidParameter', /Invalid agentpool name 'Pool'/],
  [
    'two pools of one name',
    body({ agentPoolProfiles: [system, system] }),
    400,
    'InvalidParameter',
    /'system' is used more than once/,
  ],
  [
    'an unknown version',
    body({ kubernetesVersion: '1.20.1' }),
    400,
    'K8sVersionNotSupported',
    /^Version 1\.20\.1 is not supported in this region\./,
  ],
  [
    'an unknown size',
    pool({ vmSize: 'Standard_Huge' }),
    400,
    'BadRequest',
    /^The VM size of Standard_Huge is not allowed in your subscription in location 'eastus'\./,
  ],
  [
    'a burstable system pool',
    pool({ vmSize: 'Standard_B2ms' }),
    400,
    'InvalidSystemPoolVMSize',
    /may not be of the B series/,
  ],
  ['too many nodes', pool({ count: 1001 }), 400, 'InvalidParameter', /Agent pool count 1001 is out of range/],
  ['a system pool of none', pool({ count: 0 }), 400, 'InvalidParameter', /range \[1, 1000\]/],
  [
    'a count that is text',
    pool({ count: '3' }),
    400,
    'UnmarshalError',
    /cannot unmarshal string into Go struct field ManagedCluster\.properties\.agentPoolProfiles\[0\]\.count of type int32/,
  ],
  ['too many pods', pool({ maxPods: 300 }), 400, 'InvalidParameter', /maxPods 300 is out of range/],
  ['a Windows system pool', pool({ osType: 'Windows' }), 400, 'InvalidParameter', /must be of mode User/],
  [
    'a sandboxed pool of another OS',
    pool({ workloadRuntime: 'KataVmIsolation' }),
    400,
    'InvalidParameter',
    /'KataVmIsolation' needs osSKU AzureLinux, found 'Ubuntu'/,
  ],
  ['an unknown runtime', pool({ workloadRuntime: 'Jails' }), 400, 'InvalidParameter', /'Jails' is not one of/],
  ['an unknown OS', pool({ osSKU: 'Plan9' }), 400, 'InvalidParameter', /'Plan9' is not one of the allowed values/],
  [
    'a pool newer than its cluster',
    pool({ orchestratorVersion: '1.36.3' }),
    400,
    'NodePoolMcVersionIncompatible',
    /Node pool version 1\.36\.3 and control plane version 1\.35\.7 are incompatible/,
  ],
  ['a reserved label', pool({ nodeLabels: { 'kubernetes.io/x': 'y' } }), 400, 'InvalidParameter', /reserved prefix/],
  ['a bad taint', pool({ nodeTaints: ['x'] }), 400, 'InvalidParameter', /Taint 'x' is invalid/],
  ['an unknown zone', pool({ availabilityZones: ['9'] }), 400, 'AvailabilityZoneNotSupported', /'9'/],
  [
    'a subnet that is not there',
    pool({ vnetSubnetID: '/subscriptions/x' }),
    400,
    'InvalidResourceReference',
    /was not found/,
  ],
  [
    'a service range that is none',
    body({ networkProfile: { serviceCidr: 'ten' } }),
    400,
    'InvalidParameter',
    /'ten' is not an IPv4 CIDR/,
  ],
  [
    'a DNS address outside',
    body({ networkProfile: { dnsServiceIP: '10.1.0.10' } }),
    400,
    'DnsServiceIpOutOfServiceCidr',
    /10\.1\.0\.10 is out of the service CIDR 10\.0\.0\.0\/16/,
  ],
  [
    'overlapping ranges',
    body({ networkProfile: { podCidr: '10.0.0.0/16' } }),
    400,
    'ServiceCidrOverlapPodCidr',
    /is conflicted/,
  ],
  [
    'an unknown plugin',
    body({ networkProfile: { networkPlugin: 'string' } }),
    400,
    'InvalidParameter',
    /azure, kubenet, none/,
  ],
  [
    'a basic load balancer',
    body({ networkProfile: { loadBalancerSku: 'basic' } }),
    400,
    'InvalidParameter',
    /Basic load balancer/,
  ],
  ['no accounts and no AAD', body({ disableLocalAccounts: true }), 400, 'InvalidParameter', /AAD profile/],
  [
    'an unknown tier',
    body({}, { sku: { name: 'Base', tier: 'Gold' } }),
    400,
    'InvalidParameter',
    /'Gold' is not one of/,
  ],
  ['tags that are numbers', body({}, { tags: { a: 1 } }), 400, 'InvalidRequestContent', /tag 'a' must be a string/],
]

test('a cluster that may not be is refused, and nothing of it is there', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  for (const [name, options, status, code, message, cluster = 'c1'] of creates) {
    await check(opened, { name, method: 'PUT', path: `${clusters}/${cluster}`, options, status, code, message })
  }
  const { text } = await opened.call('GET', `${sub}/resources`)
  assert.equal(text, '{"value":[]}')
  assert.equal(opened.engine.clusters.size, 0)
})

const updates: readonly Row[] = [
  [
    'another dnsPrefix',
    body({ dnsPrefix: 'other' }),
    400,
    'PropertyChangeNotAllowed',
    /^Changing property 'properties\.dnsPrefix' is not allowed\.$/,
  ],
  ['another size', pool({ vmSize: 'Standard_D4s_v5' }), 400, 'PropertyChangeNotAllowed', /'properties\.vmSize'/],
  [
    'another network',
    body({ networkProfile: { podCidr: '10.245.0.0/16' } }),
    400,
    'PropertyChangeNotAllowed',
    /'properties\.networkProfile\.podCidr'/,
  ],
  [
    'another place',
    body({}, { location: 'westus' }),
    409,
    'InvalidResourceLocation',
    /already exists in location 'eastus'/,
  ],
  [
    'a version that goes back',
    body({ kubernetesVersion: '1.34' }),
    409,
    'OperationNotAllowed',
    /Upgrading Kubernetes version 1\.35\.7 to 1\.34\.10 is not allowed/,
  ],
  ['no system pool left', pool({ mode: 'User' }), 400, 'InvalidParameter', /at least one system pool/],
]

test('a change that may not be is refused, and the cluster stays as it was', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  await opened.call('PUT', `${clusters}/c1`, body({}))
  await opened.door.idle()
  const before = await opened.call('GET', `${clusters}/c1`)
  for (const [name, options, status, code, message] of updates) {
    await check(opened, { name, method: 'PUT', path: `${clusters}/c1`, options, status, code, message })
  }
  await check(opened, {
    name: 'the last system pool',
    method: 'DELETE',
    path: `${clusters}/c1/agentPools/system`,
    status: 409,
    code: 'OperationNotAllowed',
    message: /at least one system agent pool/,
  })
  await check(opened, {
    name: 'an absent pool',
    path: `${clusters}/c1/agentPools/nothing`,
    status: 404,
    code: 'NotFound',
    message: /Could not find agent pool 'nothing'/,
  })
  await check(opened, {
    name: "the cluster's own group",
    method: 'DELETE',
    path: `${sub}/resourcegroups/MC_rg_c1_eastus`,
    status: 403,
    code: 'DenyAssignmentAuthorizationFailed',
    message: /managed by/,
  })
  assert.equal((await opened.call('GET', `${clusters}/c1`)).text, before.text)
})

test('while an operation runs another is refused, and a delete overtakes it', async () => {
  let release: () => void = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await using opened = await openFrontDoor({ prepareCluster: () => held })
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  const created = await opened.call('PUT', `${clusters}/c1`, body({}))
  await check(opened, {
    name: 'a second PUT',
    method: 'PUT',
    path: `${clusters}/c1`,
    options: body({}),
    status: 409,
    code: 'OperationNotAllowed',
    message: /Another operation \(Creating\) is in progress/,
  })
  await check(opened, {
    name: 'a pool',
    method: 'PUT',
    path: `${clusters}/c1/agentPools/b`,
    options: { body: { properties: {} } },
    status: 409,
    code: 'OperationNotAllowed',
    message: /Another operation \(Creating\)/,
  })
  const deleted = await opened.call('DELETE', `${clusters}/c1`)
  assert.equal(deleted.status, 202)
  release()
  await opened.door.idle()
  const first = await opened.call('GET', String(created.headers['azure-asyncoperation']))
  assert.deepEqual([first.body?.['status'], codeOf(first).code], ['Failed', 'AKSOperationPreemptedByDelete'])
  assert.equal((await opened.call('GET', String(deleted.headers['location']))).status, 204)
  assert.equal((await opened.call('GET', `${clusters}/c1`)).status, 404)
})

const conditions: readonly (readonly [
  method: string,
  headers: Record<string, string>,
  exists: boolean,
  status: number,
])[] = [
  ['PUT', { 'if-match': '*' }, false, 412],
  ['PUT', { 'if-none-match': 'x' }, false, 400],
  ['PUT', { 'if-none-match': '*', 'if-match': '*' }, false, 400],
  ['DELETE', { 'if-match': '*' }, false, 204],
  ['PUT', { 'if-none-match': '*' }, false, 201],
  ['PUT', { 'if-none-match': '*' }, true, 412],
  ['PUT', { 'if-match': 'other' }, true, 412],
  ['PATCH', { 'if-match': 'other' }, true, 412],
  ['DELETE', { 'if-match': 'other' }, true, 412],
  ['PUT', { 'if-match': '*' }, true, 200],
]

test('If-Match and If-None-Match are judged as AKS judges them', async () => {
  await using opened = await openFrontDoor()
  await opened.call('PUT', group, { body: { location: 'eastus' } })
  for (const [method, headers, exists, status] of conditions) {
    const answer = await opened.call(method, `${clusters}/c1`, {
      ...(method === 'PUT' ? body({}) : { body: { tags: {} } }),
      headers,
    })
    assert.equal(answer.status, status, `${method} ${JSON.stringify(headers)} exists ${exists}: ${answer.text}`)
    await opened.door.idle()
  }
})
