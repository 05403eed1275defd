// Inputs that are made to cost a server far more than they cost their sender: nested, doubled, wide, endless, or wrong in ways
// that parsers disagree about. Each is one request.

import { gzipSync } from 'node:zlib'
import type { ApiRequest } from '@aksel/client/transport'

export interface Bomb {
  readonly what: string
  readonly method: string
  readonly path: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** What is a success after all, because the input is harmless here: it still has to be quick and small. */
  readonly mayPass?: boolean
  /** Upstream's own answer, in the same words, has the code 500. */
  readonly mayFail?: boolean
  /** No request can be made of it: the stream ends without an answer. */
  readonly mayBreakOff?: boolean
}

/** A bomb as a transport sends it. */
export function bombRequest({ method, path, type, headers, body }: Bomb, signal: AbortSignal): ApiRequest {
  return {
    method,
    path,
    headers: { ...(type === undefined ? {} : { 'content-type': type }), ...headers },
    ...(body === undefined ? {} : { body: Buffer.from(body as string) }),
    signal,
  }
}

const core = '/api/v1/namespaces/default'
const maps = `${core}/configmaps`
const json = (value: unknown): string => JSON.stringify(value)
const map = (more: object): string => json({ metadata: { name: 'bomb' }, ...more })
const post = (what: string, body: string | Uint8Array, type = 'application/json', path = maps): Bomb => ({
  what,
  method: 'POST',
  path,
  type,
  body,
})
const patch = (what: string, body: string | Uint8Array, type: string): Bomb => ({
  what,
  method: 'PATCH',
  path: `${maps}/target?fieldManager=bomb`,
  type,
  body,
})

const jsonPatch = 'application/json-patch+json'
const mergePatch = 'application/merge-patch+json'
const strategicPatch = 'application/strategic-merge-patch+json'
const applyPatch = 'application/apply-patch+yaml'
const patchTypes = [mergePatch, strategicPatch, applyPatch]
const yaml = 'application/yaml'

function aliasBombs(): readonly Bomb[] {
  const bomb = (levels: number, width: number, form: 'list' | 'map'): string => {
    const lines = ['metadata: {name: bomb}', 'l0: &l0 [x, x, x, x]']
    for (let at = 1; at <= levels; at++) {
      const aliases = Array.from(
        { length: width },
        (_, index) => (form === 'list' ? '' : `k${index}: `) + `*l${at - 1}`,
      )
      lines.push(`l${at}: &l${at} ${form === 'list' ? '[' : '{'}${aliases.join(', ')}${form === 'list' ? ']' : '}'}`)
    }
    return lines.join('\n')
  }
  const cases = [6, 8, 10, 14, 30, 60, 100].flatMap((levels) =>
    (['list', 'map'] as const).map((form) => [`${levels} levels of aliases, ${form}`, bomb(levels, 9, form)] as const),
  )
  return cases.flatMap(([what, text]) => [post(what, text, yaml), patch(what, text, applyPatch)])
}

const deep = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth)

function deepBombs(): readonly Bomb[] {
  const depths = [11_000, 30_000, 100_000, 400_000]
  return depths.flatMap((depth) => {
    const list = deep('[', ']', depth)
    const object = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    const inside = `{"metadata":{"name":"bomb"},"data":${list}}`
    const other = `{"metadata":{"name":"bomb"},"data":${object}}`
    return [
      post(`a list ${depth} deep`, inside),
      post(`an object ${depth} deep`, other),
      post(`an open list ${depth} deep`, '['.repeat(depth)),
      post(`a flow list ${depth} deep`, `data: ${list}`, yaml),
      post(`an open flow list ${depth} deep`, `data: ${'['.repeat(depth)}`, yaml),
      post(`a flow map ${depth} deep`, `data: ${deep('{a: ', '}', depth)}`, yaml),
      ...patchTypes.map((type) => patch(`a patch ${depth} deep, ${type}`, other, type)),
      patch(`a JSON patch ${depth} deep`, `[{"op":"add","path":"/data","value":${list}}]`, jsonPatch),
    ]
  })
}

const MIB = 1024 ** 2

function largeBombs(): readonly Bomb[] {
  const sizes = [3 * MIB + 1, 8 * MIB, 32 * MIB]
  const zeros = gzipSync(Buffer.alloc(64 * MIB))
  return [
    ...sizes.flatMap((size) => [
      post(`${size} bytes`, Buffer.alloc(size, 0x20)),
      post(`${size} bytes of YAML`, Buffer.alloc(size, 0x20), yaml),
      post(`${size} bytes of protobuf`, Buffer.alloc(size, 0x20), 'application/vnd.kubernetes.protobuf'),
      patch(`a patch of ${size} bytes`, Buffer.alloc(size, 0x20), mergePatch),
    ]),
    ...['gzip', 'deflate', 'br', 'gzip, gzip', 'zstd'].map((encoding): Bomb => ({
      ...post(`zeros, ${encoding}`, zeros),
      headers: { 'content-encoding': encoding },
    })),
    post('data over a MiB', map({ data: { a: 'x'.repeat(1.5 * MIB) } })),
    post('binary data over a MiB', map({ binaryData: { a: Buffer.alloc(1.5 * MIB).toString('base64') } })),
    post('annotations over 256 KiB', json({ metadata: { name: 'bomb', annotations: { a: 'x'.repeat(300_000) } } })),
  ]
}

function wideBombs(): readonly Bomb[] {
  const keys = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, at) => [`k ${at}`, 'v']))
  const pod = (spec: object): string => json({ metadata: { name: 'bomb' }, spec })
  const many = <T>(count: number, one: T): readonly T[] => Array.from({ length: count }, () => one)
  const pods = `${core}/pods`
  return [
    post('100,000 wrong keys', map({ data: keys(100_000) })),
    post('50,000 wrong labels', json({ metadata: { name: 'bomb', labels: keys(50_000) } })),
    post('20,000 wrong annotations', json({ metadata: { name: 'bomb', annotations: keys(20_000) } })),
    post('50,000 finalizers', json({ metadata: { name: 'bomb', finalizers: many(50_000, 'x') } })),
    post('20,000 owners', json({ metadata: { name: 'bomb', ownerReferences: many(20_000, { kind: 'x' }) } })),
    post('20,000 managers', json({ metadata: { name: 'BOMB', managedFields: many(20_000, { operation: 'x' }) } })),
    post('20,000 containers', pod({ containers: many(20_000, { name: 'c', image: 'i' }) }), undefined, pods),
    post(
      '20,000 volumes',
      pod({ containers: [{ name: 'c', image: 'i' }], volumes: many(20_000, { name: 'v' }) }),
      undefined,
      pods,
    ),
    post(
      '50,000 variables',
      pod({ containers: [{ name: 'c', image: 'i', env: many(50_000, { name: '=' }) }] }),
      undefined,
      pods,
    ),
    post('a key a hundred thousand times', `{"metadata":{"name":"bomb"},"data":{${many(100_000, '"a":"b"').join()}}`),
    post(
      '100,000 unknown fields',
      `{"metadata":{"name":"bomb"},${Array.from({ length: 100_000 }, (_, at) => `"f${at}":1`).join()}}`,
      undefined,
      `${maps}?fieldValidation=Strict`,
    ),
    post('a name of 1 MiB', json({ metadata: { name: 'x'.repeat(MIB) } })),
    post('a prefix of 1 MiB and a wrong end', json({ metadata: { generateName: `${'x'.repeat(MIB)}!` } })),
    post('a namespace of 1 MiB', json({ metadata: { name: 'bomb', namespace: 'x'.repeat(MIB) } })),
    post('a kind of 1 MiB', json({ kind: 'x'.repeat(MIB), apiVersion: 'v1', metadata: { name: 'bomb' } })),
  ]
}

function numberBombs(): readonly Bomb[] {
  const amounts = [
    '1e1000000000',
    '1e-1000000000',
    `${'9'.repeat(100_000)}`,
    `0.${'0'.repeat(100_000)}1`,
    '1E99999',
    '1ee1',
    `${'-'.repeat(1000)}1`,
    '0x10',
    'NaN',
    'Infinity',
    '1e+',
    '٣',
  ]
  const pods = `${core}/pods`
  const spec = (cpu: unknown): string =>
    json({
      metadata: { name: 'bomb' },
      spec: {
        containers: [{ name: 'c', image: 'i', resources: { limits: { cpu }, requests: { cpu: '99999999999Ei' } } }],
      },
    })
  const bare = (text: string): string => `{"metadata":{"name":"bomb","generation":${text}},"data":[]}`
  const numbers = [
    '1e999999',
    `1${'0'.repeat(200_000)}`,
    '-0e99999',
    '0'.repeat(5) + '1',
    `1.${'3'.repeat(200_000)}`,
    '0x1',
    '+1',
    '.5',
    '1.',
    'NaN',
    '-Infinity',
  ]
  return [
    // Digits without end are an amount, if more than anybody has: it counts as the largest.
    ...amounts.map((amount) => ({
      ...post(`an amount of ${amount.slice(0, 16)}`, spec(amount), undefined, pods),
      mayPass: /^\d+$/.test(amount),
    })),
    ...numbers.map((number) => post(`a number ${number.slice(0, 16)}`, bare(number))),
    ...numbers.map((number) => patch(`a patch with ${number.slice(0, 16)}`, `{"data":{"a":${number}}}`, mergePatch)),
  ]
}

function patchBombs(): readonly Bomb[] {
  const doubling = (rounds: number): string =>
    json([
      { op: 'add', path: '/data', value: { a: 'x'.repeat(1000) } },
      ...Array.from({ length: rounds }, (_, at) => ({ op: 'copy', from: '/data', path: `/data/k${at}` })),
    ])
  return [
    ...[15, 20, 30, 60].map((rounds) => patch(`copies of copies, ${rounds} times`, doubling(rounds), jsonPatch)),
    ...[10_001, 50_000].map((count) =>
      patch(
        `${count} operations`,
        json(Array.from({ length: count }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }))),
        jsonPatch,
      ),
    ),
    ...[
      '~',
      '/~2',
      `/${'a/'.repeat(100_000)}`,
      '/data/-/-',
      '/metadata/finalizers/999999999999',
      '/__proto__/polluted',
      '/constructor/prototype/polluted',
    ].map((path) => ({
      ...patch(`the path ${path.slice(0, 30)}`, json([{ op: 'add', path, value: [1] }]), jsonPatch),
      // A field that nobody knows: it is left out.
      mayPass: path === '/~2',
    })),
    patch('a move into itself', json([{ op: 'move', from: '/metadata', path: '/metadata/labels' }]), jsonPatch),
    patch('a text for a patch', '"x"', jsonPatch),
    ...patchTypes.map((type) => patch(`a list for a patch, ${type}`, '[1,2]', type)),
    { ...patch('a directive that nobody knows', '{"metadata":{"$patch":"explode"}}', strategicPatch), mayFail: true },
    patch('an order without a list', '{"metadata":{"$setElementOrder/finalizers":7,"finalizers":7}}', strategicPatch),
  ]
}

function byteBombs(): readonly Bomb[] {
  const protobuf = 'application/vnd.kubernetes.protobuf'
  const magic = Buffer.from('k8s\0')
  const varint = (byte: number): Buffer => Buffer.concat([magic, Buffer.alloc(12, byte)])
  const nested = (levels: number): Buffer => {
    let inner = Buffer.from([0x0a, 0])
    for (let at = 0; at < levels && inner.length < 120; at++)
      inner = Buffer.concat([Buffer.from([0x12, inner.length]), inner])
    return Buffer.concat([magic, inner])
  }
  const bytes: readonly (readonly [string, Buffer])[] = [
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ['overlong UTF-8', Buffer.from([0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a])],
    ['zeros', Buffer.alloc(1000)],
    ['another encoding', Buffer.from('{"metadata":{"name":"x"}}', 'utf16le')],
    ['a mark of byte order alone', Buffer.from([0xef, 0xbb, 0xbf])],
    ['half a surrogate', Buffer.from('{"metadata":{"name":"\\ud800"}}')],
    ['a text without an end', Buffer.from(`{"a":"${'x'.repeat(MIB)}`)],
    ['a million escapes', Buffer.from(`{"metadata":{"name":"${'\\u0000'.repeat(100_000)}"}}`)],
    ['spaces alone', Buffer.alloc(MIB, 0x20)],
    ['control letters', Buffer.from('{"metadata":{"name":"\u0001\u0002"}}')],
  ]
  const wire: readonly (readonly [string, Buffer])[] = [
    ['no message', magic],
    ['numbers without an end', varint(0xff)],
    ['a length beyond the message', Buffer.concat([magic, Buffer.from([0x12, 0xff, 0xff, 0xff, 0x7f])])],
    ['messages within messages', nested(60)],
    ['an open group', varint(0x0b)],
    ['a field of no kind', varint(0x07)],
    ['random bytes', Buffer.concat([magic, Buffer.from(Array.from({ length: 5000 }, (_, at) => (at * 7919) % 256))])],
    ['JSON', Buffer.from('{"metadata":{"name":"x"}}')],
  ]
  return [
    ...bytes.flatMap(([what, body]) => [
      post(what, body),
      // Wrong letters are read as Go reads them, and the field that they name is left out.
      { ...patch(`${what}, as a patch`, body, mergePatch), mayPass: what === 'bytes that are no UTF-8' },
    ]),
    ...bytes.map(([what, body]) => post(`${what}, as YAML`, body, yaml)),
    ...wire.map(([what, body]) => post(`protobuf: ${what}`, body, protobuf)),
  ]
}

function queryBombs(): readonly Bomb[] {
  const get = (what: string, query: string): Bomb => ({ what, method: 'GET', path: `${maps}?${query}` })
  const selectors = [
    'a in (',
    'a in ()',
    'a==b==c',
    '!',
    'a,,b',
    ',',
    `${'('.repeat(5000)}`,
    `${'!'.repeat(5000)}a`,
    `a in (${'b,'.repeat(5000)}`,
    `${'x'.repeat(9000)}`,
    'a notin b',
    'é=1',
  ]
  const numbers = ['x', '1e400', '99999999999999999999', '-1x', '0x10']
  return [
    ...selectors.map((text) => get(`the selector ${text.slice(0, 20)}`, `labelSelector=${encodeURIComponent(text)}`)),
    ...selectors.slice(0, 10).map((text) => ({
      ...get(`the field selector ${text.slice(0, 20)}`, `fieldSelector=${encodeURIComponent(text)}`),
      mayPass: text === ',',
    })),
    ...numbers.map((number) => get(`the limit ${number}`, `limit=${number}`)),
    ...numbers.map((number) => get(`the time ${number}`, `watch=1&timeoutSeconds=${number}`)),
    ...[
      'x',
      'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ',
      Buffer.from('{"v":"meta.k8s.io/v1","rv":-1,"start":"../../secrets"}').toString('base64url'),
      'A'.repeat(7000),
    ].map((token) => get(`the token ${token.slice(0, 12)}`, `limit=1&continue=${token}`)),
    ...['x', '-1', '1e9', '99999999999999999999999'].map((version) =>
      get(`the version ${version}`, `resourceVersion=${version}&resourceVersionMatch=Exact`),
    ),
    {
      what: 'a head of 2 MiB',
      method: 'GET',
      path: maps,
      headers: { 'x-long': 'y'.repeat(2 * MIB) },
      mayBreakOff: true,
    },
    { what: 'a path of 2 MiB', method: 'GET', path: `/${'a'.repeat(2 * MIB)}`, mayBreakOff: true },
    {
      what: 'a query of 2 MiB',
      method: 'GET',
      path: `${maps}?labelSelector=${'a'.repeat(2 * MIB)}`,
      mayBreakOff: true,
    },
    { what: 'ten thousand steps up', method: 'GET', path: `/api/v1/${'../'.repeat(10_000)}etc/passwd` },
    { what: 'broken escapes', method: 'GET', path: `${maps}/%zz%` },
    { what: 'a zero in the path', method: 'GET', path: `${maps}/a%00b` },
  ]
}

/** Three hundred and more, no two the same. */
export function bombs(): readonly Bomb[] {
  return [
    ...aliasBombs(),
    ...deepBombs(),
    ...largeBombs(),
    ...wideBombs(),
    ...numberBombs(),
    ...patchBombs(),
    ...byteBombs(),
    ...queryBombs(),
  ]
}
