// Authorizers by configuration: their order, webhooks with conditions, caches and failures, and files with faults.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { AuthorizationConfiguration, WebhookAuthorizerConfiguration } from '@aksel/api/authorization-configuration'
import { startTestServer, type TestServer } from '../test-server.ts'
import { readAuthorizationConfiguration } from './configuration.ts'
import type { AskReview } from './webhook-authorizer.ts'

const pods = '/api/v1/namespaces/default/pods'
const ann = { name: 'ann', groups: ['devs'], extra: { team: ['red'] } }

const settings: WebhookAuthorizerConfiguration = {
  timeout: '3s',
  subjectAccessReviewVersion: 'v1',
  failurePolicy: 'NoOpinion',
  connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/webhook' },
}

interface Asked {
  readonly apiVersion: string
  readonly spec: Readonly<Record<string, unknown>>
}

interface Rig extends AsyncDisposable {
  readonly server: TestServer
  readonly asked: Asked[]
  answer: { code?: number; status?: unknown } | Error
}

async function rig(changed: Partial<WebhookAuthorizerConfiguration> = {}, before = true): Promise<Rig> {
  const asked: Asked[] = []
  const webhook = { type: 'Webhook', name: 'hook', webhook: { ...settings, ...changed } } as const
  const rbac = { type: 'RBAC', name: 'rbac' } as const
  const configuration: AuthorizationConfiguration = { authorizers: before ? [webhook, rbac] : [rbac, webhook] }
  const own: { answer: Rig['answer'] } = { answer: { status: { allowed: true, reason: 'the hook says so' } } }
  const ask: AskReview = async (review) => {
    asked.push(review as unknown as Asked)
    if (own.answer instanceof Error) throw own.answer
    return { code: own.answer.code ?? 200, body: { status: own.answer.status } }
  }
  const server = await startTestServer({ authorization: { configuration, services: () => ask } })
  return {
    server,
    asked,
    get answer() {
      return own.answer
    },
    set answer(answer) {
      own.answer = answer
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

void suite('a webhook that authorizes', () => {
  void test('is asked what upstream asks, and its answer is kept for a while', async () => {
    await using one = await rig()
    // Allowed; that no node can be asked is another matter.
    assert.equal((await one.server.ask(`${pods}/a/log?x=1`, { user: ann })).status, 503)
    assert.equal((await one.server.ask(`${pods}/a/log`, { user: ann })).status, 503)
    assert.equal(one.asked.length, 1)
    const { apiVersion, spec } = one.asked[0]!
    assert.deepEqual(
      [apiVersion, spec],
      [
        'authorization.k8s.io/v1',
        {
          resourceAttributes: {
            namespace: 'default',
            verb: 'get',
            version: 'v1',
            resource: 'pods',
            subresource: 'log',
            name: 'a',
          },
          user: 'ann',
          groups: ['devs', 'system:authenticated'],
          extra: { team: ['red'] },
        },
      ],
    )
    const annotations = one.server.audit.at(-1)!['annotations'] as Readonly<Record<string, string>>
    assert.equal(annotations['authorization.k8s.io/reason'], 'the hook says so')
    await one.server.ask('/metrics', { user: ann })
    assert.deepEqual(one.asked.at(-1)!.spec['nonResourceAttributes'], { path: '/metrics', verb: 'get' })
    const query =
      'fieldSelector=spec.nodeName%3Da,status.phase!%3DFailed&labelSelector=app%20in%20(x,y),!old,tier,n%3E3'
    await one.server.ask(`${pods}?${query}`, { user: ann })
    const { fieldSelector, labelSelector } = one.asked.at(-1)!.spec['resourceAttributes'] as Record<string, unknown>
    assert.deepEqual(fieldSelector, {
      requirements: [
        { key: 'spec.nodeName', operator: 'In', values: ['a'] },
        { key: 'status.phase', operator: 'NotIn', values: ['Failed'] },
      ],
    })
    assert.deepEqual(labelSelector, {
      requirements: [
        { key: 'app', operator: 'In', values: ['x', 'y'] },
        { key: 'old', operator: 'DoesNotExist' },
        { key: 'tier', operator: 'Exists' },
      ],
    })
    // A name says enough.
    await one.server.ask(`${pods}/a?labelSelector=x`, { user: ann })
    assert.equal((one.asked.at(-1)!.spec['resourceAttributes'] as Record<string, unknown>)['labelSelector'], undefined)
  })

  void test('may deny what roles would allow, and has no say over members of system:masters', async () => {
    await using one = await rig()
    one.answer = { status: { allowed: false, denied: true, reason: 'not today' } }
    const refused = await one.server.ask('/version', { user: ann })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [403, 'forbidden: User "ann" cannot get path "/version": not today'],
    )
    assert.equal((await one.server.ask(pods)).status, 200)
    await using after = await rig({}, false)
    after.answer = { status: { allowed: false, denied: true } }
    assert.equal((await after.server.ask('/version', { user: ann })).status, 200)
    assert.equal(after.asked.length, 0)
  })

  void test('without an opinion leaves the decision to those after it', async () => {
    await using one = await rig()
    one.answer = { status: { allowed: false } }
    assert.equal((await one.server.ask('/version', { user: ann })).status, 200)
    assert.equal((await one.server.ask(pods, { user: ann })).status, 403)
    assert.equal(one.asked.length, 2)
  })

  void test('that does not answer counts as its failure policy says, and whoever is refused hears why', async () => {
    await using open = await rig({ cacheUnauthorizedRequests: false })
    open.answer = { code: 400 }
    assert.equal((await open.server.ask('/version', { user: ann })).status, 200)
    const failed = await open.server.ask(pods, { user: ann })
    assert.deepEqual(
      [failed.status, failed.json['message']],
      [500, `Internal Server Error: "${pods}": the authorization webhook answered 400`],
    )
    await using shut = await rig({ failurePolicy: 'Deny' })
    shut.answer = { code: 400 }
    assert.equal((await shut.server.ask('/version', { user: ann })).status, 500)
    assert.equal(shut.asked.length, 1)
  })

  void test('is tried again where its service may get well', async () => {
    await using one = await rig()
    const ask = one.server.ask('/version', { user: ann })
    one.answer = new Error('connect ECONNREFUSED')
    while (one.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    one.answer = { status: { allowed: true } }
    assert.equal((await ask).status, 200)
  })

  void test('is asked only about what its conditions match; one that fails counts as a failure', async () => {
    const matchConditions = [
      { expression: 'has(request.resourceAttributes)' },
      { expression: "request.resourceAttributes.namespace == 'default' && !('system:nodes' in request.groups)" },
    ]
    const conditions = { matchConditions, matchConditionSubjectAccessReviewVersion: 'v1' } as const
    await using one = await rig(conditions)
    await one.server.ask('/version', { user: ann })
    await one.server.ask('/api/v1/namespaces/other/pods', { user: ann })
    assert.equal(one.asked.length, 0)
    assert.equal((await one.server.ask(pods, { user: ann })).status, 200)
    assert.equal(one.asked.length, 1)
    const failing = { ...conditions, matchConditions: [{ expression: "request.extra['none'][0] == 'a'" }] }
    await using other = await rig({ ...failing, failurePolicy: 'Deny' })
    assert.match(String((await other.server.ask(pods, { user: ann })).json['message']), /resulted in error/)
    assert.equal(other.asked.length, 0)
  })

  void test('answers reviews too, and lists of rules say that they are not whole', async () => {
    await using one = await rig()
    one.answer = { status: { allowed: true, reason: 'yes' } }
    const spec = { user: 'bob', resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'x' } }
    const review = await one.server.ask('/apis/authorization.k8s.io/v1/subjectaccessreviews', { body: { spec } })
    assert.deepEqual(review.json['status'], { allowed: true, reason: 'yes' })
    const rules = await one.server.ask('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      body: { spec: { namespace: 'default' } },
    })
    const { incomplete, evaluationError } = rules.json['status'] as Readonly<Record<string, unknown>>
    assert.deepEqual([incomplete, evaluationError], [true, 'webhook authorizer does not support user rules resolution'])
  })

  void test('comes and goes with its configuration, from the next request on', async () => {
    await using one = await rig()
    assert.equal((await one.server.ask(pods, { user: ann })).status, 200)
    const never = () => () => Promise.reject(new Error('nobody is asked'))
    one.server.server.configureAuthorization({ authorizers: [{ type: 'RBAC', name: 'rbac' }] }, never)
    assert.equal((await one.server.ask(pods, { user: ann })).status, 403)
    one.server.server.configureAuthorization({ authorizers: [{ type: 'AlwaysAllow', name: 'all' }] }, never)
    assert.equal((await one.server.ask(pods, { user: ann })).status, 200)
    one.server.server.configureAuthorization({ authorizers: [{ type: 'AlwaysDeny', name: 'none' }] }, never)
    assert.match(String((await one.server.ask(pods, { user: ann })).json['message']), /Everything is forbidden\.$/)
    assert.equal((await one.server.ask(pods)).status, 200)
  })
})

void test('a configuration of authorizers with faults is refused in words', async () => {
  const hook = (changed: string): string =>
    `[{type: Webhook, name: a, webhook: {timeout: 3s, subjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: /a}${changed}}}]`
  const rows: readonly (readonly [string, RegExp])[] = [
    ['[]', /^authorizers: Required value: at least one authorization mode must be defined$/],
    ['[{type: Magic, name: a}]', /^authorizers\[0\]\.type: Unsupported value: "Magic"/],
    ['[{type: RBAC, name: a}, {type: RBAC, name: b}]', /^authorizers\[1\]\.type: Duplicate value: "RBAC"$/],
    ['[{type: RBAC, name: a}, {type: Node, name: a}]', /^authorizers\[1\]\.name: Duplicate value: "a"$/],
    ['[{type: RBAC, name: A_b}]', /authorizer name is invalid/],
    ['[{type: Webhook, name: a}]', /^authorizers\[0\]\.webhook: Required value: required when type=Webhook$/],
    ['[{type: RBAC, name: a, webhook: {timeout: 3s}}]', /may only be specified when type=Webhook$/],
    [hook(', timeout: 31s').replace('timeout: 3s, ', ''), /timeout: Invalid value: "31s": must be <= 30s$/],
    [hook('').replace('failurePolicy: Deny', 'failurePolicy: Shrug'), /failurePolicy: Unsupported value: "Shrug"/],
    [hook('').replace('/a', 'a'), /must be an absolute path$/],
    [hook(', authorizedTTL: 0s'), /authorizedTTL: Invalid value: "0s": must be > 0s$/],
    [hook(', matchConditions: [{expression: "true"}]'), /required if match conditions are specified$/],
    [
      hook(', matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: "request.nobody"}]'),
      /matchConditions\[0\]\.expression: Invalid value: "request\.nobody": .*undefined field 'nobody'/s,
    ],
    [hook(', colour: red'), /^strict decoding error: unknown field "authorizers\[0\]\.webhook\.colour"$/],
  ]
  for (const [authorizers, message] of rows) {
    const text = `kind: AuthorizationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nauthorizers: ${authorizers}`
    await assert.rejects(readAuthorizationConfiguration(text), { message }, text)
  }
})
