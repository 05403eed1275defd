// Kinds that are sealed by a key management service, over its real protocol: what is asked of it and when, while its key changes,
// while it is away, and when it answers nonsense.

import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { suite, test } from 'node:test'
import { startKmsPlugin, type KmsPlugin } from '@aksel/testing/kms-plugin'
import { testScope as simulatedScope, type TestScope } from '@aksel/testing/test-scope'
import { createMemoryStore } from '@aksel/store/memory-store'
import { admin, startTestServer, testScope, type TestServer } from '../../test-server.ts'
import { identityOf } from '../../identity/identity-lease.ts'
import { readEncryptionConfiguration } from '../configuration.ts'
import { kmsFault, openEncryption, type OpenedEncryption } from '../encryption.ts'
import { encodeEnvelope, openerOf, seedSealer, sourceTypes } from './envelope.ts'
import { connectKms } from './grpc-service.ts'
import { hashOf, keyIdFault, sealedSeedFault } from './protocol.ts'

const PLAIN = 'planted-secret-value'
const path = '/api/v1/namespaces/default/secrets'

interface Sealing extends AsyncDisposable {
  readonly plugin: KmsPlugin
  /** Simulated time, which the provider alone goes by. */
  readonly scope: TestScope
  readonly encryption: OpenedEncryption
}

async function open(plugin: KmsPlugin, scope: TestScope): Promise<OpenedEncryption> {
  const text = `{kind: EncryptionConfiguration, apiVersion: apiserver.config.k8s.io/v1, resources: [{resources: [secrets],
    providers: [{kms: {apiVersion: v2, name: vault, endpoint: "${plugin.endpoint}", timeout: 2s}}, {identity: {}}]}]}`
  return openEncryption(scope, await readEncryptionConfiguration(text))
}

async function sealing(): Promise<Sealing> {
  const plugin = await startKmsPlugin()
  const scope = simulatedScope()
  const encryption = await open(plugin, scope)
  return {
    plugin,
    scope,
    encryption,
    async [Symbol.asyncDispose]() {
      encryption[Symbol.dispose]()
      scope.abort()
      await plugin[Symbol.asyncDispose]()
    },
  }
}

async function create(server: TestServer, name: string): Promise<void> {
  const { status, text } = await server.ask(path, { body: { metadata: { name }, stringData: { password: PLAIN } } })
  assert.equal(status, 201, text)
}

async function stored(server: TestServer, name: string): Promise<string> {
  const found = await server.store.get(`clusters/test/secrets/default/${name}`)
  return Buffer.from(found?.value ?? '').toString('latin1')
}

/** Writes what is there once more. */
async function replace(server: TestServer, name: string): Promise<string> {
  const { json } = await server.ask(`${path}/${name}`)
  const { status, text } = await server.ask(`${path}/${name}`, { method: 'PUT', body: json })
  assert.equal(status, 200, text)
  return stored(server, name)
}

const names = (plugin: KmsPlugin): readonly string[] => plugin.calls.map(({ name }) => name)

/** Time goes on past the next question of the provider, and the answer has come: some promises and a socket later. */
async function asked(here: Sealing, ms: number): Promise<void> {
  const before = here.plugin.calls.length
  here.scope.clock.advance(ms)
  await until(() => here.plugin.calls.length > before)
  await here.encryption.kms!.get('vault')!.check()
}

async function until(holds: () => boolean): Promise<void> {
  for (const endMs = Date.now() + 10_000; !holds(); await new Promise((resolve) => setImmediate(resolve)))
    if (Date.now() > endMs) throw new Error(`not within 10 s: ${holds.toString()}`)
}

void suite('a key management service', () => {
  void test('seals one seed, with which all values are sealed; a server that starts anew asks for it once', async () => {
    await using here = await sealing()
    const { plugin, encryption, scope } = here
    await using store = createMemoryStore(testScope([], new AbortController().signal))
    {
      await using server = await startTestServer({ encryption, store })
      for (let i = 0; i < 20; i++) await create(server, `s${i}`)
      const raw = await stored(server, 's3')
      assert.ok(raw.startsWith('k8s:enc:kms:v2:vault:'), raw.slice(0, 40))
      assert.ok(!raw.includes(PLAIN) && !raw.includes(Buffer.from(PLAIN).toString('base64')))
      assert.notEqual(raw.slice(40, 80), (await stored(server, 's4')).slice(40, 80))
      assert.equal((await server.ask(`${path}/s3`)).status, 200)
    }
    assert.deepEqual(names(plugin), ['Status', 'Encrypt'])
    using again = await open(plugin, scope)
    await using server = await startTestServer({ encryption: again, store })
    const before = names(plugin).length
    const [list, one] = await Promise.all([server.ask(path), server.ask(`${path}/s7`)])
    assert.equal((list.json['items'] as readonly unknown[]).length, 20)
    assert.equal((one.json['data'] as { password: string }).password, Buffer.from(PLAIN).toString('base64'))
    assert.deepEqual(
      plugin.calls.slice(before).map(({ name, keyId }) => [name, keyId]),
      [['Decrypt', '1']],
    )
    assert.equal(new Set(plugin.calls.flatMap(({ uid }) => uid ?? [])).size, 3)
  })

  void test('a watch waits for a seed that must be opened first, and tells everything in order', async () => {
    await using here = await sealing()
    const { plugin, encryption, scope } = here
    await using store = createMemoryStore(testScope([], new AbortController().signal))
    await using writer = await startTestServer({ encryption, store })
    // Another server of the same store, with a seed of its own.
    using second = await open(plugin, scope)
    await using reader = await startTestServer({ encryption: second, store })
    const { body } = await reader.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${path}?watch=1&resourceVersion=0`, headers: {} })
    const events = body[Symbol.asyncIterator]()
    // The watch begins with its first reader.
    let first: ReturnType<typeof events.next> | undefined = events.next()
    // A service that does not answer holds events up, those that need no answer too.
    plugin.answers.behaviour = 'silent'
    await create(writer, 'a')
    await create(reader, 'b')
    await until(() => names(plugin).includes('Decrypt'))
    plugin.answers.behaviour = 'well'
    scope.clock.advance(2000)
    const seen: string[] = []
    let text = ''
    while (seen.length < 2) {
      text += Buffer.from((await (first ?? events.next())).value as Uint8Array).toString()
      first = undefined
      const lines = text.split('\n')
      text = lines.pop()!
      for (const line of lines)
        seen.push((JSON.parse(line) as { object: { metadata: { name: string } } }).object.metadata.name)
    }
    assert.deepEqual(seen, ['a', 'b'])
    await events.return!()
  })

  void test('another key: new values by a new seed, old ones stay readable and are written anew when they are replaced', async () => {
    await using here = await sealing()
    const { plugin, encryption } = here
    await using server = await startTestServer({ encryption })
    await create(server, 'a')
    const first = await replace(server, 'a')
    assert.equal(await replace(server, 'a'), first)
    plugin.answers.keyId = '2'
    await asked(here, 60_000)
    assert.deepEqual(names(plugin), ['Status', 'Encrypt', 'Status', 'Encrypt'])
    assert.equal((await server.ask(`${path}/a`)).status, 200)
    const second = await replace(server, 'a')
    assert.notEqual(second, first)
    assert.equal(await replace(server, 'a'), second)
    assert.deepEqual(names(plugin), ['Status', 'Encrypt', 'Status', 'Encrypt'])
    // Status and Encrypt speak of two keys: nothing changes until they agree.
    plugin.answers.keyId = '3'
    plugin.answers.encryptKeyId = '2'
    await asked(here, 60_000)
    assert.match(
      (await kmsFault(encryption)) ?? '',
      /failed to rotate DEK uid="[0-9a-f-]{36}", useSeed=true, errGen=<nil>, statusKeyIDHash="sha256:/,
    )
    assert.equal(await replace(server, 'a'), second)
  })

  void test('away, it is missed by reads of what it alone can open at once, by writes after three minutes, by health checks', async () => {
    await using here = await sealing()
    const { plugin, scope, encryption } = here
    await using server = await startTestServer({ encryption })
    const health = async (): Promise<readonly [number, string]> => {
      const { status, text } = await server.ask('/readyz/kms-providers')
      return [status, text]
    }
    await create(server, 'a')
    await replace(server, 'a')
    assert.deepEqual(await health(), [200, 'ok'])
    plugin.answers.behaviour = 'failing'
    await asked(here, 60_000)
    const refused = 'rpc error: code = FailedPrecondition desc = failed precondition - key disabled'
    assert.deepEqual(await health(), [
      500,
      `internal server error: kms-provider-0: failed to perform status section of the healthz check for KMS Provider vault, error: ${refused}\n`,
    ])
    assert.match((await server.ask('/readyz')).text, /\[-\]kms-providers failed: reason withheld/)
    await create(server, 'b')
    for (let i = 0; i < 13; i++) await asked(here, 10_000)
    const { status, json } = await server.ask(path, { body: { metadata: { name: 'c' } } })
    assert.equal(status, 500)
    assert.match(
      String(json['message']),
      /^Internal error occurred: encryptedDEKSource with keyID hash "sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b" expired at 2026-01-01T00:03:00Z \(current time is 2026-01-01T00:0\d:\d\dZ\)$/,
    )
    assert.equal((await server.ask(`${path}/a`)).status, 200)
    const before = await stored(server, 'a')
    assert.equal(await replace(server, 'a'), before, 'a replace without a change takes no key')
    plugin.answers.behaviour = 'well'
    await asked(here, 10_000)
    await create(server, 'c')
    assert.deepEqual(await health(), [200, 'ok'])
    // One that takes calls and never answers is given up after the timeout.
    plugin.answers.behaviour = 'silent'
    const count = plugin.calls.length
    scope.clock.advance(60_000)
    await until(() => plugin.calls.length > count)
    scope.clock.advance(2000)
    await until(() =>
      scope.lines.some(({ fields }) =>
        String(fields?.['fault']).includes('DeadlineExceeded desc = context deadline exceeded'),
      ),
    )
  })

  void test('that comes after the server: nothing of its kinds is read or written until then, all else is', async () => {
    const plugin = await startKmsPlugin()
    plugin.stop()
    await using _ = plugin
    const scope = simulatedScope()
    const opening = open(plugin, scope)
    await until(() => scope.clock.timerCount > 0)
    scope.clock.advance(2000)
    using encryption = await opening
    await using server = await startTestServer({ encryption })
    const refused = await server.ask(path, { body: { metadata: { name: 'a' } } })
    assert.deepEqual(
      [refused.status, refused.json['message']],
      [500, 'Internal error occurred: got unexpected nil transformer'],
    )
    const maps = '/api/v1/namespaces/default/configmaps'
    assert.equal((await server.ask(maps, { body: { metadata: { name: 'a' } } })).status, 201)
    await plugin.start()
    scope.clock.advance(10_000)
    await until(() => names(plugin).includes('Encrypt'))
    assert.equal(await encryption.kms!.get('vault')!.check(), undefined)
    await create(server, 'a')
  })

  void test('what it answers is judged in upstream’s words', async () => {
    await using here = await sealing()
    const { plugin, encryption } = here
    const rows: readonly (readonly [Partial<KmsPlugin['answers']>, RegExp])[] = [
      [
        { healthz: 'sick' },
        /^kms-provider-0: kmsv2 Provider vault is not healthy, error: got unexpected healthz status: sick$/,
      ],
      [{ version: 'v3' }, /error: expected KMSv2 API version v2, got v3$/],
      [{ version: 'v2beta1' }, /should not change after the initial status response version v2, got v2beta1$/],
      [{ keyId: '' }, /error: got invalid KMSv2 KeyID hash "": keyID is empty$/],
      [{ keyId: 'x'.repeat(1025) }, /keyID is 1025 bytes, which exceeds the max size of 1024$/],
      [
        { healthz: 'sick', keyId: '' },
        /error: \[got unexpected healthz status: sick, got invalid KMSv2 KeyID hash "": keyID is empty\]$/,
      ],
    ]
    for (const [answers, message] of rows) {
      Object.assign(plugin.answers, { keyId: '1', version: 'v2', healthz: 'ok', ...answers })
      here.scope.clock.advance(60_000)
      assert.match((await kmsFault(encryption)) ?? 'well', message)
    }
    assert.equal(keyIdFault('a'), undefined)
    const seed = { ciphertext: Buffer.from('a'), keyId: 'a', annotations: {} }
    assert.equal(sealedSeedFault(seed), undefined)
    assert.match(sealedSeedFault({ ...seed, ciphertext: Buffer.alloc(0) })!, /encrypted DEK source is empty$/)
    assert.match(sealedSeedFault({ ...seed, ciphertext: Buffer.alloc(1025) })!, /is 1025 bytes, which exceeds the max/)
    assert.match(sealedSeedFault({ ...seed, annotations: { short: Buffer.alloc(1) } })!, /at least two segments/)
    assert.match(
      sealedSeedFault({ ...seed, annotations: { 'a.b': Buffer.alloc(33_000) } })!,
      /total size of annotations/,
    )
  })

  void test('is measured: keys by the hash of their names, calls by how they ended', async () => {
    await using here = await sealing()
    const { plugin, encryption, scope } = here
    await using server = await startTestServer({ encryption, hostName: 'host', scope })
    const secret = 'the name of a key is told to nobody'
    await create(server, 'a')
    plugin.answers.keyId = secret
    await asked(here, 60_000)
    await replace(server, 'a')
    await create(server, 'b')
    assert.equal((await server.ask(path)).status, 200)
    plugin.answers.keyId = ''
    await asked(here, 60_000)
    const { text } = await server.ask('/metrics')
    assert.ok(!text.includes(secret))
    const [first, second] = ['1', secret].map((id) => hashOf(id))
    const own = hashOf(identityOf('host'))
    const sample = (name: string, labels: string): number | undefined => {
      const found = text
        .split('\n')
        .find((line) => line.startsWith(`apiserver_envelope_encryption_${name}{${labels}} `))
      return found === undefined ? undefined : Number(found.split(' ').at(-1))
    }
    const uses = (key: string, type: string): number | undefined =>
      sample(
        'key_id_hash_total',
        `apiserver_id_hash="${own}",key_id_hash="${key}",provider_name="vault",transformation_type="${type}"`,
      )
    assert.equal(uses(first!, 'to_storage'), 1)
    assert.equal(uses(second!, 'to_storage'), 2)
    const known = `apiserver_id_hash="${own}",key_id_hash="${second}",provider_name="vault"`
    const nowSeconds = scope.clock.now() / 1000
    assert.equal(sample('key_id_hash_status_last_timestamp_seconds', known), nowSeconds - 60)
    assert.equal(
      sample('key_id_hash_last_timestamp_seconds', `${known},transformation_type="to_storage"`),
      nowSeconds - 60,
    )
    assert.equal(sample('invalid_key_id_from_status_total', 'error="empty",provider_name="vault"'), 1)
    // The seed of now, and the one before, which still opens.
    assert.equal(sample('dek_source_cache_size', 'provider_name="vault"'), 2)
    const calls = (code: string, method: string): number | undefined =>
      sample(
        'kms_operations_latency_seconds_count',
        `grpc_status_code="${code}",method_name="/v2.KeyManagementService/${method}",provider_name="vault"`,
      )
    assert.deepEqual([calls('OK', 'Status'), calls('OK', 'Encrypt')], [3, 2])
    await plugin[Symbol.asyncDispose]()
    scope.clock.advance(60_000)
    const late = kmsFault(encryption)
    scope.clock.advance(3000)
    assert.match((await late) ?? '', /failed to perform status section/)
    assert.match(
      (await server.ask('/metrics')).text,
      /kms_operations_latency_seconds_count\{grpc_status_code="(DeadlineExceeded|Unavailable)",method_name="\/v2.KeyManagementService\/Status"/,
    )
  })

  void test('is reached by a socket without a file too', async () => {
    const endpoint = `unix:///@aksel-kms-${process.pid}`
    await using plugin = await startKmsPlugin({ endpoint: `unix://\0aksel-kms-${process.pid}` })
    using scope = simulatedScope()
    using service = connectKms(scope.clock, { endpoint, timeoutMs: 2000 })
    assert.deepEqual({ ...(await service.status()) }, { version: 'v2', healthz: 'ok', keyId: '1' })
    assert.deepEqual(names(plugin), ['Status'])
  })
})

void test('keys are derived as HKDF’s expansion, and what servers before 1.28 sealed is opened', () => {
  // By `openssl kdf -kdfopt mode:EXPAND_ONLY` of 32 bytes 07 with 32 bytes 09 as info.
  const derived = Buffer.from('35b288189e0188b14b3bd7dce45c9c67960c96b894ae5bf3ae51719c52608647', 'hex')
  const place = '/registry/secrets/default/a'
  const sealed = (key: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12, 3)).setAAD(Buffer.from(place))
    return Buffer.concat([Buffer.alloc(12, 3), cipher.update(PLAIN), cipher.final(), cipher.getAuthTag()])
  }
  const [seed, info] = [Buffer.alloc(32, 7), Buffer.alloc(32, 9)]
  assert.equal(
    seedSealer(seed)
      .open(Buffer.concat([info, sealed(derived)]), place)
      .toString(),
    PLAIN,
  )
  assert.throws(() => seedSealer(seed).open(Buffer.alloc(20), place), /shorter than the required size/)
  assert.equal(openerOf(derived, sourceTypes.key).open(sealed(derived), place).toString(), PLAIN)
  assert.throws(() => openerOf(Buffer.alloc(5), sourceTypes.key), /invalid key size 5/)
  assert.throws(() => openerOf(Buffer.alloc(5), sourceTypes.seed), /invalid seed length 5/)
  // Field by field, as protobuf lays it out.
  const bytes = encodeEnvelope({
    data: Buffer.from('DD'),
    seed: { keyId: 'k', ciphertext: Buffer.from('SS'), annotations: { 'a.b': Buffer.from('V') } },
    sourceType: sourceTypes.seed,
  })
  assert.equal(bytes.toString('latin1'), '\n\x02DD\x12\x01k\x1a\x02SS"\x08\n\x03a.b\x12\x01V(\x01')
})
