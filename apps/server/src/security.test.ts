// The checks of the CIS Kubernetes Benchmark that a host's files answer; docs/security.md has the whole list.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { defaultAuditPolicy } from '@aksel/apiserver/audit/policy'
import { createMemoryStore } from '@aksel/store/memory-store'
import { defaultAuditLogLimits, openAuditLog } from './audit-log.ts'
import { EmbeddedEngine } from './embedded-engine.ts'
import { firstPortOf } from './places.ts'
import { readServerOptions } from './options.ts'

test('records, keys and logs are readable by their owner alone', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'aksel-security-'))
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
  try {
    await using store = createMemoryStore(scope)
    await using engine = await EmbeddedEngine.open(scope, {
      store,
      dataDir,
      privileged: false,
      firstPort: firstPortOf(dataDir),
      audit: () => {},
    })
    const id = '/subscriptions/s/resourcegroups/g/providers/microsoft.containerservice/managedclusters/c'
    await engine.create(scope, {
      id,
      name: 'c',
      kubernetesVersion: '1.35.7',
      serviceCidr: '10.0.0.0/16',
      dnsServiceIp: '10.0.0.10',
      fqdn: 'c.test.aksel',
    })
    const log = await openAuditLog(scope, join(dataDir, 'server', 'audit.jsonl'))
    await log[Symbol.asyncDispose]()
    const loose: string[] = []
    let count = 0
    for (const entry of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      count += 1
      if (((await stat(path)).mode & 0o077) !== 0) loose.push(path)
    }
    assert.ok(count >= 2, `${count} files`)
    assert.deepEqual(loose, [])
  } finally {
    await rm(dataDir, { recursive: true })
  }
})

test('how many ended pods stay can be chosen, and is upstream’s number otherwise', () => {
  assert.equal(readServerOptions([], {}).terminatedPodsMax, undefined)
  for (const count of [0, 10, 12_500])
    assert.equal(readServerOptions(['--terminated-pod-gc-threshold', String(count)], {}).terminatedPodsMax, count)
  assert.throws(() => readServerOptions(['--terminated-pod-gc-threshold', '-1'], {}), /terminated-pod-gc-threshold/)
})

test('the audit log is kept as the benchmark wants it', () => {
  const { auditLog } = readServerOptions([], {})
  assert.deepEqual(auditLog, { ...defaultAuditLogLimits, mode: 'batch' })
  assert.ok(auditLog.ageMaxDays >= 30 && auditLog.backupsMax >= 10 && auditLog.fileMaxBytes >= 100 * 1024 * 1024)
  assert.deepEqual(defaultAuditPolicy.rules, [{ level: 'Metadata' }])
  const own = readServerOptions(
    ['--audit-log-maxage', '7', '--audit-log-maxbackup', '3', '--audit-log-maxsize', '5'],
    {},
  )
  assert.deepEqual(own.auditLog, { mode: 'batch', ageMaxDays: 7, backupsMax: 3, fileMaxBytes: 5 * 1024 * 1024 })
})
