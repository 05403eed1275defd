// `az lock` and `az tag` in this process, against a front door with fakes behind it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAz } from './az-for-test.ts'

test('a group is locked, listed, refused its deletion and freed with the flags of az; its tags are merged', async () => {
  await using bench = await openAz()
  await bench.az('group create -n rg -l eastus --tags team=blue')
  const created = await bench.az('lock create -n keep -g rg -t CanNotDelete --notes careful --query level -o tsv')
  assert.deepEqual([created.out, created.error], ['CanNotDelete\n', ''])
  const table = await bench.az('lock list -o table')
  assert.equal(
    table.out,
    'Name  Level         ResourceGroup  Notes\n----  ------------  -------------  -------\nkeep  CanNotDelete  rg             careful\n',
  )
  const refused = await bench.az('group delete -n rg -y')
  assert.match(refused.error, /\(ScopeLocked\) The scope '.*' cannot perform delete operation/)
  const wrong = await bench.az('lock create -n k -g rg -t Sometimes')
  assert.equal(wrong.code, 2, wrong.error)
  const id = (await bench.az('group show -n rg --query id -o tsv')).out.trim()
  const tags = await bench.az(`tag update --resource-id ${id} --operation Merge --tags cost=1 --query properties.tags`)
  assert.deepEqual(JSON.parse(tags.out), { cost: '1', team: 'blue' })
  assert.equal((await bench.az('lock delete -n keep -g rg')).code, 0)
  assert.equal((await bench.az('group delete -n rg -y')).code, 0)
  assert.equal((await bench.az('group exists -n rg')).out, 'false\n')
})
