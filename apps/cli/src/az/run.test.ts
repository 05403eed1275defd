// Runs az commands in this process against a front door with fakes behind it.

import assert from 'node:assert/strict'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { subscriptionId } from '@aksel/arm/testing/opened-front-door'
import { openAz as open } from './az-for-test.ts'

test('a cluster is created, shown, scaled and deleted with the flags of az', async () => {
  await using bench = await open()
  assert.equal((await bench.az('group create -n rg -l eastus --tags team=blue')).code, 0)
  const created = await bench.az('aks create -g rg -n c1 --node-count 2 --generate-ssh-keys')
  assert.deepEqual([created.code, created.error], [0, ''])
  const cluster = JSON.parse(created.out) as Record<string, unknown>
  assert.equal(cluster['provisioningState'], 'Succeeded')
  assert.equal(cluster['resourceGroup'], 'rg')
  assert.equal(cluster['dnsPrefix'], 'c1-rg-111111')

  const shown = await bench.az("aks show -g rg -n c1 --query '[name,agentPoolProfiles[0].count]' -o tsv")
  assert.equal(shown.out, 'c1\n2\n')
  const table = await bench.az('aks list -o table')
  assert.match(
    table.out,
    /^Name  Location  ResourceGroup  KubernetesVersion +CurrentKubernetesVersion +ProvisioningState +Fqdn\n-+/,
  )
  assert.match(table.out, /\nc1 +eastus +rg +1\.35\.7 +1\.35\.7 +Succeeded +c1-rg-111111-/)

  assert.equal((await bench.az('aks scale -g rg -n c1 -c 3')).code, 0)
  assert.equal(
    (await bench.az('aks nodepool add -g rg --cluster-name c1 -n work -c 1 --labels team=blue --mode User')).code,
    0,
  )
  const pools = await bench.az('aks nodepool list -g rg --cluster-name c1 -o table')
  assert.equal(
    pools.out,
    `Name       OsType  KubernetesVersion  VmSize           Count  MaxPods  ProvisioningState  Mode
---------  ------  -----------------  ---------------  -----  -------  -----------------  ------
nodepool1  Linux   1.35.7             Standard_D2s_v5  3      250      Succeeded          System
work       Linux   1.35.7             Standard_D2s_v5  1      250      Succeeded          User
`,
  )
  assert.equal((await bench.az('aks nodepool scale -g rg --cluster-name c1 --nodepool-name work -c 2')).code, 0)
  assert.equal((await bench.az('aks nodepool update -g rg --cluster-name c1 -n work --labels team=red')).code, 0)
  const work = await bench.az(
    "aks nodepool show -g rg --cluster-name c1 -n work --query '{count:count,labels:nodeLabels}'",
  )
  assert.deepEqual(JSON.parse(work.out), { count: 2, labels: { team: 'red' } })
  assert.equal((await bench.az('aks nodepool delete -g rg --cluster-name c1 -n work')).code, 0)

  const gone = await bench.az('aks delete -g rg -n c1 --yes')
  assert.deepEqual(gone, { code: 0, out: '', error: '' })
  assert.equal((await bench.az('group delete -n rg -y')).code, 0)
  assert.equal((await bench.az('group exists -n rg')).out, 'false\n')
})

test('credentials are merged beside what the file holds, and become current', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  await bench.az('aks create -g rg -n c1 -c 1')
  await bench.az('aks create -g rg -n c2 -c 1')
  const first = await bench.az('aks get-credentials -g rg -n c1')
  const path = join(bench.home, '.kube', 'config')
  assert.deepEqual(first, { code: 0, out: '', error: `Merged "c1" as current context in ${path}\n` })
  assert.equal(statSync(path).mode & 0o777, 0o600)
  await bench.az('aks get-credentials -g rg -n c2 --admin')
  const { parse } = await import('yaml')
  const merged = parse(readFileSync(path, 'utf8')) as Record<string, never> & { contexts: { name: string }[] }
  assert.deepEqual(
    merged.contexts.map(({ name }) => name),
    ['c1', 'c2-admin'],
  )
  assert.equal(merged['current-context'], 'c2-admin')
  const again = await bench.az('aks get-credentials -g rg -n c1')
  assert.equal(again.code, 0, 'the same object again is no conflict')
  await bench.az('aks delete -g rg -n c1 -y')
  await bench.az('aks create -g rg -n c1 -c 1')
  const other = await bench.az('aks get-credentials -g rg -n c1')
  assert.equal(other.code, 1)
  assert.match(other.error, /^ERROR: A different object named c1 already exists in clusters in your kubeconfig file/)
  assert.equal((await bench.az('aks get-credentials -g rg -n c1 --overwrite-existing')).code, 0)
  const current = JSON.parse(readFileSync(join(bench.home, 'current.json'), 'utf8')) as Record<string, string>
  assert.deepEqual(current, { resourceGroup: 'rg', cluster: 'c1', kubeconfig: path })
  assert.match((await bench.az('aks get-credentials -g rg -n c1 -f -')).out, /^apiVersion: v1\n/)
})

test('a private cluster is made, and its public name taken and given by the flags of az', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  const profile = "--query '{name:fqdn,access:apiServerAccessProfile}'"
  interface Shown {
    readonly name: string | null
    readonly access: Readonly<Record<string, unknown>>
  }
  const made = await bench.az('aks create -g rg -n c1 -c 1 --enable-private-cluster --private-dns-zone system')
  assert.equal(made.code, 0, made.error)
  const shown = async (): Promise<Shown> => JSON.parse((await bench.az(`aks show -g rg -n c1 ${profile}`)).out) as Shown
  const before = await shown()
  assert.match(before.name!, /azmk8s\.io$/)
  const config = await bench.az('aks get-credentials -g rg -n c1 --public-fqdn -f -')
  assert.ok(config.out.includes(`https://${before.name}`), config.out)
  const hidden = await bench.az('aks update -g rg -n c1 --disable-public-fqdn')
  assert.equal(hidden.code, 0, hidden.error)
  const after = await shown()
  assert.deepEqual([after.name, after.access['enablePrivateClusterPublicFQDN']], [null, false])
  assert.match((await bench.az('aks get-credentials -g rg -n c1 --public-fqdn -f -')).error, /public FQDN/)
  for (const [line, words] of [
    ['aks create -g rg -n c2 --disable-public-fqdn', /--disable-public-fqdn can only be used for private cluster/],
    ['aks update -g rg -n c1 --api-server-authorized-ip-ranges 1.2.3.4', /is not supported for private cluster/],
    ['aks create -g rg -n c2 -p a --fqdn-subdomain b', /cannot be used at same time/],
  ] as const)
    assert.match((await bench.az(line)).error, words, line)
})

const mistakes: readonly (readonly [line: string, code: number, text: RegExp])[] = [
  ['aks show -g rg', 2, /^ERROR: the following arguments are required: --name\/-n\n$/],
  ['aks show -g rg -n c1 --colour', 2, /^ERROR: unrecognized arguments: --colour\n$/],
  ['aks sho', 2, /^ERROR: 'sho' is misspelled or not recognized by the system\.\n$/],
  ['account list -o xml', 2, /^ERROR: argument --output\/-o: invalid choice: 'xml'/],
  ["account list --query '[?'", 2, /^ERROR: argument --query: invalid jmespath_type value/],
  [
    'group show -n nothing',
    3,
    /^ERROR: \(ResourceGroupNotFound\) Resource group 'nothing' could not be found\.\nCode: ResourceGroupNotFound\nMessage: /,
  ],
  [
    'aks show -g rg -n nothing',
    3,
    /^ERROR: \(ResourceNotFound\) The Resource 'Microsoft\.ContainerService\/managedClusters\/nothing' under resource group 'rg' was not found/,
  ],
  ['aks create -g rg -n c1 -s Standard_Huge', 1, /^ERROR: \(BadRequest\) The VM size of Standard_Huge is not allowed/],
  ['aks create -g nothing -n c1', 3, /^ERROR: \(ResourceGroupNotFound\)/],
  ['aks delete -g rg -n c1', 1, /^ERROR: Unable to prompt for confirmation as no tty available\. Use --yes\.\n$/],
  ['group create -n rg2 -l nowhere', 1, /^ERROR: \(LocationNotAvailableForResourceGroup\)/],
]

test('mistakes end with the exit codes and words of az', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  for (const [line, code, text] of mistakes) {
    const ran = await bench.az(line)
    assert.match(ran.error, text, line)
    assert.deepEqual([ran.code, ran.out], [code, ''], line)
  }
})

test('without a server az says how to start one', async () => {
  await using bench = await open()
  rmSync(join(bench.home, 'server', 'connection.json'))
  const ran = await bench.az('account show')
  assert.equal(ran.code, 1)
  assert.match(ran.error, /Start one with "\.\/aksel up"/)
})

test('versions, accounts and any other call can be asked for', async () => {
  await using bench = await open()
  assert.match((await bench.az('aks get-versions -l eastus -o table')).out, /1\.36\.3 +None available/)
  assert.equal((await bench.az('account show --query id -o tsv')).out, `${subscriptionId}\n`)
  const rest = await bench.az(`rest -m get -u '/subscriptions/{subscriptionId}?api-version=2022-12-01' --query state`)
  assert.equal(rest.out, '"Enabled"\n')
})

test('a warning names what is recorded without effect', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  const ran = await bench.az(
    'aks create -g rg -n c1 -c 1 --network-plugin azure --network-policy cilium --network-dataplane cilium',
  )
  assert.equal(ran.code, 0)
  assert.equal(ran.error, 'WARNING: recorded without effect: networkProfile.networkDataplane\n')
})

test('a dual-stack cluster is created with the flags of az', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  const flags = '--network-plugin azure --network-plugin-mode overlay --ip-families ipv4,ipv6'
  const ranges = '--pod-cidrs 10.9.0.0/16,fd09::/64 --service-cidrs 10.8.0.0/16,fd08::/108 --dns-service-ip 10.8.0.10'
  const ran = await bench.az(`aks create -g rg -n c1 -c 1 ${flags} ${ranges} --query networkProfile`)
  assert.equal(ran.code, 0, ran.error)
  const { ipFamilies, podCidr, podCidrs, serviceCidrs } = JSON.parse(ran.out) as Readonly<Record<string, unknown>>
  assert.deepEqual([ipFamilies, podCidr], [['IPv4', 'IPv6'], '10.9.0.0/16'])
  assert.deepEqual(
    [podCidrs, serviceCidrs],
    [
      ['10.9.0.0/16', 'fd09::/64'],
      ['10.8.0.0/16', 'fd08::/108'],
    ],
  )
})

test('external identity providers are added from a file, shown, listed and deleted', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  await bench.az('aks create -g rg -n c1 -c 1')
  const file = join(bench.home, 'acme.json')
  const username = { expression: "'aks:jwt:' + claims.sub" }
  const config = { issuer: { url: 'https://issuer.example', audiences: ['aksel'] }, claimMappings: { username } }
  writeFileSync(file, JSON.stringify(config))
  const where = '-g rg --cluster-name c1'
  const added = await bench.az(
    `aks jwtauthenticator add ${where} -n acme --config-file ${file} --query properties.provisioningState`,
  )
  assert.deepEqual([added.code, added.out], [0, '"Succeeded"\n'])
  const again = await bench.az(`aks jwtauthenticator add ${where} -n acme --config-file ${file}`)
  assert.match(again.error, /already exists/)
  assert.match(
    (await bench.az(`aks jwtauthenticator list ${where} -o table`)).out,
    /acme +https:\/\/issuer\.example +Succeeded/,
  )
  assert.match(
    (await bench.az(`aks jwtauthenticator add ${where} -n b --config-file ${file}x`)).error,
    /Cannot read the config file/,
  )
  assert.equal((await bench.az(`aks jwtauthenticator delete ${where} -n acme --yes`)).code, 0)
  assert.equal((await bench.az(`aks jwtauthenticator list ${where}`)).out, '[]\n')
})

test('a cluster is upgraded, stopped, started and its pools with it, by the flags of az', async () => {
  await using bench = await open()
  const { az } = bench
  const cluster = '-g rg -n c1'
  const pool = '-g rg --cluster-name c1 -n'
  assert.equal((await az('group create -n rg -l eastus')).code, 0)
  const made = await az(`aks create ${cluster} --node-count 1 -k 1.34`)
  assert.equal(made.code, 0, made.error)
  const shown = async (query: string): Promise<string> =>
    (await az(`aks show ${cluster} --query '${query}' -o tsv`)).out.trim()
  const upgrades = await az(
    `aks get-upgrades ${cluster} --query controlPlaneProfile.upgrades[].kubernetesVersion -o tsv`,
  )
  assert.equal(upgrades.out, '1.35.7\n')
  const table = await az(`aks get-upgrades ${cluster} -o table`)
  assert.match(table.out, /^Name +ResourceGroup +MasterVersion +Upgrades\n-[- ]+\ndefault +\S+ +1\.34\.10 +1\.35\.7\n$/)
  const skipped = await az(`aks upgrade ${cluster} -k 1.36 --yes`)
  assert.match(
    skipped.error,
    /\(OperationNotAllowed\) Upgrading Kubernetes version 1\.34\.10 to 1\.36\.3 is not allowed/,
  )
  const upgraded = await az(`aks upgrade ${cluster} -k 1.35 --control-plane-only --yes`)
  assert.equal(upgraded.code, 0, upgraded.error)
  assert.equal(await shown('currentKubernetesVersion'), '1.35.7')
  assert.equal(await shown('agentPoolProfiles[0].currentOrchestratorVersion'), '1.34.10')
  const pooled = await az(`aks nodepool upgrade ${pool} nodepool1 -k 1.35.7 --max-surge 1 --node-soak-duration 0`)
  assert.equal(pooled.code, 0, pooled.error)
  assert.equal(await shown('agentPoolProfiles[0].currentOrchestratorVersion'), '1.35.7')
  const back = await az(`aks nodepool rollback ${pool} nodepool1`)
  assert.equal(back.code, 0, back.error)
  assert.equal(await shown('agentPoolProfiles[0].currentOrchestratorVersion'), '1.34.10')
  assert.match((await az(`aks nodepool add ${pool} two -c 1`)).error, /^$/)
  assert.equal((await az(`aks nodepool stop ${pool} two`)).code, 0)
  assert.equal(await shown('agentPoolProfiles[1].powerState.code'), 'Stopped')
  assert.equal((await az(`aks nodepool start ${pool} two`)).code, 0)
  assert.match(
    (await az(`aks operation-abort ${cluster}`)).error,
    /\(OperationNotAllowed\) There is no operation in progress/,
  )
  assert.equal((await az(`aks stop ${cluster}`)).code, 0)
  assert.equal(await shown('powerState.code'), 'Stopped')
  assert.match((await az(`aks nodepool scale ${pool} two -c 2`)).error, /only start and delete are allowed/)
  assert.equal((await az(`aks start ${cluster}`)).code, 0)
  assert.equal(await shown('powerState.code'), 'Running')
})

test('a preflight tells what would stop an upgrade: by exit code, in a table and as JUnit', async () => {
  await using bench = await open()
  const { az, opened, home } = bench
  await az('group create -n rg -l eastus')
  await az('aks create -g rg -n c1 --node-count 1 -k 1.35')
  const clean = await az('aks upgrade -g rg -n c1 -k 1.36 --preflight -o table')
  assert.equal(clean.code, 0, clean.error)
  assert.match(clean.out, /^PDBConstraint +Passed +0$/m)
  opened.engine.uses = [
    { group: 'g', version: 'v1beta1', resource: 'things', removedIn: '1.36', lastSeenMs: Date.now() - 1_000 },
  ]
  const file = join(home, 'report.xml')
  const blocked = await az(`aks upgrade -g rg -n c1 -k 1.36 --preflight -o junit --junit ${file}`)
  assert.equal(blocked.code, 1)
  assert.match(blocked.error, /\(UpgradeBlockedOnDeprecatedAPIUsage\) Control Plane upgrade is blocked/)
  assert.match(blocked.out, /<testsuites tests="8" failures="1">/)
  assert.match(blocked.out, /name="ApiBreakingChange" time="0">\n +<failure type="UpgradeBlockedOnDeprecatedAPIUsage"/)
  assert.equal(readFileSync(file, 'utf8'), blocked.out)
  const refused = await az('aks upgrade -g rg -n c1 -k 1.36 --yes')
  assert.match(refused.error, /\(ValidationError\) Control Plane upgrade is blocked/)
  const forced = await az('aks upgrade -g rg -n c1 -k 1.36 --yes --enable-force-upgrade')
  assert.equal(forced.code, 0, forced.error)
})

test('the network of a cluster is seen with the flags of az', async () => {
  await using bench = await open()
  assert.equal((await bench.az('group create -n rg -l eastus')).code, 0)
  assert.equal((await bench.az('aks create -g rg -n c1 -c 1 --generate-ssh-keys')).code, 0)
  const listed = await bench.az("network vnet list --query '[].[name,resourceGroup]' -o tsv")
  const [name, group] = listed.out.trim().split('\t') as [string, string]
  assert.deepEqual([group, listed.error], ['MC_rg_c1_eastus', ''])
  const table = await bench.az(`network vnet show -g ${group} -n ${name} -o table`)
  assert.match(table.out, new RegExp(`\n${name} +${group} +eastus +1 +10\\.224\\.0\\.0/12\n$`))
  const subnets = await bench.az(`network vnet subnet list -g ${group} --vnet-name ${name} -o table`)
  assert.match(subnets.out, /\naks-subnet +MC_rg_c1_eastus +10\.224\.0\.0\/16 +Succeeded\n$/)
  const one = await bench.az(`network vnet subnet show -g ${group} --vnet-name ${name} -n aks-subnet --query id -o tsv`)
  assert.match(one.out, /\/subnets\/aks-subnet\n$/)
  const free = await bench.az(`network vnet check-ip-address -g ${group} -n ${name} --ip-address 10.224.0.4`)
  assert.equal((JSON.parse(free.out) as Record<string, unknown>)['available'], false)
  const unknown = await bench.az('network vnet show -g rg -n none')
  assert.deepEqual([unknown.code, /\(ResourceNotFound\)/.test(unknown.error)], [3, true], unknown.error)
})

test('load balancers, public addresses, route tables and NAT gateways are seen with the flags of az', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  await bench.az('aks create -g rg -n c1 -c 1 --network-plugin kubenet --generate-ssh-keys')
  await bench.az('aks create -g rg -n c2 -c 1 --outbound-type managedNATGateway --generate-ssh-keys')
  const seen = async (line: string): Promise<string> => {
    const ran = await bench.az(`network ${line} -o table`)
    assert.deepEqual([ran.code, ran.error], [0, ''], line)
    return ran.out
  }
  const of = '-g MC_rg_c1_eastus'
  assert.match(await seen(`lb list ${of}`), /\nkubernetes +MC_rg_c1_eastus +eastus +Succeeded\n$/)
  assert.match(await seen(`lb show ${of} -n kubernetes`), /\nkubernetes +MC_rg_c1_eastus/)
  const lb = `${of} --lb-name kubernetes`
  assert.match(
    await seen(`lb frontend-ip list ${lb}`),
    /\naks-outbound-\d{8}-0 +aks-outbound-\d{8}-0 +MC_rg_c1_eastus\n$/,
  )
  assert.match(await seen(`lb outbound-rule list ${lb}`), /\naksOutboundRule +All +30 +aks-outbound-\d{8}-0\n$/)
  assert.match(await seen(`lb address-pool show ${lb} -n kubernetes`), /\nkubernetes +1/)
  assert.equal(await seen(`lb rule list ${lb}`), '')
  assert.match(
    await seen(`public-ip list ${of}`),
    /\naks-outbound-\d{8}-0 +MC_rg_c1_eastus +eastus +Succeeded +[\d.]+\n$/,
  )
  const table = /(aks-agentpool-\d{8}-routetable)/.exec(await seen(`route-table list ${of}`))?.[1]
  assert.match(
    await seen(`route-table route list ${of} --route-table-name ${table}`),
    /10\.244\.0\.0\/24 +aks-.* +VirtualAppliance +10\./,
  )
  assert.match(
    await seen('nat gateway list'),
    /\naks-natgateway-\d{8} +MC_rg_c2_eastus +eastus +Succeeded +aks-outbound-/,
  )
  const none = await bench.az('network nsg rule list -g rg --nsg-name none')
  assert.match(none.error, /\(ResourceNotFound\)/)
  const flagless = await bench.az('network lb rule list -g rg')
  assert.match(flagless.error, /--lb-name/)
})

test('spot, mixed and GPU pools are added by the flags of az, and mixed ones scaled by size', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  await bench.az('aks create -g rg -n c1 --node-count 1')
  const pool = async (line: string): Promise<Record<string, unknown>> => {
    const ran = await bench.az(`aks nodepool ${line} -g rg --cluster-name c1`)
    assert.deepEqual([ran.code, ran.error.replace(/^WARNING.*\n/, '')], [0, ''], line)
    return JSON.parse(ran.out) as Record<string, unknown>
  }
  const spot = await pool('add -n cheap -c 1 --priority Spot --eviction-policy Deallocate --spot-max-price 0.05')
  assert.deepEqual(
    [spot['scaleSetPriority'], spot['scaleSetEvictionPolicy'], spot['spotMaxPrice']],
    ['Spot', 'Deallocate', 0.05],
  )
  const sizes = (shown: Record<string, unknown>): unknown =>
    (shown['virtualMachineNodesStatus'] as readonly { size: string; count: number }[]).map(
      ({ size, count }) => `${size} ${count}`,
    )
  const mixed = await pool('add -n mixed -c 1 --vm-set-type VirtualMachines --vm-sizes Standard_D2s_v5,Standard_D4s_v5')
  assert.deepEqual(sizes(mixed), ['Standard_D2s_v5 1', 'Standard_D4s_v5 1'])
  const more = await pool('manual-scale add -n mixed --vm-sizes Standard_D8s_v5 --node-count 2')
  assert.deepEqual(sizes(more), ['Standard_D2s_v5 1', 'Standard_D4s_v5 1', 'Standard_D8s_v5 2'])
  const changed = await pool('manual-scale update -n mixed --current-vm-sizes Standard_D2s_v5 --node-count 3')
  assert.deepEqual(sizes(changed), ['Standard_D2s_v5 3', 'Standard_D4s_v5 1', 'Standard_D8s_v5 2'])
  const fewer = await pool('manual-scale delete -n mixed --current-vm-sizes Standard_D4s_v5')
  assert.deepEqual(sizes(fewer), ['Standard_D2s_v5 3', 'Standard_D8s_v5 2'])
  const unknown = await bench.az(
    'aks nodepool manual-scale delete -g rg --cluster-name c1 -n mixed --current-vm-sizes Standard_D4s_v5',
  )
  assert.deepEqual([unknown.code, /Standard_D4s_v5/.test(unknown.error)], [2, true], unknown.error)
  const gpu = await pool('add -n gpu -c 1 -s Standard_NC4as_T4_v3 --gpu-driver None')
  assert.deepEqual([gpu['gpuProfile'], gpu['tags']], [{ driver: 'None' }, { 'aksel.simulated': 'true' }])
})

test('a cluster is updated by the flags of az: access, run command, lock-down, tier and SKU', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  const made = await bench.az('aks create -g rg -n c1 --sku automatic')
  assert.equal(made.code, 0, made.error)
  assert.match(made.error, /recorded without effect: .*nodeProvisioningProfile/)
  const update = async (line: string): Promise<Record<string, unknown>> => {
    const ran = await bench.az(`aks update -g rg -n c1 ${line}`)
    assert.equal(ran.code, 0, ran.error)
    return JSON.parse(ran.out) as Record<string, unknown>
  }
  assert.deepEqual((await update('--sku base --tier free'))['sku'], { name: 'Base', tier: 'Free' })
  const opened = await update(
    '--api-server-authorized-ip-ranges 203.0.113.0/24,127.0.0.1 --disable-run-command --nrg-lockdown-restriction-level Unrestricted',
  )
  assert.deepEqual(opened['apiServerAccessProfile'], {
    enableVnetIntegration: true,
    authorizedIPRanges: ['203.0.113.0/24', '127.0.0.1'],
    disableRunCommand: true,
  })
  assert.deepEqual(opened['nodeResourceGroupProfile'], { restrictionLevel: 'Unrestricted' })
  assert.deepEqual((await update('--sku automatic'))['sku'], { name: 'Automatic', tier: 'Standard' })
  assert.equal((await bench.az('aks update -g rg -n c1')).code, 2)
})

test('who a cluster believes is said with the flags of az: Entra, Azure RBAC, local accounts, workload identity', async () => {
  await using bench = await open()
  await bench.az('group create -n rg -l eastus')
  const shown = async (query: string): Promise<unknown> =>
    JSON.parse((await bench.az(`aks show -g rg -n c1 --query ${query}`)).out)
  const wrong = await bench.az('aks create -g rg -n c1 -c 1 --enable-azure-rbac')
  assert.notEqual(wrong.code, 0)
  assert.match(wrong.error, /--enable-azure-rbac can only be used together with --enable-aad/)
  const group = 'bbbbbbbb-0000-4000-8000-000000000001'
  const made = await bench.az(
    `aks create -g rg -n c1 -c 1 --enable-aad --enable-azure-rbac --aad-admin-group-object-ids ${group} --enable-oidc-issuer`,
  )
  assert.equal(made.code, 0, made.error)
  const entra = (await shown('aadProfile')) as Readonly<Record<string, unknown>>
  assert.deepEqual([entra['managed'], entra['enableAzureRBAC'], entra['adminGroupObjectIDs']], [true, true, [group]])
  const updated = await bench.az(
    'aks update -g rg -n c1 --disable-azure-rbac --disable-local-accounts --enable-workload-identity',
  )
  assert.equal(updated.code, 0, updated.error)
  assert.equal(await shown('aadProfile.enableAzureRBAC'), false)
  assert.deepEqual(await shown('aadProfile.adminGroupObjectIDs'), [group], 'what was not spoken of stays')
  assert.equal(await shown('disableLocalAccounts'), true)
  assert.equal(await shown('securityProfile.workloadIdentity.enabled'), true)
  assert.match((await bench.az('aks get-credentials -g rg -n c1 --admin')).error, /Getting static credential/)
})
