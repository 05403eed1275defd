// Azure's own SDK, unmodified, and the verbs of `az`: create, wait, list, scale, credentials, delete; and what is refused.

import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startTestIssuer } from '@aksel/apiserver/authentication/structured/test-issuer'
import { systemClock } from '@aksel/base/clock'
import { testScope } from '@aksel/testing/test-scope'
import { sized } from '@aksel/testing/test-size'
import type { ContainerServiceClient } from '@azure/arm-containerservice'
import { Aksel, repositoryRoot, runProgram } from './aksel.ts'
import { connectionOf, sdkClient, type Connection } from './sdk-client.ts'

let aksel: Aksel
let connection: Connection
let client: ContainerServiceClient

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 170_000 })
  connection = await connectionOf(aksel)
  client = await sdkClient(connection)
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

const group = 'sdk-group'
const name = 'sdk-cluster'

test(
  'the SDK creates a cluster of two pools beside the first, and waits on its poller',
  { timeout: 180_000 },
  async () => {
    await aksel.ok(['az', 'group', 'create', '-n', group, '-l', 'westeurope'])
    const created = await client.managedClusters.createOrUpdate(group, name, {
      location: 'westeurope',
      dnsPrefix: 'sdk',
      identity: { type: 'SystemAssigned' },
      agentPoolProfiles: [
        { name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5', osType: 'Linux' },
        { name: 'user', mode: 'User', count: 1, vmSize: 'Standard_D2s_v5', osType: 'Linux' },
      ],
    })
    assert.equal(created.provisioningState, 'Succeeded')
    const names: string[] = []
    for await (const cluster of client.managedClusters.list()) names.push(cluster.name!)
    assert.deepEqual(names.sort(), ['demo', name])
  },
)

test('a pool scales from one node to three, and kubectl accepts the credentials', { timeout: 180_000 }, async () => {
  const pool = await client.agentPools.createOrUpdate(group, name, 'user', {
    mode: 'User',
    count: 3,
    vmSize: 'Standard_D2s_v5',
    osType: 'Linux',
  })
  assert.equal(pool.count, 3)
  const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(group, name)
  const kubeconfig = join(aksel.dataDir, 'sdk-kubeconfig')
  await writeFile(kubeconfig, kubeconfigs![0]!.value!)
  const nodes = await aksel.kubectl(['--kubeconfig', kubeconfig, 'get', 'nodes'])
  assert.equal(nodes.match(/aks-(system|user)-\d{8}-vmss\w{6} +Ready/g)?.length, 4, nodes)
  // Both clusters use the same ranges, side by side.
  assert.match(await aksel.kubectl('get nodes'), /aks-nodepool1-\d{8}-vmss\w{6} +Ready/)
})

test('the two clusters have the same addresses, and each reaches its own', { timeout: 120_000 }, async () => {
  const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
  const seen: { readonly nodes: string; readonly service: string; readonly answer: string }[] = []
  for (const [own, answer] of [
    [[], 'the first'],
    [theirs, 'the other'],
  ] as const) {
    const kubectl = (...args: readonly string[]): Promise<string> => aksel.kubectl([...own, ...args])
    await aksel.kubectl([...own, 'apply', '-f', '-'], { input: echoing(answer) })
    await kubectl('rollout', 'status', 'deployment/echo', '--timeout=60s')
    const nodes = (await kubectl('get', 'nodes', '-o', 'jsonpath={.items[*].status.addresses[0].address}')).split(' ')
    const fetchByName = ['timeout', '10', 'wget', '-q', '-O', '-', 'http://echo.default.svc.cluster.local:8080/']
    seen.push({
      nodes: nodes.toSorted().join(' '),
      service: await kubectl('get', 'service', 'echo', '-o', 'jsonpath={.spec.clusterIP}'),
      answer: await kubectl('exec', 'deployment/echo', '--', ...fetchByName),
    })
  }
  assert.equal(seen[0]!.nodes, '10.224.0.4')
  assert.equal(seen[1]!.nodes, '10.224.0.4 10.224.0.5 10.224.0.6 10.224.0.7')
  assert.equal(seen[1]!.service, seen[0]!.service)
  assert.deepEqual(
    seen.map(({ answer }) => answer),
    ['the first\n', 'the other\n'],
  )
})

test(
  'a pod that scans its node, its network and the host finds the ports that are documented, and nothing of the other cluster',
  { timeout: 300_000 },
  async () => {
    const pid = await processOf('the other\n')
    const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    const node = await aksel.kubectl([
      ...theirs,
      'get',
      'pods',
      '-l',
      'app=echo',
      '-o',
      'jsonpath={.items[0].status.hostIP}',
    ])
    const [first] = (await aksel.kubectl('get service kubernetes -o jsonpath={.spec.clusterIP}')).split(' ')
    const host = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
    const hosts = host.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address)
    const routers = hosts.filter((address) => address.startsWith('100.64.')).map((address) => addressAfter(address))
    const ports = sized({
      gate: [
        ...range(1, 1024),
        ...range(2370, 2390),
        ...range(6440, 6450),
        ...range(8000, 8200),
        8443,
        ...range(9200, 10_300),
        ...range(30_000, 30_100),
      ],
      full: range(1, 65_535),
    })
    const targets = [...new Set([node, '10.224.0.1', first!, '169.254.169.254', ...hosts, ...routers])]
    const scan = ['nsenter', '-t', String(pid), '-n', process.execPath, join(repositoryRoot, 'tests/e2e/port-scan.ts')]
    const { code, stdout, stderr } = await runProgram(scan, {
      input: JSON.stringify({ targets, ports }),
      timeoutMs: 280_000,
    })
    assert.equal(code, 0, stderr)
    const found = JSON.parse(stdout) as readonly string[]
    const apiServers = hosts.filter((address) => address.startsWith('100.65.'))
    assert.ok(apiServers.length >= 2, hosts.join())
    const documented = [
      `${node}:10250`,
      `${node}:10256`,
      `${first}:443`,
      '169.254.169.254:80',
      // kube-proxy's health is told at every address of the node.
      '169.254.169.254:10256',
      ...apiServers.flatMap((address) => [`${address}:443`, `${address}:8132`, `${address}:8443`]),
    ]
    assert.deepEqual(found.toSorted(), documented.toSorted())
  },
)

const range = (from: number, to: number): readonly number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n)

/** The router's end of a link whose end on the host this is. */
function addressAfter(address: string): string {
  const parts = address.split('.').map(Number)
  return [...parts.slice(0, 3), parts[3]! + 1].join('.')
}

/** The web server of the pod that says these words: clusters have the same addresses, so that those tell nothing. */
async function processOf(words: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const argv = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (!argv.includes('httpd\0-f')) continue
    if ((await readFile(`/proc/${pid}/root/www/index.html`, 'utf8').catch(() => '')) === words) return Number(pid)
  }
  return assert.fail(`no pod says ${words}`)
}

/** A service that answers with these words, at the same address in every cluster. */
function echoing(words: string): string {
  return `
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  clusterIP: 10.0.77.7
  selector: {app: echo}
  ports: [{port: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: echo
          image: docker.io/library/busybox:1.36
          command: [sh, -c, "mkdir /www; echo ${words} > /www/index.html; exec httpd -f -p 8080 -h /www"]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
`
}

test('`az` sees and changes the same things', { timeout: 120_000 }, async () => {
  const shown = JSON.parse(await aksel.ok(['az', 'aks', 'show', '-g', group, '-n', name])) as {
    provisioningState: string
    agentPoolProfiles: { name: string; count: number }[]
  }
  assert.equal(shown.provisioningState, 'Succeeded')
  assert.deepEqual(
    shown.agentPoolProfiles.map((pool) => `${pool.name}:${pool.count}`),
    ['system:1', 'user:3'],
  )
  await aksel.ok(['az', 'aks', 'nodepool', 'scale', '-g', group, '--cluster-name', name, '-n', 'user', '-c', '1'])
  assert.match(
    await aksel.ok(['az', 'aks', 'nodepool', 'list', '-g', group, '--cluster-name', name, '-o', 'table']),
    /user/,
  )
})

test('`az` creates, grows, opens and deletes a cluster of its own', { timeout: 180_000 }, async () => {
  const own = ['-g', 'az-group', '-n', 'az-cluster'] as const
  const pool = ['-g', 'az-group', '--cluster-name', 'az-cluster', '-n', 'more'] as const
  const az = (...args: readonly string[]): Promise<string> => aksel.ok(['az', ...args], { timeoutMs: 60_000 })
  await az('group', 'create', '-n', 'az-group', '-l', 'westeurope')
  await az('aks', 'create', ...own, '--node-count', '1')
  await az('aks', 'nodepool', 'add', ...pool, '-c', '1')
  await az('aks', 'scale', ...own, '--nodepool-name', 'nodepool1', '-c', '2')
  const table = await az('aks', 'list', '-o', 'table')
  for (const each of ['demo', name, 'az-cluster']) assert.match(table, new RegExp(`^${each} .* Succeeded `, 'm'))
  await az('aks', 'get-credentials', ...own, '--admin', '--file', join(aksel.dataDir, 'az-kubeconfig'))
  const nodes = await aksel.kubectl('get nodes')
  assert.equal(nodes.match(/aks-(nodepool1|more)-\d{8}-vmss\w{6} +Ready/g)?.length, 3, nodes)
  await az('aks', 'nodepool', 'delete', ...pool)
  assert.doesNotMatch(await aksel.kubectl('get nodes'), /aks-more-/)
  await az('aks', 'delete', ...own, '--yes')
  assert.match(await aksel.fails(['az', 'aks', 'show', ...own]), /\(ResourceNotFound\)/)
  assert.match(await aksel.fails(['kubectl', 'get', 'nodes']), /There is no current cluster/)
  await az('group', 'delete', '-n', 'az-group', '--yes')
  assert.match(await aksel.fails(['az', 'group', 'show', '-n', 'az-group']), /\(ResourceGroupNotFound\)/)
  // The first cluster is the current one again.
  await aksel.ok(['up'])
  assert.match(await aksel.kubectl('get nodes'), /aks-nodepool1-\d{8}-vmss000000 +Ready/)
})

test('what Azure refuses is refused in its words, and nothing is made', { timeout: 60_000 }, async () => {
  const base = {
    location: 'westeurope',
    dnsPrefix: 'x',
    agentPoolProfiles: [{ name: 'np', mode: 'System' as const, count: 1, vmSize: 'Standard_D2s_v5' }],
  }
  type Cluster = Parameters<typeof client.managedClusters.createOrUpdate>[2]
  const refusal = async (cluster: Cluster, clusterName = 'bad'): Promise<string> => {
    try {
      await client.managedClusters.createOrUpdate(group, clusterName, cluster)
      return 'accepted'
    } catch (error) {
      const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string }
      return `${statusCode} ${code}: ${message}`
    }
  }
  const profile = base.agentPoolProfiles[0]!
  assert.match(
    await refusal({ ...base, agentPoolProfiles: [{ ...profile, vmSize: 'Standard_Nonsense' }] }),
    /^400 BadRequest: The VM size of Standard_Nonsense is not allowed in your subscription in location 'westeurope'/,
  )
  assert.match(
    await refusal({ ...base, agentPoolProfiles: [{ ...profile, name: 'Bad-Pool' }] }),
    /^400 InvalidParameter: .*Invalid agentpool name 'Bad-Pool'/,
  )
  assert.match(await refusal(base, 'bad_name!'), /^400 InvalidParameter: .*Resource name 'bad_name!' must be/)
  assert.match(
    await refusal({ ...base, kubernetesVersion: '1.2.3' }),
    /^400 K8sVersionNotSupported: Version 1\.2\.3 is not supported in this region/,
  )
  assert.match(await aksel.fails(['az', 'aks', 'show', '-g', group, '-n', 'none']), /\(ResourceNotFound\)/)
  assert.match(
    await aksel.fails(['az', 'aks', 'create', '-g', 'no-group', '-n', 'bad']),
    /\(ResourceGroupNotFound\) Resource group 'no-group' could not be found\./,
  )
  const names: string[] = []
  for await (const cluster of client.managedClusters.listByResourceGroup(group)) names.push(cluster.name!)
  assert.deepEqual(names, [name])
})

test('without the right token, secret or version nobody comes in', { timeout: 60_000 }, async () => {
  const { armUrl, tenantId, clientId, clientSecret, subscriptionId } = connection
  const form = (secret: string): string =>
    new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: secret,
      scope: `${armUrl}/.default`,
    }).toString()
  const tokenUrl = `${armUrl}/${tenantId}/oauth2/v2.0/token`
  const wrongSecret = await ask(tokenUrl, { body: form('wrong') })
  assert.equal(wrongSecret.status, 401)
  assert.match(wrongSecret.body, /"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret/)
  const { access_token: token } = JSON.parse((await ask(tokenUrl, { body: form(clientSecret) })).body) as {
    access_token: string
  }
  const clusters = `${armUrl}/subscriptions/${subscriptionId}/providers/Microsoft.ContainerService/managedClusters`
  const asked = async (url: string, bearer?: string): Promise<readonly [number, string | undefined]> => {
    const { status, body } = await ask(url, bearer === undefined ? {} : { bearer })
    return [status, (JSON.parse(body) as { error?: { code: string } }).error?.code]
  }
  const version = '?api-version=2025-05-01'
  assert.deepEqual(await asked(clusters + version, token), [200, undefined])
  assert.deepEqual(await asked(clusters + version), [401, 'AuthenticationFailed'])
  assert.deepEqual(await asked(clusters + version, 'wrong'), [401, 'InvalidAuthenticationToken'])
  assert.deepEqual(await asked(clusters + version, `${token.slice(0, -8)}AAAAAAAA`), [
    401,
    'InvalidAuthenticationToken',
  ])
  assert.deepEqual(await asked(clusters, token), [400, 'MissingApiVersionParameter'])
  assert.deepEqual(await asked(`${clusters}?api-version=1999-01-01`, token), [400, 'NoRegisteredProviderFound'])
})

/** One request to the front door, with the authority that it tells; POST where there is a body. */
async function ask(
  url: string,
  options: { readonly bearer?: string; readonly body?: string },
): Promise<{ readonly status: number; readonly body: string }> {
  const ca = await readFile(connection.caPath)
  const headers = {
    ...(options.bearer === undefined ? {} : { authorization: `Bearer ${options.bearer}` }),
    ...(options.body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
  }
  return new Promise((resolve, reject) => {
    const method = options.body === undefined ? 'GET' : 'POST'
    const outgoing = request(url, { ca, headers, method, agent: false, timeout: 10_000 }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('end', () => resolve({ status: response.statusCode!, body: Buffer.concat(pieces).toString() }))
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url} within 10 s`)))
    outgoing.on('error', reject)
    outgoing.end(options.body)
  })
}

test(
  'people of an external identity provider sign in, and may what their role says',
  { timeout: 120_000 },
  async () => {
    using scope = testScope()
    await using issuer = await startTestIssuer({ ...scope, clock: systemClock() })
    const folder = await mkdtemp(join(tmpdir(), 'aksel-jwt-'))
    const file = join(folder, 'acme.json')
    const mappings = {
      username: { expression: "'aks:jwt:acme:' + claims.sub" },
      groups: { expression: "claims.groups.map(g, 'aks:jwt:' + g)" },
    }
    // AKS asks for an issuer that the world knows; one with an authority of its own is ours to name.
    const where = { url: issuer.url, audiences: ['aksel'], certificateAuthority: issuer.caPem }
    await writeFile(file, JSON.stringify({ issuer: where, claimMappings: mappings }))
    const flags = ['-g', 'aksel', '--cluster-name', 'demo', '-n', 'acme']
    await aksel.ok(['az', 'aks', 'jwtauthenticator', 'add', ...flags, '--config-file', file])
    await aksel.kubectl('create clusterrolebinding acme-readers --clusterrole=view --group=aks:jwt:readers')
    interface Kubeconfig {
      readonly clusters: readonly [
        { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
      ]
    }
    const [{ cluster }] = (await aksel.json<Kubeconfig>('config view --raw')).clusters
    const authority = join(folder, 'ca.pem')
    await writeFile(authority, Buffer.from(cluster['certificate-authority-data'], 'base64'))
    const place = ['--kubeconfig=/dev/null', `--server=${cluster.server}`, `--certificate-authority=${authority}`]
    const as = (token: string, ...words: readonly string[]) => ['kubectl', ...place, `--token=${token}`, ...words]
    const token = await issuer.sign({ sub: 'jane', groups: ['readers'] })
    const who = JSON.parse(await aksel.ok(as(token, 'auth', 'whoami', '-o', 'json'))) as {
      status: { userInfo: { username: string; groups: string[] } }
    }
    assert.deepEqual(who.status.userInfo, {
      username: 'aks:jwt:acme:jane',
      groups: ['aks:jwt:readers', 'system:authenticated'],
    })
    await aksel.ok(as(token, 'get', 'pods', '-A'))
    assert.match(
      await aksel.fails(as(token, 'create', 'namespace', 'mine')),
      /User "aks:jwt:acme:jane" cannot create resource "namespaces"/,
    )
    const stranger = await issuer.sign({ sub: 'jane', groups: ['readers'], aud: 'someone' })
    assert.match(await aksel.fails(as(stranger, 'get', 'pods')), /must be logged in to the server/)
    await aksel.ok(['az', 'aks', 'jwtauthenticator', 'delete', ...flags, '--yes'])
    assert.match(await aksel.fails(as(token, 'get', 'pods')), /must be logged in to the server/)
    await rm(folder, { recursive: true })
  },
)

test(
  'every order to pools, machines, snapshots and maintenance by the SDK, and what each refuses',
  { timeout: 240_000 },
  async () => {
    const { managedClusters, agentPools, machines, snapshots, maintenanceConfigurations } = client
    const codeOf = (code: string) => (error: unknown) => (error as { readonly code?: string }).code === code
    const own = [group, name] as const

    const cluster = await managedClusters.updateTags(...own, { tags: { team: 'blue' } })
    assert.deepEqual(cluster.tags, { team: 'blue' })
    const offered = await managedClusters.listKubernetesVersions('westeurope')
    assert.ok(offered.values!.some(({ version }) => version === '1.35'))
    const upgrades = await managedClusters.getUpgradeProfile(...own)
    assert.equal(upgrades.agentPoolProfiles!.length, 2)
    await assert.rejects(async () => managedClusters.start(...own), codeOf('OperationNotAllowed'))
    await assert.rejects(async () => managedClusters.abortLatestOperation(...own), codeOf('OperationNotAllowed'))
    for (const list of ['listClusterUserCredentials', 'listClusterMonitoringUserCredentials'] as const)
      assert.match(
        Buffer.from((await managedClusters[list](...own)).kubeconfigs![0]!.value!).toString(),
        /kind: Config/,
      )

    const mixed = [...own, 'mixed'] as const
    const made = await agentPools.createOrUpdate(...mixed, {
      typePropertiesType: 'VirtualMachines',
      virtualMachinesProfile: {
        scale: {
          manual: [
            { size: 'Standard_D2s_v5', count: 1 },
            { size: 'Standard_D4s_v5', count: 1 },
          ],
        },
      },
    })
    assert.deepEqual([made.provisioningState, made.count], ['Succeeded', 2])
    const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    const nodes = await aksel.kubectl([
      ...theirs,
      'get',
      'nodes',
      '-l',
      'agentpool=mixed',
      '-L',
      'node.kubernetes.io/instance-type',
    ])
    assert.match(
      nodes,
      /aks-mixed-\d{8}-vms1 +Ready .*Standard_D2s_v5\n(?:.*\n)*aks-mixed-\d{8}-vms2 +Ready .*Standard_D4s_v5/,
    )
    const names: string[] = []
    for await (const machine of machines.list(...mixed)) names.push(machine.name!)
    assert.equal(names.length, 2)
    assert.match((await machines.get(...mixed, names[0]!)).properties!.network!.ipAddresses![0]!.ip!, /^10\.224\./)
    await assert.rejects(
      async () => agentPools.deleteMachines(...mixed, { machineNames: ['nobody'] }),
      codeOf('NotFound'),
    )
    await agentPools.deleteMachines(...mixed, { machineNames: [names[1]!] })
    const left = await agentPools.get(...mixed)
    assert.deepEqual(
      left.virtualMachineNodesStatus!.map(({ size, count }) => `${size} ${count}`),
      ['Standard_D2s_v5 1', 'Standard_D4s_v5 0'],
    )
    await agentPools.upgradeNodeImageVersion(...mixed)
    assert.match((await agentPools.getUpgradeProfile(...mixed)).latestNodeImageVersion!, /^AKSUbuntu-/)
    assert.ok((await agentPools.getAvailableAgentPoolVersions(...own)).agentPoolVersions!.length > 0)
    await assert.rejects(async () => agentPools.abortLatestOperation(...mixed), codeOf('OperationNotAllowed'))

    const system = await agentPools.get(...own, 'system')
    const snapshot = { location: 'westeurope', creationData: { sourceResourceId: system.id! } }
    const taken = await snapshots.createOrUpdate(group, 'before', snapshot)
    assert.equal(taken.nodeImageVersion, system.nodeImageVersion)
    assert.deepEqual((await snapshots.updateTags(group, 'before', { tags: { kept: 'yes' } })).tags, { kept: 'yes' })
    const listed: string[] = []
    for await (const one of snapshots.listByResourceGroup(group)) listed.push(one.name!)
    assert.deepEqual(listed, ['before'])
    await snapshots.delete(group, 'before')
    await assert.rejects(snapshots.get(group, 'before'), codeOf('ResourceNotFound'))

    const weekly = {
      schedule: { weekly: { intervalWeeks: 1, dayOfWeek: 'Monday' } },
      durationHours: 4,
      startTime: '01:00',
    }
    const window = { maintenanceWindow: weekly }
    const kept = await maintenanceConfigurations.createOrUpdate(...own, 'aksManagedAutoUpgradeSchedule', window)
    assert.equal(kept.maintenanceWindow!.durationHours, 4)
    const short = { maintenanceWindow: { ...weekly, durationHours: 2 } }
    await assert.rejects(
      maintenanceConfigurations.createOrUpdate(...own, 'aksManagedAutoUpgradeSchedule', short),
      codeOf('InvalidParameter'),
    )
    const windows: string[] = []
    for await (const one of maintenanceConfigurations.listByManagedCluster(...own)) windows.push(one.name!)
    assert.deepEqual(windows, ['aksManagedAutoUpgradeSchedule'])
    await maintenanceConfigurations.delete(...own, 'aksManagedAutoUpgradeSchedule')
    await assert.rejects(maintenanceConfigurations.get(...own, 'aksManagedAutoUpgradeSchedule'))

    await agentPools.delete(...mixed)
    await assert.rejects(agentPools.get(...mixed), codeOf('NotFound'))
    await assert.rejects(async () => agentPools.delete(...own, 'system'), codeOf('OperationNotAllowed'))
  },
)

test(
  'a command is run inside the cluster: its output, its exit code and its files, and nothing of it is left',
  { timeout: 180_000 },
  async () => {
    const run = (command: string, context?: string) =>
      client.managedClusters.runCommand(group, name, { command, ...(context === undefined ? {} : { context }) })
    const listed = await run('kubectl get nodes -o name && kubectl config view --minify -o jsonpath={..namespace}')
    assert.deepEqual([listed.provisioningState, listed.exitCode], ['Succeeded', 0], JSON.stringify(listed))
    assert.match(listed.logs!, /^node\/aks-system-\d{8}-vmss\w{6}\nnode\/aks-user-\d{8}-vmss\w{6}\ndefault$/)
    assert.ok(listed.finishedAt! >= listed.startedAt!)
    const failed = await run('echo {\\"a\\": 7} | jq .a; helm version --short; yes | head -c 700000; exit 3')
    assert.deepEqual([failed.provisioningState, failed.exitCode], ['Succeeded', 3])
    assert.match(failed.logs!, /^7\nv\d+\.\d+\.\d+/)
    assert.equal(failed.logs!.length, 512 * 1024, 'output is cut where AKS cuts it')

    const folder = await mkdtemp(join(tmpdir(), 'aksel-command-'))
    const manifest = join(folder, 'words.yaml')
    await writeFile(
      manifest,
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words, namespace: default}\ndata: {said: hello}\n',
    )
    const own = ['-g', group, '-n', name]
    const applied = ['--file', manifest, '--command', 'kubectl apply -f words.yaml']
    const invoked = await aksel.ok(['az', 'aks', 'command', 'invoke', ...own, ...applied])
    assert.match(invoked, /^command started at \S+, finished at \S+ with exitcode=0\nconfigmap\/words created\n$/)
    await rm(folder, { recursive: true })
    const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    for (const kind of ['pods', 'secrets', 'serviceaccounts'])
      assert.doesNotMatch(await aksel.kubectl([...theirs, '-n', 'aks-command', 'get', kind, '-o', 'name']), /command-/)
    assert.doesNotMatch(await aksel.kubectl([...theirs, 'get', 'clusterrolebindings', '-o', 'name']), /aks-command/)
    await assert.rejects(client.managedClusters.getCommandResult(group, name, '0'.repeat(32)), { code: 'NotFound' })

    await client.managedClusters.createOrUpdate(group, name, {
      location: 'westeurope',
      apiServerAccessProfile: { disableRunCommand: true },
    })
    await assert.rejects(async () => run('true'), /run command feature is disabled/)
  },
)

test(
  'authorized ranges keep everybody else from the API server, open watches included, and nodes and commands go on',
  { timeout: 180_000 },
  async () => {
    const allow = (authorizedIPRanges: string[]) =>
      client.managedClusters.createOrUpdate(group, name, {
        location: 'westeurope',
        apiServerAccessProfile: { authorizedIPRanges },
      })
    const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    await using watch = aksel.start(['kubectl', ...theirs, 'get', 'nodes', '--watch-only', '-v=6'])
    await watch.says(/watch=true.*200|"Response" verb="GET" url="[^"]*watch=true[^"]*" status="200/)
    await allow(['203.0.113.0/24'])
    await watch
      .says(/unexpected EOF|connection reset|an error on the server|stream error|\[ended\]/)
      .catch((error: Error) => assert.match(error.message, /\[ended\]/))
    const [{ cluster }] = (
      await aksel.json<{ clusters: [{ cluster: { server: string } }] }>([...theirs, 'config', 'view'])
    ).clusters
    await assert.rejects(knock(cluster.server), { code: 'ECONNRESET' })
    const inside = await client.managedClusters.runCommand(group, name, { command: 'kubectl get nodes' })
    assert.match(inside.logs!, /aks-system-\d{8}-vmss\w{6} +Ready/)
    await allow(['203.0.113.0/24', '127.0.0.1/32'])
    assert.match(await aksel.kubectl([...theirs, 'get', 'nodes']), /aks-system-\d{8}-vmss\w{6} +Ready/)
    await assert.rejects(allow(['10.0.0.0/33']), { code: 'InvalidParameter' })
    await allow([])
  },
)

/** Resolves with the status of an answer, whoever gives it. */
function knock(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`${url}/version`, { rejectUnauthorized: false, timeout: 10_000 }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url} within 10 s`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

test(
  'a private cluster is reached from its own network alone, there by its private and its public name',
  { timeout: 180_000 },
  async () => {
    const own = [group, 'hidden'] as const
    const created = await client.managedClusters.createOrUpdate(...own, {
      location: 'westeurope',
      dnsPrefix: 'hidden',
      apiServerAccessProfile: { enablePrivateCluster: true },
      agentPoolProfiles: [{ name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5' }],
    })
    assert.match(created.privateFqdn!, /^hidden-[0-9a-f]{8}\.[0-9a-f-]{36}\.privatelink\.westeurope\.azmk8s\.io$/)
    const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(...own)
    const inside = /server: (https:\/\/\S+)/.exec(Buffer.from(kubeconfigs![0]!.value!).toString())![1]!
    // At its address for the world, too, which only the server's own files tell.
    const folder = join(aksel.dataDir, 'server', 'clusters')
    const records = await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file), 'utf8')))
    const indexes = records.map((text) => JSON.parse(text) as { index: number; spec: { name: string } })
    const { index } = indexes.find(({ spec }) => spec.name === 'hidden')!
    for (const url of [inside, `https://127.7.0.${index + 1}`])
      await assert.rejects(knock(url), { code: 'ECONNRESET' }, `${url} lets this host in`)
    for (const known of [created.privateFqdn!, created.fqdn!]) {
      const command = `kubectl --server=https://${known} get nodes -o name`
      const { exitCode, logs } = await client.managedClusters.runCommand(...own, { command })
      assert.deepEqual(
        [exitCode, /^node\/aks-system-\d{8}-vmss\w{6}\s*$/.test(logs ?? '')],
        [0, true],
        `${known}: ${logs}`,
      )
    }
    await client.managedClusters.delete(...own)
  },
)

test(
  'after a rotation of signing keys both are published, and tokens of the one before are still believed',
  { timeout: 120_000 },
  async () => {
    const theirs = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    const kubectl = (...args: readonly string[]): Promise<string> => aksel.kubectl([...theirs, ...args])
    const keyIds = async (): Promise<readonly string[]> => {
      const { keys } = JSON.parse(await kubectl('get', '--raw', '/openid/v1/jwks')) as { keys: { kid: string }[] }
      return keys.map(({ kid }) => kid)
    }
    const [first] = await keyIds()
    const token = (await kubectl('create', 'token', 'default')).trim()
    await client.managedClusters.rotateServiceAccountSigningKeys(group, name)
    const [second, retired, ...more] = await keyIds()
    assert.deepEqual([retired, more], [first, []])
    assert.notEqual(second, first)
    const as = [`--token=${token}`]
    const { server, authority } = await placeOf(theirs)
    const whoami = ['kubectl', '--kubeconfig=/dev/null', `--server=${server}`, `--certificate-authority=${authority}`]
    assert.match(await aksel.ok([...whoami, ...as, 'auth', 'whoami']), /system:serviceaccount:default:default/)
    await aksel.ok(['az', 'aks', 'oidc-issuer', 'rotate-signing-keys', '-g', group, '-n', name, '--yes'])
    assert.equal((await keyIds()).includes(first!), false, 'a second rotation leaves the first key in')
    assert.match(await aksel.fails([...whoami, ...as, 'auth', 'whoami']), /must be logged in to the server/)
  },
)

/** Where a kubeconfig leads, and a file with the authority that it trusts. */
async function placeOf(flags: readonly string[]): Promise<{ readonly server: string; readonly authority: string }> {
  interface Kubeconfig {
    readonly clusters: readonly [
      { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } },
    ]
  }
  const [{ cluster }] = (await aksel.json<Kubeconfig>([...flags, 'config', 'view', '--raw'])).clusters
  const authority = join(aksel.dataDir, 'sdk-authority.pem')
  await writeFile(authority, Buffer.from(cluster['certificate-authority-data'], 'base64'))
  return { server: cluster.server, authority }
}

test(
  'after a rotation of certificates nobody comes in with the old ones, and nodes and pods are there anew',
  { timeout: 240_000 },
  async () => {
    const old = ['--kubeconfig', join(aksel.dataDir, 'sdk-kubeconfig')]
    const nodesOf = async (flags: readonly string[]): Promise<readonly string[]> =>
      (await aksel.kubectl([...flags, 'get', 'nodes', '-o', 'jsonpath={.items[*].metadata.uid}'])).split(' ')
    const before = await nodesOf(old)
    await client.managedClusters.rotateClusterCertificates(group, name)
    assert.match(await aksel.fails(['kubectl', ...old, 'get', 'nodes']), /certificate signed by unknown authority/)
    const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(group, name)
    const path = join(aksel.dataDir, 'rotated-kubeconfig')
    await writeFile(path, kubeconfigs![0]!.value!)
    const fresh = ['--kubeconfig', path]
    const after = await nodesOf(fresh)
    assert.equal(after.length, before.length)
    assert.deepEqual(
      after.filter((uid) => before.includes(uid)),
      [],
      'a node stands as it was',
    )
    await aksel.kubectl([...fresh, 'wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=60s'])
    await aksel.kubectl([...fresh, 'rollout', 'status', 'deployment/echo', '--timeout=120s'])
    // The pod knows the new authority, and the new API server knows its token.
    const read = (file: string): Promise<string> => {
      const path = `/var/run/secrets/kubernetes.io/serviceaccount/${file}`
      return aksel.kubectl([...fresh, 'exec', 'deployment/echo', '--', 'cat', path])
    }
    const { server, authority } = await placeOf(fresh)
    assert.equal((await read('ca.crt')).trim(), (await readFile(authority, 'utf8')).trim())
    const as = [`--server=${server}`, `--certificate-authority=${authority}`, `--token=${await read('token')}`]
    const who = await aksel.ok(['kubectl', '--kubeconfig=/dev/null', ...as, 'auth', 'whoami'])
    assert.match(who, /system:serviceaccount:default:default/)
  },
)

test('the SDK deletes the cluster, and the first goes on', { timeout: 120_000 }, async () => {
  await client.managedClusters.delete(group, name)
  assert.match(await aksel.fails(['az', 'aks', 'show', '-g', group, '-n', name]), /\(ResourceNotFound\)/)
  assert.match(await aksel.kubectl('get nodes'), / Ready /)
})
