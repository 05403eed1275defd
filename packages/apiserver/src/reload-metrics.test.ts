// Files that were read again, as scrapers see it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOf } from './encryption/kms/protocol.ts'
import { identityOf } from './identity/identity-lease.ts'
import { startTestServer } from './test-server.ts'

test('files that are read again are counted by what came of it, with the hash of what is in use', async () => {
  const success = { count: 2, lastMs: 1_700_000_000_000 }
  const reloads = { success, failure: { count: 0, lastMs: undefined }, hash: hashOf('content') }
  await using server = await startTestServer({ hostName: 'host', reloads: { authentication: () => reloads } })
  const own = `apiserver_id_hash="${hashOf(identityOf('host'))}"`
  const { text } = await server.ask('/metrics')
  const found = text.split('\n').filter((line) => /^apiserver_\w+_config_controller_/.test(line))
  const name = 'apiserver_authentication_config_controller_'
  assert.deepEqual(found.toSorted(), [
    `${name}automatic_reload_last_timestamp_seconds{${own},status="success"} 1700000000`,
    `${name}automatic_reloads_total{${own},status="success"} 2`,
    `${name}last_config_info{${own},hash="${hashOf('content')}"} 1`,
  ])
})
