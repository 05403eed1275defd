// `az deployment` in this process: templates and parameters from files, what-if as text, failures with their reasons.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openAz, type AzBench } from './az-for-test.ts'

const template = `{
  // az takes comments
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {
    "name": { "type": "string" },
    "prefixes": { "type": "array", "defaultValue": ["10.1.0.0/16"] },
    "count": { "type": "int", "defaultValue": 1 },
  },
  "resources": [
    {
      "type": "Microsoft.Network/virtualNetworks",
      "apiVersion": "2024-05-01",
      "name": "[format('{0}-{1}', parameters('name'), copyIndex())]",
      "location": "[resourceGroup().location]",
      "copy": { "name": "nets", "count": "[parameters('count')]" },
      "tags": { "made": "by hand" },
      "properties": { "addressSpace": { "addressPrefixes": "[parameters('prefixes')]" } }
    }
  ],
  "outputs": { "first": { "type": "string", "value": "[resourceId('Microsoft.Network/virtualNetworks', concat(parameters('name'), '-0'))]" } }
}`

async function opened(): Promise<AzBench & { readonly file: string }> {
  const bench = await openAz()
  const file = join(bench.home, 'main.json')
  writeFileSync(file, template)
  await bench.az('group create -n rg -l eastus')
  return { ...bench, file }
}

test('a template is judged, foreseen, deployed, shown and listed with the flags of az', async () => {
  await using bench = await opened()
  const flags = `-g rg -f ${bench.file} -p name=v count=2`
  const valid = await bench.az(`deployment group validate ${flags} --query properties.provisioningState -o tsv`)
  assert.deepEqual([valid.out, valid.error], ['Succeeded\n', ''])
  const foreseen = await bench.az(`deployment group what-if ${flags}`)
  assert.match(foreseen.out, /\+ Microsoft\.Network\/virtualNetworks\/v-0 \[2024-05-01\]\n/)
  assert.match(foreseen.out, /Resource changes: 2 to create\.\n$/)
  const created = await bench.az(`deployment group create ${flags} --query properties.outputs.first.value -o tsv`)
  assert.match(created.out, /virtualNetworks\/v-0\n$/, created.error)
  const table = await bench.az('deployment group list -g rg -o table')
  assert.match(table.out, /^Name +State +Timestamp +Mode\n-.*\nmain +Succeeded +\S+ +Incremental\n$/)
  const operations = await bench.az('deployment operation group list -g rg -n main -o table')
  assert.match(operations.out, /Succeeded +Create +Microsoft\.Network\/virtualNetworks +v-1/)
  const changed = await bench.az(
    `deployment group what-if ${flags} -p '{"prefixes":{"value":["10.1.0.0/16","10.2.0.0/16"]}}'`,
  )
  assert.match(
    changed.out,
    /~ Microsoft\.Network\/virtualNetworks\/v-0[^\n]*\n +~ properties\.addressSpace\.addressPrefixes: \[\n +\+ 1: "10\.2\.0\.0\/16"/,
  )
  assert.match(
    (await bench.az('deployment group export -g rg -n main --query contentVersion -o tsv')).out,
    /1\.0\.0\.0/,
  )
  assert.equal((await bench.az('deployment group delete -g rg -n main')).code, 0)
  assert.equal((await bench.az('deployment group show -g rg -n main')).code, 3)
})

test('complete mode, parameter files, and the subscription as scope', async () => {
  await using bench = await opened()
  const file = join(bench.home, 'main.parameters.json')
  writeFileSync(
    file,
    JSON.stringify({ $schema: 's', contentVersion: '1.0.0.0', parameters: { name: { value: 'file' } } }),
  )
  assert.equal((await bench.az(`deployment group create -g rg -f ${bench.file} -p name=gone -n one`)).code, 0)
  const complete = await bench.az(
    `deployment group create -g rg -f ${bench.file} -p @${file} --mode Complete -n two -o none`,
  )
  assert.deepEqual(complete, { code: 0, out: '', error: '' })
  const left = await bench.az("network vnet list -g rg --query '[].name' -o tsv")
  assert.equal(left.out, 'file-0\n')
  const wide = join(bench.home, 'wide.json')
  const resources = [
    { type: 'Microsoft.Resources/resourceGroups', apiVersion: '2022-09-01', name: 'made', location: 'westus' },
  ]
  writeFileSync(wide, JSON.stringify({ $schema: 's', contentVersion: '1.0.0.0', resources }))
  const sub = await bench.az(`deployment sub create -l westus -f ${wide} --query name -o tsv`)
  assert.equal(sub.out, 'wide\n', sub.error)
  assert.equal((await bench.az('group exists -n made')).out, 'true\n')
})

test('what is wrong is told before or after: words, values, files, and the provider’s own error', async () => {
  await using bench = await opened()
  const create = `deployment group create -g rg -f ${bench.file}`
  const cases: readonly (readonly [string, number, RegExp])[] = [
    [`${create} -p nome=v`, 1, /unrecognized template parameter 'nome'. Allowed parameters: name, prefixes, count/],
    [`${create} -p name=v count=many`, 1, /'count' is an integer, and 'many' is none/],
    [`${create} -p name=v prefixes=[10`, 1, /its value is not JSON/],
    [`${create} -p name=v @/nowhere.json`, 1, /"\/nowhere.json" cannot be read: ENOENT/],
    [`${create}`, 1, /\(InvalidTemplate\) .*'name' is not provided/],
    ['deployment group create -g rg', 2, /the following arguments are required: --template-file\/-f/],
    [`${create} -p name=v prefixes='["10.0.0.0/99"]'`, 1, /\(DeploymentFailed\) [^]*Exception Details:/],
  ]
  for (const [line, code, words] of cases) {
    const ran = await bench.az(line)
    assert.deepEqual([ran.code, ran.out], [code, ''], line)
    assert.match(ran.error, words)
  }
  const bicep = join(bench.home, 'main.bicep')
  writeFileSync(bicep, 'param name string')
  assert.match(
    (await bench.az(`deployment group create -g rg -f ${bicep}`)).error,
    /Bicep's compiler is not on this machine/,
  )
})
