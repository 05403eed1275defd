// The shop on every network model, in a network of the user's own that Azure's SDK made; and what goes wrong there when one makes it.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { contains, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { ContainerServiceClient, ManagedClusterAgentPoolProfile } from '@azure/arm-containerservice'
import type { NetworkManagementClient, Route } from '@azure/arm-network'
import { Aksel } from './aksel.ts'
import { connectionOf, networkClient, sdkClient, subnetsIn } from './sdk-client.ts'

const group = 'networks'
const region = 'westeurope'
const ranges = { flat: '10.1.0.0/24', pods: '10.1.4.0/22', kube: '10.1.8.0/24', tight: '10.1.9.0/29' } as const
type Subnet = keyof typeof ranges

let aksel: Aksel
let client: ContainerServiceClient
let networks: NetworkManagementClient
let subnetIds: ReadonlyMap<string, string>

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 170_000 })
  const connection = await connectionOf(aksel)
  client = await sdkClient(connection)
  networks = await networkClient(connection)
  subnetIds = await subnetsIn(aksel, networks, { group, location: region, name: 'shops', ranges })
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

interface Shop {
  readonly kubectl: (...args: readonly string[]) => Promise<string>
  readonly address: string
}

/** A cluster of two nodes with the shop on it. */
async function shopOn(
  name: string,
  profile: object,
  pool: Partial<ManagedClusterAgentPoolProfile> & { readonly vnetSubnetID: string },
): Promise<Shop> {
  const created = await client.managedClusters.createOrUpdate(group, name, {
    location: region,
    dnsPrefix: name,
    networkProfile: profile,
    agentPoolProfiles: [{ name: 'system', mode: 'System', count: 2, vmSize: 'Standard_D2s_v5', ...pool }],
  })
  assert.equal(created.provisioningState, 'Succeeded')
  const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(group, name)
  const path = join(aksel.dataDir, `${name}-kubeconfig`)
  await writeFile(path, kubeconfigs![0]!.value!)
  const kubectl = (...args: readonly string[]): Promise<string> => aksel.kubectl(['--kubeconfig', path, ...args])
  await kubectl('apply', '-f', 'examples/store/manifests')
  for (const one of ['deployment/shop-front', 'deployment/shop-api', 'statefulset/shop-store']) {
    await kubectl('rollout', 'status', one, '--timeout=120s')
  }
  await kubectl('wait', 'service/shop-front', '--for=jsonpath={.status.loadBalancer.ingress[0].ip}', '--timeout=60s')
  const address = await kubectl('get', 'service', 'shop-front', '-o', 'jsonpath={.status.loadBalancer.ingress[0].ip}')
  return { kubectl, address }
}

async function addresses({ kubectl }: Shop, kind: 'nodes' | 'pods'): Promise<readonly string[]> {
  const path = kind === 'pods' ? '{.items[*].status.podIP}' : '{.items[*].status.addresses[0].address}'
  return (await kubectl('get', kind, '-o', `jsonpath=${path}`)).split(' ')
}

function assertInside(texts: readonly string[], range: string): void {
  assert.ok(texts.length > 1, texts.join())
  const outside = texts.filter((text) => !contains(parseRange(range), parseAddress(text)))
  assert.deepEqual(outside, [], `not in ${range}`)
}

/** The page's text; '' where nobody answers in time. */
function page(address: string): Promise<string> {
  return new Promise((resolve) => {
    const outgoing = request(`http://${address}/`, { timeout: 3_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve(Buffer.concat(pieces).toString()))
    })
    outgoing.on('timeout', () => outgoing.destroy())
    outgoing.on('error', () => resolve(''))
    outgoing.end()
  })
}

/** Nodes learn of services and endpoints in their own time: asked again until it answers so, or the time is over. */
async function assertPage(address: string, words: RegExp): Promise<void> {
  const end = Date.now() + 60_000
  let last = ''
  while (Date.now() < end) {
    last = await page(address)
    if (words.test(last)) return
    await sleep(200)
  }
  assert.match(last, words)
}

/** Nobody gets the page, and an event says why: the log of dropped packets is read beside the rules, and told of again after a minute. */
async function assertDenied({ kubectl, address }: Shop): Promise<void> {
  const port = await kubectl('get', 'service', 'shop-front', '-o', 'jsonpath={.spec.ports[0].nodePort}')
  const wanted = `:${port} is denied by security rule "DenyAllInBound" (Inbound) of the network security group of subnet "kube"`
  const end = Date.now() + 90_000
  let said = ''
  while (Date.now() < end) {
    assert.equal(await page(address), '', 'DenyAllInBound')
    const columns = 'jsonpath={range .items[*]}{.involvedObject.kind} {.message}{"\\n"}{end}'
    said = await kubectl('get', 'events', '--field-selector', 'reason=NetworkSecurityGroupDenied', '-o', columns)
    if (said.split('\n').some((line) => line.startsWith('Node ') && line.includes(wanted))) return
  }
  assert.fail(`no event says "${wanted}": ${said}`)
}

/** Public addresses of services, as the cluster's load balancer and its public addresses show them in Azure's network provider. */
async function frontendAddresses(cluster: string): Promise<readonly (string | undefined)[]> {
  const nodeGroup = `MC_${group}_${cluster}_${region}`
  const { frontendIPConfigurations = [] } = await networks.loadBalancers.get(nodeGroup, 'kubernetes')
  const served = frontendIPConfigurations.filter(({ loadBalancingRules = [] }) => loadBalancingRules.length > 0)
  const shown = served.map(({ publicIPAddress }) =>
    networks.publicIPAddresses.get(nodeGroup, publicIPAddress!.id!.split('/').at(-1)!),
  )
  return (await Promise.all(shown)).map(({ ipAddress }) => ipAddress)
}

/** Without the routes to the nodes' pods an event says so; then they are put back. */
async function assertRouteMissing({ kubectl, address }: Shop, tableGroup: string, table: string): Promise<void> {
  const routes: Route[] = []
  for await (const route of networks.routes.list(tableGroup, table)) routes.push(route)
  for (const { name } of routes) await networks.routes.beginDeleteAndWait(tableGroup, table, name!)
  const wanted = /has no route: the route table of subnet "kube" has none to the pods of 10\.244\./
  const end = Date.now() + 90_000
  let said = ''
  while (Date.now() < end && !wanted.test(said)) {
    await page(address)
    said = await kubectl(
      'get',
      'events',
      '-A',
      '--field-selector',
      'reason=RouteMissing',
      '-o',
      'jsonpath={.items[*].message}',
    )
  }
  assert.match(said, wanted)
  for (const { name, addressPrefix, nextHopType, nextHopIpAddress } of routes) {
    await networks.routes.beginCreateOrUpdateAndWait(tableGroup, table, name!, {
      addressPrefix: addressPrefix!,
      nextHopType: nextHopType!,
      nextHopIpAddress: nextHopIpAddress!,
    })
  }
}

const soldHere = /The corner shop[\s\S]*store shop-store-0/
const idOf = (subnet: Subnet): string => subnetIds.get(subnet)!

test(
  "Azure CNI by node subnet: the shop's pods have addresses of the nodes' subnet",
  { timeout: 300_000 },
  async () => {
    const shop = await shopOn('flat', { networkPlugin: 'azure' }, { vnetSubnetID: idOf('flat') })
    assertInside([...(await addresses(shop, 'nodes')), ...(await addresses(shop, 'pods'))], ranges.flat)
    assert.equal(await shop.kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].spec.podCIDR}'), '')
    await assertPage(shop.address, soldHere)
    await client.managedClusters.delete(group, 'flat')
  },
)

test(
  "Azure CNI by pod subnet: the shop's pods have /28 blocks of a subnet of their own",
  { timeout: 300_000 },
  async () => {
    const blocks = { podSubnetID: idOf('pods'), podIPAllocationMode: 'StaticBlock', maxPods: 31 } as const
    const shop = await shopOn('blocks', { networkPlugin: 'azure' }, { vnetSubnetID: idOf('flat'), ...blocks })
    assertInside(await addresses(shop, 'nodes'), ranges.flat)
    assertInside(await addresses(shop, 'pods'), ranges.pods)
    await assertPage(shop.address, soldHere)
    await client.managedClusters.delete(group, 'blocks')
  },
)

interface Found {
  readonly id: string
  readonly cause: string
  readonly subject: { readonly kind: string; readonly name: string }
}

async function findings(cluster: string): Promise<readonly Found[]> {
  const text = await aksel.ok(['diagnose', '--cluster', cluster, '-g', group, '-o', 'json'])
  const { findings: all, unread } = JSON.parse(text) as { findings: Found[]; unread: Record<string, string> }
  assert.deepEqual(unread, {})
  return all.filter(({ id }) => /security-group|route-missing|addresses-exhausted/.test(id))
}

const finding = async (cluster: string): Promise<readonly string[]> =>
  (await findings(cluster)).map(({ id, subject }) => `${id} ${subject.kind}`)

test(
  'kubenet: routes lead to the pods of each node; a security group of the user stops the shop, and a rule lets it go on',
  { timeout: 300_000 },
  async () => {
    const shop = await shopOn('kube', { networkPlugin: 'kubenet' }, { vnetSubnetID: idOf('kube') })
    assertInside(await addresses(shop, 'nodes'), ranges.kube)
    assertInside(await addresses(shop, 'pods'), '10.244.0.0/16')
    await assertPage(shop.address, soldHere)
    assert.deepEqual(await frontendAddresses('kube'), [shop.address])
    const subnet = await networks.subnets.get(group, 'shops', 'kube')
    const [, , , , tableGroup, , , , table] = subnet.routeTable!.id!.split('/')
    const routes: string[] = []
    for await (const route of networks.routes.list(tableGroup!, table!))
      routes.push(`${route.addressPrefix} ${route.nextHopIpAddress}`)
    const nodes = await shop.kubectl(
      'get',
      'nodes',
      '-o',
      'jsonpath={range .items[*]}{.spec.podCIDR} {.status.addresses[0].address}|{end}',
    )
    assert.deepEqual(routes.toSorted(), nodes.split('|').filter(Boolean).toSorted())

    await assertRouteMissing(shop, tableGroup!, table!)
    await assertPage(shop.address, soldHere)

    const security = await networks.networkSecurityGroups.beginCreateOrUpdateAndWait(group, 'closed', {
      location: region,
    })
    await networks.subnets.beginCreateOrUpdateAndWait(group, 'shops', 'kube', {
      ...subnet,
      networkSecurityGroup: { id: security.id! },
    })
    await assertDenied(shop)
    await networks.securityRules.beginCreateOrUpdateAndWait(group, 'closed', 'web', {
      priority: 100,
      direction: 'Inbound',
      access: 'Allow',
      protocol: 'Tcp',
      sourceAddressPrefix: 'Internet',
      sourcePortRange: '*',
      destinationAddressPrefix: shop.address,
      destinationPortRange: '80',
    })
    await assertPage(shop.address, soldHere)
  },
)

test(
  'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  { timeout: 300_000 },
  async () => {
    // The cluster of the story before: its security group lets the shop in again.
    assert.deepEqual(await finding('kube'), [])
    const rule = {
      priority: 110,
      access: 'Deny',
      protocol: 'Tcp',
      sourceAddressPrefix: '*',
      sourcePortRange: '*',
      destinationAddressPrefix: '*',
    }
    await networks.securityRules.beginDeleteAndWait(group, 'closed', 'web')
    await networks.securityRules.beginCreateOrUpdateAndWait(group, 'closed', 'out', {
      ...rule,
      direction: 'Outbound',
      destinationPortRange: '443',
    })
    const shut = await findings('kube')
    const [service] = shut.filter(({ subject }) => subject.kind === 'Service')
    assert.equal(service?.subject.name, 'shop-front')
    assert.match(
      service.cause,
      /Rule "DenyAllInBound" of network security group "closed" denies inbound TCP .* port 80/,
    )
    assert.ok(shut.some(({ cause }) => /Rule "out" of .* denies outbound TCP .* port 443/.test(cause)))
    await networks.securityRules.beginDeleteAndWait(group, 'closed', 'out')

    const { routeTable } = await networks.subnets.get(group, 'shops', 'kube')
    const [, , , , tableGroup, , , , table] = routeTable!.id!.split('/') as [string, ...string[]]
    const drop = { addressPrefix: '0.0.0.0/0', nextHopType: 'None' }
    await networks.routes.beginCreateOrUpdateAndWait(tableGroup!, table!, 'drop', drop)
    assert.ok((await finding('kube')).includes('network/route-missing Node'))
    assert.match((await findings('kube')).map(({ cause }) => cause).join('\n'), /drops what leaves the subnet/)
    await networks.routes.beginDeleteAndWait(tableGroup!, table!, 'drop')

    // A route that is there already is nobody's to put right: it leads where its owner says.
    const [route] = await Array.fromAsync(networks.routes.list(tableGroup!, table!))
    const astray = { ...route!, nextHopIpAddress: '10.1.8.200' }
    await networks.routes.beginCreateOrUpdateAndWait(tableGroup!, table!, route!.name!, astray)
    const [lost] = (await findings('kube')).filter(({ id }) => id === 'network/route-missing')
    assert.match(
      lost?.cause ?? '',
      new RegExp(`leads to ${astray.nextHopIpAddress}, and the node has ${route!.nextHopIpAddress}`),
    )
    await networks.routes.beginCreateOrUpdateAndWait(tableGroup!, table!, route!.name!, route!)
    await client.managedClusters.delete(group, 'kube')

    await client.managedClusters.createOrUpdate(group, 'tight', {
      location: region,
      dnsPrefix: 'tight',
      tags: { 'aksel.simulated': 'true' },
      networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay' },
      agentPoolProfiles: [
        { name: 'system', mode: 'System', count: 3, vmSize: 'Standard_D2s_v5', vnetSubnetID: idOf('tight') },
      ],
    })
    const full = await findings('tight')
    assert.deepEqual(
      full.map(({ id, subject }) => `${id} ${subject.name}`),
      ['network/addresses-exhausted tight'],
    )
    assert.match(full[0]!.cause, /has 3 addresses to give, 3 are taken and 0 left/)

    // What would not fit beside the others is refused before a machine is made.
    await assert.rejects(
      client.managedClusters.createOrUpdate(group, 'late', {
        location: region,
        dnsPrefix: 'late',
        tags: { 'aksel.simulated': 'true' },
        networkProfile: { networkPlugin: 'azure', networkPluginMode: 'overlay', podCidr: '10.248.0.0/16' },
        agentPoolProfiles: [
          { name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5', vnetSubnetID: idOf('tight') },
        ],
      }),
      /Pre-allocated IPs 4 exceeds IPs available 3 in Subnet Cidr 10\.1\.9\.0\/29/,
    )
  },
)
