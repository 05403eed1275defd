// Pod Security: each check by level and version, and what the server says to pods, workloads and namespaces.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestServer, type TestServer } from '../../test-server.ts'
import { describe, violationsOf, type Level } from './evaluate.ts'
import type { CheckedPod } from './words.ts'

interface Loose {
  readonly [key: string]: unknown
}

/** A pod that no standard has a word against. */
function hardened(
  more: { pod?: Loose; container?: Loose; context?: Loose; spec?: Loose; annotations?: Record<string, string> } = {},
): CheckedPod {
  return {
    metadata: { annotations: more.annotations ?? {} },
    spec: {
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' }, ...more.pod },
      containers: [
        {
          name: 'c',
          image: 'i',
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, ...more.context },
          ...more.container,
        },
      ],
      ...more.spec,
    },
  } as unknown as CheckedPod
}

function judge(level: Level, pod: CheckedPod, minor = 36): string {
  return describe(violationsOf({ level, minor }, pod, 36))
}

test('a hardened pod passes every standard of every version', () => {
  for (let minor = 0; minor <= 36; minor += 1) {
    for (const level of ['privileged', 'baseline', 'restricted'] as const)
      assert.equal(judge(level, hardened(), minor), '')
  }
})

test('baseline refuses what lets a pod out of its box', () => {
  const rows: readonly (readonly [CheckedPod, string])[] = [
    [
      hardened({ context: { privileged: true } }),
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    [hardened({ spec: { hostPID: true, hostNetwork: true } }), 'host namespaces (hostNetwork=true, hostPID=true)'],
    [hardened({ spec: { volumes: [{ name: 'v', hostPath: { path: '/' } }] } }), 'hostPath volumes (volume "v")'],
    [
      hardened({
        container: {
          ports: [
            { containerPort: 1, hostPort: 80 },
            { containerPort: 2, hostPort: 443 },
          ],
        },
      }),
      'hostPort (container "c" uses hostPorts 443, 80)',
    ],
    [
      hardened({ context: { capabilities: { add: ['NET_ADMIN', 'CHOWN'] } } }),
      'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
    ],
    [
      hardened({ pod: { seLinuxOptions: { type: 'spc_t', user: 'u' } } }),
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      hardened({ context: { procMount: 'Unmasked' } }),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    [
      hardened({ pod: { appArmorProfile: { type: 'Unconfined' } } }),
      'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
    ],
    [
      hardened({ pod: { seccompProfile: { type: 'Unconfined' } } }),
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [hardened({ pod: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }), 'forbidden sysctls (kernel.msgmax)'],
    [
      hardened({ pod: { windowsOptions: { hostProcess: true } } }),
      'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      hardened({ container: { livenessProbe: { httpGet: { host: '1.2.3.4', port: 1 } } } }),
      'probe or lifecycle host (container "c" uses probe or lifecycle host "1.2.3.4")',
    ],
  ]
  assert.deepEqual(
    rows.map(([pod]) => judge('baseline', pod)),
    rows.map(([, expected]) => expected),
  )
  for (const [pod] of rows) assert.equal(judge('privileged', pod), '')
})

test('restricted asks for what hardens, and stands in for weaker checks', () => {
  const bare = { metadata: {}, spec: { containers: [{ name: 'a' }, { name: 'b' }] } } as unknown as CheckedPod
  assert.equal(
    judge('restricted', bare),
    'allowPrivilegeEscalation != false (containers "a", "b" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (containers "a", "b" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or containers "a", "b" must set securityContext.runAsNonRoot=true), seccompProfile (pod or containers "a", "b" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  )
  const rows: readonly (readonly [CheckedPod, string])[] = [
    [
      hardened({
        spec: {
          volumes: [
            { name: 'v', nfs: {} },
            { name: 'w', hostPath: {} },
          ],
        },
      }),
      'restricted volume types (volumes "v", "w" use restricted volume types "hostPath", "nfs")',
    ],
    [
      hardened({ context: { runAsNonRoot: false } }),
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
    ],
    [hardened({ pod: { runAsUser: 0 } }), 'runAsUser=0 (pod must not set runAsUser=0)'],
    [
      hardened({ context: { capabilities: { drop: ['ALL'], add: ['SYS_TIME', 'NET_BIND_SERVICE'] } } }),
      'unrestricted capabilities (container "c" must not include "SYS_TIME" in securityContext.capabilities.add)',
    ],
  ]
  assert.deepEqual(
    rows.map(([pod]) => judge('restricted', pod)),
    rows.map(([, expected]) => expected),
  )
})

test('standards are those of the version that is asked for', () => {
  const rows: readonly (readonly [Level, CheckedPod, failsAt: readonly number[], passesAt: readonly number[]])[] = [
    ['baseline', hardened({ pod: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] } }), [0, 31], [32, 36]],
    ['baseline', hardened({ pod: { seLinuxOptions: { type: 'container_engine_t' } } }), [0, 30], [31, 36]],
    ['baseline', hardened({ container: { livenessProbe: { tcpSocket: { host: 'a', port: 1 } } } }), [34, 36], [0, 33]],
    ['restricted', hardened({ pod: { runAsUser: 0 } }), [23, 36], [0, 22]],
    [
      'restricted',
      hardened({ pod: { runAsUser: 0, runAsNonRoot: false }, spec: { hostUsers: false } }),
      [34],
      [35, 36],
    ],
    ['restricted', hardened({ context: { capabilities: {} } }), [22, 36], [0, 21]],
    [
      'restricted',
      hardened({ context: { capabilities: undefined }, spec: { os: { name: 'windows' } } }),
      [22, 24],
      [25, 36],
    ],
    [
      'baseline',
      hardened({ annotations: { 'seccomp.security.alpha.kubernetes.io/pod': 'unconfined' } }),
      [0, 18],
      [19, 36],
    ],
    ['baseline', hardened({ context: { procMount: 'Unmasked' }, spec: { hostUsers: false } }), [34], [35, 36]],
    ['restricted', hardened({ context: { procMount: 'Unmasked' }, spec: { hostUsers: false } }), [34, 35, 36], []],
  ]
  for (const [level, pod, fails, passes] of rows) {
    for (const minor of fails)
      assert.notEqual(judge(level, pod, minor), '', `${level} v1.${minor} ${JSON.stringify(pod.spec)}`)
    for (const minor of passes) assert.equal(judge(level, pod, minor), '', `${level} v1.${minor}`)
  }
  assert.equal(violationsOf({ level: 'baseline', minor: 99 }, rows[2]![1], 33).length, 0)
})

async function server(labels: Record<string, string>): Promise<TestServer> {
  const api = await startTestServer()
  await api.ask('/api/v1/namespaces', { body: { metadata: { name: 'web', labels } } })
  await api.ask('/api/v1/namespaces/web/serviceaccounts', { body: { metadata: { name: 'default' } } })
  return api
}

const plain = { containers: [{ name: 'c', image: 'i', securityContext: { privileged: true } }] }
const words = 'privileged (container "c" must not set securityContext.privileged=true)'

test('pods are refused, workloads are warned of, and the audit log is told', async () => {
  await using api = await server({
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/audit': 'baseline',
    'pod-security.kubernetes.io/audit-version': 'v1.30',
  })
  const pod = await api.ask('/api/v1/namespaces/web/pods', { body: { metadata: { name: 'a' }, spec: plain } })
  assert.deepEqual(
    [pod.status, pod.json['message']],
    [403, `pods "a" is forbidden: violates PodSecurity "baseline:latest": ${words}`],
  )
  const annotations = api.audit.at(-1)!['annotations'] as Record<string, string>
  assert.equal(annotations['pod-security.kubernetes.io/enforce-policy'], 'baseline:latest')
  assert.equal(
    annotations['pod-security.kubernetes.io/audit-violations'],
    `would violate PodSecurity "baseline:v1.30": ${words}`,
  )
  const template = { metadata: { labels: { a: 'b' } }, spec: plain }
  const made = await api.ask('/apis/apps/v1/namespaces/web/deployments', {
    body: { metadata: { name: 'd' }, spec: { selector: { matchLabels: { a: 'b' } }, template } },
  })
  assert.equal(made.status, 201)
  assert.equal(
    made.headers['warning'],
    `299 - "would violate PodSecurity \\"baseline:latest\\": ${words.replaceAll('"', '\\"')}"`,
  )
})

test('labels that mean nothing are refused, and stricter ones name the pods that violate them', async () => {
  await using api = await server({})
  await api.ask('/api/v1/namespaces/web/pods', { body: { metadata: { name: 'a' }, spec: plain } })
  await api.ask('/api/v1/namespaces/web/pods', { body: { metadata: { name: 'b' }, spec: plain } })
  const label = (labels: Record<string, string>): ReturnType<typeof api.ask> =>
    api.ask('/api/v1/namespaces/web', {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { metadata: { labels } },
    })
  const wrong = await label({
    'pod-security.kubernetes.io/enforce': 'strict',
    'pod-security.kubernetes.io/warn-version': '1',
  })
  assert.equal(
    wrong.json['message'],
    'Namespace "web" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1": must be "latest" or "v1.x"]',
  )
  const { headers, status } = await label({ 'pod-security.kubernetes.io/enforce': 'baseline' })
  assert.equal(status, 200)
  assert.match(
    headers['warning']!,
    /existing pods in namespace \\"web\\" violate the new PodSecurity enforce level \\"baseline:latest\\"/,
  )
  assert.match(headers['warning']!, /a \(and 1 other pod\): privileged/)
})
