// Clusters of both address families as ARM has them: what is filled in, what is refused in which words, and what machines are told.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { MachineSpec } from '@aksel/provider/machine-provider'
import { openFrontDoor, subscriptionId, type Answer, type OpenedFrontDoor } from './testing/opened-front-door.ts'
import { judgeFamilies, ipv6PodCidrOf } from './resource-providers/container-service/address-families.ts'
import { networkDefaults } from './resource-providers/container-service/cluster-properties.ts'
import type { Json, NetworkProfile } from './records.ts'

const dual = { ipFamilies: ['IPv4', 'IPv6'], networkPlugin: 'azure', networkPluginMode: 'overlay' }
const complete = (given: Json): NetworkProfile => ({ ...networkDefaults(given), ...given }) as unknown as NetworkProfile

function refusalOf(given: Json, properties: Json = {}): string {
  try {
    judgeFamilies(properties, complete(given))
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

void suite('the profile', () => {
  void test("what the caller leaves out is as Azure's documents say", () => {
    const { podCidr, podCidrs, serviceCidr, serviceCidrs, loadBalancerProfile } = complete(dual)
    assert.deepEqual([podCidr, podCidrs], ['10.244.0.0/16', ['10.244.0.0/16', 'fd12:3456:789a::/64']])
    assert.deepEqual([serviceCidr, serviceCidrs], ['10.0.0.0/16', ['10.0.0.0/16', 'fd12:3456:789a:1::/108']])
    assert.deepEqual(loadBalancerProfile, {
      managedOutboundIPs: { count: 1, countIPv6: 1 },
      backendPoolType: 'nodeIPConfiguration',
    })
  })

  void test('the older property is the first range of the list, whichever the caller gives', () => {
    assert.equal(complete({ ...dual, podCidrs: ['10.9.0.0/16', 'fd09::/64'] }).podCidr, '10.9.0.0/16')
    assert.deepEqual(complete({ ...dual, podCidr: '10.9.0.0/16' })['podCidrs'], ['10.9.0.0/16', 'fd12:3456:789a::/64'])
    assert.equal(complete({ podCidrs: ['10.9.0.0/16'] }).podCidr, '10.9.0.0/16')
  })

  for (const [words, given, properties] of [
    [/^$/, dual],
    [/^$/, {}],
    [/^$/, { networkPlugin: 'azure', podCidr: '10.9.0.0/16' }],
    [/\[IPv6, IPv4\] is not supported, IP families are \[IPv4\] or \[IPv4, IPv6\]/, { ipFamilies: ['IPv6', 'IPv4'] }],
    [/\[IPv6\] is not supported/, { ipFamilies: ['IPv6'] }],
    [/1 ranges are given for 2 IP families/, { ...dual, podCidrs: ['10.244.0.0/16'] }],
    [/'10\.8\.0\.0\/16' is not an IPv6 CIDR/, { ...dual, podCidrs: ['10.9.0.0/16', '10.8.0.0/16'] }],
    [/'fd09::\/64' is not an IPv4 CIDR/, { ...dual, podCidrs: ['fd09::/64', '10.9.0.0/16'] }],
    [/2 ranges are given for 1 IP families/, { podCidrs: ['10.9.0.0/16', 'fd09::/64'] }],
    [
      /its first range 10\.9\.0\.0\/16 is not podCidr 10\.8\.0\.0\/16/,
      { podCidr: '10.8.0.0/16', podCidrs: ['10.9.0.0/16'] },
    ],
    [
      /'fd09::1\/64' does not begin at its network address fd09::\/64/,
      { ...dual, podCidrs: ['10.9.0.0/16', 'fd09::1/64'] },
    ],
    [/has no room for 65536 nodes/, { ...dual, podCidrs: ['10.9.0.0/16', 'fd09::/112'] }],
    [/must not be larger than \/108/, { ...dual, serviceCidrs: ['10.0.0.0/16', 'fd09::/64'] }],
    [/is conflicted with the pod CIDR/, { ...dual, serviceCidrs: ['10.0.0.0/16', 'fd12:3456:789a::/108'] }],
    [/overlaps the virtual network's range/, { ...dual, podCidrs: ['10.9.0.0/16', 'fd00:a:e0::/64'] }],
    [/need network plugin azure in mode overlay here/, { ...dual, networkPlugin: 'kubenet', networkPluginMode: '' }],
    [/do not support network policy calico/, { ...dual, networkPolicy: 'calico' }],
    [/do not support outbound type managedNATGateway/, { ...dual, outboundType: 'managedNATGateway' }],
    [/do not support virtual nodes/, dual, { addonProfiles: { aciConnectorLinux: { enabled: true } } }],
  ] as const)
    void test(`${JSON.stringify(given)}: ${String(words)}`, () => {
      assert.match(refusalOf(given as Json, properties as Json | undefined), words)
    })

  void test("a node's part of the second range is at the same place as its part of the first", () => {
    const whole = 'fd12:3456:789a::/64'
    assert.equal(ipv6PodCidrOf(whole, '10.244.0.0/16', '10.244.0.0/24'), 'fd12:3456:789a::/80')
    assert.equal(ipv6PodCidrOf(whole, '10.244.0.0/16', '10.244.3.0/24'), 'fd12:3456:789a:0:3::/80')
    assert.equal(ipv6PodCidrOf('fd09::/56', '10.0.0.0/8', '10.255.255.0/24'), 'fd09:0:0:ff:ff00::/72')
  })
})

void suite('a cluster', () => {
  const group = `/subscriptions/${subscriptionId}/resourceGroups/shop`
  const path = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`

  async function create(opened: OpenedFrontDoor, networkProfile: object, pool: object = {}): Promise<Answer> {
    await opened.call('PUT', group, { body: { location: 'eastus' } })
    const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 2, ...pool }]
    const body = { location: 'eastus', properties: { dnsPrefix: 'c1', agentPoolProfiles, networkProfile } }
    const answer = await opened.call('PUT', path, { body })
    await opened.door.idle()
    return answer
  }

  void test('is read back with both families, stands on a network of both, and its machines are told', async () => {
    await using opened = await openFrontDoor()
    const answer = await create(opened, { ...dual, ipFamilies: ['ipv4', 'ipv6'] })
    assert.equal(answer.status, 201, answer.text)
    const shown = (await opened.call('GET', path)).body as unknown as {
      readonly properties: { readonly networkProfile: Json }
    }
    assert.deepEqual(shown.properties.networkProfile['ipFamilies'], ['IPv4', 'IPv6'])
    const specs: readonly MachineSpec[] = [...opened.machines(false).specs.values()]
    assert.deepEqual(
      specs.map(({ boot }) => boot.ipv6),
      ['fd12:3456:789a::/80', 'fd12:3456:789a:0:1::/80'].map((podCidr) => ({
        podCidr,
        serviceCidr: 'fd12:3456:789a:1::/108',
        nonMasqueradeCidrs: ['fd12:3456:789a::/64'],
      })),
    )
    assert.equal(answer.headers['warning'], undefined, 'what the service fills in was not asked for')
    await using strict = await openFrontDoor({ strict: true })
    const first = await create(strict, dual)
    assert.equal(first.status, 201, first.text)
    const unfilled = await create(opened, { networkPlugin: 'azure', ipFamilies: [] })
    assert.equal(unfilled.status, 200, unfilled.text)
    const changed = await create(opened, { ...dual, podCidrs: ['10.244.0.0/16', 'fd09::/64'] })
    assert.equal(changed.status, 400)
    assert.match(changed.text, /podCidrs/)
  })
})
