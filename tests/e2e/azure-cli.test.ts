// The Azure CLI of Debian, unmodified, from the registration of the cloud to a deployment: what it prints and how it ends.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Aksel, repositoryRoot, runProgram, type Outcome } from './aksel.ts'
import { connectionOf, type Connection } from './sdk-client.ts'

let aksel: Aksel
let connection: Connection
let folder: string

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--simulated', '--nodes', '1'], { timeoutMs: 170_000 })
  connection = await connectionOf(aksel)
  folder = await mkdtemp(join(tmpdir(), 'aksel-az-'))
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** az as a user has set it up: the authority in one variable, nothing else of ours. */
async function run(line: string): Promise<Outcome> {
  const environment = {
    AZURE_CONFIG_DIR: folder,
    REQUESTS_CA_BUNDLE: connection.caPath,
    AZURE_CORE_COLLECT_TELEMETRY: 'false',
    AZURE_CORE_ONLY_SHOW_ERRORS: 'true',
  }
  return await runProgram(['/usr/bin/az', ...line.split(' ')], { environment, timeoutMs: 100_000 })
}

async function az(line: string): Promise<string> {
  const { code, stdout, stderr } = await run(line)
  assert.equal(code, 0, `az ${line}\n${stdout}\n${stderr}`)
  return stdout
}

async function refused(line: string, words: RegExp): Promise<void> {
  const { code, stdout, stderr } = await run(line)
  assert.notEqual(code, 0, `az ${line} should have failed\n${stdout}`)
  assert.match(stderr, words, `az ${line}`)
}

test(
  'the cloud is registered by its address alone, and a service principal signs in',
  { timeout: 240_000 },
  async () => {
    const { armUrl, clientId, clientSecret, tenantId, subscriptionId } = connection
    await az(`cloud register -n Aksel --endpoint-resource-manager ${armUrl}`)
    await az('cloud set -n Aksel')
    await refused(
      `login --service-principal -u ${clientId} -p wrong --tenant ${tenantId}`,
      /AADSTS7000215|[Ii]nvalid client secret/,
    )
    await az(`login --service-principal -u ${clientId} -p ${clientSecret} --tenant ${tenantId}`)
    assert.equal(await az('account show --query id -o tsv'), `${subscriptionId}\n`)
    assert.match(await az('provider list --query [].namespace -o tsv'), /Microsoft\.ContainerService\n/)
  },
)

test('groups and clusters are made, scaled, listed, and hand out credentials', { timeout: 400_000 }, async () => {
  await az('group create -n cli -l westeurope --tags team=blue')
  assert.equal(await az('group exists -n cli'), 'true\n')
  const made = await az('aks create -g cli -n c1 --node-count 1 --generate-ssh-keys --query provisioningState -o tsv')
  assert.equal(made, 'Succeeded\n')
  assert.match(
    await az('aks list -o table'),
    /^Name +Location +ResourceGroup +KubernetesVersion[^]*\nc1 +westeurope +cli /,
  )
  await az('aks nodepool add -g cli --cluster-name c1 -n apps -c 1 --mode User --labels tier=web')
  await az('aks nodepool scale -g cli --cluster-name c1 -n apps -c 2')
  assert.equal(await az('aks nodepool show -g cli --cluster-name c1 -n apps --query count -o tsv'), '2\n')
  const path = join(folder, 'kubeconfig')
  await az(`aks get-credentials -g cli -n c1 --admin -f ${path}`)
  assert.match(await readFile(path, 'utf8'), /current-context: c1-admin/)
  assert.match(await az('aks get-upgrades -g cli -n c1 -o table'), /1\.36\.3/)
  await az('aks update -g cli -n c1 --tags a=b')
  await az('aks nodepool upgrade -g cli --cluster-name c1 -n apps --node-image-only')
  await az('aks upgrade -g cli -n c1 --control-plane-only -k 1.36.3 --yes')
  await az('aks stop -g cli -n c1')
  await az('aks start -g cli -n c1')
  await az('aks rotate-certs -g cli -n c1 --yes')
  const size = await az('vm list-skus -l westeurope --size Standard_D4s_v5 --query [0].name -o tsv')
  assert.equal(size, 'Standard_D4s_v5\n')
  await refused('aks show -g cli -n nobody', /ResourceNotFound/)
  await refused('aks create -g cli -n c2 --node-count 1 --generate-ssh-keys -k 1.99.0', /1\.99\.0/)
})

test('templates are validated, foreseen and deployed, and what fails says of what', { timeout: 300_000 }, async () => {
  const file = join(repositoryRoot, 'examples', 'templates', 'aks-with-addons.json')
  const flags = `-g cli -f ${file} -p clusterName=shop`
  assert.equal(
    await az(`deployment group validate ${flags} --query properties.provisioningState -o tsv`),
    'Succeeded\n',
  )
  assert.match(await az(`deployment group what-if ${flags} --no-pretty-print`), /"changeType": "Create"/)
  assert.equal(await az(`deployment group create ${flags} --query properties.outputs.fqdn.type -o tsv`), 'String\n')
  assert.match(await az('deployment group list -g cli -o table'), /aks-with-addons +Succeeded/)
  const bad = join(folder, 'bad.json')
  const resource = {
    type: 'Microsoft.Network/virtualNetworks',
    apiVersion: '2024-05-01',
    name: 'v',
    location: 'westeurope',
    properties: { addressSpace: { addressPrefixes: ['10.0.0.0/99'] } },
  }
  const $schema = 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#'
  await writeFile(bad, JSON.stringify({ $schema, contentVersion: '1.0.0.0', resources: [resource] }))
  await refused(`deployment group create -g cli -f ${bad}`, /DeploymentFailed|InvalidAddressPrefix/)
})

test(
  'the activity log, the directory, identities, tags, names and groups as templates',
  { timeout: 400_000 },
  async () => {
    await az('group create -n parts -l westeurope')
    const log = await az('monitor activity-log list -g parts --offset 1h --query [].operationName.value -o tsv')
    assert.match(log, /^Microsoft\.Resources\/subscriptions\/resource[gG]roups\/write$/m)
    await az('identity create -g parts -n app')
    const federated = 'identity federated-credential'
    const of = '-g parts --identity-name app'
    await az(`${federated} create ${of} -n pod --issuer https://issuer.example --subject s --audiences a`)
    assert.equal(await az(`${federated} list ${of} --query [].name -o tsv`), 'pod\n')
    const types = await az('group export -n parts --query resources[].type -o tsv')
    assert.match(types, /^Microsoft\.ManagedIdentity\/userAssignedIdentities\/federatedIdentityCredentials$/m)
    await az('tag create -n season')
    assert.match(await az('tag list --query [].tagName -o tsv'), /^season$/m)
    assert.equal(await az('acr check-name -n images --query nameAvailable -o tsv'), 'true\n')
    // What this package reads of the cloud's description has no place for Microsoft Graph.
    await refused('ad group list', /microsoft_graph_resource_id/)
    const { armUrl, clientId, clientSecret, tenantId } = connection
    const file = join(folder, 'cloud.json')
    await writeFile(file, JSON.stringify({ endpoints: { resourceManager: armUrl, microsoftGraphResourceId: armUrl } }))
    await az(`cloud register -n WithGraph --cloud-config @${file}`)
    await az('cloud set -n WithGraph')
    const login = `login --service-principal -u ${clientId} -p ${clientSecret} --tenant ${tenantId}`
    await az(login)
    assert.equal(await az('ad sp create-for-rbac -n developer --query displayName -o tsv'), 'developer\n')
    await az('ad group create --display-name team --mail-nickname team')
    assert.equal(await az('ad group list --query [].displayName -o tsv'), 'team\n')
    await refused('role assignment list --all', /no attribute 'config'/)
    await az('group delete -n parts --yes')
    // Who is signed in, is so in one cloud at a time.
    await az('cloud set -n Aksel')
    await az(login)
  },
)

test('what fails inside the package fails before it asks us', { timeout: 240_000 }, async () => {
  await refused(
    'aks nodepool upgrade -g cli --cluster-name c1 -n apps -k 1.36.3 --yes',
    /no attribute 'kubernetes_version'/,
  )
  await refused('network vnet list', /no attribute 'standard_medium'/)
  await refused('role definition list -n Reader', /no attribute 'config'/)
  await refused('vm list-sizes -l westeurope', /No module named 'azure\.mgmt\.compute/)
})

test('locks hold, and the group goes with everything in it', { timeout: 240_000 }, async () => {
  await az('lock create -n hold -t CanNotDelete -g cli')
  await refused('group delete -n cli --yes', /ScopeLocked/)
  await az('lock delete -n hold -g cli')
  await az('group delete -n cli --yes')
  assert.equal(await az('group exists -n cli'), 'false\n')
  assert.equal(await az('aks list --query length(@)'), '1\n')
})
