// `az monitor activity-log` in this process, against a front door with fakes behind it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAz } from './az-for-test.ts'

test('the activity log is listed by group, status and time, as json and as a table', async () => {
  await using bench = await openAz()
  await bench.az('group create -n rg -l eastus')
  await bench.az('group create -n other -l eastus')
  await bench.az('aks create -g rg -n c1 --node-count 0')
  const all = await bench.az('monitor activity-log list --query [].operationName.value -o tsv')
  const write = 'Microsoft.Resources/subscriptions/resourcegroups/write'
  assert.equal(all.out.split('\n').filter((line) => line === write).length, 2, all.error)
  const own = await bench.az('monitor activity-log list -g rg -o table')
  assert.match(own.out, /^Time +Caller +Operation +Status +Resource\n/)
  assert.doesNotMatch(own.out, /\/other/)
  const failed = await bench.az(
    'monitor activity-log list --status Failed --max-events 1 --query [0].status.value -o tsv',
  )
  assert.equal(failed.out, 'Failed\n')
  assert.equal(
    (await bench.az('monitor activity-log list --end-time 2020-01-02 --offset 1d')).code,
    1,
    'older than 90 days',
  )
  assert.equal((await bench.az('monitor activity-log list --offset tomorrow')).code, 2)
})
