// Admission webhooks through the whole server: who is asked, with what, and what comes of the answers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdmissionRequest } from '@aksel/api/types/admission-v1'
import type { ApiServerOptions } from '../../server-options.ts'
import { admin, startTestServer, testScope, type Asked, type TestServer } from '../../test-server.ts'
import { admissionListener, startHook, type Answer, type TestHook } from '../../webhook/test-hook.ts'

const scope = testScope([], new AbortController().signal)

interface Fixture extends AsyncDisposable {
  readonly api: TestServer
  readonly hook: TestHook
  /** `path OPERATION resource/subresource name`, in order. */
  readonly calls: string[]
  readonly requests: AdmissionRequest[]
}

async function fixture(
  judge: (request: AdmissionRequest, at: string) => Answer | Promise<Answer>,
  options: Partial<ApiServerOptions> = {},
): Promise<Fixture> {
  const calls: string[] = []
  const requests: AdmissionRequest[] = []
  const hook = await startHook(
    scope,
    admissionListener((request, path) => {
      const { operation, resource, subResource = '', name = '' } = request
      calls.push(
        `${path} ${operation} ${resource.resource}${subResource === '' ? '' : `/${subResource}`} ${name}`.trim(),
      )
      requests.push(request)
      return judge(request, path)
    }),
  )
  const api = await startTestServer(options)
  await api.ask('/api/v1/namespaces', { body: { metadata: { name: 'web', labels: { team: 'a' } } } })
  return {
    api,
    hook,
    calls,
    requests,
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await hook[Symbol.asyncDispose]()
    },
  }
}

const anything = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }
const configMaps = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }

type Kind = 'validating' | 'mutating'

async function configure(
  { api, hook }: Fixture,
  kind: Kind,
  webhooks: readonly Record<string, unknown>[],
  name = 'test',
): Promise<Asked> {
  const asked = await api.ask(`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`, {
    body: {
      metadata: { name },
      webhooks: webhooks.map((webhook, index) => ({
        name: `w${index}.example.com`,
        clientConfig: hook.clientConfig(`/w${index}`),
        rules: [configMaps],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        ...webhook,
      })),
    },
  })
  assert.equal(asked.status, 201, asked.text)
  return asked
}

const path = '/api/v1/namespaces/web/configmaps'

function configMap(name: string, data: Record<string, string> = {}, labels?: Record<string, string>): unknown {
  return { metadata: { name, ...(labels === undefined ? {} : { labels }) }, data }
}

test('a validating webhook sees the whole request, and its refusal comes back with its words, code and warnings', async () => {
  await using fix = await fixture(({ object }) =>
    (object as { data?: Record<string, string> } | null)?.data?.['bad'] === undefined
      ? { warnings: ['mind this'], auditAnnotations: { seen: 'yes' } }
      : { allowed: false, status: { message: 'bad data', code: 418, reason: 'Teapot' } },
  )
  await configure(fix, 'validating', [{}])
  const fine = await fix.api.ask(`${path}?fieldManager=me`, { body: configMap('a') })
  assert.equal(fine.status, 201)
  assert.equal(fine.headers['warning'], '299 - "mind this"')
  const entry = fix.api.audit.at(-1)!
  assert.equal((entry['annotations'] as Record<string, string>)['w0.example.com/seen'], 'yes')
  const { uid: _uid, object, ...request } = fix.requests[0]!
  assert.equal((object as { metadata: { name: string } }).metadata.name, 'a')
  assert.deepEqual(request, {
    kind: { group: '', version: 'v1', kind: 'ConfigMap' },
    resource: { group: '', version: 'v1', resource: 'configmaps' },
    requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
    requestResource: { group: '', version: 'v1', resource: 'configmaps' },
    name: 'a',
    namespace: 'web',
    operation: 'CREATE',
    userInfo: { username: 'masterclient', groups: ['system:masters', 'system:authenticated'] },
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'me' },
    oldObject: null,
  })
  const refused = await fix.api.ask(path, { body: configMap('b', { bad: 'x' }) })
  assert.equal(refused.status, 418)
  assert.equal(refused.json['message'], 'admission webhook "w0.example.com" denied the request: bad data')
  assert.equal((await fix.api.ask(`${path}/b`)).status, 404)
})

test('a refusal without words or with a success code is a refusal all the same', async () => {
  await using fix = await fixture(() => ({ allowed: false, status: { code: 200 } }))
  await configure(fix, 'validating', [{}])
  const { status, json } = await fix.api.ask(path, { body: configMap('a') })
  assert.deepEqual(
    [status, json['message']],
    [400, 'admission webhook "w0.example.com" denied the request without explanation'],
  )
})

test('mutating webhooks are asked in turn, see each other’s changes, and are asked again where they ask for it', async () => {
  await using fix = await fixture((request, at) => {
    const data = (request.object as { data: Record<string, string> }).data
    const add = (key: string): Answer =>
      data[key] === undefined
        ? { patch: [{ op: 'add', path: `/data/${key}`, value: Object.keys(data).sort().join('') }] }
        : {}
    return add(at.slice(1))
  })
  await configure(fix, 'mutating', [{ reinvocationPolicy: 'IfNeeded' }, {}])
  const made = await fix.api.ask(path, { body: configMap('a', { x: '1' }) })
  assert.deepEqual(made.json['data'], { x: '1', w0: 'x', w1: 'w0x' })
  assert.deepEqual(fix.calls, ['/w0 CREATE configmaps a', '/w1 CREATE configmaps a', '/w0 CREATE configmaps a'])
  const annotations = fix.api.audit.at(-1)!['annotations'] as Record<string, string>
  assert.equal(
    annotations['mutation.webhook.admission.k8s.io/round_0_index_1'],
    '{"configuration":"test","webhook":"w1.example.com","mutated":true}',
  )
})

test('what a webhook changed stands in the audit log where the request does', async () => {
  const patch = [{ op: 'add', path: '/data', value: { a: 'b' } }]
  const auditPolicy = {
    rules: [{ level: 'Request', users: ['ann'] } as const, { level: 'Metadata' } as const],
  }
  await using fix = await fixture(() => ({ patch }), { auditPolicy })
  await configure(fix, 'mutating', [{}])
  const noted = async (name: string, user: { name: string; groups: string[] }): Promise<Record<string, string>> => {
    assert.equal((await fix.api.ask(path, { body: { metadata: { name } }, user })).status, 201)
    return fix.api.audit.at(-1)!['annotations'] as Record<string, string>
  }
  const [whole, bare] = [
    await noted('a', { name: 'ann', groups: ['system:masters'] }),
    await noted('b', { name: 'bob', groups: ['system:masters'] }),
  ]
  const key = 'patch.webhook.admission.k8s.io/round_0_index_0'
  const value = { configuration: 'test', webhook: 'w0.example.com', patch, patchType: 'JSONPatch' }
  assert.deepEqual([JSON.parse(whole[key]!), bare[key]], [value, undefined])
  assert.ok(bare['mutation.webhook.admission.k8s.io/round_0_index_0']!.includes('"mutated":true'))
})

test('what a webhook puts into an object gets its defaults, and unknown fields go', async () => {
  await using fix = await fixture(() => ({
    patch: [{ op: 'add', path: '/spec/initContainers', value: [{ name: 'init', image: 'init:latest', unheardOf: 1 }] }],
  }))
  await configure(fix, 'mutating', [{ rules: [{ ...configMaps, resources: ['pods'] }] }])
  await fix.api.ask('/api/v1/namespaces/web/serviceaccounts', { body: { metadata: { name: 'default' } } })
  const made = await fix.api.ask('/api/v1/namespaces/web/pods', {
    body: { metadata: { name: 'a' }, spec: { containers: [{ name: 'a', image: 'a' }] } },
  })
  const [init] = (made.json['spec'] as { initContainers: Record<string, unknown>[] }).initContainers
  assert.equal(init!['imagePullPolicy'], 'Always')
  assert.equal(init!['terminationMessagePolicy'], 'File')
  assert.equal(init!['unheardOf'], undefined)
})

test('a webhook that cannot be asked holds the request up, or is passed over, as its policy says', async () => {
  await using fix = await fixture(() => ({}))
  const gone = { url: 'https://127.0.0.1:1/', caBundle: fix.hook.caBundle }
  await configure(fix, 'validating', [{ clientConfig: gone }])
  const held = await fix.api.ask(path, { body: configMap('a') })
  assert.deepEqual(
    [held.status, held.json['message']],
    [
      500,
      'Internal error occurred: failed calling webhook "w0.example.com": failed to call webhook: Post "https://127.0.0.1:1/?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
    ],
  )
  await fix.api.ask('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/test', { method: 'DELETE' })
  await configure(fix, 'validating', [{ clientConfig: gone, failurePolicy: 'Ignore' }])
  assert.equal((await fix.api.ask(path, { body: configMap('a') })).status, 201)
  const annotations = fix.api.audit.at(-1)!['annotations'] as Record<string, string>
  assert.equal(annotations['failed-open.validating.webhook.admission.k8s.io/round_0_index_0'], 'w0.example.com')
})

test('what webhooks answered, refused and failed to answer is counted by their names', async () => {
  await using fix = await fixture(({ name }) => ({ allowed: name !== 'bad', status: { code: 403, message: 'no' } }))
  await configure(fix, 'validating', [
    {},
    { clientConfig: { url: 'https://127.0.0.1:1/', caBundle: fix.hook.caBundle }, failurePolicy: 'Ignore' },
  ])
  await fix.api.ask(path, { body: configMap('good') })
  await fix.api.ask(path, { body: configMap('bad') })
  const lines = (await fix.api.ask('/metrics')).text.split('\n')
  for (const line of [
    'apiserver_admission_webhook_admission_duration_seconds_count{name="w0.example.com",operation="CREATE",rejected="false",type="validating"} 1',
    'apiserver_admission_webhook_admission_duration_seconds_count{name="w0.example.com",operation="CREATE",rejected="true",type="validating"} 1',
    'apiserver_admission_webhook_request_total{code="200",name="w0.example.com",operation="CREATE",rejected="false",type="validating"} 1',
    'apiserver_admission_webhook_rejection_count{error_type="no_error",name="w0.example.com",operation="CREATE",rejection_code="403",type="validating"} 1',
    'apiserver_admission_webhook_fail_open_count{name="w1.example.com",type="validating"} 2',
    `rest_client_requests_total{code="200",host="127.0.0.1:${fix.hook.port}",method="POST"} 2`,
    'rest_client_requests_total{code="<error>",host="127.0.0.1:1",method="POST"} 2',
  ])
    assert.ok(lines.includes(line), line)
})

test('match conditions are timed and counted: what they exclude, and what goes wrong in them', async () => {
  await using fix = await fixture(() => ({ allowed: true }))
  const condition = (expression: string) => ({ matchConditions: [{ name: 'c', expression }], failurePolicy: 'Ignore' })
  await configure(fix, 'validating', [
    condition('object.metadata.name != "skip"'),
    condition('object.data["none"] == ""'),
  ])
  await fix.api.ask(path, { body: configMap('skip') })
  await fix.api.ask(path, { body: configMap('good') })
  const lines = (await fix.api.ask('/metrics')).text.split('\n')
  const of = (index: number): string =>
    `{kind="webhook",name="w${index}.example.com",operation="CREATE",type="validating"`
  const family = 'apiserver_admission_match_condition_'
  for (const line of [
    `${family}evaluation_seconds_count${of(0)}} 2`,
    `${family}evaluation_seconds_bucket${of(0)},le="+Inf"} 2`,
    `${family}exclusions_total${of(0)}} 1`,
    `${family}evaluation_errors_total${of(1)}} 2`,
  ])
    assert.ok(lines.includes(line), `${line}\n${lines.filter((one) => one.includes('match_condition')).join('\n')}`)
  assert.ok(!lines.some((line) => line.startsWith(`${family}exclusions_total${of(1)}`)))
})

test('answers that are none are failures: no response, a foreign uid, a patch from a validating webhook', async () => {
  const wrong = async (judge: () => Answer): Promise<unknown> => {
    await using fix = await fixture(judge)
    await configure(fix, 'validating', [{}])
    return (await fix.api.ask(path, { body: configMap('a') })).json['message']
  }
  const prefix = 'Internal error occurred: failed calling webhook "w0.example.com": received invalid webhook response: '
  assert.match(String(await wrong(() => ({ uid: 'other' }))), /expected response\.uid="[-0-9a-f]{36}", got "other"$/)
  assert.equal(await wrong(() => ({ patch: [] })), `${prefix}validating webhook may not return response.patch`)
})

test('the objects that name webhooks and policies are shown to none, so a bad one can be taken away', async () => {
  await using fix = await fixture(() => ({ allowed: false }))
  await configure(fix, 'validating', [{ rules: [anything] }])
  await configure(fix, 'mutating', [{ rules: [anything] }])
  assert.equal((await fix.api.ask(path, { body: configMap('a') })).status, 400)
  for (const kind of ['validating', 'mutating']) {
    const at = `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/test`
    const patched = await fix.api.ask(at, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { labels: { a: 'b' } } },
    })
    assert.equal(patched.status, 200, patched.text)
    assert.equal((await fix.api.ask(at, { method: 'DELETE' })).status, 200)
  }
  assert.deepEqual(fix.calls, ['/w0 CREATE configmaps a'])
  assert.equal((await fix.api.ask(path, { body: configMap('a') })).status, 201)
})

test('rules, selectors and conditions narrow down who is asked', async () => {
  await using fix = await fixture(() => ({}))
  await configure(fix, 'validating', [
    { rules: [{ ...configMaps, operations: ['DELETE'] }] },
    { namespaceSelector: { matchLabels: { team: 'b' } } },
    { objectSelector: { matchLabels: { ask: 'yes' } } },
    { matchConditions: [{ name: 'not-leases', expression: 'object.metadata.name != "skip"' }] },
    { rules: [{ ...configMaps, scope: 'Cluster' }] },
    { rules: [{ ...configMaps, resources: ['*/status'] }] },
  ])
  await fix.api.ask(path, { body: configMap('a', {}, { ask: 'yes' }) })
  await fix.api.ask(path, { body: configMap('skip') })
  assert.deepEqual(fix.calls.toSorted(), ['/w2 CREATE configmaps a', '/w3 CREATE configmaps a'])
  fix.calls.length = 0
  await fix.api.ask(`${path}/a`, { method: 'DELETE' })
  // The condition reads an object that a delete does not have: that is an error, and the policy is Fail.
  const { text } = await fix.api.ask(`${path}/skip`, { method: 'DELETE' })
  assert.match(
    text,
    /configmaps \\"skip\\" is forbidden: expression 'object\.metadata\.name != .*' resulted in error: no such overload/,
  )
})

test('a rule for one version takes requests in another, converted, unless it is exact', async () => {
  await using fix = await fixture(() => ({}))
  const rule = {
    operations: ['*'],
    apiGroups: ['autoscaling'],
    apiVersions: ['v1'],
    resources: ['horizontalpodautoscalers'],
  }
  await configure(fix, 'validating', [{ rules: [rule] }, { rules: [rule], matchPolicy: 'Exact' }])
  const made = await fix.api.ask('/apis/autoscaling/v2/namespaces/web/horizontalpodautoscalers', {
    body: {
      metadata: { name: 'a' },
      spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'a' } },
    },
  })
  assert.equal(made.status, 201, made.text)
  assert.deepEqual(fix.calls, ['/w0 CREATE horizontalpodautoscalers a'])
  const [request] = fix.requests
  assert.deepEqual(
    [request!.kind.version, request!.requestKind!.version, (request!.object as { apiVersion: string }).apiVersion],
    ['v1', 'v2', 'autoscaling/v1'],
  )
})

test('there is no side door: subresources, deletecollection, patches, actions and connections are shown too', async () => {
  await using fix = await fixture(() => ({}))
  await fix.api.ask('/api/v1/namespaces/web/serviceaccounts', { body: { metadata: { name: 'default' } } })
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  await fix.api.ask('/apis/apps/v1/namespaces/web/deployments', {
    body: { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } },
  })
  for (const name of ['p', 'q'])
    await fix.api.ask('/api/v1/namespaces/web/pods', { body: { ...template, metadata: { name } } })
  await configure(fix, 'validating', [{ rules: [anything] }])
  const merge = { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' } }
  const scale = '/apis/apps/v1/namespaces/web/deployments/d/scale'
  await fix.api.ask(scale, { ...merge, body: { spec: { replicas: 2 } } })
  await fix.api.ask('/apis/apps/v1/namespaces/web/deployments/d/status', {
    ...merge,
    body: { status: { replicas: 1 } },
  })
  await fix.api.ask('/apis/apps/v1/namespaces/web/deployments/d', {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', labels: { x: 'y' } } },
  })
  await fix.api.ask('/apis/apps/v1/namespaces/web/deployments/d?fieldManager=f', {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', labels: { x: 'y' } } },
  })
  await fix.api.ask('/api/v1/namespaces/web/pods/p/binding', {
    body: { metadata: { name: 'p' }, target: { name: 'n' } },
  })
  await fix.api.ask('/api/v1/namespaces/web/pods/p/exec?command=ls&stdout=true', { method: 'POST' })
  await fix.api.ask('/api/v1/namespaces/web/serviceaccounts/default/token', { body: { spec: {} } })
  await fix.api.ask('/api/v1/namespaces/web/pods/q/eviction', { body: { metadata: { name: 'q' } } })
  await fix.api.ask('/api/v1/namespaces/web/pods', { method: 'DELETE' })
  const shown = fix.requests.map(({ operation, resource, subResource, kind }) =>
    [operation, `${resource.resource}${subResource === undefined ? '' : `/${subResource}`}`, kind.kind].join(' '),
  )
  assert.deepEqual(shown.slice(0, 8), [
    'UPDATE deployments/scale Scale',
    'UPDATE deployments/status Deployment',
    'UPDATE deployments Deployment',
    'CREATE pods/binding Binding',
    'CONNECT pods/exec PodExecOptions',
    'CREATE serviceaccounts/token TokenRequest',
    'CREATE pods/eviction Eviction',
    'DELETE pods Pod',
  ])
  assert.ok(shown.slice(8).includes('DELETE pods Pod'))
  assert.deepEqual(fix.requests[0]!.object, { ...(fix.requests[0]!.oldObject as object), spec: { replicas: 2 } })
  assert.deepEqual(fix.requests[4]!.object, { kind: 'PodExecOptions', apiVersion: 'v1', stdout: true, command: ['ls'] })
})

test('a webhook that calls the API from within its answer is no loop that holds the server', async () => {
  let depth = 0
  await using fix = await fixture(async () => {
    depth += 1
    if (depth > 3) return {}
    const inner = await fix.api.ask(path, { body: configMap(`inner-${depth}`), user: admin })
    return inner.status === 201 ? {} : { allowed: false }
  })
  await configure(fix, 'validating', [{}])
  assert.equal((await fix.api.ask(path, { body: configMap('a') })).status, 201)
  assert.equal(depth, 4)
})

test('a dry run is told to webhooks, and changes nothing', async () => {
  await using fix = await fixture(() => ({ patch: [{ op: 'add', path: '/data', value: { a: 'b' } }] }))
  await configure(fix, 'mutating', [{}])
  const dry = await fix.api.ask(`${path}?dryRun=All`, { body: { metadata: { name: 'a' } } })
  assert.deepEqual([dry.status, dry.json['data'], fix.requests[0]!.dryRun], [201, { a: 'b' }, true])
  assert.equal((await fix.api.ask(`${path}/a`)).status, 404)
})
