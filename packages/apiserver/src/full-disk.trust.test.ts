// What users see of a full disk: reads and watches go on, writes are refused in words, and nothing needs a restart.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { openLogStore } from '@aksel/store/log-store'
import { SimulatedDisk } from '@aksel/store/simulated-disk'
import { startTestServer, testScope } from './test-server.ts'

test('on a full disk reads go on, writes are refused clearly, and room is enough to go on', async () => {
  const stop = new AbortController()
  const scope = testScope([], stop.signal)
  const disk = new SimulatedDisk(seededRandom(1))
  await using store = await openLogStore(scope, { disk, directory: '/store' })
  await using server = await startTestServer({ scope, store })
  const path = '/api/v1/namespaces/default/configmaps'
  const create = (name: string) => server.ask(path, { body: { metadata: { name } } })
  assert.equal((await create('before')).status, 201)
  disk.setPlan({ faultAt: (_, kind) => (kind === 'write' ? 'ENOSPC' : undefined) })
  const refused = await create('during')
  assert.equal(refused.status, 500)
  assert.match(refused.text, /the disk is full/)
  assert.equal((await server.ask(`${path}/before`)).status, 200)
  assert.equal((await server.ask(`${path}/during`)).status, 404)
  disk.setPlan({})
  assert.equal((await create('after')).status, 201)
  const { json } = await server.ask(path)
  const names = (json as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name)
  assert.deepEqual(
    names.filter((name) => name !== 'kube-root-ca.crt'),
    ['after', 'before'],
  )
  stop.abort()
})
