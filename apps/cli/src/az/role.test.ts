// `az ad sp`, `az role` and `az login` in this process: a second client is made, granted something, and refused the rest.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAz } from './az-for-test.ts'

test('a service principal is made, granted a role, signs in, sees what is its own, and loses it again', async () => {
  await using bench = await openAz()
  await bench.az('group create -n rg -l eastus')
  await bench.az('group create -n other -l eastus')
  const id = (await bench.az('group show -n rg --query id -o tsv')).out.trim()
  const made = await bench.az(`ad sp create-for-rbac -n builder --role Contributor --scopes ${id}`)
  assert.match(made.error, /^WARNING: The output includes credentials/)
  const { appId, password, tenant } = JSON.parse(made.out) as Record<string, string>
  assert.equal(
    (await bench.az('role assignment list -g rg --query [].[principalName,roleDefinitionName] -o tsv')).out,
    `${appId}\tContributor\n`,
  )
  const login = await bench.az(`login --service-principal -u ${appId} -p ${password} --tenant ${tenant}`)
  assert.equal(login.code, 0, login.error)
  assert.equal((await bench.az('group list --query [].name -o tsv')).out, 'rg\n')
  assert.match(
    (await bench.az('group show -n other')).error,
    /\(AuthorizationFailed\) The client '.*' does not have authorization to perform action 'Microsoft\.Resources\/subscriptions\/resourcegroups\/read'/i,
  )
  assert.match(
    (await bench.az(`role assignment create --assignee ${appId} --role Owner -g rg`)).error,
    /AuthorizationFailed/,
  )
  assert.equal((await bench.az('group create -n rg -l eastus --tags a=b')).code, 0)
  assert.equal((await bench.az('logout')).code, 0)
  assert.equal(
    (await bench.az('group list --query [].name -o tsv')).out,
    'rg\nother\n'.split('\n').toSorted().join('\n').trim().concat('\n'),
  )
  assert.equal((await bench.az(`role assignment delete --assignee ${appId} -g rg`)).code, 0)
  assert.match((await bench.az(`login --service-principal -u ${appId} -p ${password}`)).error, /No subscriptions found/)
  assert.match((await bench.az(`login --service-principal -u ${appId} -p wrong`)).error, /AADSTS7000215/)
  assert.equal((await bench.az(`ad sp delete --id ${appId}`)).code, 0)
  assert.equal((await bench.az(`ad sp show --id ${appId}`)).code, 3)
})

test('custom roles are written from JSON, listed, changed and deleted; unknown names are told', async () => {
  await using bench = await openAz()
  await bench.az('group create -n rg -l eastus')
  const id = (await bench.az('group show -n rg --query id -o tsv')).out.trim()
  const role = (actions: string): string =>
    `'{"Name":"Looker","Description":"looks","Actions":["${actions}"],"AssignableScopes":["${id}"]}'`
  const made = await bench.az(`role definition create --role-definition ${role('*/read')} --query roleName -o tsv`)
  assert.deepEqual([made.out, made.error], ['Looker\n', ''])
  assert.equal((await bench.az(`role definition update --role-definition ${role('Microsoft.Network/*/read')}`)).code, 0)
  assert.equal(
    (await bench.az('role definition list --custom-role-only true -g rg --query [].permissions[0].actions[0] -o tsv'))
      .out,
    'Microsoft.Network/*/read\n',
  )
  assert.match(
    (await bench.az("role definition list -n 'Azure Kubernetes Service RBAC Reader' -o table")).out,
    /BuiltInRole/,
  )
  assert.equal((await bench.az('role definition delete -n Looker -g rg')).code, 0)
  assert.match((await bench.az('role definition delete -n Looker -g rg')).error, /Role 'Looker' doesn't exist/)
  assert.match(
    (await bench.az('role assignment create --assignee nobody --role Reader -g rg')).error,
    /Cannot find user or service principal/,
  )
  assert.equal((await bench.az('role assignment delete')).code, 2)
})
