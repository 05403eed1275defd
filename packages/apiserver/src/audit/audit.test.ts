// The audit log as a policy wants it: levels, stages, bodies in every form, refusals, and what policy files may not say.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AuditPolicy } from '@aksel/api/audit-policy'
import type { Attributes } from '../authorization/attributes.ts'
import { listenForTest, startTestServer, type TestServer } from '../test-server.ts'
import { waitingSink, type AuditMode, type AuditSink } from './event.ts'
import { auditJudge, everyStagePolicy, readAuditPolicy } from './policy.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

type Event = Readonly<Record<string, unknown>>

async function audited(policy: AuditPolicy): Promise<TestServer> {
  return startTestServer({ auditPolicy: policy })
}

/** What the work left in the log, of the administrator's requests. */
async function eventsOf(server: TestServer, work: () => Promise<unknown>): Promise<readonly Event[]> {
  const before = server.audit.length
  await work()
  await new Promise((resolve) => setImmediate(resolve))
  return server.audit.slice(before).filter(({ requestURI }) => String(requestURI).startsWith(configMaps))
}

const everything: AuditPolicy = { rules: [{ level: 'RequestResponse' }] }

void suite('the audit log', () => {
  void test('has both stages of a request, and both bodies, at the level RequestResponse', async () => {
    await using server = await audited(everything)
    const body = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { generateName: 'a-' }, data: { key: 'value' } }
    const [received, complete, ...more] = await eventsOf(server, () =>
      server.ask(configMaps, { body, headers: { 'audit-id': 'mine' } }),
    )
    assert.equal(more.length, 0)
    assert.deepEqual(
      [received!['stage'], received!['requestObject'], received!['responseStatus'], received!['auditID']],
      ['RequestReceived', undefined, undefined, 'mine'],
    )
    assert.deepEqual(
      [complete!['stage'], complete!['requestObject'], complete!['responseStatus'], complete!['auditID']],
      ['ResponseComplete', body, { metadata: {}, code: 201 }, 'mine'],
    )
    const { metadata, data } = complete!['responseObject'] as {
      readonly metadata: { readonly name: string; readonly managedFields: readonly unknown[] }
      readonly data: unknown
    }
    assert.deepEqual([data, metadata.managedFields.length], [{ key: 'value' }, 1])
    assert.match(metadata.name, /^a-/)
  })

  void test('is waited for where it has to be, and nothing is done that it could not take first', async () => {
    const events: Event[] = []
    let take: (event: Event) => Promise<boolean> = () => Promise.resolve(false)
    const sink = (mode: AuditMode): AuditSink => waitingSink(mode, (event) => (events.push(event), take(event)))
    await using server = await startTestServer({ audit: sink('blocking-strict'), auditPolicy: everyStagePolicy })
    const body = { metadata: { name: 'a' } }
    const refused = await server.ask(configMaps, { body })
    assert.deepEqual(
      [refused.status, refused.text],
      [500, `Internal Server Error: "${configMaps}": failed to store audit event\n`],
    )
    take = () => Promise.resolve(true)
    assert.equal((await server.ask(`${configMaps}/a`)).status, 404)
    // What was done is answered, though its end could not be recorded.
    take = ({ stage }) => Promise.resolve(stage === 'RequestReceived')
    assert.equal((await server.ask(configMaps, { body })).status, 201)
    await using lenient = await startTestServer({ audit: sink('blocking'), auditPolicy: everyStagePolicy })
    take = () => Promise.resolve(false)
    assert.equal((await lenient.ask(configMaps, { body })).status, 201)
    const slow = Promise.withResolvers<boolean>()
    const began = Promise.withResolvers<void>()
    take = ({ stage }) => (began.resolve(), stage === 'ResponseComplete' ? slow.promise : Promise.resolve(true))
    let isAnswered = false
    const asked = lenient.ask(`${configMaps}/a`).then(({ status }) => ((isAnswered = true), status))
    await began.promise
    for (let round = 0; round < 20; round += 1) await new Promise(setImmediate)
    assert.equal(isAnswered, false)
    slow.resolve(true)
    assert.equal(await asked, 200)
    assert.equal(events.at(-1)!['stage'], 'ResponseComplete')
  })

  void test('reads YAML and protobuf, and leaves out who owns which field', async () => {
    await using server = await audited({ ...everything, omitManagedFields: true, omitStages: ['RequestReceived'] })
    const headers = { 'content-type': 'application/yaml', accept: 'application/vnd.kubernetes.protobuf' }
    const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {key: value}\n'
    const [created, listed] = await eventsOf(server, async () => {
      await server.ask(configMaps, { body: yaml, headers })
      await server.ask(configMaps, { headers })
    })
    assert.deepEqual((created!['requestObject'] as Event)['data'], { key: 'value' })
    const { kind, data, metadata } = created!['responseObject'] as Event
    assert.deepEqual([kind, data, (metadata as Event)['managedFields']], ['ConfigMap', { key: 'value' }, undefined])
    const { kind: listKind, items } = listed!['responseObject'] as { readonly kind: string; readonly items: Event[] }
    assert.deepEqual([listKind, items.map((item) => (item['metadata'] as Event)['name'])], ['ConfigMapList', ['b']])
  })

  void test('has long lists whole, and patches as they were sent', async () => {
    await using server = await audited({ ...everything, omitStages: ['RequestReceived'] })
    const big = 'x'.repeat(2000)
    for (let at = 0; at < 200; at++)
      await server.ask(configMaps, { body: { metadata: { name: `c${at}` }, data: { big } } })
    const patch = [{ op: 'add', path: '/data/more', value: '1' }]
    const headers = { 'content-type': 'application/json-patch+json' }
    const [listed, patched] = await eventsOf(server, async () => {
      await server.ask(configMaps)
      await server.ask(`${configMaps}/c1`, { method: 'PATCH', body: patch, headers })
    })
    assert.equal((listed!['responseObject'] as { readonly items: unknown[] }).items.length, 200)
    assert.deepEqual(patched!['requestObject'], patch)
  })

  void test('has no bodies at the level Metadata, and nothing at the level None', async () => {
    await using server = await audited({
      rules: [{ level: 'None', verbs: ['list'] }, { level: 'Metadata' }],
      omitStages: ['RequestReceived'],
    })
    const events = await eventsOf(server, async () => {
      await server.ask(configMaps)
      await server.ask(configMaps, { body: { metadata: { name: 'd' } } })
    })
    assert.deepEqual(
      events.map(({ verb, requestObject, responseObject }) => [verb, requestObject, responseObject]),
      [['create', undefined, undefined]],
    )
  })

  void test('says why a request was refused, whoever refused it', async () => {
    await using server = await audited({ ...everything, omitStages: ['RequestReceived'] })
    const eve = { name: 'eve', groups: [] }
    const [denied, invalid] = await eventsOf(server, async () => {
      await server.ask(configMaps, { user: eve, body: { metadata: { name: 'secret' } } })
      await server.ask(configMaps, { body: { metadata: { name: 'Bad_Name' } } })
    })
    const { status, reason, code } = denied!['responseStatus'] as Event
    assert.deepEqual([status, reason, code, denied!['requestObject']], ['Failure', 'Forbidden', 403, undefined])
    const annotations = denied!['annotations'] as Readonly<Record<string, string>>
    assert.equal(annotations['authorization.k8s.io/decision'], 'forbid')
    const invalidStatus = invalid!['responseStatus'] as Event
    assert.deepEqual([invalidStatus['reason'], invalidStatus['code']], ['Invalid', 422])
    assert.equal((invalid!['annotations'] as Event)['authorization.k8s.io/decision'], 'allow')
    assert.equal(((invalid!['requestObject'] as Event)['metadata'] as Event)['name'], 'Bad_Name')
  })

  void test('has an entry for whom nobody knows, and no token', async () => {
    await using server = await audited(everything)
    const { url } = await listenForTest(server)
    const before = server.audit.length
    const { createHttpsTransport } = await import('@aksel/runtime/https-transport')
    const caPem = server.authority.certificatePem
    await using transport = createHttpsTransport({ server: url, caPem, token: 'very-secret-token' })
    const answer = await transport.send({ method: 'GET', path: configMaps, headers: {} })
    const [event, ...more] = server.audit.slice(before)
    assert.equal(more.length, 0)
    assert.deepEqual(
      [answer.status, event!['stage'], event!['user'], event!['responseStatus']],
      [401, 'ResponseStarted', {}, { metadata: {}, message: 'Authentication failed, attempted: bearer', code: 401 }],
    )
    assert.equal(answer.headers['audit-id'], event!['auditID'])
    assert.ok(!JSON.stringify(server.audit).includes('very-secret-token'))
  })

  void test('has a watch twice: as it begins, and when it is over', async () => {
    await using server = await audited({ ...everything, omitStages: ['RequestReceived'] })
    await server.ask(configMaps, { body: { metadata: { name: 'seen' } } })
    const transport = server.server.transportFor({ name: 'masterclient', groups: ['system:masters'] })
    const events = await eventsOf(server, async () => {
      const { body } = await transport.send({ method: 'GET', path: `${configMaps}?watch=1`, headers: {} })
      const reader = body[Symbol.asyncIterator]()
      await reader.next()
      await reader.return!()
    })
    assert.deepEqual(
      events.map(({ stage }) => stage),
      ['ResponseStarted', 'ResponseComplete'],
    )
  })
})

const pods: Attributes = {
  user: { name: 'ann', groups: ['devs'] },
  verb: 'get',
  isResource: true,
  group: '',
  version: 'v1',
  resource: 'pods',
  subresource: '',
  namespace: 'web',
  name: 'a',
  path: '/api/v1/namespaces/web/pods/a',
}

void test('auditJudge() takes the first rule that matches, as upstream matches them', () => {
  const rows: readonly (readonly [AuditPolicy['rules'][number], Partial<Attributes>, boolean])[] = [
    [{ level: 'Metadata' }, {}, true],
    [{ level: 'Metadata', users: ['ann'] }, {}, true],
    [{ level: 'Metadata', users: ['bob'] }, {}, false],
    [{ level: 'Metadata', userGroups: ['devs'] }, {}, true],
    [{ level: 'Metadata', userGroups: ['ops'] }, {}, false],
    [{ level: 'Metadata', verbs: ['list'] }, {}, false],
    [{ level: 'Metadata', namespaces: ['web'] }, {}, true],
    [{ level: 'Metadata', namespaces: [''] }, {}, false],
    [{ level: 'Metadata', namespaces: [''] }, { namespace: '', resource: 'nodes' }, true],
    [{ level: 'Metadata', resources: [{ group: '' }] }, {}, true],
    [{ level: 'Metadata', resources: [{ group: 'apps' }] }, {}, false],
    [{ level: 'Metadata', resources: [{ resources: ['pods'] }] }, { subresource: 'log' }, false],
    [{ level: 'Metadata', resources: [{ resources: ['pods/log'] }] }, { subresource: 'log' }, true],
    [{ level: 'Metadata', resources: [{ resources: ['pods/*'] }] }, { subresource: 'log' }, true],
    [{ level: 'Metadata', resources: [{ resources: ['*/log'] }] }, { subresource: 'log' }, true],
    [{ level: 'Metadata', resources: [{ resources: ['*/log'] }] }, {}, false],
    [{ level: 'Metadata', resources: [{ resources: ['*'] }] }, { subresource: 'log' }, true],
    [{ level: 'Metadata', resources: [{ resources: ['pods'], resourceNames: ['b'] }] }, {}, false],
    [{ level: 'Metadata', resources: [{ resources: ['pods'], resourceNames: ['a'] }] }, {}, true],
    [{ level: 'Metadata', nonResourceURLs: ['/healthz*'] }, {}, false],
    [{ level: 'Metadata', nonResourceURLs: ['/healthz*'] }, { isResource: false, path: '/healthz/etcd' }, true],
    [{ level: 'Metadata', nonResourceURLs: ['/healthz'] }, { isResource: false, path: '/healthz/etcd' }, false],
    [{ level: 'Metadata', resources: [{ group: '' }] }, { isResource: false, path: '/healthz' }, false],
  ]
  for (const [rule, changed, isMatch] of rows) {
    const { level } = auditJudge({ rules: [rule] })({ ...pods, ...changed })
    assert.equal(level, isMatch ? 'Metadata' : 'None', JSON.stringify([rule, changed]))
  }
  const { omitStages } = auditJudge({
    rules: [{ level: 'Metadata', omitStages: ['RequestReceived'] }],
    omitStages: ['ResponseStarted'],
  })(pods)
  assert.deepEqual([...omitStages].sort(), ['RequestReceived', 'ResponseStarted'])
  const stranger = { ...pods, user: undefined }
  assert.equal(auditJudge({ rules: [{ level: 'Metadata', users: ['ann'] }] })(stranger).level, 'None')
})

void test('a policy file with faults is refused in words', async () => {
  const rows: readonly (readonly [string, string | RegExp])[] = [
    ['rules: []', 'loaded illegal policy with 0 rules'],
    ['rules: [{level: Loud}]', /^rules\[0\]\.level: Unsupported value: "Loud": supported values: "Metadata", "None"/],
    ['rules: [{users: [a]}]', 'rules[0].level: Required value'],
    ['rules: [{level: None, nonResourceURLs: [healthz]}]', /non-resource URL rules must begin with a '\/' character/],
    ['rules: [{level: None, nonResourceURLs: ["/a*b"]}]', /must be the final character of the rule/],
    ['rules: [{level: None, nonResourceURLs: ["/a"], namespaces: [a]}]', /cannot apply to both regular resources/],
    ['rules: [{level: None, resources: [{resourceNames: [a]}]}]', /requires at least one resource/],
    ['rules: [{level: None, omitStages: [Late]}]', /^rules\[0\]\.omitStages\[0\]: Unsupported value: "Late"/],
    ['rules: [{level: None, user: a}]', 'strict decoding error: unknown field "rules[0].user"'],
  ]
  for (const [text, message] of rows)
    await assert.rejects(readAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\n${text}\n`), { message }, text)
  await assert.rejects(readAuditPolicy('kind: Policy\napiVersion: audit.k8s.io/v1beta1\nrules: [{level: None}]'), {
    message: /^no kind "Policy" is registered for version "audit\.k8s\.io\/v1beta1"/,
  })
})
