// Audit as an operator has it: flags, a server behind TLS, real requests, files that are put aside, and a service that is slow and dies.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { bothSinks } from '@aksel/apiserver/audit/event'
import type { UserInfo } from '@aksel/apiserver/authentication/user-info'
import { admin, clientCertificate, listenForTest, startTestServer, type TestServer } from '@aksel/apiserver/test-server'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { readBody } from '@aksel/client/response-body'
import { createHttpsTransport, type HttpsTransport } from '@aksel/runtime/https-transport'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { openApiServerFiles } from './api-server-files.ts'
import { openAuditLog } from './audit-log.ts'
import { readServerOptions } from './options.ts'

type Event = Readonly<Record<string, unknown>>
type Caller = UserInfo | { readonly token: string }

interface Asked {
  readonly status: number
  readonly auditId: string
  readonly text: string
}

/** One server with the audit that the flags say. */
interface Rig extends AsyncDisposable {
  readonly ask: (caller: Caller, method: string, path: string, body?: unknown) => Promise<Asked>
  /** The counter of events that were lost by `plugin`, as it reads over the wire. */
  readonly lost: (plugin: string) => Promise<number>
  /** What the file that is written to has. */
  readonly current: () => Promise<string>
  /** All files of the log, closed, the oldest first. */
  readonly files: () => Promise<readonly { readonly name: string; readonly bytes: number; readonly events: Event[] }[]>
}

const scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}
/** Of a file of the log. */
const LIMIT = 8 * 1024
const maps = '/api/v1/namespaces/default/configmaps'

async function rig(flags: readonly string[], fileMaxBytes = 0): Promise<Rig> {
  await using opened = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'aksel-audit-'))
  opened.defer(() => rm(directory, { recursive: true }))
  const { apiServer } = readServerOptions(flags, {})
  const files = opened.use(await openApiServerFiles(scope, apiServer))
  const limits = { fileMaxBytes, backupsMax: 0, ageMaxDays: 0 }
  const log = opened.use(
    await openAuditLog(scope, join(directory, 'audit.jsonl'), { ...limits, lost: files.auditErrors }),
  )
  const server = opened.use(
    await startTestServer({
      ...(files.auditPolicy === undefined ? {} : { auditPolicy: files.auditPolicy }),
      auditErrors: files.auditErrors,
      audit: files.auditWebhook === undefined ? log.write : bothSinks(log.write, files.auditWebhook),
    }),
  )
  const send = await callers(server, opened.use(new AsyncDisposableStack()))
  const resources = opened.move()
  return {
    ask: send,
    async lost(plugin) {
      const { text } = await send(admin, 'GET', '/metrics')
      const [, count] = new RegExp(`^apiserver_audit_error_total\\{plugin="${plugin}"\\} (\\d+)$`, 'm').exec(text) ?? []
      return Number(count ?? 0)
    },
    // While one file takes the place of another there is none for a moment.
    current: () => readFile(join(directory, 'audit.jsonl'), 'utf8').catch(() => ''),
    async files() {
      await log[Symbol.asyncDispose]()
      const names = (await readdir(directory)).sort(
        (a, b) => Number(a === 'audit.jsonl') - Number(b === 'audit.jsonl') || (a < b ? -1 : 1),
      )
      return Promise.all(
        names.map(async (name) => {
          const path = join(directory, name)
          const { size, mode } = await stat(path)
          assert.equal(mode & 0o777, 0o600, name)
          const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
          return { name, bytes: size, events: lines.map((line) => JSON.parse(line) as Event) }
        }),
      )
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

/** A connection for each of those who ask, by certificate or token. */
async function callers(server: TestServer, clients: AsyncDisposableStack): Promise<Rig['ask']> {
  const { url } = await listenForTest(server)
  const caPem = server.authority.certificatePem
  const transports = new Map<Caller, Promise<HttpsTransport>>()
  const transportOf = async (caller: Caller): Promise<HttpsTransport> => {
    if ('token' in caller) return createHttpsTransport({ server: url, caPem, token: caller.token })
    const { certificatePem, keyPem } = await clientCertificate(server, caller)
    return createHttpsTransport({ server: url, caPem, certPem: certificatePem, keyPem })
  }
  return async (caller, method, path, body) => {
    let opening = transports.get(caller)
    if (opening === undefined) transports.set(caller, (opening = transportOf(caller).then((it) => clients.use(it))))
    const transport = await opening
    const answer = await transport.send({
      method,
      path,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    })
    const text = Buffer.from(await readBody(answer.body)).toString()
    return { status: answer.status, auditId: answer.headers['audit-id'] ?? '', text }
  }
}

/** A service that gets audit events: it answers as `mode` says at the time. */
interface Hook extends AsyncDisposable {
  mode: 'answers' | 'holds' | 'breaks' | 'is overloaded'
  readonly kubeconfig: string
  /** Batches as they came whole, and were answered in the end. */
  readonly taken: readonly (readonly Event[])[]
  /** How often it was called. */
  readonly calls: () => number
  readonly release: () => void
}

async function hook(directory: string): Promise<Hook> {
  const authority = await createAuthority(scope, { commonName: 'ca', years: 1 })
  const serving = await issue(scope, authority, {
    commonName: 'hook',
    ipAddresses: ['127.0.0.1'],
    usages: ['server'],
    days: 1,
  })
  const taken: (readonly Event[])[] = []
  const held: (() => void)[] = []
  let calls = 0
  const server: Server = createServer({ cert: serving.certificatePem, key: serving.keyPem }, (request, response) => {
    calls += 1
    const pieces: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () =>
      answer(response, JSON.parse(Buffer.concat(pieces).toString()) as { readonly items: Event[] }),
    )
  })
  const answer = (response: ServerResponse, { items }: { readonly items: readonly Event[] }): void => {
    const take = (): void => {
      taken.push(items)
      response.end('{}')
    }
    if (own.mode === 'answers') take()
    else if (own.mode === 'holds') held.push(take)
    else if (own.mode === 'breaks') response.destroy()
    else response.writeHead(429).end()
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const kubeconfig = join(directory, 'hook')
  const names = { cluster: 'hook', user: 'apiserver' }
  await writeFile(
    kubeconfig,
    renderKubeconfig({ server: `https://127.0.0.1:${port}/audit`, caPem: authority.certificatePem }, names),
  )
  const own: Hook = {
    mode: 'answers',
    kubeconfig,
    taken,
    calls: () => calls,
    release() {
      own.mode = 'answers'
      for (const take of held.splice(0)) take()
    },
    async [Symbol.asyncDispose]() {
      own.release()
      server.closeAllConnections()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
  return own
}

async function temporary(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'aksel-audit-files-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

/** Bounded by the test's own time. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve))
}

const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, nonResourceURLs: ["/livez*"]}
  - {level: RequestResponse, resources: [{resources: [configmaps]}]}
  - {level: Request, resources: [{resources: [limitranges]}]}
  - {level: Metadata, verbs: [watch], omitStages: [ResponseComplete]}
  - {level: Metadata}
`
const eve: UserInfo = { name: 'eve', groups: ['people'] }

void suite('audit over TLS', { timeout: 300_000 }, () => {
  void test('by policy, in files that are put aside: four levels, stages that are left out, refused requests too', async () => {
    await using here = await temporary()
    await writeFile(join(here.path, 'policy'), policy)
    await using own = await rig(['--audit-policy-file', join(here.path, 'policy')], LIMIT)
    const stranger = { token: 'very-secret-token' }
    const limits = '/api/v1/namespaces/default/limitranges'
    const limit = { metadata: { name: 'l' }, spec: { limits: [{ type: 'Pod', max: { cpu: '2' } }] } }
    const rows = [
      [admin, 'GET', '/livez', undefined, 200, undefined],
      [admin, 'POST', limits, limit, 201, { level: 'Request', bodies: [true, false] }],
      [admin, 'GET', '/api/v1/nodes', undefined, 200, { level: 'Metadata', bodies: [false, false] }],
      [admin, 'GET', '/nowhere', undefined, 404, { level: 'Metadata', bodies: [false, false] }],
      [
        admin,
        'POST',
        maps,
        { metadata: { name: 'Bad_Name' } },
        422,
        { level: 'RequestResponse', bodies: [true, true] },
      ],
      [admin, 'DELETE', `${maps}/none`, undefined, 404, { level: 'RequestResponse', bodies: [false, true] }],
      [eve, 'DELETE', `${maps}/none`, undefined, 403, { level: 'RequestResponse', bodies: [false, true] }],
      [stranger, 'GET', '/api/v1/nodes', undefined, 401, { level: 'Metadata', bodies: [false, false] }],
      ...Array.from({ length: 40 }, (_, at) => {
        const body = { metadata: { name: `m${at}` }, data: { key: 'x'.repeat(200) } }
        return [admin, 'POST', maps, body, 201, { level: 'RequestResponse', bodies: [true, true] }] as const
      }),
    ] as const
    const asked: Asked[] = []
    for (const [caller, method, path, body, status] of rows) {
      const one = await own.ask(caller, method, path, body)
      assert.equal(one.status, status, `${method} ${path}: ${one.text}`)
      // What answers together is written together: each ten are waited for, so that they come in several files.
      if (asked.push(one) % 10 === 0) await until(async () => (await own.current()).includes(one.auditId))
    }
    const files = await own.files()
    assert.ok(files.length >= 3, `${files.length} files`)
    // Ten events at most are written at once, and begin a file of their own where they would make one too large.
    for (const { name, bytes, events } of files)
      assert.ok(bytes <= LIMIT || events.length <= 10, `${name} has ${bytes} bytes`)
    const events = files.flatMap((file) => file.events)
    assert.ok(events.every(({ stage }) => stage !== 'RequestReceived'))
    for (const [at, [, method, path, , status, wanted]] of rows.entries()) {
      const found = events.filter(({ auditID }) => auditID === asked[at]!.auditId)
      const seen = found.map(({ level, requestObject, responseObject, responseStatus }) => ({
        level,
        bodies: [requestObject !== undefined, responseObject !== undefined],
        code: (responseStatus as Event)['code'],
      }))
      assert.deepEqual(seen, wanted === undefined ? [] : [{ ...wanted, code: status }], `${method} ${path}`)
    }
    assert.ok(!JSON.stringify(events).includes(stranger.token))
    const inOrder = events
      .map(({ objectRef }) => (objectRef as Event | undefined)?.['name'])
      .filter((name) => /^m\d/.test(String(name)))
    assert.deepEqual(
      inOrder,
      Array.from({ length: 40 }, (_, at) => `m${at}`),
    )
  })

  const quick = (file: string): readonly string[] =>
    Object.entries({
      'config-file': file,
      'batch-max-size': '5',
      'batch-buffer-size': '20',
      'batch-max-wait': '20ms',
      'batch-throttle-qps': '1000',
      'batch-throttle-burst': '1000',
      'initial-backoff': '10ms',
    }).flatMap(([name, value]) => [`--audit-webhook-${name}`, value])
  const idsOf = (all: readonly (readonly Event[])[]): ReadonlySet<unknown> =>
    new Set(all.flat().map(({ auditID }) => auditID))

  void test('a service that is slow holds up no request: what does not fit is lost, and counted', async () => {
    await using here = await temporary()
    await using service = await hook(here.path)
    service.mode = 'holds'
    await using own = await rig(quick(service.kubeconfig))
    // Fifteen batches of five are under way and twenty events wait.
    const asked = await Promise.all(Array.from({ length: 200 }, () => own.ask(admin, 'GET', maps)))
    assert.ok(asked.every(({ status }) => status === 200))
    assert.deepEqual(service.taken, [])
    assert.ok((await own.lost('buffered')) >= 200 - 75 - 20, String(await own.lost('buffered')))
    assert.ok(service.calls() <= 15, `${service.calls()} calls`)
    service.release()
    await until(() => service.taken.flat().length > 20)
    const later = await own.ask(admin, 'GET', maps)
    await until(() => idsOf(service.taken).has(later.auditId))
    const missing = (): number => {
      const taken = idsOf(service.taken)
      return asked.filter(({ auditId }) => !taken.has(auditId)).length
    }
    await until(async () => missing() <= (await own.lost('buffered')))
    assert.ok(missing() > 0)
    assert.equal(await own.lost('webhook'), 0)
    assert.ok(service.taken.every(({ length }) => length <= 5))
  })

  void test('a service in the way has each event before the answer; without it nothing is done in the strict mode', async () => {
    await using here = await temporary()
    await using service = await hook(here.path)
    await using own = await rig([...quick(service.kubeconfig), '--audit-webhook-mode', 'blocking-strict'])
    const { auditId } = await own.ask(admin, 'GET', maps)
    const taken = service.taken.flat().filter((event) => event.auditID === auditId)
    assert.deepEqual(
      taken.map(({ stage }) => stage),
      ['RequestReceived', 'ResponseComplete'],
    )
    assert.ok(service.taken.every(({ length }) => length === 1))
    service.mode = 'breaks'
    const refused = await own.ask(admin, 'POST', maps, { metadata: { name: 'unrecorded' } })
    assert.deepEqual(
      [refused.status, refused.text],
      [500, `Internal Server Error: "${maps}": failed to store audit event\n`],
    )
    service.mode = 'answers'
    assert.equal((await own.ask(admin, 'GET', `${maps}/unrecorded`)).status, 404)
  })

  void test('a service that breaks off or is overloaded gets its batch again, and one that stays dead loses it', async () => {
    await using here = await temporary()
    await using service = await hook(here.path)
    await using own = await rig(quick(service.kubeconfig))
    for (const mode of ['breaks', 'is overloaded'] as const) {
      const before = service.calls()
      service.mode = mode
      const { status, auditId } = await own.ask(admin, 'GET', maps)
      assert.equal(status, 200)
      await until(() => service.calls() > before + 1)
      service.mode = 'answers'
      await until(() => idsOf(service.taken).has(auditId))
      assert.equal(await own.lost('webhook'), 0, mode)
    }
    service.mode = 'breaks'
    const { auditId } = await own.ask(admin, 'GET', maps)
    await until(async () => (await own.lost('webhook')) >= 2)
    assert.ok(!idsOf(service.taken).has(auditId))
    service.mode = 'answers'
    const again = await own.ask(admin, 'GET', maps)
    await until(() => idsOf(service.taken).has(again.auditId))
  })
})

test('flags of the audit service that make no sense are refused by name', () => {
  const rows: readonly (readonly [readonly string[], RegExp])[] = [
    [['--audit-webhook-batch-max-wait', '30'], /^Error: Cannot read "--audit-webhook-batch-max-wait 30": a duration/],
    [
      ['--audit-webhook-batch-max-size', '0'],
      /^Error: Cannot read "--audit-webhook-batch-max-size 0": a number above 0/,
    ],
    [['--audit-webhook-batch-max-size', '20000'], /max batch size 20000, can't be bigger than buffer size/],
    [['--audit-webhook-truncate-max-batch-size', '100'], /must be at least as large as --audit-webhook-truncate-max-/],
  ]
  const mode =
    /^Error: Cannot use "--audit-log-mode never": invalid audit log mode never, allowed modes are "batch,blocking,blocking-strict"$/
  assert.throws(() => readServerOptions(['--audit-log-mode', 'never'], {}), mode)
  assert.throws(() => readServerOptions(['--audit-webhook-mode', 'never'], {}), /invalid audit webhook mode never/)
  const { auditLog } = readServerOptions(['--audit-log-path', '/var/log/a.log', '--audit-log-mode', 'blocking'], {})
  assert.deepEqual([auditLog.path, auditLog.mode], ['/var/log/a.log', 'blocking'])
  assert.equal(readServerOptions(['--audit-log-path', '-'], {}).auditLog.path, '-')
  for (const [flags, message] of rows) assert.throws(() => readServerOptions(flags, {}), message)
  const { auditWebhookBatches } = readServerOptions(['--audit-webhook-batch-max-wait', '1m1.5s'], {}).apiServer
  assert.equal(auditWebhookBatches!.batchMaxWaitMs, 61_500)
  assert.equal(auditWebhookBatches!.truncate, undefined)
  const cut = readServerOptions(['--audit-webhook-truncate-enabled'], {}).apiServer.auditWebhookBatches
  assert.deepEqual(cut!.truncate, { eventMaxBytes: 102_400, batchMaxBytes: 10_485_760 })
})
