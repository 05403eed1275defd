// The orders of group `arm` against a front door with fakes behind it: they do what they time, and leave nothing.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { clientId, clientSecret, openFrontDoor, subscriptionId, tenantId } from '@aksel/arm/testing/opened-front-door'
import { ArmClient } from '../../arm-client.ts'
import { ArmLoad } from './load.ts'

test('what is timed is done: clusters, nodes, upgrades and lists, and nothing is left', async () => {
  await using opened = await openFrontDoor()
  const home = mkdtempSync(join(tmpdir(), 'aksel-bench-arm-'))
  try {
    const caPath = join(home, 'ca.pem')
    writeFileSync(caPath, opened.caPem)
    const connection = { armUrl: opened.url, caPath, tenantId, clientId, clientSecret, subscriptionId }
    const load = new ArmLoad(new ArmClient(connection), subscriptionId)
    await load.makeGroup()
    assert.ok((await load.readSeconds()) > 0)
    const [cluster, node] = await load.realCluster('real')
    assert.ok(cluster > 0 && node > 0)
    assert.ok((await load.simulatedPool(12)) > 0)
    assert.ok((await load.upgrade(3)) > 0)
    assert.ok((await load.together(3)) > 0)
    const { clusters, p99Seconds, bytes } = await load.lists({ clusters: 4, lists: 5 })
    assert.ok(p99Seconds > 0 && bytes > 1000)
    assert.equal(clusters, 4)
    await opened.door.idle()
    assert.deepEqual(
      [opened.engine.clusters.size, opened.machines(true).list(), opened.machines(false).list()],
      [0, [], []],
    )
  } finally {
    rmSync(home, { recursive: true })
  }
})
