// Unknown and doubled fields in every form of a body: refused, warned of or dropped, in upstream's words and order.

import assert from 'node:assert/strict'
import { after, suite, test } from 'node:test'
import { startTestServer, type Asked } from '../test-server.ts'

const deployments = '/apis/apps/v1/namespaces/default/deployments'

const json = `{
  "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "NAME"},
  "spec": {
    "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, "paused": false,
    "selector": {"matchLabels": {"app": "nginx"}},
    "template": {
      "metadata": {"labels": {"app": "nginx"}},
      "spec": {"containers": [{
        "name": "nginx", "image": "nginx:latest", "unknownNested": "val1", "imagePullPolicy": "Always", "imagePullPolicy": "Never"
      }]}
    }
  }
}`

const yaml = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  unknown1: val1
  paused: true
  paused: false
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      containers:
      - name: nginx
        image: nginx:latest
        unknownNested: val1
        imagePullPolicy: Always
        imagePullPolicy: Never
`

const merge = `{"spec": {"unknown1": "val1", "paused": true, "paused": false,
  "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:latest", "unknownNested": "val1"}]}}}}`

const jsonPatch = `[
  {"op": "add", "path": "/spec/unknown1", "value": "val1", "foo": "bar"},
  {"op": "add", "path": "/spec/paused", "path": "/spec/unknown2", "value": true}
]`

const unknownIn = 'unknown field "spec.template.spec.containers[0].unknownNested"'

interface Case {
  readonly name: string
  readonly type: string
  readonly method: 'POST' | 'PATCH'
  readonly body: string
  /** Of the refusal: code, and how its message begins and ends. */
  readonly refusal: readonly [number, string, string]
  readonly warnings: readonly string[]
}

const cases: readonly Case[] = [
  {
    name: 'JSON',
    type: 'application/json',
    method: 'POST',
    body: json,
    refusal: [
      400,
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ',
      `unknown field "spec.unknown1", unknown field "spec.unknownDupe", duplicate field "spec.unknownDupe", duplicate field "spec.paused", ${unknownIn}, duplicate field "spec.template.spec.containers[0].imagePullPolicy"`,
    ],
    warnings: [
      'unknown field "spec.unknown1"',
      'unknown field "spec.unknownDupe"',
      'duplicate field "spec.unknownDupe"',
      'duplicate field "spec.paused"',
      unknownIn,
      'duplicate field "spec.template.spec.containers[0].imagePullPolicy"',
    ],
  },
  {
    name: 'YAML',
    type: 'application/yaml',
    method: 'POST',
    body: yaml,
    refusal: [
      400,
      'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: ',
      `yaml: unmarshal errors:\n  line 8: key "paused" already set in map\n  line 18: key "imagePullPolicy" already set in map, ${unknownIn}, unknown field "spec.unknown1"`,
    ],
    warnings: [
      'line 8: key "paused" already set in map',
      'line 18: key "imagePullPolicy" already set in map',
      unknownIn,
      'unknown field "spec.unknown1"',
    ],
  },
  {
    name: 'a merge patch',
    type: 'application/merge-patch+json',
    method: 'PATCH',
    body: merge,
    refusal: [
      422,
      ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"apps/v1\\",\\"kind\\"',
      `strict decoding error: duplicate field "spec.paused", ${unknownIn}, unknown field "spec.unknown1"`,
    ],
    warnings: ['duplicate field "spec.paused"', unknownIn, 'unknown field "spec.unknown1"'],
  },
  {
    name: 'a strategic merge patch',
    type: 'application/strategic-merge-patch+json',
    method: 'PATCH',
    body: merge,
    refusal: [
      422,
      ' "" is invalid: patch: Invalid value: "map[spec:map[paused:false template:map[spec:map[containers:[map[image:nginx:latest name:nginx unknownNested:val1]]]] unknown1:val1]]": ',
      `strict decoding error: duplicate field "spec.paused", ${unknownIn}, unknown field "spec.unknown1"`,
    ],
    warnings: ['duplicate field "spec.paused"', unknownIn, 'unknown field "spec.unknown1"'],
  },
  {
    name: 'a JSON patch',
    type: 'application/json-patch+json',
    method: 'PATCH',
    body: jsonPatch,
    refusal: [
      422,
      ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"apps/v1\\",\\"kind\\"',
      'strict decoding error: json patch unknown field "[0].foo", json patch duplicate field "[1].path", unknown field "spec.unknown1", unknown field "spec.unknown2"',
    ],
    warnings: [
      'json patch unknown field "[0].foo"',
      'json patch duplicate field "[1].path"',
      'unknown field "spec.unknown1"',
      'unknown field "spec.unknown2"',
    ],
  },
]

function warningsOf({ headers }: Asked): readonly string[] {
  const found = (headers['warning'] ?? '').matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)
  return [...found].map(([, text]) => text!.replaceAll('\\"', '"'))
}

void suite('field validation', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())

  const base = {
    metadata: { name: 'base' },
    spec: {
      selector: { matchLabels: { app: 'nginx' } },
      template: {
        metadata: { labels: { app: 'nginx' } },
        spec: { containers: [{ name: 'nginx', image: 'nginx:latest' }] },
      },
    },
  }
  await server.ask(deployments, { body: base })

  let made = 0
  for (const { name, type, method, body, refusal, warnings } of cases) {
    const ask = (validation: string): Promise<Asked> => {
      const path = method === 'POST' ? deployments : `${deployments}/base`
      const text = body.replace('NAME', `made-${(made += 1)}`)
      const query = validation === '' ? '' : `?fieldValidation=${validation}`
      return server.ask(`${path}${query}`, { method, headers: { 'content-type': type }, body: text })
    }
    void test(`of ${name} refuses, warns or keeps silent as it is asked`, async () => {
      const strict = await ask('Strict')
      const message = String(strict.json['message'])
      const [code, begins, ends] = refusal
      assert.equal(strict.status, code, message)
      assert.ok(message.startsWith(begins), message)
      assert.ok(message.endsWith(ends), message)
      const warned = await ask('Warn')
      assert.deepEqual([warned.status < 300, warningsOf(warned)], [true, warnings], warned.text)
      const silent = await ask('Ignore')
      assert.deepEqual([silent.status < 300, warningsOf(silent)], [true, []], silent.text)
      assert.deepEqual(warningsOf(await ask('')), warnings, 'Warn is the default')
      assert.doesNotMatch(silent.text, /unknown1|unknownNested/)
    })
  }

  void test('of another word is refused', async () => {
    const answer = await server.ask(`${deployments}?fieldValidation=strict`, { body: base })
    assert.deepEqual(
      [answer.status, answer.json['message']],
      [
        422,
        'CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn"',
      ],
    )
  })
})

void suite('a patch', async () => {
  const server = await startTestServer()
  after(() => server[Symbol.asyncDispose]())
  await server.ask('/api/v1/namespaces/default/configmaps', { body: { metadata: { name: 'x' }, data: { a: '1' } } })
  const patch = async (type: string, body: unknown): Promise<readonly unknown[]> => {
    const headers = { 'content-type': `application/${type}+json` }
    const answer = await server.ask('/api/v1/namespaces/default/configmaps/x', { method: 'PATCH', headers, body })
    return [answer.status, answer.json['reason'], answer.json['message']]
  }
  const rejected = 'the server rejected our request due to an error in our request'
  const operation = { op: 'add', path: '/data/b', value: 'x' }
  const refusals: readonly (readonly [string, string, unknown, readonly unknown[]])[] = [
    ['a test that fails', 'json-patch', [{ op: 'test', path: '/data/a', value: '2' }], [422, 'Invalid', rejected]],
    ['an operation that there is not', 'json-patch', [{ op: 'turn', path: '/data' }], [422, 'Invalid', rejected]],
    [
      'an object for a list of operations',
      'json-patch',
      operation,
      [
        400,
        'BadRequest',
        'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
      ],
    ],
    [
      'too many operations',
      'json-patch',
      Array.from({ length: 10_001 }, () => operation),
      [
        413,
        'RequestEntityTooLarge',
        'Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001',
      ],
    ],
    [
      'copies that grow without end',
      'json-patch',
      [
        { op: 'add', path: '/data/b', value: 'x'.repeat(300_000) },
        ...Array.from({ length: 12 }, () => ({ op: 'copy', from: '/data', path: '/data/c' })),
      ],
      [422, 'Invalid', rejected],
    ],
    [
      'what is no JSON',
      'merge-patch',
      '{"data":',
      [400, 'BadRequest', 'error decoding patch: unexpected end of JSON input'],
    ],
    [
      'a list for an object',
      'merge-patch',
      [],
      [
        400,
        'BadRequest',
        'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}',
      ],
    ],
    [
      'a value of another type',
      'merge-patch',
      { data: { a: 1 } },
      [
        422,
        'Invalid',
        /^ "" is invalid: patch: Invalid value: ".*": json: cannot unmarshal number into Go struct field/,
      ],
    ],
    [
      'a directive that there is not',
      'strategic-merge-patch',
      { data: { $patch: 'turn' } },
      [500, undefined, 'unknown patch type: turn in map: map[$patch:turn]'],
    ],
    [
      'keys that are not retained',
      'strategic-merge-patch',
      { data: { $retainKeys: ['b'], a: '2' } },
      [400, 'BadRequest', 'invalid patch format of retainKeys'],
    ],
  ]
  for (const [name, type, body, expected] of refusals) {
    void test(`is refused for ${name}`, async () => {
      const [status, reason, message] = await patch(type, body)
      const text = expected[2]
      assert.deepEqual([status, reason], expected.slice(0, 2), String(message))
      if (text instanceof RegExp) assert.match(String(message), text)
      else assert.equal(message, text)
    })
  }
})

void suite('a body with more faults than anybody reads', () => {
  const maps = '/api/v1/namespaces/default/configmaps'
  const fields = Array.from({ length: 5000 }, (_, at) => `"f${at}":1`).join()
  const named = Array.from({ length: 100 }, (_, at) => `unknown field "f${at}"`)

  void test('is told of the first hundred, as upstream’s strict reader has enough then', async () => {
    await using server = await startTestServer()
    const body = `{"metadata":{"name":"wide"},${fields}}`
    const refused = await server.ask(`${maps}?fieldValidation=Strict`, { body })
    assert.equal(refused.status, 400)
    assert.match(String(refused.json['message']), /strict decoding error: unknown field "f0", unknown field "f1", /)
    assert.equal(String(refused.json['message']).split('strict decoding error: ')[1], named.join(', '))
    const warned = await server.ask(`${maps}?fieldValidation=Warn`, { body })
    assert.equal(warned.status, 201)
  })
})
