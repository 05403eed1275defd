// There is no side door around a policy or a webhook: status, subresources, collections, every kind of patch and connections.

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startTestServer, testScope, type TestServer } from '../../test-server.ts'
import { admissionListener, startHook } from '../../webhook/test-hook.ts'
import { behindDoors, customObject, doors } from './side-doors.ts'

const group = '/apis/admissionregistration.k8s.io/v1'
const mallory = { name: 'mallory', groups: ['system:masters'] }
const alice = { name: 'alice', groups: ['system:masters'] }
const words = 'mallory is watched'
const everything = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }
/** Whole objects alone: what a careless author writes. */
const wholeObjects = { ...everything, resources: ['*'] }
type Rule = typeof everything

const guards = {
  async policy(api: TestServer, rule: Rule) {
    const validations = [{ expression: 'request.userInfo.username != "mallory"', message: words }]
    const spec = { matchConstraints: { resourceRules: [rule] }, validations, failurePolicy: 'Fail' }
    await make(api, `${group}/validatingadmissionpolicies`, { metadata: { name: 'watched' }, spec })
    const binding = { policyName: 'watched', validationActions: ['Deny'] }
    await make(api, `${group}/validatingadmissionpolicybindings`, { metadata: { name: 'watched' }, spec: binding })
    return undefined
  },
  'validating webhook': (api: TestServer, rule: Rule) => webhook(api, rule, 'validating'),
  'mutating webhook': (api: TestServer, rule: Rule) => webhook(api, rule, 'mutating'),
} as const

async function make(api: TestServer, path: string, body: unknown): Promise<void> {
  const { status, text } = await api.ask(path, { body })
  assert.equal(status, 201, `${path}: ${text}`)
}

async function webhook(api: TestServer, rule: Rule, kind: 'validating' | 'mutating') {
  const hook = await startHook(
    testScope([], new AbortController().signal),
    admissionListener(({ userInfo }) =>
      userInfo.username === 'mallory' ? { allowed: false, status: { code: 403, message: words } } : {},
    ),
  )
  await make(api, `${group}/${kind}webhookconfigurations`, {
    metadata: { name: 'watched' },
    webhooks: [
      {
        name: 'watched.example.com',
        clientConfig: hook.clientConfig(),
        rules: [rule],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        failurePolicy: 'Fail',
      },
    ],
  })
  return hook
}

async function prepared(): Promise<TestServer> {
  const api = await startTestServer()
  for (const [path, body] of behindDoors) await make(api, path, body)
  await established(api)
  await make(api, ...customObject)
  return api
}

/** The custom kind is served. */
async function established(api: TestServer): Promise<void> {
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?watch=1&allowWatchBookmarks=false'
  const { body } = await api.server.transportFor(alice).send({ method: 'GET', path, headers: {} })
  let text = ''
  for await (const piece of body) {
    text += Buffer.from(piece).toString()
    if (
      /"type":"Established","status":"True"|"status":"True","type":"Established"|"type":"Established"[^}]*"status":"True"|"status":"True"[^}]*"type":"Established"/.test(
        text,
      )
    )
      return
  }
}

/** Doors through which mallory came. */
async function open(api: TestServer): Promise<readonly string[]> {
  const passed: string[] = []
  for (const { what, method, path, type, body } of doors) {
    const headers = type === undefined ? {} : { 'content-type': type }
    const { status, text } = await api.ask(path, {
      method,
      user: mallory,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    if (status < 400 || !text.includes(words)) passed.push(`${what}: ${status} ${text.slice(0, 200)}`)
  }
  return passed
}

void suite('side doors', () => {
  for (const [name, guard] of Object.entries(guards)) {
    void test(`there is none around a ${name}, and each is a door for others`, async () => {
      await using api = await prepared()
      await using _hook = await guard(api, everything)
      const before = (await api.ask('/api/v1/namespaces/web/configmaps')).json['items']
      assert.deepEqual(await open(api), [])
      assert.deepEqual((await api.ask('/api/v1/namespaces/web/configmaps')).json['items'], before)
      assert.equal(((await api.ask('/api/v1/namespaces/web/pods')).json['items'] as readonly unknown[]).length, 2)
      for (const { what, method, path, type, body, isConnect } of doors) {
        const headers = type === undefined ? {} : { 'content-type': type }
        const { status, text } = await api.ask(path, {
          method,
          user: alice,
          headers,
          ...(body === undefined ? {} : { body }),
        })
        if (isConnect === true) assert.ok(!text.includes(words), what)
        else assert.ok(status < 300, `${what}: ${status} ${text}`)
      }
    })
  }

  void test('one that is left open is found: rules for whole objects leave subresources out', async () => {
    await using api = await prepared()
    await guards.policy(api, wholeObjects)
    const passed = (await open(api)).map((one) => one.split(':')[0])
    for (const what of ['a merge patch of a scale', 'a merge patch of a status', 'a binding', 'a command'])
      assert.ok(passed.includes(what), `${what} in ${passed.join(', ')}`)
    assert.ok(!passed.includes('a create'))
  })
})
