// The files that API servers are guarded by: read at the start, refused with the flag's name, read again when they change.

import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo, type LogLine } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { openApiServerFiles } from './api-server-files.ts'

const encryption = (name: string): string =>
  `{kind: EncryptionConfiguration, apiVersion: apiserver.config.k8s.io/v1, resources: [{resources: [secrets], providers: [{aescbc: {keys: [{name: ${name}, secret: ${Buffer.alloc(32, 1).toString('base64')}}]}}]}]}`

interface Folder extends AsyncDisposable {
  readonly scope: Scope
  readonly lines: LogLine[]
  readonly path: (name: string) => string
  /** In one step, as careful editors do. */
  readonly put: (name: string, text: string) => Promise<string>
}

async function folder(): Promise<Folder> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-files-'))
  const lines: LogLine[] = []
  const stop = new AbortController()
  const scope = {
    clock: systemClock(),
    random: systemRandom(),
    log: logTo((line) => void lines.push(line)),
    signal: stop.signal,
  }
  const path = (name: string): string => join(directory, name)
  return {
    scope,
    lines,
    path,
    async put(name, text) {
      await writeFile(path(`.${name}`), text)
      await rename(path(`.${name}`), path(name))
      return path(name)
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

void suite('files of the API server', () => {
  void test('are refused with the flag that names them', async () => {
    await using here = await folder()
    const path = await here.put('policy', 'kind: Policy\napiVersion: audit.k8s.io/v1\nrules: []\n')
    await assert.rejects(openApiServerFiles(here.scope, { auditPolicyFile: path }), {
      message: `Cannot use "--audit-policy-file ${path}": loaded illegal policy with 0 rules`,
    })
    const none = here.path('none')
    await assert.rejects(openApiServerFiles(here.scope, { encryptionProviderConfig: none }), {
      message: /^Cannot use "--encryption-provider-config .*: ENOENT/,
    })
  })

  void test('are read again when they change, and one with faults changes nothing', async () => {
    await using here = await folder()
    const encryptionProviderConfig = await here.put('encryption', encryption('one'))
    await using files = await openApiServerFiles(here.scope, { encryptionProviderConfig })
    const keyOf = (): string | undefined => files.encryption!.current.resources[0]!.providers[0]!.aescbc!.keys[0]!.name
    assert.equal(keyOf(), 'one')
    const changed = new Promise<void>((resolve) => void files.encryption!.onChange(() => resolve()))
    await here.put('encryption', encryption('two'))
    await changed
    assert.equal(keyOf(), 'two')
    await here.put('encryption', 'rubbish')
    while (!here.lines.some(({ level }) => level === 'error')) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(keyOf(), 'two')
  })

  void test('say who is believed: read, judged, read again, and counted', async () => {
    await using here = await folder()
    const text = (path: string, more = ''): string =>
      `{kind: AuthenticationConfiguration, apiVersion: apiserver.config.k8s.io/v1, ${more} anonymous: {enabled: true, conditions: [{path: ${path}}]}}`
    const jwt =
      'jwt: [{issuer: {url: "https://a.example", audiences: [k]}, claimMappings: {username: {expression: claims.sub}}}],'
    const authenticationConfig = await here.put('authentication', text('/livez', jwt))
    await using files = await openApiServerFiles(here.scope, { authenticationConfig })
    const { authentication } = files
    assert.deepEqual(authentication!.current, {
      jwt: [
        {
          issuer: { url: 'https://a.example', audiences: ['k'] },
          claimMappings: { username: { expression: 'claims.sub' } },
        },
      ],
      anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
    })
    const first = authentication!.reloads
    assert.deepEqual([first.success.count, first.failure.count], [0, 0])
    const changed = new Promise<void>((resolve) => void authentication!.onChange(() => resolve()))
    await here.put('authentication', text('/readyz'))
    await changed
    assert.deepEqual(authentication!.current.anonymous?.conditions, [{ path: '/readyz' }])
    await here.put('authentication', text('livez'))
    while (!here.lines.some(({ level }) => level === 'error')) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(authentication!.current.anonymous?.conditions, [{ path: '/readyz' }])
    const last = authentication!.reloads
    assert.equal(last.success.count, 1)
    assert.ok(last.failure.count >= 1 && last.failure.lastMs! >= last.success.lastMs!)
    assert.notEqual(last.hash, first.hash)
    const rows: readonly (readonly [string, RegExp])[] = [
      [
        text('/a', 'jwt: [{}],'),
        /jwt\[0\]\.issuer\.url: Required value: URL is required, jwt\[0\]\.issuer\.audiences: Required/,
      ],
      [text('/a', 'jwt: [{issuer: {colour: red}}],'), /unknown field "jwt\[0\]\.issuer\.colour"/],
      [text('/a').replace('/v1,', '/v7,'), /no kind "AuthenticationConfiguration" is registered for version/],
    ]
    for (const [content, message] of rows) {
      const path = await here.put('wrong', content)
      await assert.rejects(openApiServerFiles(here.scope, { authenticationConfig: path }), { message })
    }
  })

  void test('lead to webhooks: for audit events, and for reviews', async () => {
    await using here = await folder()
    const authority = await createAuthority(here.scope, { commonName: 'ca', years: 1 })
    const serving = await issue(here.scope, authority, {
      commonName: 'hook',
      ipAddresses: ['127.0.0.1'],
      usages: ['server'],
      days: 1,
    })
    const bodies: Record<string, unknown> = {}
    const hook = createServer({ cert: serving.certificatePem, key: serving.keyPem }, (request, response) => {
      const pieces: Buffer[] = []
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', () => {
        bodies[request.url ?? ''] = JSON.parse(Buffer.concat(pieces).toString())
        response.end(JSON.stringify({ status: { allowed: true, reason: 'fine' } }))
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    const { port } = hook.address() as AddressInfo
    const names = { cluster: 'hook', user: 'apiserver' }
    const config = (path: string): string =>
      renderKubeconfig({ server: `https://127.0.0.1:${port}${path}`, caPem: authority.certificatePem }, names)
    const auditWebhookConfigFile = await here.put('audit', config('/audit'))
    const kubeConfigFile = await here.put('authorize', config('/authorize?x=1'))
    const authorizationConfig = await here.put(
      'authorization',
      `{kind: AuthorizationConfiguration, apiVersion: apiserver.config.k8s.io/v1, authorizers: [{type: Webhook, name: hook, webhook: {timeout: 3s, subjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: ${kubeConfigFile}}}}]}`,
    )
    {
      await using files = await openApiServerFiles(here.scope, { auditWebhookConfigFile, authorizationConfig })
      void files.auditWebhook!({ verb: 'get' })
      const ask = files.authorization!.current.services('hook')
      const answer = await ask({ spec: { user: 'ann' } }, here.scope.signal)
      assert.deepEqual(answer, { code: 200, body: { status: { allowed: true, reason: 'fine' } } })
    }
    hook.closeAllConnections()
    hook.close()
    assert.deepEqual(bodies, {
      '/authorize?x=1': { spec: { user: 'ann' } },
      '/audit': { kind: 'EventList', apiVersion: 'audit.k8s.io/v1', metadata: {}, items: [{ verb: 'get' }] },
    })
  })
})
