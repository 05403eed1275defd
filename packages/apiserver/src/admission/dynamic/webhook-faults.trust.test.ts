// Webhooks that are slow, die in the middle, drip, answer without end, call themselves or match themselves: requests end within thirty
// seconds of the server's clock, and whoever made the mess can always clean it up.

import assert from 'node:assert/strict'
import type { RequestListener, ServerResponse } from 'node:http'
import { suite, test } from 'node:test'
import { systemRandom } from '@aksel/base/ids'
import { logTo, type LogLine } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { sized } from '@aksel/testing/test-size'
import { startTestServer, testScope, type Asked, type TestServer } from '../../test-server.ts'
import { admissionListener, startHook, type TestHook } from '../../webhook/test-hook.ts'

const api = '/apis/admissionregistration.k8s.io/v1'
const maps = '/api/v1/namespaces/default/configmaps'
const everything = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }
const configMaps = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }
const MIB = 1024 ** 2
/** Upstream's longest, and the whole request's. */
const ENDS_MS = 30_000

interface Rig extends AsyncDisposable {
  readonly clock: SimulatedClock
  readonly server: TestServer
  readonly hook: TestHook
  /** Resolves when the hook has been asked so many times in all. */
  asked(times: number): Promise<void>
  configure(kind: 'mutating' | 'validating', webhooks: readonly object[], name?: string): Promise<void>
  make(name: string): Promise<Asked>
}

/** A server whose time stands still, and a hook beside it that answers as `listener` does. */
async function rig(listener: RequestListener, seats = { mutatingMax: 400, readingMax: 800 }): Promise<Rig> {
  const stop = new AbortController()
  const clock = new SimulatedClock()
  const lines: LogLine[] = []
  const log = logTo((line) => void lines.push(line))
  const scope: Scope = { clock, random: systemRandom(), log, signal: stop.signal }
  let count = 0
  const waiting = new Map<number, () => void>()
  const hook = await startHook(testScope([], stop.signal), (request, response) => {
    count += 1
    waiting.get(count)?.()
    listener(request, response)
  })
  const server = await startTestServer({ scope, seats })
  return {
    clock,
    server,
    hook,
    asked: (times) => (count >= times ? Promise.resolve() : new Promise((resolve) => waiting.set(times, resolve))),
    async configure(kind, webhooks, name = 'test') {
      const made = await server.ask(`${api}/${kind}webhookconfigurations`, {
        body: {
          metadata: { name },
          webhooks: webhooks.map((webhook, at) => ({
            name: `w${at}.example.com`,
            clientConfig: hook.clientConfig(`/w${at}`),
            rules: [configMaps],
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
            ...webhook,
          })),
        },
      })
      assert.equal(made.status, 201, made.text)
    },
    make: (name) => server.ask(maps, { body: { metadata: { name } } }),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await hook[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

const silent: RequestListener = () => {}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 50_000; turn++) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.fail('it never came to pass')
}

void suite('webhooks that are slow', () => {
  void test('however many are asked in turn, a request ends within thirty seconds', async () => {
    await using one = await rig(silent)
    const slow = { failurePolicy: 'Ignore' }
    await one.configure('mutating', [
      { ...slow, timeoutSeconds: 20 },
      { ...slow, timeoutSeconds: 30 },
      { ...slow, timeoutSeconds: 30 },
    ])
    await one.configure('validating', [{ timeoutSeconds: 30 }])
    const startMs = one.clock.monotonicMs()
    const request = one.make('a')
    await one.asked(1)
    one.clock.advance(20_000)
    await one.asked(2)
    one.clock.advance(ENDS_MS - 20_000)
    // The third and the one that refuses are not waited for any more.
    const { status, json } = await request
    assert.equal(status, 500)
    assert.match(
      String(json['message']),
      /failed calling webhook "w0.example.com".*\?timeout=30s": context deadline exceeded$/,
    )
    assert.equal(one.clock.monotonicMs() - startMs, ENDS_MS)
    // The next request has time of its own.
    const next = one.make('b')
    await one.asked(3)
    one.clock.advance(ENDS_MS)
    await next
  })

  void test('a collection is deleted or refused within thirty seconds, too', async () => {
    await using one = await rig(silent)
    for (const name of ['a', 'b', 'c', 'd']) assert.equal((await one.make(name)).status, 201)
    await one.configure('validating', [{ timeoutSeconds: 20, failurePolicy: 'Ignore' }])
    const startMs = one.clock.monotonicMs()
    const request = one.server.ask(maps, { method: 'DELETE' })
    await one.asked(1)
    one.clock.advance(20_000)
    await one.asked(2)
    one.clock.advance(10_000)
    assert.equal((await request).status, 200)
    assert.equal(one.clock.monotonicMs() - startMs, ENDS_MS)
  })
})

const faults: Readonly<
  Record<string, { readonly listener: RequestListener; readonly words: RegExp; readonly isSlow?: boolean }>
> = {
  'hangs up without a word': { listener: (_, response) => void response.destroy(), words: /: EOF$/ },
  'dies in the middle of its answer': {
    listener(_, response) {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('{"apiVersion":"admission.k8s.io/v1"', () => response.destroy())
    },
    words: /: unexpected EOF$/,
  },
  'promises gigabytes and dies': {
    listener(_, response) {
      response.writeHead(200, { 'content-length': 8 * 1024 * MIB })
      response.write('{', () => response.destroy())
    },
    words: /: unexpected EOF$/,
  },
  'drips without an end': {
    listener(_, response) {
      response.writeHead(200)
      response.write('{')
    },
    words: /context deadline exceeded/,
    isSlow: true,
  },
  'answers without an end': {
    listener: (_, response) => pour(response, Buffer.alloc(MIB, 0x20)),
    words: /the response is larger than \d+ bytes/,
  },
  'answers with something else': {
    listener: (_, response) => void response.end('<html>'),
    words: /couldn't get version\/kind; json parse error/,
  },
  'nests its answer': {
    listener: (_, response) => void response.end('{"a":'.repeat(100_000)),
    words: /json parse error/,
  },
  'points elsewhere': {
    listener: (_, response) => void response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end(),
    words: /an error on the server|302|redirect/,
  },
}

function pour(response: ServerResponse, piece: Buffer): void {
  response.on('error', () => {})
  const more = (): void => {
    while (!response.destroyed) if (!response.write(piece)) return void response.once('drain', more)
  }
  more()
}

void suite('a webhook that', () => {
  for (const [what, { listener, words, isSlow }] of Object.entries(faults)) {
    void test(`${what} refuses where it must not fail, is passed over where it may, and goes when it is taken away`, async () => {
      await using one = await rig(listener)
      await one.configure('validating', [{}])
      const refused = one.make('a')
      if (isSlow === true) {
        await one.asked(1)
        one.clock.advance(10_000)
      }
      const { status, json } = await refused
      assert.equal(status, 500, what)
      assert.match(
        String(json['message']),
        /^Internal error occurred: failed calling webhook "w0.example.com": failed to call webhook: /,
      )
      assert.match(String(json['message']), words)
      assert.ok(String(json['message']).length < 2000)
      const patched = await one.server.ask(`${api}/validatingwebhookconfigurations/test`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json-patch+json' },
        body: [{ op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Ignore' }],
      })
      assert.equal(patched.status, 200, patched.text)
      const passed = one.make('a')
      if (isSlow === true) {
        await one.asked(2)
        one.clock.advance(10_000)
      }
      assert.equal((await passed).status, 201)
      const gone = await one.server.ask(`${api}/validatingwebhookconfigurations/test`, { method: 'DELETE' })
      assert.equal(gone.status, 200)
      assert.equal((await one.make('b')).status, 201)
    })
  }

  void test('sends a patch that doubles itself is refused, and costs little', async () => {
    const doubling = [
      { op: 'add', path: '/data', value: { a: 'x'.repeat(1000) } },
      ...Array.from({ length: 60 }, (_, at) => ({ op: 'copy', from: '/data', path: `/data/k${at}` })),
    ]
    await using one = await rig(admissionListener(() => ({ patch: doubling })))
    await one.configure('mutating', [{}])
    const { status, json } = await one.make('a')
    assert.equal(status, 500)
    assert.match(String(json['message']), /^Internal error occurred: /)
    assert.equal((await one.server.ask(`${maps}/a`)).status, 404)
  })

  void test('calls the server with what it is asked about ends when the seats of its caller do, and nobody else waits', async () => {
    const bounds = sized({ gate: { mutatingMax: 20, readingMax: 40 }, full: { mutatingMax: 400, readingMax: 800 } })
    const looper = { name: 'system:serviceaccount:default:looper', groups: ['system:serviceaccounts'] }
    /** Of each request within: when it began and ended by the server's clock. */
    const inner: { readonly startMs: number; endMs: number | undefined }[] = []
    let stops = false
    const late: { server?: TestServer } = {}
    const listener = admissionListener(async ({ userInfo }) => {
      if (userInfo.username !== looper.name || stops) return {}
      const { clock } = late.server!.scope
      const asked = { startMs: clock.monotonicMs(), endMs: undefined as number | undefined }
      inner.push(asked)
      const { status } = await late.server!.ask(maps, { user: looper, body: { metadata: { generateName: 'loop-' } } })
      asked.endMs = clock.monotonicMs()
      return { allowed: status === 201 }
    })
    await using one = await rig(listener, bounds)
    const { server } = one
    late.server = server
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: looper.name }]
    await server.ask('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      body: { metadata: { name: 'looper' }, roleRef, subjects },
    })
    await one.configure('validating', [{ timeoutSeconds: 10 }])
    const first = server.ask(maps, { user: looper, body: { metadata: { name: 'first' } } })
    const dumps = '/debug/api_priority_and_fairness/dump_priority_levels'
    await eventually(async () => {
      const line = (await server.ask(dumps)).text.split('\n').find((one) => one.startsWith('workload-low,'))!
      return line.split(/,\s*/)[4] === '1'
    })
    // It turns in its own level until that is full; others are served all the while.
    assert.equal((await one.make('beside')).status, 201)
    assert.equal((await server.ask(maps, { user: { name: 'system:kube-scheduler', groups: [] } })).status, 403)
    one.clock.advance(10_000)
    assert.equal((await first).status, 500)
    stops = true
    const open = (): number => inner.filter(({ endMs }) => endMs === undefined).length
    for (let left = open(); left > 0; left = open()) {
      one.clock.advance(5_000)
      await eventually(async () => open() < left)
    }
    assert.ok(inner.length >= 2)
    const longest = Math.max(...inner.map(({ startMs, endMs }) => endMs! - startMs))
    assert.ok(longest <= ENDS_MS, `${longest}`)
  })
})

const configurations = {
  validatingwebhookconfigurations: { kind: 'ValidatingWebhookConfiguration', body: {} },
  mutatingwebhookconfigurations: { kind: 'MutatingWebhookConfiguration', body: {} },
  validatingadmissionpolicies: {
    kind: 'ValidatingAdmissionPolicy',
    body: { spec: { matchConstraints: { resourceRules: [everything] }, validations: [{ expression: 'true' }] } },
  },
  validatingadmissionpolicybindings: {
    kind: 'ValidatingAdmissionPolicyBinding',
    body: { spec: { policyName: 'x', validationActions: ['Deny'] } },
  },
} as const

void suite('a cluster whose every request is refused by a webhook that matches everything, itself included,', () => {
  const refusing = admissionListener(() => ({ allowed: false, status: { message: 'nobody may anything' } }))

  for (const [plural, { kind, body }] of Object.entries(configurations)) {
    void test(`still takes every change of ${plural}`, async () => {
      await using one = await rig(refusing)
      for (const type of ['validating', 'mutating'] as const)
        await one.configure(type, [{ rules: [everything] }], 'lock')
      assert.match((await one.make('a')).text, /nobody may anything/)
      const path = `${api}/${plural}`
      const whole = { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: 'mine' }, ...body }
      const ways: readonly (readonly [string, string, string, unknown])[] = [
        ['POST', path, 'application/json', whole],
        ['PATCH', `${path}/mine`, 'application/merge-patch+json', { metadata: { labels: { a: 'b' } } }],
        ['PATCH', `${path}/mine`, 'application/strategic-merge-patch+json', { metadata: { labels: { c: 'd' } } }],
        ['PATCH', `${path}/mine`, 'application/json-patch+json', [{ op: 'remove', path: '/metadata/labels/a' }]],
        ['PATCH', `${path}/mine?fieldManager=m&force=true`, 'application/apply-patch+yaml', whole],
        ['PUT', `${path}/mine`, 'application/json', whole],
        ['DELETE', `${path}/mine`, 'application/json', undefined],
        ['POST', path, 'application/json', whole],
        ['DELETE', path, 'application/json', undefined],
      ]
      for (const [method, at, type, sent] of ways) {
        const { status, text } = await one.server.ask(at, {
          method,
          headers: { 'content-type': type },
          ...(sent === undefined ? {} : { body: sent }),
        })
        assert.ok(status < 300, `${method} ${type}: ${text}`)
      }
      for (const type of ['validating', 'mutating'])
        await one.server.ask(`${api}/${type}webhookconfigurations`, { method: 'DELETE' })
      assert.equal((await one.make('a')).status, 201)
    })
  }
})
