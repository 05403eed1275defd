// Services in a cluster of both address families, and what one of a single family says to them.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestServer, type TestServer } from '../test-server.ts'

const services = '/api/v1/namespaces/default/services'
const both = { secondaryServiceCidr: 'fd00:10::/108' } as const

interface Spec {
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly ipFamilies?: readonly string[]
  readonly ipFamilyPolicy?: string
}

function service(name: string, spec: Spec & { readonly selector?: object } = {}): object {
  return { metadata: { name }, spec: { ports: [{ port: 80 }], selector: { app: name }, ...spec } }
}

async function made(server: TestServer, name: string, spec: Spec = {}): Promise<Spec> {
  const answer = await server.ask(services, { body: service(name, spec) })
  assert.equal(answer.status, 201, answer.text)
  return (answer.json as { readonly spec: Spec }).spec
}

async function changed(server: TestServer, name: string, spec: object): ReturnType<TestServer['ask']> {
  const headers = { 'content-type': 'application/merge-patch+json' }
  return server.ask(`${services}/${name}`, { method: 'PATCH', headers, body: { spec } })
}

function shape({ clusterIPs = [], ipFamilies, ipFamilyPolicy }: Spec): readonly unknown[] {
  return [clusterIPs.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')), ipFamilies, ipFamilyPolicy]
}

async function addresses(server: TestServer): Promise<readonly string[]> {
  const { items } = (await server.ask('/apis/networking.k8s.io/v1/ipaddresses')).json as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[]
  }
  return items.map(({ metadata }) => metadata.name)
}

void suite('in a cluster of both families', () => {
  void test('a service gets the addresses that its policy and families ask for, each with its object', async () => {
    await using server = await startTestServer(both)
    const rows: readonly (readonly [string, Spec, readonly unknown[]])[] = [
      ['plain', {}, [['IPv4'], ['IPv4'], 'SingleStack']],
      ['six', { ipFamilies: ['IPv6'] }, [['IPv6'], ['IPv6'], 'SingleStack']],
      ['prefer', { ipFamilyPolicy: 'PreferDualStack' }, [['IPv4', 'IPv6'], ['IPv4', 'IPv6'], 'PreferDualStack']],
      [
        'require-six-first',
        { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
        [['IPv6', 'IPv4'], ['IPv6', 'IPv4'], 'RequireDualStack'],
      ],
      ['by-address', { clusterIP: 'fd00:10::7' }, [['IPv6'], ['IPv6'], 'SingleStack']],
    ]
    for (const [name, spec, expected] of rows) {
      const given = await made(server, name, spec)
      assert.deepEqual(shape(given), expected, name)
      assert.equal(given.clusterIP, given.clusterIPs![0])
      for (const address of given.clusterIPs!) assert.ok((await addresses(server)).includes(address), address)
    }
    const six = await server.ask('/apis/networking.k8s.io/v1/ipaddresses/fd00:10::7')
    const { labels } = (six.json as { readonly metadata: { readonly labels: Readonly<Record<string, string>> } })
      .metadata
    assert.equal(labels['ipaddress.kubernetes.io/ip-family'], 'IPv6')
    const range = (await server.ask('/apis/networking.k8s.io/v1/servicecidrs/kubernetes')).json
    assert.deepEqual(range['spec'], { cidrs: ['10.0.0.0/16', 'fd00:10::/108'] })
  })

  void test('a service grows to both families and shrinks back; its second address comes free', async () => {
    await using server = await startTestServer(both)
    const { clusterIP } = await made(server, 'web')
    const grown = await changed(server, 'web', { ipFamilyPolicy: 'RequireDualStack' })
    const { clusterIPs } = (grown.json as { readonly spec: Spec }).spec
    assert.deepEqual([clusterIPs!.length, clusterIPs![0]], [2, clusterIP], grown.text)
    const kept = await changed(server, 'web', { ipFamilies: ['IPv4'], clusterIPs: [clusterIP] })
    assert.equal(kept.status, 422)
    assert.match(kept.text, /must be 'SingleStack' to release the secondary cluster IP/)
    assert.match(kept.text, /must be 'SingleStack' to release the secondary IP family/)
    const shrunk = await changed(server, 'web', { ipFamilyPolicy: 'SingleStack' })
    assert.deepEqual(shape((shrunk.json as { readonly spec: Spec }).spec), [['IPv4'], ['IPv4'], 'SingleStack'])
    await made(server, 'next', { clusterIP: clusterIPs![1]! })
  })

  void test('contradictions are refused in upstream’s words', async () => {
    await using server = await startTestServer(both)
    for (const [spec, words] of [
      [{ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] }, /when multiple IP families are specified/],
      [
        { ipFamilyPolicy: 'SingleStack', clusterIPs: ['10.0.7.7', 'fd00:10::7'], clusterIP: '10.0.7.7' },
        /when multiple cluster IPs are specified/,
      ],
      [{ ipFamilies: ['IPv6'], clusterIP: '10.0.7.7' }, /expected an IPv6 value as indicated by `ipFamilies\[0\]`/],
      [
        { ipFamilyPolicy: 'PreferDualStack', clusterIP: '10.0.7.7', clusterIPs: ['10.0.7.7', '10.0.7.8'] },
        /may specify no more than one IP for each IP family|expected an IPv6 value/,
      ],
      [{ clusterIP: 'fd00:99::7' }, /is not in the valid range. The range of valid IPs is fd00:10::\/108/],
      [{ clusterIP: 'fd00:10::' }, /the provided network address is not usable/],
    ] as const) {
      const refused = await server.ask(services, { body: service('bad', spec) })
      assert.equal(refused.status, 422, refused.text)
      assert.match(refused.text, words)
    }
    assert.deepEqual((await addresses(server)).length, 1)
  })

  void test('the last address of an IPv6 range is one that services may have', async () => {
    await using server = await startTestServer({ secondaryServiceCidr: 'fd00:10::/126' })
    for (const last of [1, 2, 3]) await made(server, `s${last}`, { ipFamilies: ['IPv6'] })
    const full = await server.ask(services, { body: service('more', { ipFamilies: ['IPv6'] }) })
    assert.match(full.text, /range is full/)
    // Of the other family there are enough: what was taken before the failure is given back.
    const before = (await addresses(server)).length
    const half = await server.ask(services, { body: service('half', { ipFamilyPolicy: 'RequireDualStack' }) })
    assert.match(half.text, /range is full/)
    assert.equal((await addresses(server)).length, before)
  })
})

void suite('in a cluster of one family', () => {
  void test('both are refused where they are required, and one is given where they are preferred', async () => {
    await using server = await startTestServer()
    const required = await server.ask(services, { body: service('no', { ipFamilyPolicy: 'RequireDualStack' }) })
    assert.match(required.text, /this cluster is not configured for dual-stack services/)
    const six = await server.ask(services, { body: service('no', { ipFamilies: ['IPv6'] }) })
    assert.match(six.text, /spec.ipFamilies\[0\]: Invalid value: \\"IPv6\\": not configured on this cluster/)
    assert.deepEqual(shape(await made(server, 'yes', { ipFamilyPolicy: 'PreferDualStack' })), [
      ['IPv4'],
      ['IPv4'],
      'PreferDualStack',
    ])
  })

  void test('it may be IPv6', async () => {
    await using server = await startTestServer({ serviceCidr: 'fd00:10::/108' })
    assert.deepEqual(shape(await made(server, 'web')), [['IPv6'], ['IPv6'], 'SingleStack'])
    const own = (await server.ask('/api/v1/namespaces/default/services/kubernetes')).json as { readonly spec: Spec }
    assert.deepEqual([own.spec.clusterIP, own.spec.ipFamilies], ['fd00:10::1', ['IPv6']])
  })
})
