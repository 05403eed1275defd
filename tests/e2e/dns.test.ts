// Cluster DNS as an operator meets it: dig and dnsperf in a pod, `coredns-custom`, and an agent that is killed meanwhile.

import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Aksel, repositoryRoot, runProgram } from './aksel.ts'

let aksel: Aksel
const pod = { image: 'docker.io/library/network-tools:1', imagePullPolicy: 'IfNotPresent' }
const timeout = 120_000

before(async () => {
  aksel = await Aksel.inNewFolder()
  const folder = join(aksel.dataDir, 'images', 'extra')
  await mkdir(folder, { recursive: true })
  const build = [process.execPath, join(repositoryRoot, 'tools/images/build.ts'), '--network-tools', '--out', folder]
  const built = await runProgram(build)
  assert.equal(built.code, 0, built.stderr)
  await aksel.ok(['up', '--nodes', '1', '--network-policy', 'calico', '--enable-acns'])
  await apply([
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'tools', labels: { app: 'tools' } },
      spec: { hostname: 'tools', subdomain: 'peers', containers: [{ name: 'tools', ...pod }] },
    },
    service('web', { ports: [{ name: 'http', port: 80 }], selector: { app: 'nobody' } }),
    service('peers', { clusterIP: 'None', ports: [{ name: 'http', port: 8080 }], selector: { app: 'tools' } }),
    service('early', {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      ports: [{ port: 80 }],
      selector: { app: 'never-ready' },
    }),
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'never-ready', labels: { app: 'never-ready' } },
      spec: {
        hostname: 'early-0',
        subdomain: 'early',
        containers: [{ name: 'tools', ...pod, readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } }],
      },
    },
  ])
  await aksel.kubectl('wait pod/tools --for=condition=Ready --timeout=120s', { timeoutMs: 140_000 })
  await aksel.kubectl('wait pod/never-ready --for=jsonpath={.status.phase}=Running --timeout=120s', {
    timeoutMs: 140_000,
  })
})

after(() => aksel[Symbol.asyncDispose]())

const service = (name: string, spec: object) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })

async function apply(items: readonly object[]): Promise<void> {
  await aksel.kubectl('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
}

const shell = (script: string): Promise<string> => aksel.kubectl(['exec', 'tools', '--', 'sh', '-c', script])

/** What dig says, asked again for half a minute at most until it is so: objects reach a node a moment after the API has them. */
async function digs(question: string, expected: RegExp): Promise<void> {
  const deadline = AbortSignal.timeout(30_000)
  let said = await shell(`dig ${question}`)
  while (!expected.test(said) && !deadline.aborted) said = await shell(`dig ${question}`)
  assert.match(said, expected, question)
}

test('a policy that drops DNS is seen in the flow log, by the words that one searches for', { timeout }, async () => {
  await using stream = aksel.start(['flows', '--follow', '--namespace', 'default', '--pod', 'tools'])
  await stream.says(/^following /m)
  await digs('+short web.default.svc.cluster.local', /^10\.0\./m)
  await stream.says(
    /default\/tools:\d+ -> kube-system\/coredns:53 egress FORWARDED \(DNS Query web\.default\.svc\.cluster\.local\. A\)/,
  )
  const log = { metadata: { name: 'drops' }, spec: { includefilters: [{ name: 'drops', verdict: ['dropped'] }] } }
  const policy = { podSelector: { matchLabels: { app: 'tools' } }, policyTypes: ['Egress'], egress: [] }
  await apply([
    { apiVersion: 'acn.azure.com/v1alpha1', kind: 'ContainerNetworkLog', ...log },
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'no-egress' }, spec: policy },
  ])
  await aksel.kubectl('wait containernetworklog/drops --for=jsonpath={.status.state}=CONFIGURED --timeout=60s', {
    timeoutMs: 70_000,
  })
  const deadline = AbortSignal.timeout(30_000)
  const asks = (): Promise<string> => shell('dig +tries=1 +time=1 shut.default.svc.cluster.local || true')
  while (!(await asks()).includes('no servers could be reached'))
    assert.ok(!deadline.aborted, 'the policy is not in force')
  const dropped =
    /default\/tools:\d+ -> kube-system\/coredns:53 Policy denied egress by NetworkPolicy default\/no-egress DROPPED \(DNS Query shut\.default\.svc\.cluster\.local\. A\)/
  await stream.says(dropped)
  const [machine] = await machines()
  const inNode = async (argv: readonly string[]): Promise<string> =>
    (await runProgram(['nsenter', `--net=/run/netns/${machine!.networkNamespace}`, ...argv])).stdout
  assert.match(await inNode(['nft', 'list', 'tables']), /aksel-flows/)
  // When nobody wants flows any more, what was counted is written down, and the kernel copies nothing.
  await stream[Symbol.asyncDispose]()
  await aksel.kubectl('delete containernetworklog drops')
  const text = await fileSays(join(machine!.folder, 'acns', 'hubble', 'events.log'), /POLICY_DENIED/)
  const lines = text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { flow: Record<string, unknown> }).flow)
  assert.ok(lines.every(({ verdict }) => verdict === 'DROPPED'))
  const found = lines.find(({ l7 }) => JSON.stringify(l7).includes('shut.default.svc.cluster.local.'))!
  assert.deepEqual(found['egress_denied_by'], [{ name: 'no-egress', namespace: 'default', kind: 'NetworkPolicy' }])
  assert.equal(found['drop_reason_desc'], 'POLICY_DENIED')
  const gone = AbortSignal.timeout(30_000)
  const rules = (): Promise<string> => inNode(['nft', 'list', 'ruleset'])
  while (/aksel-flows|log prefix/.test(await rules()) && !gone.aborted);
  assert.doesNotMatch(await rules(), /aksel-flows|log prefix/)
  await aksel.kubectl('delete networkpolicy no-egress')
  await digs('+short web.default.svc.cluster.local', /^10\.0\./m)
})

/** The file's text once it says so. */
async function fileSays(path: string, pattern: RegExp): Promise<string> {
  const deadline = AbortSignal.timeout(60_000)
  const text = (): Promise<string> => readFile(path, 'utf8').catch(() => '')
  while (!pattern.test(await text()) && !deadline.aborted);
  const said = await text()
  assert.match(said, pattern)
  return said
}

interface RunningMachine {
  readonly folder: string
  readonly pool: string
  readonly networkNamespace: string
  readonly agentPid: number
}

/** What stands behind the nodes on this host. */
async function machines(): Promise<readonly RunningMachine[]> {
  const root = join(aksel.dataDir, 'machines')
  return Promise.all(
    (await readdir(root)).map(async (key) => {
      const folder = join(root, key)
      const { spec, attachment } = JSON.parse(await readFile(join(folder, 'machine.json'), 'utf8')) as {
        readonly spec: { readonly labels: Readonly<Record<string, string>> }
        readonly attachment: { readonly networkNamespace: string }
      }
      const agentPid = Number(await readFile(join(folder, 'agent.pid'), 'utf8'))
      return { folder, pool: spec.labels['agentpool']!, networkNamespace: attachment.networkNamespace, agentPid }
    }),
  )
}

async function custom(data: Readonly<Record<string, string>> | null): Promise<void> {
  const patch = JSON.stringify({ data })
  await aksel.kubectl(['patch', 'configmap', 'coredns-custom', '-n', 'kube-system', '--type=merge', '-p', patch])
}

/** The newest event of that reason on the ConfigMap, once there is one with this text. */
async function told(reason: string, text: RegExp): Promise<void> {
  const of = `reason=${reason},involvedObject.name=coredns-custom`
  const columns = 'jsonpath={.involvedObject.kind} {.type} {.source.component} {.message}{"\\n"}'
  await using watching = aksel.start([
    'kubectl',
    'get',
    'events',
    '-n',
    'kube-system',
    '--watch',
    '--field-selector',
    of,
    '-o',
    columns,
  ])
  assert.match(await watching.says(text), /^ConfigMap (Warning|Normal) coredns /m)
}

test(
  'dig sees the specification: names, ports, pods, versions, and the difference between no name and no record',
  { timeout },
  async () => {
    const zone = 'default.svc.cluster.local'
    await digs(`+short tools.peers.${zone}`, /^10\.244\.\d+\.\d+$/m)
    await digs(`+short early-0.early.${zone}`, /^10\.244\.\d+\.\d+$/m)
    await digs(`+short SRV _http._tcp.peers.${zone}`, /^0 100 8080 tools\.peers\.default\.svc\.cluster\.local\.$/m)
    await digs('+short TXT dns-version.cluster.local', /^"1\.1\.0"$/m)
    await digs('+short 10-244-9-9.default.pod.cluster.local', /^10\.244\.9\.9$/m)
    await digs(`web.${zone} AAAA`, /status: NOERROR[\s\S]*ANSWER: 0, AUTHORITY: 1/)
    await digs(`nothing.${zone}`, /status: NXDOMAIN[\s\S]*ANSWER: 0, AUTHORITY: 1/)
    await digs(`+tcp web.${zone}`, /^web\.default\.svc\.cluster\.local\.\s+30\s+IN\s+A\s+10\.0\./m)
    await digs(`+edns=1 +noednsneg web.${zone}`, /status: BADVERS/)
    await digs(`CH TXT version.bind`, /status: REFUSED/)
  },
)

test('a name that a search path leads to is answered at its first step', { timeout }, async () => {
  await digs(
    '+noall +answer kube-dns.kube-system.default.svc.cluster.local',
    /CNAME\s+kube-dns\.kube-system\.svc\.cluster\.local\.\n.*\sA\s+10\.0\.0\.10/,
  )
})

test('dnsperf loses nothing', { timeout }, async () => {
  const questions = [
    'web.default.svc.cluster.local A',
    'peers.default.svc.cluster.local A',
    'web.default.svc.cluster.local AAAA',
  ]
  const report = await shell(
    `printf '%s\\n' ${questions.map((each) => `'${each}'`).join(' ')} > /tmp/q; dnsperf -s 10.0.0.10 -d /tmp/q -l 2 -c 4 -q 50`,
  )
  assert.match(report, /Queries lost:\s+0 \(0\.00%\)/)
  assert.match(report, /Response codes:\s+NOERROR \d+ \(100\.00%\)/)
})

test(
  'coredns-custom: hosts and rewrite as AKS documents them; what cannot be done is told, and nothing of it is in force',
  { timeout: 2 * timeout },
  async () => {
    await custom({
      'hosts.override': 'hosts {\n  10.1.2.3 db.corp.example\n  fallthrough\n}\n',
      'shop.server':
        'shop.example:53 {\n  log\n  errors\n  rewrite stop {\n    name regex (.*)\\.shop\\.example {1}.default.svc.cluster.local\n    answer name (.*)\\.default\\.svc\\.cluster\\.local {1}.shop.example\n  }\n  forward . 10.0.0.10\n}\n',
    })
    await told('CorefileApplied', /own server blocks: shop\.example/)
    await digs('+short db.corp.example', /^10\.1\.2\.3$/m)
    await digs('+noall +answer web.shop.example', /^web\.shop\.example\.\s+\d+\s+IN\s+A\s+10\.0\./)
    const [machine] = await readdir(join(aksel.dataDir, 'machines'))
    const log = await readFile(join(aksel.dataDir, 'machines', machine!, 'agent.log'), 'utf8')
    assert.match(log, /A IN web\.shop\.example\. udp \d+ false \d+\\" NOERROR qr/)
    await custom({ 'hosts.override': 'hosts {\n  10.9.9.9 db.corp.example\n  fallthrough\n}\nnsid aksel\n' })
    await told(
      'InvalidCorefile',
      /Nothing of it is in force, what held before goes on: .*nsid: this directive is not supported/,
    )
    await digs('+short db.corp.example', /^10\.1\.2\.3$/m)
    await custom(null)
    await digs('db.corp.example', /status: (SERVFAIL|NXDOMAIN)/)
    await digs('+short web.default.svc.cluster.local', /^10\.0\./)
  },
)

/** Rules of which some differ from AKS's own: a short memory, to see what has run out. */
const profile = {
  mode: 'Required',
  vnetDNSOverrides: { '.': { queryLogging: 'Log' } },
  kubeDNSOverrides: { 'cluster.local': { cacheDurationInSeconds: 1 } },
}

test(
  'LocalDNS answers on its node, over TCP to the cluster, and goes on with what it knows while nobody else answers',
  { timeout: 2 * timeout },
  async () => {
    const file = join(aksel.dataDir, 'localdns.json')
    await writeFile(file, JSON.stringify(profile))
    const pool = ['az', 'aks', 'nodepool', 'add', '-g', 'aksel', '--cluster-name', 'demo', '-n', 'localdns', '-c', '1']
    const refused = await aksel.fails([...pool, '-s', 'Standard_D2s_v5', '--localdns-config', file])
    assert.match(refused, /LocalDNS mode Required needs a VM size with at least 4 vCPUs, 'Standard_D2s_v5' has 2/)
    await aksel.ok([...pool, '-s', 'Standard_D4s_v5', '--localdns-config', file], { timeoutMs: 180_000 })
    const shown = JSON.parse(await aksel.ok(['az', 'aks', 'nodepool', 'show', ...pool.slice(4, 10), '-o', 'json'])) as {
      localDnsProfile?: object
      localDNSProfile?: object
    }
    assert.deepEqual(shown.localDnsProfile ?? shown.localDNSProfile, { ...profile, state: 'Enabled' })
    const on = (name: string, dnsPolicy: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { dnsPolicy, nodeSelector: { agentpool: 'localdns' }, containers: [{ name: 'tools', ...pod }] },
    })
    await apply([on('first', 'ClusterFirst'), on('node', 'Default')])
    await aksel.kubectl('wait pod/first pod/node --for=condition=Ready --timeout=120s', { timeoutMs: 140_000 })
    const inPod = (name: string, script: string): Promise<string> =>
      aksel.kubectl(['exec', name, '--', 'sh', '-c', script])
    assert.match(await inPod('first', 'cat /etc/resolv.conf'), /^nameserver 169\.254\.10\.11$/m)
    assert.match(await inPod('node', 'cat /etc/resolv.conf'), /^nameserver 169\.254\.10\.10$/m)
    const question = 'dig +short web.default.svc.cluster.local'
    assert.match(await inPod('node', question), /^10\.0\./)
    assert.match(await inPod('first', question), /^10\.0\./)
    const nodes = await aksel.json<{ items: { status: { addresses: { address: string }[] } }[] }>(
      'get nodes -l agentpool=localdns',
    )
    const address = nodes.items[0]!.status.addresses[0]!.address
    const metrics = await inPod('first', `curl -s http://${address}:9253/metrics`)
    assert.match(
      metrics,
      /^coredns_cache_misses_total\{server="dns:\/\/169\.254\.10\.11:53",zones="cluster\.local\."\} [1-9]/m,
    )
    // The agent, which is the cluster's DNS on this node, stands still; so does exec, and dig runs where the pods' questions go.
    const machine = (await machines()).find(({ pool }) => pool === 'localdns')!
    const dig = async (name: string): Promise<string> => {
      const argv = [
        'nsenter',
        `--net=/run/netns/${machine.networkNamespace}`,
        'dig',
        '@169.254.10.11',
        '+tries=1',
        '+time=10',
        name,
      ]
      return (await runProgram(argv)).stdout
    }
    process.kill(machine.agentPid, 'SIGSTOP')
    try {
      const deadline = AbortSignal.timeout(30_000)
      let stale = await dig('web.default.svc.cluster.local')
      while (!/\s0\s+IN\s+A\s+10\.0\./.test(stale) && !deadline.aborted)
        stale = await dig('web.default.svc.cluster.local')
      assert.match(stale, /status: NOERROR[^]*web\.default\.svc\.cluster\.local\.\s+0\s+IN\s+A\s+10\.0\./)
      assert.match(await dig('never-asked.default.svc.cluster.local'), /status: SERVFAIL/)
    } finally {
      process.kill(machine.agentPid, 'SIGCONT')
    }
  },
)

test('questions that come while the agent is killed and starts again are answered', { timeout }, async () => {
  const machine = (await machines()).find(({ pool }) => pool === 'nodepool1')
  // In the background: the session that starts it ends with the agent.
  const loop = (count: number, flags: string): string =>
    `for i in $(seq ${count}); do dig +short ${flags} +tries=1 +time=15 web.default.svc.cluster.local || echo FAILED; done`
  await shell(`(${loop(200, '')}; ${loop(20, '+tcp')}; echo done) > /tmp/said 2>&1 &`)
  process.kill(machine!.agentPid, 'SIGKILL')
  await aksel.kubectl('wait pod/tools --for=condition=Ready --timeout=60s')
  const deadline = AbortSignal.timeout(100_000)
  let said = ''
  while (!said.endsWith('done\n') && !deadline.aborted)
    said = (await aksel.run(['kubectl', 'exec', 'tools', '--', 'cat', '/tmp/said'])).stdout
  assert.equal(said.match(/^10\.0\.\d+\.\d+$/gm)?.length, 220, said)
})
