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
import { network, pending, scenarios } from '@aksel/diagnosis/scenarios/all'
import type { Scenario } from '@aksel/diagnosis/scenarios/scenario'

const deadline = { timeout: 240_000 }
/** From the last change to the finding: back-offs, probes and metrics take their time. */
const FOUND_WITHIN_MS = 180_000
const ASK_EVERY_MS = 2_000

interface Answer {
  readonly findings: readonly Finding[]
  readonly unread: Readonly<Record<string, string>>
}

void suite('aksel diagnose', () => {
  let cluster: ConformanceCluster
  const namespaces = new Map<Scenario, string>()

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
    await Promise.all(
      scenarios.map(async (scenario, index) => {
        const namespace = await cluster.namespace(`app-${index}`)
        namespaces.set(scenario, namespace)
        await apply(
          cluster,
          scenario.objects(namespace).map((object) => placed(object, namespace)),
        )
        for (const args of scenario.afterwards?.(namespace) ?? []) await cluster.aksel.kubectl(args)
      }),
    )
  })

  void test('every fault is found, with its cause', { timeout: FOUND_WITHIN_MS + 60_000 }, async () => {
    let open = [...scenarios]
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

  void test('a client that floods the API server is found, and so is the guard that stops it', deadline, async () => {
    const { aksel } = cluster
    const namespace = await cluster.namespace('flood')
    // The guard spares what runs in kube-system: fairness alone turns that account away.
    const accounts = ['kube-system', namespace]
    await apply(cluster, narrowLevel(accounts))
    await aksel.kubectl(['create', 'configmap', 'counter', '-n', namespace])
    for (const [at, id] of ['performance/api-throttled', 'performance/api-guard'].entries()) {
      const of = accounts[at]!
      await aksel.kubectl(['create', 'serviceaccount', 'greedy', '-n', of])
      const binding = ['clusterrolebinding', `greedy-${of}`, '--clusterrole=edit', `--serviceaccount=${of}:greedy`]
      await aksel.kubectl(['create', ...binding])
      const token = (await aksel.kubectl(['create', 'token', 'greedy', '-n', of])).trim()
      const stop = new AbortController()
      const flooding = flood(cluster.config, { token, namespace, signal: stop.signal })
      let seen: readonly Finding[] = []
      try {
        await until(
          async () => {
            seen = (await ask('performance')).findings
            return seen.some((each) => each.id === id && /"narrow"|:greedy"/.test(each.cause))
          },
          () => Promise.resolve(`${id}: ${JSON.stringify(seen, null, 2)}`),
        )
      } finally {
        stop.abort()
        await flooding
      }
    }
  })

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

const wholeCluster = new Set(['Namespace', 'ValidatingWebhookConfiguration'])

function placed(object: object, namespace: string): object {
  const { kind, metadata } = object as { readonly kind: string; readonly metadata: object }
  return wholeCluster.has(kind) ? object : { ...object, metadata: { ...metadata, namespace } }
}

/** One share for the accounts, and no queue: whoever comes while it is taken is turned away. */
function narrowLevel(namespaces: readonly string[]): readonly object[] {
  const apiVersion = 'flowcontrol.apiserver.k8s.io/v1'
  return [
    {
      apiVersion,
      kind: 'PriorityLevelConfiguration',
      metadata: { name: 'narrow' },
      spec: {
        type: 'Limited',
        limited: {
          nominalConcurrencyShares: 1,
          lendablePercent: 0,
          borrowingLimitPercent: 0,
          limitResponse: { type: 'Reject' },
        },
      },
    },
    {
      apiVersion,
      kind: 'FlowSchema',
      metadata: { name: 'narrow' },
      spec: {
        priorityLevelConfiguration: { name: 'narrow' },
        matchingPrecedence: 600,
        distinguisherMethod: { type: 'ByUser' },
        rules: [
          {
            subjects: namespaces.map((namespace) => ({
              kind: 'ServiceAccount',
              serviceAccount: { name: 'greedy', namespace },
            })),
            resourceRules: [
              { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true },
            ],
          },
        ],
      },
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
