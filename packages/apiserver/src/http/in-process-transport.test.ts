// Calls inside the process are handed what the server has parsed: the same that the bytes say.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { configMaps } from '@aksel/api/resources'
import { readBody, readLines } from '@aksel/client/response-body'
import { createClient } from '@aksel/client/typed-client'
import { startTestServer } from '../test-server.ts'

const admin = { name: 'admin', groups: ['system:masters'] }
const place = '/api/v1/namespaces/default/configmaps'
const newMap = { metadata: { name: 'one', namespace: 'default', labels: { a: 'b' } }, data: { big: 'ü' } }

test('an answer’s value is what its body says, for an object, a list and a write', async () => {
  await using test = await startTestServer()
  const transport = test.server.transportFor(admin)
  const body = Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', ...newMap }))
  const headers = { 'content-type': 'application/json' }
  for (const request of [
    { method: 'POST', path: place, headers, body },
    { method: 'GET', path: `${place}/one`, headers: {} },
    { method: 'GET', path: place, headers: {} },
    {
      method: 'PATCH',
      path: `${place}/one`,
      headers: { 'content-type': 'application/merge-patch+json' },
      body: Buffer.from('{"data":{"x":"y"}}'),
    },
  ]) {
    const answer = await transport.send(request)
    const text = Buffer.from(await readBody(answer.body)).toString()
    assert.equal(JSON.stringify(answer.value!()), JSON.stringify(JSON.parse(text)), request.method)
  }
})

test('a dry run, a table and YAML have no value: their bytes are the answer', async () => {
  await using test = await startTestServer()
  const transport = test.server.transportFor(admin)
  const body = Buffer.from(JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', ...newMap }))
  const headers = { 'content-type': 'application/json' }
  const dry = await transport.send({ method: 'POST', path: `${place}?dryRun=All`, headers, body })
  assert.deepEqual([dry.status, dry.value], [201, undefined])
  for (const accept of ['application/yaml', 'application/json;as=Table;v=v1;g=meta.k8s.io'])
    assert.equal((await transport.send({ method: 'GET', path: place, headers: { accept } })).value, undefined, accept)
})

test('all who watch in the process see the same object, and the events that the bytes tell', async () => {
  await using test = await startTestServer()
  const client = createClient(test.server.transportFor(admin))
  const stop = new AbortController()
  const from = (await client.list(configMaps, { namespace: 'default' })).metadata.resourceVersion!
  const options = { namespace: 'default', resourceVersion: from, signal: stop.signal }
  const watches = [1, 2].map(() => client.watch(configMaps, options)[Symbol.asyncIterator]())
  const raw = await test.server
    .transportFor(admin)
    .send({ method: 'GET', path: `${place}?watch=true&resourceVersion=${from}`, headers: {}, signal: stop.signal })
  const lines = readLines(raw.body)
  const firsts = watches.map((watch) => watch.next())
  const line = lines.next()
  await client.create(configMaps, newMap)
  const [one, two] = (await Promise.all(firsts)).map(({ value }) => value as { readonly object: unknown })
  assert.equal(one!.object, two!.object)
  assert.deepEqual(JSON.parse(Buffer.from((await line).value as Uint8Array).toString()), one)
  stop.abort(new Error('seen'))
  for (const watch of watches) await assert.rejects(watch.next(), /seen/)
})
