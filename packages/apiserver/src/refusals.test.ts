// What the server refuses, each with the status, reason and words that Kubernetes gives.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { startTestServer, type Asked, type TestServer } from './test-server.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

/** The parts of a Status that clients look at. */
function shown({ status, json }: Asked): unknown {
  const { reason, message } = json as { readonly reason?: string; readonly message?: string }
  return [status, reason, message]
}

void suite('the server refuses', () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await server.ask(configMaps, { body: { metadata: { name: 'taken' } } })
  })
  after(() => server[Symbol.asyncDispose]())

  void test('a path that nobody knows, as plain text', async () => {
    for (const path of ['/foo', '/api/v1/nosuch', '/apis/apps/v9/deployments', '/api/v1/namespaces/default/nodes']) {
      const { status, text, headers } = await server.ask(path)
      assert.deepEqual(
        [status, text, headers['content-type']],
        [404, '404 page not found\n', 'text/plain; charset=utf-8'],
        path,
      )
    }
  })

  void test('an object that is not there, with its details', async () => {
    const answer = await server.ask('/apis/apps/v1/namespaces/default/deployments/web')
    assert.deepEqual(shown(answer), [404, 'NotFound', 'deployments.apps "web" not found'])
    assert.deepEqual(answer.json['details'], { name: 'web', group: 'apps', kind: 'deployments' })
  })

  void test('a method that the resource does not have', async () => {
    const words = 'the server does not allow this method on the requested resource'
    assert.deepEqual(shown(await server.ask(`${configMaps}/taken`, { method: 'POST', body: {} })), [
      405,
      'MethodNotAllowed',
      words,
    ])
    assert.deepEqual(shown(await server.ask('/api/v1/configmaps', { body: { metadata: { name: 'a' } } })), [
      405,
      'MethodNotAllowed',
      words,
    ])
    assert.deepEqual(shown(await server.ask('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews')), [
      405,
      'MethodNotAllowed',
      words,
    ])
  })

  void test('an object without a name, whatever its kind looks at', async () => {
    const asked = await server.ask('/apis/storage.k8s.io/v1/csidrivers', { body: { metadata: {}, spec: {} } })
    assert.equal(asked.status, 422)
    assert.match(asked.text, /metadata\.name: Required value: name or generateName is required/)
  })

  void test('a form of answer that it cannot make', async () => {
    const words =
      'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf'
    assert.deepEqual(shown(await server.ask(configMaps, { headers: { accept: 'text/html' } })), [
      406,
      'NotAcceptable',
      words,
    ])
  })

  void test('a name that is taken', async () => {
    assert.deepEqual(shown(await server.ask(configMaps, { body: { metadata: { name: 'taken' } } })), [
      409,
      'AlreadyExists',
      'configmaps "taken" already exists',
    ])
  })

  void test('a change of an object that has changed meanwhile', async () => {
    const body = { metadata: { name: 'taken', resourceVersion: '1' } }
    const words =
      'Operation cannot be fulfilled on configmaps "taken": the object has been modified; please apply your changes to the latest version and try again'
    assert.deepEqual(shown(await server.ask(`${configMaps}/taken`, { method: 'PUT', body })), [409, 'Conflict', words])
  })

  void test('a body in a form that it does not read', async () => {
    const headers = { 'content-type': 'application/cbor' }
    const answer = await server.ask(configMaps, { body: 'x', headers })
    assert.deepEqual([answer.status, answer.json['reason']], [415, 'UnsupportedMediaType'])
    const patch = await server.ask(`${configMaps}/taken`, {
      method: 'PATCH',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    assert.deepEqual(shown(patch), [
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
    ])
  })

  void test('an invalid object, with a cause for each field', async () => {
    const answer = await server.ask(configMaps, { body: { metadata: { name: 'Bad_Name' } } })
    assert.deepEqual([answer.status, answer.json['reason']], [422, 'Invalid'])
    assert.match(
      String(answer.json['message']),
      /^ConfigMap "Bad_Name" is invalid: metadata\.name: Invalid value: "Bad_Name": /,
    )
    const { causes } = answer.json['details'] as {
      readonly causes: readonly { readonly field: string; readonly reason: string }[]
    }
    assert.deepEqual(
      causes.map(({ field, reason }) => [field, reason]),
      [['metadata.name', 'FieldValueInvalid']],
    )
  })

  void test('text that is no JSON, and JSON that is no object', async () => {
    const broken = await server.ask(configMaps, { body: '{"metadata":' })
    assert.deepEqual(shown(broken), [
      400,
      'BadRequest',
      'the object provided is unrecognized (must be of type ConfigMap): couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"metadata":)',
    ])
    assert.equal((await server.ask(configMaps, { body: '[]' })).status, 400)
  })

  void test('a value of the wrong type, in the words of Go', async () => {
    const answer = await server.ask(configMaps, { body: { metadata: { name: 'a' }, data: { n: 1 } } })
    assert.equal(answer.status, 400)
    assert.match(
      String(answer.json['message']),
      /^ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field /,
    )
  })

  void test('unknown and double fields when it is told to be strict, and warns of them when not', async () => {
    const body = '{"metadata":{"name":"strict","name":"strict"},"extra":1}'
    const strict = await server.ask(`${configMaps}?fieldValidation=Strict`, { body })
    assert.deepEqual(shown(strict), [
      400,
      'BadRequest',
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "metadata.name", unknown field "extra"',
    ])
    const warned = await server.ask(configMaps, { body })
    assert.deepEqual(
      [warned.status, warned.headers['warning']],
      [201, '299 - "duplicate field \\"metadata.name\\"", 299 - "unknown field \\"extra\\""'],
    )
    const ignored = await server.ask(`${configMaps}?fieldValidation=Ignore&dryRun=All`, {
      body: body.replaceAll('strict', 'other'),
    })
    assert.deepEqual([ignored.status, ignored.headers['warning']], [201, undefined])
  })

  void test('an object of another kind than its path', async () => {
    const answer = await server.ask(configMaps, { body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } } })
    assert.deepEqual(shown(answer), [
      400,
      'BadRequest',
      'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown conversion',
    ])
  })

  void test('an object of another version or namespace than its path', async () => {
    const version = await server.ask(configMaps, { body: { apiVersion: 'apps/v1', metadata: { name: 'a' } } })
    assert.deepEqual(shown(version), [
      400,
      'BadRequest',
      'the API version in the data (apps/v1) does not match the expected API version (v1)',
    ])
    const namespace = await server.ask(configMaps, { body: { metadata: { name: 'a', namespace: 'other' } } })
    assert.deepEqual(shown(namespace), [
      400,
      'BadRequest',
      'the namespace of the provided object does not match the namespace sent on the request',
    ])
  })

  void test('anything in a namespace that is not there', async () => {
    const answer = await server.ask('/api/v1/namespaces/nowhere/configmaps', { body: { metadata: { name: 'a' } } })
    assert.deepEqual(shown(answer), [404, 'NotFound', 'namespaces "nowhere" not found'])
  })

  void test('to delete the namespaces that the cluster stands on', async () => {
    const answer = await server.ask('/api/v1/namespaces/kube-system', { method: 'DELETE' })
    assert.deepEqual(shown(answer), [
      403,
      'Forbidden',
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    ])
  })

  void test('selectors that it cannot read or does not offer', async () => {
    assert.equal((await server.ask(`${configMaps}?labelSelector=${encodeURIComponent('a in b')}`)).status, 400)
    const field = await server.ask(`${configMaps}?fieldSelector=${encodeURIComponent('data.x=1')}`)
    assert.equal(field.status, 400)
    assert.equal(
      field.json['message'],
      '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )
    const pods = await server.ask('/api/v1/namespaces/default/pods?fieldSelector=bogus=1')
    assert.equal(pods.json['message'], 'field label not supported: bogus')
  })

  void test('bodies over 3 MiB', async () => {
    const answer = await server.ask(configMaps, {
      body: { metadata: { name: 'big' }, data: { x: 'x'.repeat(3 * 1024 * 1024) } },
    })
    assert.deepEqual(shown(answer), [413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'])
  })

  void test('a version that is not there yet, and one that is forgotten', async () => {
    const future = await server.ask(`${configMaps}?resourceVersion=999999`)
    assert.deepEqual([future.status, future.json['reason']], [504, 'Timeout'])
    await server.store.compact(server.store.revision)
    const past = await server.ask(`${configMaps}?resourceVersion=2&resourceVersionMatch=Exact`)
    assert.deepEqual([past.status, past.json['reason']], [410, 'Expired'])
    const watch = await server.ask(`${configMaps}?watch=true&resourceVersion=2`)
    assert.match(watch.text, /^\{"type":"ERROR","object":\{.*"reason":"Expired".*"code":410\}\}\n$/)
  })

  void test('without logging anything as an error of its own', () => {
    assert.deepEqual(server.lines, [])
  })
})
