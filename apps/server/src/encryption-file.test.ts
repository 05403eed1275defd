// A configuration of encryption that names key management services is taken when they are well, without a restart; until then the
// old one holds, and afterwards its services are let go.

import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startKmsPlugin } from '@aksel/testing/kms-plugin'
import { testScope } from '@aksel/testing/test-scope'
import { followEncryption } from './encryption-file.ts'

const provider = (name: string, endpoint: string): string =>
  `{kms: {apiVersion: v2, name: ${name}, endpoint: "${endpoint}", timeout: 2s}}`
const document = (...providers: readonly string[]): string =>
  `{kind: EncryptionConfiguration, apiVersion: apiserver.config.k8s.io/v1, resources: [{resources: [secrets], providers: [${providers.join(', ')}]}]}`

test('a configuration with key management services is taken when they are well, and not before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-encryption-'))
  const path = join(folder, 'encryption')
  const put = async (text: string): Promise<void> => {
    await writeFile(join(folder, 'next'), text)
    await rename(join(folder, 'next'), path)
  }
  const scope = testScope()
  await using one = await startKmsPlugin()
  await using two = await startKmsPlugin()
  const until = async (holds: () => boolean): Promise<void> => {
    for (const endMs = Date.now() + 10_000; !holds(); await new Promise((resolve) => setImmediate(resolve)))
      if (Date.now() > endMs) throw new Error(`not within 10 s: ${holds.toString()}: ${JSON.stringify(scope.lines)}`)
  }
  try {
    await put(document(provider('one', one.endpoint)))
    using file = await followEncryption(scope, path)
    const first = file.current
    assert.deepEqual([...first.kms!.keys()], ['one'])
    const changes: unknown[] = []
    file.onChange((encryption) => void changes.push(encryption))
    two.answers.behaviour = 'failing'
    await put(document(provider('two', two.endpoint), provider('one', one.endpoint)))
    await until(() => scope.lines.some(({ level }) => level === 'error'))
    assert.match(
      String(scope.lines.find(({ level }) => level === 'error')!.fields?.['error']),
      /a provider of the new configuration is not well: kms-provider-0: failed to perform status section .* KMS Provider two/,
    )
    assert.equal(file.current, first)
    assert.deepEqual(changes, [])
    // It is tried again by itself; the old services still serve calls that are under way.
    two.answers.behaviour = 'well'
    scope.clock.advance(10_000)
    await until(() => changes.length > 0)
    assert.deepEqual([...file.current.kms!.keys()], ['two', 'one'])
    assert.equal(await first.kms!.get('one')!.check(), undefined)
    const { length } = one.calls
    scope.clock.advance(2000)
    // Nobody asks for the old one any more: a minute on, each service is asked once.
    scope.clock.advance(60_000)
    await until(() => one.calls.length > length && two.calls.length > 0)
    assert.equal(await file.current.kms!.get('one')!.check(), undefined)
    assert.equal(one.calls.length, length + 1)
  } finally {
    scope.abort()
    await rm(folder, { recursive: true })
  }
})
