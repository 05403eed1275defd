// The names of a private cluster: what `privateDNSZone` and the switch of the public name make of them, and what is refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterRecord, Json } from '../../records.ts'
import { judgeZone, namesInside, namesOf } from './api-access.ts'

const fqdn = 'c1-0123abcd.hcp.westeurope.azmk8s.io'
const system = 'c1-0123abcd.0123abcd-0123-0123-0123-4567890123ab.privatelink.westeurope.azmk8s.io'
const zone = (name: string): string =>
  `/subscriptions/s/resourceGroups/dns/providers/Microsoft.Network/privateDnsZones/${name}`
const own = zone('team.privatelink.westeurope.azmk8s.io')

function propertiesOf(profile: Json, more: Json = {}): Json {
  return { ...more, apiServerAccessProfile: { enablePrivateCluster: true, ...profile } }
}

function clusterOf(properties: Json): ClusterRecord {
  const uid = '0123abcd012301230123456789'.padEnd(24, '0').slice(0, 24)
  return { properties, fqdn, uid, location: 'westeurope' } as unknown as ClusterRecord
}

const rows: readonly (readonly [what: string, properties: Json, names: Json, inside: readonly string[]])[] = [
  ['a public cluster', { apiServerAccessProfile: {} }, { fqdn }, []],
  ['system, both names', propertiesOf({ privateDNSZone: 'System' }), { fqdn, privateFQDN: system }, [system, fqdn]],
  ['the default is system', propertiesOf({}), { fqdn, privateFQDN: system }, [system, fqdn]],
  ['no public name', propertiesOf({ enablePrivateClusterPublicFQDN: false }), { privateFQDN: system }, [system]],
  ['none, the public name alone', propertiesOf({ privateDNSZone: 'none' }), { fqdn }, [fqdn]],
  [
    'a zone of its own',
    propertiesOf({ privateDNSZone: own, enablePrivateClusterPublicFQDN: false }),
    { privateFQDN: 'c1-0123abcd.team.privatelink.westeurope.azmk8s.io' },
    ['c1-0123abcd.team.privatelink.westeurope.azmk8s.io'],
  ],
  [
    'a name of its own in a zone of its own',
    propertiesOf({ privateDNSZone: own, enablePrivateClusterPublicFQDN: false }, { fqdnSubdomain: 'Shop' }),
    { privateFQDN: 'shop.team.privatelink.westeurope.azmk8s.io' },
    ['shop.team.privatelink.westeurope.azmk8s.io'],
  ],
]

for (const [what, properties, names, inside] of rows) {
  test(`names of an API server: ${what}`, () => {
    const cluster = clusterOf(properties)
    const shapeOf = (text: string): string => text.replace(/[0-9a-f]{8}-(?:[0-9a-f]+-){3}[0-9a-f]+/, 'GUID')
    const { azurePortalFQDN, ...told } = namesOf(cluster) as Record<string, string>
    assert.match(azurePortalFQDN!, /^c1-0123abcd\.portal\.hcp\./)
    const plain = (record: object): object =>
      Object.fromEntries(Object.entries(record).map(([key, value]) => [key, shapeOf(String(value))]))
    assert.deepEqual(plain(told), plain(names))
    assert.deepEqual(namesInside(cluster).map(shapeOf), inside.map(shapeOf))
  })
}

const refused: readonly (readonly [what: string, next: Json, before: Json | undefined, message: RegExp])[] = [
  [
    'none without the public name',
    propertiesOf({ privateDNSZone: 'none', enablePrivateClusterPublicFQDN: false }),
    undefined,
    /'none' is not supported without the public FQDN/,
  ],
  [
    'a zone of another region',
    propertiesOf({ privateDNSZone: zone('privatelink.eastus.azmk8s.io') }),
    undefined,
    /named privatelink\.westeurope\.azmk8s\.io/,
  ],
  [
    'a word that is no zone',
    propertiesOf({ privateDNSZone: 'mine' }),
    undefined,
    /'mine' is neither 'system' nor 'none'/,
  ],
  [
    'another zone later on',
    propertiesOf({ privateDNSZone: own }),
    propertiesOf({ privateDNSZone: 'system' }),
    /privateDNSZone/,
  ],
  [
    'a subdomain without a zone of its own',
    propertiesOf({ privateDNSZone: 'system' }, { fqdnSubdomain: 'shop' }),
    undefined,
    /fqdnSubdomain is only supported with a private DNS zone of your own/,
  ],
]

for (const [what, next, before, message] of refused) {
  test(`names of an API server, refused: ${what}`, () => {
    assert.throws(() => judgeZone({ next, before, location: 'westeurope' }), { message })
  })
}

test('names of an API server: a zone can be given up for the public name, and the three names of zones are taken', () => {
  const location = 'westeurope'
  judgeZone({ next: propertiesOf({ privateDNSZone: 'none' }), before: propertiesOf({ privateDNSZone: own }), location })
  for (const name of ['privatelink', 'private', 'sub.privatelink'])
    judgeZone({
      next: propertiesOf({ privateDNSZone: zone(`${name}.westeurope.azmk8s.io`) }),
      before: undefined,
      location,
    })
})
