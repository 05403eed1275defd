// Whoever looks for leaks finds one that is planted, however it is written.

import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createRequest } from '@aksel/runtime/certificate-requests'
import { leaksInFiles, secretsIn, secretsInFolder } from './secrets-in-logs.ts'

test('a planted secret is found in every log, plain and in base64, and nothing is found without one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'aksel-leaks-'))
  const value = 'plantedpassword0123456789abcdef'
  const base64 = (before: string): string => Buffer.from(`${before}${value} and more`).toString('base64')
  const forms = [value, base64(''), base64('a'), base64('ab'), Buffer.from(value).toString('hex')]
  const files = [
    'server/log.jsonl',
    'server/audit.jsonl',
    'server/audit-2026-11-27T20-00-00.000.jsonl',
    'machines/m/agent.log',
  ]
  try {
    for (const file of [...files, 'machines/m/containerd.log.1', 'store/kept.log', 'machines/m/pod-logs/c/0.log'])
      await mkdir(join(folder, file, '..'), { recursive: true })
    const secrets = new Map([['a password', value]])
    for (const file of [...files, 'machines/m/containerd.log.1'])
      for (const form of forms) {
        await writeFile(join(folder, file), `{"msg":"all is well"}\n{"msg":"with ${form}"}\n{"msg":"and on"}\n`)
        const leaks = await leaksInFiles(folder, secrets)
        assert.deepEqual(
          leaks.map(({ where, secret }) => [where, secret]),
          [[join(folder, file), 'a password']],
          form,
        )
        assert.match(leaks[0]!.line, /^\{"msg":"with/)
        await writeFile(join(folder, file), '{"msg":"all is well"}\n')
      }
    // What is kept there is kept: the store, and what containers print.
    for (const file of ['store/kept.log', 'machines/m/pod-logs/c/0.log']) await writeFile(join(folder, file), value)
    assert.deepEqual(await leaksInFiles(folder, secrets), [])
    const { keyPem } = await createRequest({ commonName: 'a' })
    const kubeconfig = JSON.stringify({ 'client-key-data': Buffer.from(keyPem).toString('base64') })
    await writeFile(join(folder, 'server', 'record.json'), JSON.stringify({ keyPem }))
    await writeFile(join(folder, 'kubeconfig'), kubeconfig)
    const own = await secretsInFolder(folder)
    assert.equal(own.size, 2)
    await writeFile(join(folder, 'server', 'log.jsonl'), keyPem)
    assert.equal((await leaksInFiles(folder, own)).length, 2)
    const token = `eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.${'s'.repeat(86)}`
    assert.deepEqual([...secretsIn('x', `"token": "${token}"`).values()], ['s'.repeat(86)])
  } finally {
    await rm(folder, { recursive: true })
  }
})
