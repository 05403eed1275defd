// Lists and watches: every meaning of their options, and what is said to those that mean nothing.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { WebSocket } from 'ws'
import { loadTables } from '@aksel/api/tables'
import { readLines } from '@aksel/client/response-body'
import { ProtobufDecoder } from '../protobuf/decode.ts'
import {
  admin,
  clientCertificate,
  listenForTest,
  startTestServer,
  type Asked,
  type TestServer,
} from '../test-server.ts'

const path = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'

interface Listed {
  readonly metadata: {
    readonly resourceVersion: string
    readonly continue?: string
    readonly remainingItemCount?: number
  }
  readonly items: readonly { readonly metadata: { readonly name: string; readonly resourceVersion: string } }[]
}

let server: TestServer
before(async () => {
  server = await startTestServer()
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    const labels = { app: 'web', tier: name }
    await server.ask(path, { body: { metadata: { name, labels }, data: { n: name } } })
  }
})
after(() => server[Symbol.asyncDispose]())

async function list(query: string): Promise<Listed> {
  const asked = await server.ask(`${path}?labelSelector=app&${query}`)
  assert.equal(asked.status, 200, asked.text)
  return asked.json as unknown as Listed
}

const names = ({ items }: Listed): string => items.map(({ metadata }) => metadata.name).join('')

async function refused(query: string, at = path): Promise<string> {
  const { status, json } = await server.ask(`${at}?${query}`)
  return `${status} ${String(json['message'])}`
}

const encode = encodeURIComponent

describe('a label selector', () => {
  const cases: readonly (readonly [selector: string, picked: string])[] = [
    ['app=web,tier in (a,b)', 'ab'],
    ['app == web, tier notin ( a , b )', 'cde'],
    ['app,tier!=c,!missing', 'abde'],
    ['tier in (a,,)', 'a'],
    ['app, tier=', ''],
    ['in=x', ''],
  ]
  for (const [selector, picked] of cases) {
    test(`${JSON.stringify(selector)} picks ${JSON.stringify(picked)}`, async () => {
      const { json } = await server.ask(`${path}?labelSelector=${encode(selector)}`)
      assert.equal(names(json as unknown as Listed), picked)
    })
  }

  const label =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
  const broken: readonly (readonly [selector: string, words: string])[] = [
    ['app=web tier', "found 'tier', expected: ',' or 'end of string'"],
    ['app=web,', "found '', expected: identifier after ','"],
    ['=web', "found '=', expected: !, identifier, or 'end of string'"],
    ['app in a', "unable to parse requirement: found 'a' expected: '('"],
    ['app in (a', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['app ~ web', "unable to parse requirement: found '~', expected: in, notin, =, ==, !=, gt, lt"],
    [
      'app in ()',
      "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
    ],
    [
      'app > x',
      `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`,
    ],
    ['app=-x', `unable to parse requirement: values[0][app]: Invalid value: "-x": ${label}`],
  ]
  for (const [selector, words] of broken) {
    test(`${JSON.stringify(selector)} is refused in upstream’s words`, async () => {
      assert.equal(await refused(`labelSelector=${encode(selector)}`), `400 ${words}`)
    })
  }
})

describe('a field selector', () => {
  test('takes every field of its kind, and metadata alone of most', async () => {
    const fields: Readonly<Record<string, readonly string[]>> = {
      '/api/v1/pods': [
        'metadata.name',
        'metadata.namespace',
        'spec.nodeName',
        'spec.restartPolicy',
        'spec.schedulerName',
        'spec.serviceAccountName',
        'spec.hostNetwork',
        'status.phase',
        'status.podIP',
        'status.podIPs',
        'status.nominatedNodeName',
      ],
      '/api/v1/nodes': ['metadata.name', 'spec.unschedulable'],
      '/api/v1/namespaces': ['metadata.name', 'name', 'status.phase'],
      '/api/v1/secrets': ['type', 'metadata.name', 'metadata.namespace'],
      '/api/v1/services': ['spec.clusterIP', 'spec.type'],
      '/api/v1/events': ['involvedObject.kind', 'involvedObject.uid', 'reason', 'reportingComponent', 'source', 'type'],
      '/apis/events.k8s.io/v1/events': ['regarding.kind', 'reason', 'reportingController', 'type'],
      '/api/v1/replicationcontrollers': ['status.replicas'],
      '/apis/apps/v1/replicasets': ['status.replicas'],
      '/apis/batch/v1/jobs': ['status.successful'],
      '/apis/certificates.k8s.io/v1/certificatesigningrequests': ['spec.signerName'],
      '/apis/storage.k8s.io/v1/storageclasses': ['metadata.name', 'metadata.namespace'],
    }
    for (const [at, known] of Object.entries(fields))
      for (const field of known) {
        const { status, text } = await server.ask(`${at}?fieldSelector=${field}%3Dx`)
        assert.equal(status, 200, `${at} ${field}: ${text}`)
      }
    assert.equal(await refused('fieldSelector=spec.foo%3Dx', pods), '400 field label not supported: spec.foo')
    assert.equal(
      await refused('fieldSelector=data.n%3Dx'),
      '400 "data.n" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )
  })

  test('escapes, and is refused where it cannot be read', async () => {
    assert.equal(names(await list(`fieldSelector=${encode('metadata.name!=a,metadata.name!=b')}`)), 'cde')
    assert.equal(names(await list(`fieldSelector=${encode('metadata.name==a')}`)), 'a')
    assert.equal(
      await refused('fieldSelector=metadata.name'),
      "400 invalid selector: 'metadata.name'; can't understand 'metadata.name'",
    )
    assert.equal(
      await refused(`fieldSelector=${encode('metadata.name=a=b')}`),
      '400 invalid field selector: unescaped character in value: =',
    )
    assert.equal(
      await refused(`fieldSelector=${encode('metadata.name=a\\b')}`),
      '400 invalid field selector: invalid escape sequence: \\b',
    )
  })
})

describe('a list', () => {
  const page = async (query: string): Promise<Listed> => {
    const asked = await server.ask(`/apis/storage.k8s.io/v1/csidrivers?${query}`)
    assert.equal(asked.status, 200, asked.text)
    return asked.json as unknown as Listed
  }
  before(async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await server.ask('/apis/storage.k8s.io/v1/csidrivers', { body: { metadata: { name }, spec: {} } })
  })

  test('in pages is one list: all at one revision, and the rest is counted where nothing is selected', async () => {
    const first = await page('limit=2')
    assert.deepEqual([names(first), first.metadata.remainingItemCount], ['ab', 3])
    await server.ask('/apis/storage.k8s.io/v1/csidrivers', { body: { metadata: { name: 'bb' }, spec: {} } })
    const second = await page(`limit=2&continue=${first.metadata.continue!}`)
    assert.deepEqual([names(second), second.metadata.remainingItemCount], ['cd', 1])
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion)
    const last = await page(`limit=2&continue=${second.metadata.continue!}`)
    assert.deepEqual(
      [names(last), last.metadata.continue, last.metadata.remainingItemCount],
      ['e', undefined, undefined],
    )
    const selected = await list('limit=2')
    assert.deepEqual([names(selected), selected.metadata.remainingItemCount], ['ab', undefined])
    assert.ok(selected.metadata.continue !== undefined)
    await server.ask('/apis/storage.k8s.io/v1/csidrivers/bb', { method: 'DELETE' })
  })

  test('whose revision is forgotten says where it may go on, and does', async () => {
    const first = await page('limit=2')
    await server.ask('/apis/storage.k8s.io/v1/csidrivers', { body: { metadata: { name: 'cc' }, spec: {} } })
    await server.store.compact(server.store.revision)
    const gone = await server.ask(`/apis/storage.k8s.io/v1/csidrivers?limit=2&continue=${first.metadata.continue!}`)
    assert.equal(gone.status, 410)
    assert.equal(gone.json['reason'], 'Expired')
    assert.match(
      String(gone.json['message']),
      /^The provided continue parameter is too old to display a consistent list/,
    )
    const { metadata } = gone.json as unknown as Listed
    const rest = await page(`limit=9&continue=${metadata.continue!}`)
    assert.equal(names(rest), 'ccccde'.slice(1))
    assert.ok(Number(rest.metadata.resourceVersion) > Number(first.metadata.resourceVersion))
    const exact = `resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`
    assert.equal(await refused(exact), '410 The resourceVersion for the provided list is too old.')
  })

  test('is of the version that is asked for', async () => {
    const before = (await list('')).metadata.resourceVersion
    await server.ask(`${path}/e`, { method: 'DELETE' })
    const exact = await list(`resourceVersion=${before}&resourceVersionMatch=Exact`)
    assert.deepEqual([names(exact), exact.metadata.resourceVersion], ['abcde', before])
    assert.equal(names(await list(`resourceVersion=${before}&limit=9`)), 'abcde')
    for (const query of [
      `resourceVersion=${before}`,
      `resourceVersion=${before}&resourceVersionMatch=NotOlderThan`,
      `resourceVersion=${before}&resourceVersionMatch=NotOlderThan&limit=9`,
      'resourceVersion=0',
      'resourceVersion=0&resourceVersionMatch=NotOlderThan',
      '',
    ]) {
      assert.equal(names(await list(query)), 'abcd', query)
    }
    const future = server.store.revision + 1000
    const tooLarge = await server.ask(`${path}?resourceVersion=${future}`)
    assert.equal(tooLarge.status, 504)
    assert.match(String(tooLarge.json['message']), /^Too large resource version: \d+, current: \d+$/)
    const { causes } = tooLarge.json['details'] as { readonly causes: readonly { readonly reason: string }[] }
    assert.equal(causes[0]!.reason, 'ResourceVersionTooLarge')
  })

  const words = 'ListOptions.meta.k8s.io "" is invalid: '
  const broken: readonly (readonly [query: string, answer: string])[] = [
    [
      'resourceVersionMatch=Exact',
      `422 ${words}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
    ],
    [
      'resourceVersion=0&resourceVersionMatch=Exact',
      `422 ${words}resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"`,
    ],
    [
      'resourceVersion=1&resourceVersionMatch=Foo',
      `422 ${words}resourceVersionMatch: Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", ""`,
    ],
    ['sendInitialEvents=true', `422 ${words}sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`],
    [
      'resourceVersion=abc',
      '400 resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    ],
    ['limit=abc', '400 strconv.ParseInt: parsing "abc": invalid syntax'],
    [
      'continue=%%%'.replaceAll('%', '%25'),
      '400 invalid continue token: continue key is not valid: illegal base64 data at input byte 0',
    ],
    [
      `continue=${Buffer.from('{"v":"v9","rv":1,"start":"a"}').toString('base64url')}`,
      '400 invalid continue token: continue key is not valid: server does not recognize this encoded version',
    ],
    [
      `resourceVersion=5&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"a"}').toString('base64url')}`,
      '400 specifying resource version is not allowed when using continue',
    ],
    [
      'watch=1&sendInitialEvents=true',
      `422 ${words}resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
    ],
    [
      'watch=1&resourceVersionMatch=NotOlderThan',
      `422 ${words}resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided`,
    ],
    [
      'watch=1&resourceVersion=abc',
      '400 resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax',
    ],
  ]
  for (const [query, answer] of broken) {
    test(`with ${query} is refused in upstream’s words`, async () => {
      assert.equal(await refused(query), answer)
    })
  }
})

interface Event {
  readonly type: string
  readonly object: {
    readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> }
  }
}

/** The first events of a watch, in short. */
async function watched(
  at: string,
  count: number,
  change: () => Promise<unknown> = async () => {},
): Promise<readonly Event[]> {
  const response = await server.server.transportFor(admin).send({ method: 'GET', path: at, headers: {} })
  assert.equal(response.status, 200)
  const seen: Event[] = []
  const reading = (async () => {
    for await (const line of readLines(response.body)) {
      seen.push(JSON.parse(Buffer.from(line).toString()) as Event)
      if (seen.length === count) return
    }
  })()
  await change()
  await reading
  return seen
}

const short = (events: readonly Event[]): string =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}`).join(', ')

const make = (name: string, labels: object): Promise<Asked> =>
  server.ask(path, { body: { metadata: { name, labels } } })

describe('a watch', () => {
  test('with initial events closes them with a bookmark that says so', async () => {
    const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'
    const events = await watched(`${path}?labelSelector=tier%20in(a,b)&${query}`, 3)
    assert.equal(short(events.slice(0, 2)), 'ADDED a, ADDED b')
    assert.equal(events[2]!.type, 'BOOKMARK')
    assert.deepEqual(events[2]!.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' })
  })

  test('that wants no initial events gets none, even from any version', async () => {
    const query = 'watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=0'
    assert.equal(short(await watched(`${path}?${query}`, 1, () => make('later', {}))), 'ADDED later')
  })

  test('is told to forget what it knew, not what came of it', async () => {
    await make('leaving', { on: 'yes' })
    const from = server.store.revision
    const at = `${path}?watch=1&labelSelector=on%3Dyes&resourceVersion=${from}`
    const [event] = await watched(at, 1, () =>
      server.ask(`${path}/leaving`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { labels: { on: 'no' } } },
      }),
    )
    const { metadata } = event!.object as unknown as { metadata: { labels: unknown; resourceVersion: string } }
    assert.deepEqual([event!.type, metadata.labels], ['DELETED', { on: 'yes' }])
    assert.ok(Number(metadata.resourceVersion) > from)
  })

  test('has paths of its own, as clients of old write them', async () => {
    assert.equal(short(await watched('/api/v1/watch/namespaces/default/configmaps/a', 1)), 'ADDED a')
    assert.equal(
      short(await watched('/api/v1/watch/namespaces/default/configmaps?labelSelector=tier%3Db', 1)),
      'ADDED b',
    )
    assert.equal(
      short(await watched('/apis/storage.k8s.io/v1/watch/csidrivers?fieldSelector=metadata.name%3Dc', 1)),
      'ADDED c',
    )
    const other = await server.ask('/api/v1/watch/namespaces/default/configmaps/a?fieldSelector=metadata.name%3Db')
    assert.deepEqual(
      [other.status, other.json['message']],
      [400, "fieldSelector metadata.name doesn't match requested name"],
    )
  })

  test('of a path with a name is the object itself', async () => {
    const { json } = await server.ask(`${path}/a?watch=true`)
    assert.equal(json['kind'], 'ConfigMap')
  })

  test('has no YAML', async () => {
    const asked = await server.ask(`${path}?watch=1`, { headers: { accept: 'application/yaml' } })
    assert.equal(asked.status, 406)
    assert.match(
      asked.text,
      /only the following media types are accepted: application\/json;stream=watch, application\/vnd\.kubernetes\.protobuf;stream=watch/,
    )
  })

  test('of a long list is whole and in order', async () => {
    for (let n = 0; n < 1200; n += 1) await make(`n${String(n).padStart(4, '0')}`, { many: 'yes' })
    const events = await watched(`${path}?watch=1&labelSelector=many`, 1201, () => make('n9999', { many: 'yes' }))
    assert.deepEqual(
      events.map(({ object }) => object.metadata.name),
      [...Array.from({ length: 1200 }, (_, n) => `n${String(n).padStart(4, '0')}`), 'n9999'],
    )
  })

  test('and a long list in every form is whole and in order', async () => {
    const at = `${path}?labelSelector=many`
    const wanted = ((await server.ask(at)).json as unknown as Listed).items.map(({ metadata }) => metadata.name)
    assert.ok(wanted.length > 1000)
    const as = (form: string): Record<string, string> => ({ accept: `application/json;as=${form};g=meta.k8s.io;v=v1` })
    const table = (await server.ask(at, { headers: as('Table') })).json as unknown as {
      readonly columnDefinitions: readonly unknown[]
      readonly rows: readonly { readonly cells: readonly string[] }[]
    }
    assert.deepEqual([table.columnDefinitions.length, table.rows.map(({ cells }) => cells[0])], [3, wanted])
    const partial = (await server.ask(at, { headers: as('PartialObjectMetadataList') })).json as unknown as Listed
    assert.deepEqual(
      partial.items.map(({ metadata }) => metadata.name),
      wanted,
    )
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: at, headers: { accept: 'application/vnd.kubernetes.protobuf' } })
    const pieces: Uint8Array[] = []
    for await (const piece of response.body) pieces.push(piece)
    const decoder = new ProtobufDecoder(await loadTables('1.35'))
    const whole = decoder.decode(Buffer.concat(pieces), 'core/v1.ConfigMapList') as unknown as Listed
    assert.deepEqual(
      whole.items.map(({ metadata }) => metadata.name),
      wanted,
    )
  })

  test('goes over a WebSocket, one event a message', async () => {
    const { url } = await listenForTest(server)
    const { certificatePem: cert, keyPem: key } = await clientCertificate(server, admin)
    const socket = new WebSocket(`${url.replace('https', 'wss')}${path}?watch=1&fieldSelector=metadata.name%3Da`, {
      ca: server.authority.certificatePem,
      cert,
      key,
    })
    const text = await new Promise<string>((resolve, reject) => {
      socket.on('message', (data: Buffer, isBinary) => resolve(`${isBinary ? 'binary' : 'text'} ${data.toString()}`))
      socket.on('error', reject)
    })
    assert.match(text, /^text \{"type":"ADDED","object":\{"kind":"ConfigMap"/)
    socket.close()
  })
})

describe('a method that a path does not have', () => {
  test('is refused with those that it has', async () => {
    const asked = async (method: string, at: string): Promise<unknown> => {
      const { status, headers } = await server.ask(at, { method })
      return [status, headers['allow']]
    }
    assert.deepEqual(await asked('POST', `${path}/a`), [405, 'DELETE, GET, PATCH, PUT'])
    assert.deepEqual(await asked('PUT', path), [405, 'DELETE, GET, POST'])
    assert.deepEqual(await asked('HEAD', path), [405, 'DELETE, GET, POST'])
    assert.deepEqual(await asked('OPTIONS', path), [405, 'DELETE, GET, POST'])
  })
})
