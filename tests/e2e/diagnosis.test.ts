// Causes each fault for real, in one cluster of real containers, and asks `aksel diagnose` what is wrong.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { after, before, suite, test } from 'node:test'
import type { KubeConfig } from '@kubernetes/client-node'
import { subjectText, type Finding, type Subject } from '@aksel/diagnosis/finding'
import { conformanceCluster, type ConformanceCluster } from '../conformance/cluster.ts'
import { advice } from '@aksel/diagnosis/scenarios/advice'
import { network, pending, scenarios } from '@aksel/diagnosis/scenarios/all'
import { idle, pod, type Scenario } from '@aksel/diagnosis/scenarios/scenario'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'

const deadline = { timeout: 480_000 }
/** From the last change to the finding: back-offs, probes and metrics take their time. */
const FOUND_WITHIN_MS = 300_000
const ASK_EVERY_MS = 2_000
const CAUSED_AT_ONCE = 8
/** How the server's process is held up: it keeps a fifth of its time. */
const HELD_MS = 480
const FREE_MS = 120

interface Answer {
  readonly findings: readonly Finding[]
  readonly unread: Readonly<Record<string, string>>
}

void suite('aksel diagnose', () => {
  let cluster: ConformanceCluster
  const namespaces = new Map<Scenario, string>()
  let faults: readonly Scenario[] = []
  /** The node that is cut off, the other one, and the pod that was left on the first. */
  let far = ''
  let near = ''
  let left = ''

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 2, networkTools: true })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const ask = async (...args: readonly string[]): Promise<Answer> =>
    JSON.parse(await cluster.aksel.ok(['diagnose', ...args, '-o', 'json'])) as Answer

  void test('finds nothing in a cluster that is well', deadline, async () => {
    const namespace = await cluster.namespace('well')
    const web = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: { containers: [{ name: 'web', image: 'registry.k8s.io/pause:3.6', ports: [{ containerPort: 80 }] }] },
        },
      },
    }
    const front = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    }
    await apply(cluster, [web, front])
    await cluster.aksel.kubectl(['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=120s'])
    // Endpoints follow readiness; nothing may be found once they have.
    await until(
      async () => (await ask()).findings.length === 0,
      async () => JSON.stringify(await ask(), null, 2),
    )
    assert.match(await cluster.aksel.ok(['diagnose']), /^Nothing wrong was found\.\n$/)
  })

  void test('every fault is caused', deadline, async () => {
    faults = [...scenarios, ...(await certificates())]
    // A few at a time: each apply is a process of its own, and a hundred at once keep each other's handshakes waiting.
    const waiting = [...faults, ...advice].entries()
    const cause = async (): Promise<void> => {
      for (const [index, scenario] of waiting) {
        const namespace = await cluster.namespace(`app-${index}`)
        namespaces.set(scenario, namespace)
        await apply(
          cluster,
          scenario.objects(namespace).map((object) => placed(object, namespace)),
        )
        for (const args of scenario.afterwards?.(namespace) ?? []) await cluster.aksel.kubectl(args)
      }
    }
    await Promise.all(Array.from({ length: CAUSED_AT_ONCE }, cause))
  })

  void test('every fault is found, with its cause', { timeout: FOUND_WITHIN_MS + 60_000 }, async () => {
    let open = [...faults]
    let last: Answer = { findings: [], unread: {} }
    await until(
      async () => {
        last = await ask()
        open = open.filter((scenario) => !isFound(scenario, namespaces.get(scenario)!, last.findings))
        return open.length === 0
      },
      async () =>
        open
          .map((scenario) => {
            const namespace = namespaces.get(scenario)!
            const here = last.findings.filter(({ subject }) => isIn(subject, namespace))
            const seen = here.map(({ id, subject, cause }) => `    ${id} ${subjectText(subject)}: ${cause}`)
            return `${scenario.name} (${namespace}): ${scenario.finds} about ${scenario.about}, ${scenario.cause}\n${seen.join('\n')}`
          })
          .join('\n'),
    )
  })

  void test('what is no fault is told when it is asked for, and only then', deadline, async () => {
    const told = new Set((await ask()).findings.map(({ id }) => id.split('/')[0]))
    assert.ok(!told.has('security') && !told.has('tidiness'))
    const asked = (await Promise.all(['security', 'tidiness'].map((family) => ask(family)))).flatMap(
      ({ findings }) => findings,
    )
    for (const scenario of advice) assert.ok(isFound(scenario, namespaces.get(scenario)!, asked), scenario.name)
    const names = asked.map(({ subject }) => subject.name)
    // What a pod reads, what the cluster makes for itself, and its own roles are nobody's business.
    for (const name of ['needed', 'kube-root-ca.crt', 'cluster-admin']) assert.ok(!names.includes(name), name)
  })

  void test('tells one object, one family and the exit code', deadline, async () => {
    const namespace = namespaces.get(pending[0]!)!
    const one = await ask('pod/large', '-n', namespace)
    assert.deepEqual(
      one.findings.map(({ id }) => id),
      ['pending/too-large'],
    )
    const family = await ask('pending')
    assert.ok(family.findings.length >= pending.length)
    assert.ok(family.findings.every(({ id }) => id.startsWith('pending/')))
    const code = await cluster.aksel.run(['diagnose', 'po/large', '-n', namespace, '--exit-code'])
    assert.equal(code.code, 3)
    assert.match(code.stdout, /asks for 500 of cpu/)
    const wrong = await cluster.aksel.run(['diagnose', 'nonsense'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /neither a family/)
  })

  /** A finding that comes sooner or later, of a family or about an object, with a cause of these words. */
  const finds = async (id: string, cause: RegExp, ...args: readonly string[]): Promise<void> => {
    let seen: readonly Finding[] = []
    await until(
      async () => {
        seen = (await ask(...args)).findings
        return seen.some((each) => each.id === id && cause.test(each.cause) && each.commands.length > 0)
      },
      () => Promise.resolve(`${id}: ${JSON.stringify(seen, null, 2)}`),
    )
  }

  void test(
    'a node that nobody hears is found at the end: it is cut off while others are looked at',
    deadline,
    async () => {
      const { aksel } = cluster
      const lost = await cluster.namespace('lost')
      const items = (await cluster.core.listNode()).items.map(({ metadata }) => metadata!.name!)
      ;[near, far] = [items[0]!, items[1]!]
      await apply(cluster, [placed(pod('left', idle, { nodeName: far }), lost)])
      await aksel.kubectl(['wait', 'pod/left', '-n', lost, '--for=condition=Ready', '--timeout=120s'])
      await aksel.ok(['machine', 'partition', '--node', far])
      await aksel.kubectl(['delete', 'pod/left', '-n', lost, '--wait=false'])
      left = `${lost}/left`
    },
  )

  void test('nodes that take nobody are told by what keeps pods away', deadline, async () => {
    const { aksel } = cluster
    const namespace = await cluster.namespace('shut-out')
    const waits = async (name: string, spec: object): Promise<readonly [string, string, string]> => {
      await apply(cluster, [placed(pod(name, idle, spec as Record<string, unknown>), namespace)])
      return [`pod/${name}`, '-n', namespace]
    }
    const here = { nodeSelector: { 'kubernetes.io/hostname': near } }
    await aksel.kubectl(['taint', 'node', near, 'dedicated=db:NoSchedule'])
    await finds('pending/taints', /does not tolerate: dedicated=db:NoSchedule/, ...(await waits('untolerating', here)))
    await aksel.kubectl(['taint', 'node', near, 'dedicated-'])
    await aksel.kubectl(['cordon', near])
    await finds('pending/cordoned', /only node that it may use is cordoned/, ...(await waits('late', here)))
    await aksel.kubectl(['uncordon', near])

    const az = (line: string): Promise<string> => aksel.ok(['az', 'aks', ...line.split(' ')], { timeoutMs: 120_000 })
    await az('update -g aksel -n demo --cluster-autoscaler-profile scan-interval=2s')
    await az(
      'nodepool add -g aksel --cluster-name demo -n elastic -c 1 --simulated --enable-cluster-autoscaler --min-count 1 --max-count 1',
    )
    const large = { ...idle, resources: { requests: { cpu: '1100m' } } }
    await apply(
      cluster,
      ['first', 'second'].map((name) =>
        placed(pod(name, large, { nodeSelector: { agentpool: 'elastic' } }), namespace),
      ),
    )
    await finds(
      'pending/insufficient-resources',
      /The autoscaler has no room to add a node\./,
      'pending',
      '-n',
      namespace,
    )
    await az('nodepool delete -g aksel --cluster-name demo -n elastic -y')
  })

  void test(
    'a node whose disk is full is found, with the pods that it threw out and those that wait for it',
    deadline,
    async () => {
      const { aksel } = cluster
      const namespace = await cluster.namespace('crowded')
      await apply(cluster, [placed(pod('thrown-out', idle, { nodeName: near }), namespace)])
      await aksel.kubectl(['wait', 'pod/thrown-out', '-n', namespace, '--for=condition=Ready', '--timeout=120s'])
      await aksel.ok(['machine', 'fill', '--node', near, '--leave-bytes', '0'], { timeoutMs: 180_000 })
      await finds('nodes/disk-pressure', /disk is nearly full/, `node/${near}`)
      const waiting = pod('waiting', idle, { nodeSelector: { 'kubernetes.io/hostname': near } })
      await apply(cluster, [placed(waiting, namespace)])
      await finds(
        'pending/nodes-unwell',
        /marked as unfit: node\.kubernetes\.io\/disk-pressure:NoSchedule/,
        'pod/waiting',
        '-n',
        namespace,
      )
      await finds('nodes/evicted', /was low on ephemeral-storage/, 'nodes')
      await aksel.ok(['machine', 'heal', '--node', near])
    },
  )

  void test('a client that floods the API server is found, and so is the guard that stops it', deadline, async () => {
    const { aksel } = cluster
    const namespace = await cluster.namespace('flood')
    // The guard spares what runs in kube-system: fairness alone turns one account away, and lets another one wait.
    const accounts = [
      ['performance/api-throttled', 'kube-system', 'greedy'],
      ['performance/api-queued', 'kube-system', 'patient'],
      ['performance/api-guard', namespace, 'greedy'],
    ] as const
    await apply(cluster, [
      ...narrowLevel('narrow', { type: 'Reject' }, ['kube-system', namespace], 'greedy'),
      ...narrowLevel(
        'lined-up',
        { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 1000 } },
        ['kube-system'],
        'patient',
      ),
    ])
    await aksel.kubectl(['create', 'configmap', 'counter', '-n', namespace])
    for (const [id, of, account] of accounts) {
      await aksel.kubectl(['create', 'serviceaccount', account, '-n', of])
      const name = `${account}-${of}`
      const binding = ['clusterrolebinding', name, '--clusterrole=edit', `--serviceaccount=${of}:${account}`]
      await aksel.kubectl(['create', ...binding])
      const token = (await aksel.kubectl(['create', 'token', account, '-n', of])).trim()
      const stop = new AbortController()
      const flooding = flood(cluster.config, { token, namespace, signal: stop.signal })
      let seen: readonly Finding[] = []
      try {
        await until(
          async () => {
            seen = (await ask('performance')).findings
            return seen.some((each) => each.id === id && /"narrow"|"lined-up"|:greedy"/.test(each.cause))
          },
          () => Promise.resolve(`${id}: ${JSON.stringify(seen, null, 2)}`),
        )
      } finally {
        stop.abort()
        await flooding
      }
    }
  })

  void test(
    'an API server whose process is kept from its core is found by what its event loop lost',
    deadline,
    async () => {
      // As a neighbour that takes the core would: it stands still for half a second, again and again.
      const server = await cluster.aksel.serverPid()
      const stop = new AbortController()
      const held = (async () => {
        while (!stop.signal.aborted) {
          process.kill(server, 'SIGSTOP')
          await sleep(HELD_MS)
          process.kill(server, 'SIGCONT')
          await sleep(FREE_MS)
        }
      })()
      try {
        await finds('performance/event-loop', /stood still for a quarter of a second or longer/, 'performance')
      } finally {
        stop.abort()
        await held
      }
    },
  )

  void test('says what a user of one namespace may not read, and finds the rest', deadline, async () => {
    const namespace = namespaces.get(network[0]!)!
    const { aksel } = cluster
    await aksel.kubectl(['create', 'serviceaccount', 'dev', '-n', namespace])
    await aksel.kubectl([
      'create',
      'rolebinding',
      'dev',
      '--clusterrole=view',
      `--serviceaccount=${namespace}:dev`,
      '-n',
      namespace,
    ])
    const token = (await aksel.kubectl(['create', 'token', 'dev', '-n', namespace])).trim()
    const { server, caData } = cluster.config.getCurrentCluster()!
    const file = join(aksel.dataDir, 'dev.kubeconfig')
    const kubeconfig = (word: string): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'c',
        clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': caData } }],
        users: [{ name: 'dev', user: { token: word } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'dev' } }],
      })
    await writeFile(file, kubeconfig(token), { mode: 0o600 })
    const seen = await ask('--kubeconfig', file, '-n', namespace)
    assert.ok(seen.findings.some(({ id }) => id === 'network/selector-matches-nothing'))
    assert.match(seen.unread['secrets'] ?? '', /cannot list resource "secrets"/)
    assert.match(seen.unread['nodes'] ?? '', /cannot list resource "nodes"/)
    const [head, payload, signature] = token.split('.') as [string, string, string]
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Readonly<Record<string, unknown>>
    const old = Buffer.from(JSON.stringify({ ...claims, exp: 1_000_000_000 })).toString('base64url')
    await writeFile(file, kubeconfig(`${head}.${old}.${signature}`))
    assert.deepEqual(
      (await ask('--kubeconfig', file)).findings.map(({ id }) => id),
      ['access/login-expired'],
    )
    const other = Buffer.from(JSON.stringify({ ...claims, iss: 'https://elsewhere.example', aud: ['shop'] })).toString(
      'base64url',
    )
    await writeFile(file, kubeconfig(`${head}.${other}.${signature}`))
    const [refused] = (await ask('--kubeconfig', file)).findings
    assert.equal(refused?.id, 'access/login-refused')
    assert.match(refused.cause, /issuer "https:\/\/elsewhere\.example" for audience "shop"/)
  })

  void test(
    'a node that nobody hears, a pod that cannot end there, and a cluster without a node',
    deadline,
    async () => {
      const { aksel } = cluster
      await finds('nodes/silent', /has not been heard for longer than the grace period/, `node/${far}`)
      const [lost, name] = left.split('/') as [string, string]
      await finds('workloads/pod-stuck', /does not answer/, `pod/${name}`, '-n', lost)
      // Cut off, the other one cannot come back by itself either.
      await aksel.ok(['machine', 'partition', '--node', near])
      await aksel.kubectl(['delete', 'node', '--all'])
      await apply(cluster, [placed(pod('homeless', idle), lost)])
      await finds('pending/no-nodes', /has no node/, 'pod/homeless', '-n', lost)
    },
  )
})

function isFound({ finds, about, cause }: Scenario, namespace: string, findings: readonly Finding[]): boolean {
  const [kind, name] = about.split('/')
  return findings.some(
    (finding) =>
      finding.id === finds &&
      [finding.subject, ...finding.alsoAffected].some(
        (subject) => subject.kind === kind && (name === undefined || subject.name === name) && isIn(subject, namespace),
      ) &&
      cause.test(finding.cause) &&
      finding.commands.length > 0,
  )
}

/** Objects of the whole cluster carry the namespace in their name. */
function isIn(subject: Subject, namespace: string): boolean {
  return subject.namespace === namespace || (subject.namespace === undefined && subject.name.endsWith(namespace))
}

const wholeCluster = new Set([
  'Namespace',
  'ValidatingWebhookConfiguration',
  'PersistentVolume',
  'CertificateSigningRequest',
])

function placed(object: object, namespace: string): object {
  const { kind, metadata } = object as { readonly kind: string; readonly metadata: object }
  return wholeCluster.has(kind) ? object : { ...object, metadata: { ...metadata, namespace } }
}

/** One share for the accounts: whoever comes while it is taken is turned away, or waits. */
function narrowLevel(
  name: string,
  limitResponse: object,
  namespaces: readonly string[],
  account: string,
): readonly object[] {
  const apiVersion = 'flowcontrol.apiserver.k8s.io/v1'
  const limited = { nominalConcurrencyShares: 1, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse }
  const subjects = namespaces.map((namespace) => ({
    kind: 'ServiceAccount',
    serviceAccount: { name: account, namespace },
  }))
  const all = ['*']
  const resourceRules = [{ verbs: all, apiGroups: all, resources: all, namespaces: all, clusterScope: true }]
  return [
    { apiVersion, kind: 'PriorityLevelConfiguration', metadata: { name }, spec: { type: 'Limited', limited } },
    {
      apiVersion,
      kind: 'FlowSchema',
      metadata: { name },
      spec: {
        priorityLevelConfiguration: { name },
        matchingPrecedence: 600,
        distinguisherMethod: { type: 'ByUser' },
        rules: [{ subjects, resourceRules }],
      },
    },
  ]
}

/** Certificates of a site, made when the test runs: one that ended long ago, and one that ends within days. */
async function certificates(): Promise<readonly Scenario[]> {
  const made = async (startMs: number): Promise<string> => {
    using scope = testScope({ clock: new SimulatedClock(startMs) })
    const authority = await createAuthority(scope, { commonName: 'site', years: 1 })
    return (await issue(scope, authority, { commonName: 'shop.example', usages: ['server'], days: 5 })).certificatePem
  }
  const secret = (name: string, pem: string): object => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name },
    type: 'kubernetes.io/tls',
    stringData: { 'tls.crt': pem, 'tls.key': 'of no use here' },
  })
  const [over, soon] = await Promise.all([made(Date.parse('2020-01-01T00:00:00Z')), made(Date.now())])
  return [
    {
      name: 'a certificate in a secret that is over',
      finds: 'access/certificate-expired',
      about: 'Secret/over',
      cause: /ended at 2020-01-06T/,
      objects: () => [secret('over', over)],
    },
    {
      name: 'a certificate in a secret that ends soon',
      finds: 'access/certificate-expires-soon',
      about: 'Secret/soon',
      cause: /in [45] days/,
      objects: () => [secret('soon', soon)],
    },
  ]
}

/** More at once than the level of one share has seats (49 of this server's). */
const CROWD = 160

/** Writes over many connections at once, each durable before it is answered, until it is stopped. */
async function flood(
  config: KubeConfig,
  { token, namespace, signal }: { readonly token: string; readonly namespace: string; readonly signal: AbortSignal },
): Promise<void> {
  const { server, caData } = config.getCurrentCluster()!
  const agent = new Agent({ keepAlive: true, maxSockets: CROWD, ca: Buffer.from(caData!, 'base64') })
  const url = new URL(`/api/v1/namespaces/${namespace}/configmaps/counter`, server)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/merge-patch+json' }
  let count = 0
  const once = (): Promise<void> =>
    new Promise((resolve) => {
      const call = request(url, { method: 'PATCH', agent, headers }, (answer) => {
        answer.resume()
        answer.once('close', resolve)
      })
      call.once('error', () => resolve())
      call.end(JSON.stringify({ data: { count: String(count++) } }))
    })
  const client = async (): Promise<void> => {
    while (!signal.aborted) await once()
  }
  await Promise.all(Array.from({ length: CROWD }, client))
  agent.destroy()
}

async function apply({ aksel }: ConformanceCluster, objects: readonly object[]): Promise<void> {
  await aksel.ok(['kubectl', 'apply', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  })
}

/** Asks again for what only becomes true after a while. */
async function until(isTrue: () => Promise<boolean>, told: () => Promise<string>): Promise<void> {
  const endMs = Date.now() + FOUND_WITHIN_MS
  while (!(await isTrue())) {
    if (Date.now() > endMs) assert.fail(`not found in time:\n${await told()}`)
    await sleep(ASK_EVERY_MS)
  }
}
