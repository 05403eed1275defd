// `coredns-custom` as people write it on AKS: what each directive does to a name, and what is refused, by key and line.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryFrom, read } from '../../testing/dns-queries.ts'
import { testScope } from '../../testing/host-bench.ts'
import { reply, type Answering } from '../query.ts'
import { compileCustom } from './compile.ts'

/** The cluster's own block of these tests: it has one service, and knows nothing else. */
const cluster: Answering = (_scope, query) => {
  const { name, type } = query.question
  if (name !== 'web.default.svc.cluster.local') return reply(query, { rcode: 3 })
  return reply(query, { rcode: 0, answers: type === 'A' ? [{ type: 'A', name, ttl: 5, data: '10.0.0.80' }] : [] })
}

async function ask(data: Record<string, string>, name: string, type = 'A'): Promise<unknown> {
  const custom = compileCustom(data, { nodeServers: [] })
  const block = [...custom.blocks].find(([zone]) => name === zone || name.endsWith(`.${zone}`))?.[1]
  const answering = block ?? custom.around?.(cluster) ?? cluster
  const { rcode, answers } = read(await answering(testScope(), queryFrom('10.244.0.5', name, type)))
  return rcode === 0 ? answers : rcode
}

const hosts = `hosts {
  10.1.1.1 db.corp.example db
  fd00::1  db.corp.example
  ttl 60
  fallthrough
}`

test('hosts answers its own names, both ways, and lets others fall through', async () => {
  const data = { 'a.override': hosts }
  assert.deepEqual(await ask(data, 'db.corp.example'), ['db.corp.example 10.1.1.1'])
  assert.deepEqual(await ask(data, 'db.corp.example', 'AAAA'), ['db.corp.example fd00::1'])
  assert.deepEqual(await ask(data, 'db.corp.example', 'MX'), [])
  assert.deepEqual(await ask(data, '1.1.1.10.in-addr.arpa', 'PTR'), [
    '1.1.1.10.in-addr.arpa db.corp.example',
    '1.1.1.10.in-addr.arpa db',
  ])
  assert.deepEqual(await ask(data, 'web.default.svc.cluster.local'), ['web.default.svc.cluster.local 10.0.0.80'])
  assert.equal(await ask({ 'a.override': hosts.replace('fallthrough', '') }, 'web.default.svc.cluster.local'), 2)
})

test('rewrite asks for another name and gives the first one back', async () => {
  const rows: readonly (readonly [string, string])[] = [
    ['rewrite name shop.example web.default.svc.cluster.local', 'shop.example'],
    ['rewrite name suffix .example .default.svc.cluster.local answer auto', 'web.example'],
    [
      'rewrite stop name regex (.*)\\.shop\\.example {1}.default.svc.cluster.local answer name (.*) web.shop.example',
      'web.shop.example',
    ],
    [
      'rewrite stop {\n name regex (.*)\\.shop\\.example {1}.default.svc.cluster.local\n answer name (.*)\\.default\\.svc\\.cluster\\.local {1}.shop.example\n}',
      'web.shop.example',
    ],
    [
      'rewrite continue name suffix .shop .example answer auto\nrewrite name suffix .example .default.svc.cluster.local answer auto',
      'web.shop',
    ],
  ]
  for (const [text, name] of rows) {
    assert.deepEqual(await ask({ 'a.override': text }, name), [`${name} 10.0.0.80`], text)
  }
  assert.equal(await ask({ 'a.override': 'rewrite name suffix .example .cluster.local answer auto' }, 'web.other'), 3)
  assert.deepEqual(await ask({ 'a.override': 'rewrite type AAAA A' }, 'web.default.svc.cluster.local', 'AAAA'), [
    'web.default.svc.cluster.local 10.0.0.80',
  ])
})

test('template answers without asking anybody', async () => {
  const none = 'template ANY ANY internal.cloudapp.net {\n rcode NXDOMAIN\n}'
  const made = `template IN A nip.example {
    match "^(?P<a>\\d+)-(\\d+)\\.nip\\.example\\.$"
    answer "{{ .Name }} 60 IN A 10.0.{{ .Group.a }}.{{ index .Match 2 }}"
    fallthrough
  }`
  assert.equal(await ask({ 'a.override': none }, 'web.internal.cloudapp.net'), 3)
  assert.deepEqual(await ask({ 'a.override': made }, '7-9.nip.example'), ['7-9.nip.example 10.0.7.9'])
  assert.equal(await ask({ 'a.override': made }, 'other.nip.example'), 3)
})

test('a server block is for its names alone, and the cluster goes on beside it', async () => {
  const data = {
    'corp.server': `corp.example:53 other.example {\n errors\n ${hosts.replace('db.corp', 'sql.corp')}\n}`,
  }
  assert.deepEqual(await ask(data, 'sql.corp.example'), ['sql.corp.example 10.1.1.1'])
  assert.deepEqual(await ask(data, 'web.default.svc.cluster.local'), ['web.default.svc.cluster.local 10.0.0.80'])
  await assert.rejects(
    ask(data, 'nothing.corp.example'),
    /No directive of its server block answers "nothing.corp.example"/,
  )
})

const refusals: readonly (readonly [Record<string, string>, RegExp])[] = [
  [{ 'a.override': 'log\nnsid' }, /^a?.*line 2: nsid: this directive is not supported$/],
  [
    { 'a.server': 'corp.example:5353 {\n errors\n}' },
    /a\.server: line 1: "corp\.example:5353": cluster DNS listens on port 53/,
  ],
  [{ 'a.server': 'tls://corp.example {\n}' }, /only plain DNS is served/],
  [{ 'a.server': '.:53 {\n}' }, /zone "\." belongs to the cluster/],
  [{ 'a.server': 'corp.example {\n errors\n' }, /the server block of "corp\.example" has no "}"/],
  [
    { 'a.server': 'x.example {\n}\n', 'b.server': 'x.example {\n}' },
    /b\.server: line 1: cannot serve dns:\/\/x\.example\.:53 - it is already defined/,
  ],
  [{ 'a.server': '(snip) {\n}' }, /snippets and imports are not supported/],
  [{ 'a.override': 'forward . tls://9.9.9.9' }, /forward: "tls:\/\/9\.9\.9\.9": only plain DNS is spoken/],
  [{ 'a.override': 'forward . dns.example' }, /"dns\.example" is no address/],
  [
    { 'a.override': 'forward . 10.0.0.1 {\n policy best\n}' },
    /policy "best" is none of random, round_robin, sequential/,
  ],
  [{ 'a.override': 'cache 30 {\n prefetch 5\n}' }, /cache: option "prefetch" is not supported/],
  [{ 'a.override': 'rewrite class IN CH' }, /rewrite: field "class" is not supported/],
  [{ 'a.override': 'rewrite name regex ( x' }, /"\(" is no pattern/],
  [{ 'a.override': 'hosts {\n nonsense\n}' }, /hosts: "nonsense" is neither an address nor an option/],
  [{ 'a.override': 'log . "{remote}"' }, /CoreDNS' common format only/],
  [{ 'a.override': 'template IN A {\n answer "{{ .Remote }} IN A 1.1.1.1"\n}' }, /only \.Name, \.Type/],
  [{ 'a.override': 'forward . {$UPSTREAM}' }, /environment variables are not supported/],
]

for (const [data, expected] of refusals) {
  test(`${JSON.stringify(data)} is refused whole`, () =>
    assert.throws(
      () =>
        compileCustom(
          { ...data, 'fine.server': 'ok.example {\n hosts {\n 10.0.0.1 ok.example\n }\n}' },
          { nodeServers: [] },
        ),
      expected,
    ))
}

test('keys with another end are told, and every fault is named at once', () => {
  assert.deepEqual(compileCustom({ 'puglife.conf': 'x' }, { nodeServers: [] }).ignoredKeys, ['puglife.conf'])
  const data = { 'a.override': 'acl', 'b.server': 'x.example:99 {\n}' }
  assert.throws(() => compileCustom(data, { nodeServers: [] }), /b\.server: .*; .*override: .*acl/)
})
