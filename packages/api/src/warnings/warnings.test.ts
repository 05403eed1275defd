// What the writer of an object is told beside the answer: each sentence once, in upstream's words.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rowHarness } from '../kinds/row-harness.ts'
import { minors } from '../tables.ts'
import { addressWarnings, strictAddressErrors, type LegacyAddress } from './addresses.ts'

const harness = await rowHarness('1.35')
const container = { name: 'c', image: 'i' }

function pod(spec: object, metadata: object = {}): unknown {
  return { metadata: { name: 'web', ...metadata }, spec: { containers: [container], ...spec } }
}

const surprising =
  "which can result in surprising behavior; a DNS label is recommended: [a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')]"

/** As a pod says it; templates say the same below their path. */
const sentences: readonly (readonly [name: string, pod: unknown, wanted: readonly string[]])[] = [
  ['nothing', pod({}), []],
  [
    'a name that is no label',
    pod({}, { name: 'a.b' }),
    [`metadata.name: this is used in the Pod's hostname, ${surprising}`],
  ],
  [
    'an old node label',
    pod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }),
    ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
  ],
  [
    'an old node label in an affinity, and a value that no label has',
    pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'beta.kubernetes.io/arch', operator: 'Exists' }] }],
          },
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 1, preference: { matchExpressions: [{ key: 'a', operator: 'In', values: ['-1'] }] } },
          ],
        },
      },
    }),
    [
      'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/arch is deprecated since v1.14; use "kubernetes.io/arch" instead',
      "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[0]: -1 is invalid, a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ],
  ],
  [
    'a spread by an old label, of nobody',
    pod({
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'failure-domain.beta.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
      ],
    }),
    [
      'spec.topologySpreadConstraints[0].topologyKey: failure-domain.beta.kubernetes.io/zone is deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
    ],
  ],
  [
    'affinities to nobody',
    pod({
      affinity: {
        podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a' }] },
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: { topologyKey: 'a' } }],
        },
      },
    }),
    [
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector: a null labelSelector results in matching no pod',
      'spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod',
    ],
  ],
  [
    'annotations that were',
    pod(
      {},
      {
        annotations: {
          'scheduler.alpha.kubernetes.io/critical-pod': '',
          'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
          'container.seccomp.security.alpha.kubernetes.io/c': 'unconfined',
          'container.apparmor.security.beta.kubernetes.io/c': 'unconfined',
        },
      },
    ),
    [
      'metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: deprecated since v1.30; use the "appArmorProfile" field instead',
      'metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in v1.16+; use the "priorityClassName" field instead',
      'metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in v1.27+; use the "seccompProfile" field instead',
      'metadata.annotations[container.seccomp.security.alpha.kubernetes.io/c]: non-functional in v1.27+; use the "seccompProfile" field instead',
    ],
  ],
  [
    'volumes that were',
    pod({
      volumes: [
        { name: 'a', gitRepo: { repository: 'r' } },
        { name: 'b', glusterfs: { endpoints: 'e', path: 'p' } },
        { name: 'c', storageos: { volumeName: 'v' } },
        { name: 'd', rbd: { monitors: ['m'], image: 'i' } },
      ],
    }),
    [
      'spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+',
      'spec.volumes[1].glusterfs: deprecated in v1.25, non-functional in v1.26+',
      'spec.volumes[2].storageOS: deprecated in v1.22, non-functional in v1.25+',
      'spec.volumes[3].rbd: deprecated in v1.28, non-functional in v1.31+',
    ],
  ],
  [
    'files on top of each other',
    pod({
      volumes: [
        {
          name: 'v',
          configMap: {
            name: 'm',
            items: [
              { key: 'a', path: 'x' },
              { key: 'b', path: 'x/y' },
            ],
          },
        },
        {
          name: 'p',
          projected: {
            sources: [
              { serviceAccountToken: { path: 'token' } },
              { secret: { name: 's', items: [{ key: 'a', path: 'token' }] } },
            ],
          },
        },
      ],
      serviceAccountName: 'default',
    }),
    [
      'volume "v" (ConfigMap "m"): overlapping paths: "x/y" with "x"',
      'volume "p" (Projected Secret "s"): overlapping paths: "token" with "token"',
    ],
  ],
  [
    'aliases and pull secrets twice, or without a name',
    pod({ hostAliases: [{ ip: '1.1.1.1' }, { ip: '1.1.1.1' }], imagePullSecrets: [{ name: 'a' }, { name: 'a' }, {}] }),
    [
      'spec.hostAliases[1].ip: duplicate ip "1.1.1.1"',
      'spec.imagePullSecrets[1].name: duplicate name "a"',
      'spec.imagePullSecrets[2].name: invalid empty name ""',
    ],
  ],
  [
    'parts of bytes',
    pod({ containers: [{ ...container, resources: { requests: { memory: '100m' }, limits: { memory: '1500m' } } }] }),
    [
      'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
      'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
    ],
  ],
  [
    'a variable twice, unless it builds on itself',
    pod({
      containers: [
        {
          ...container,
          env: [
            { name: 'A', value: '1' },
            { name: 'A', value: '$(A)2' },
            { name: 'A', value: '3' },
            { name: 'A', value: '$(A)' },
          ],
        },
      ],
    }),
    [
      'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
      'spec.containers[0].env[3]: hides previous definition of "A", which may be dropped when using apply',
    ],
  ],
  [
    'a port twice',
    pod({
      containers: [
        { ...container, ports: [{ containerPort: 80 }, { containerPort: 80 }, { containerPort: 80, hostPort: 80 }] },
        { name: 'd', image: 'i', ports: [{ containerPort: 80, hostPort: 80, hostIP: '1.1.1.1' }] },
      ],
    }),
    [
      'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[0].ports[2]: overlapping port definition with spec.containers[0].ports[1]',
      'spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]',
      'spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[1]',
      'spec.containers[1].ports[0]: dangerously ambiguous port definition with spec.containers[0].ports[2]',
    ],
  ],
  [
    'a host address without a host port, and a grace of less than nothing',
    pod({
      containers: [{ ...container, ports: [{ containerPort: 80, hostIP: '1.1.1.1' }] }],
      terminationGracePeriodSeconds: -1,
    }),
    [
      'spec.containers[0].ports[0]: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.1.1.1}',
      'spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1',
    ],
  ],
]

describe('of pods', () => {
  for (const [name, object, wanted] of sentences)
    test(name, () => assert.deepEqual(harness.warnings('Pod', object), wanted))

  test('are those of templates, below their path', () => {
    const labels = { a: 'b' }
    const template = {
      metadata: { labels },
      spec: { containers: [container], nodeSelector: { 'beta.kubernetes.io/os': 'a' } },
    }
    const spec = { selector: { matchLabels: labels }, template }
    const words = 'nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'
    for (const kind of ['Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet'])
      assert.deepEqual(harness.warnings(kind, { metadata: { name: 'a' }, spec: { serviceName: 's', ...spec } }), [
        `spec.template.spec.${words}`,
      ])
    const once = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } }
    assert.deepEqual(harness.warnings('Job', { metadata: { name: 'a' }, spec: { template: once } }), [
      `spec.template.spec.${words}`,
    ])
    const cron = { schedule: '* * * * *', jobTemplate: { spec: { template: once } } }
    assert.deepEqual(harness.warnings('CronJob', { metadata: { name: 'a.b' }, spec: cron }), [
      `metadata.name: this is used in Pod names and hostnames, ${surprising}`,
      `spec.jobTemplate.spec.template.spec.${words}`,
    ])
    assert.deepEqual(harness.warnings('PodTemplate', { metadata: { name: 'a' }, template }), [`template.spec.${words}`])
  })
})

test('jobs with more indexes than can be tracked are told so', () => {
  const template = { spec: { containers: [container], restartPolicy: 'Never' } }
  const spec = { completionMode: 'Indexed', completions: 100_001, parallelism: 10_001, template }
  assert.match(
    String(harness.warnings('Job', { metadata: { name: 'a' }, spec })),
    /^spec: In Indexed Jobs with a number/,
  )
})

test('volumes, claims, classes, nodes, ingresses and accounts in the words of older versions are told the new ones', () => {
  const annotations = { 'volume.beta.kubernetes.io/storage-class': 'a' }
  const volume = {
    metadata: { name: 'v', annotations },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Recycle',
      rbd: { monitors: ['m'], image: 'i' },
    },
  }
  const old =
    'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead'
  assert.deepEqual(harness.warnings('PersistentVolume', volume), [
    old,
    'spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.',
    'spec.rbd: deprecated in v1.28, non-functional in v1.31+',
  ])
  const claim = {
    metadata: { name: 'c', annotations },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1500m' } } },
  }
  assert.deepEqual(harness.warnings('PersistentVolumeClaim', claim), [
    old,
    'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
  ])
  const key = 'failure-domain.beta.kubernetes.io/zone'
  const sentence = 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead'
  const storage = { metadata: { name: 's' }, provisioner: 'p' }
  const topology = [{ matchLabelExpressions: [{ key, values: ['a'] }] }]
  assert.deepEqual(harness.warnings('StorageClass', { ...storage, allowedTopologies: topology }), [
    `allowedTopologies[0].matchLabelExpressions[0]: ${sentence}`,
  ])
  assert.deepEqual(
    harness.warnings('RuntimeClass', {
      metadata: { name: 'r' },
      handler: 'h',
      scheduling: { nodeSelector: { [key]: 'a' } },
    }),
    [`scheduling.nodeSelector: ${sentence}`],
  )
  assert.deepEqual(harness.warnings('Node', { metadata: { name: 'n' }, spec: { externalID: 'x' } }), [
    'spec.externalID: this field is deprecated, and is unused by Kubernetes',
  ])
  const ingress = { metadata: { name: 'i', annotations: { 'kubernetes.io/ingress.class': 'a' } } }
  const backend = { defaultBackend: { service: { name: 's', port: { number: 80 } } } }
  assert.deepEqual(harness.warnings('Ingress', { ...ingress, spec: backend }), [
    `annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`,
  ])
  const account = { metadata: { name: 'a', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } }
  assert.deepEqual(harness.warnings('ServiceAccount', account), [
    'metadata.annotations[kubernetes.io/enforce-mountable-secrets]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets',
  ])
})

test('services are told what has no effect, and external addresses from the minor on that deprecates them', async () => {
  const service = (spec: object): unknown => ({ metadata: { name: 's' }, spec: { ports: [{ port: 80 }], ...spec } })
  assert.deepEqual(harness.warnings('Service', service({ clusterIP: 'None', sessionAffinity: 'ClientIP' })), [
    'spec.SessionAffinity is ignored for headless services',
  ])
  assert.deepEqual(harness.warnings('Service', service({ externalName: 'x' })), [
    'spec.externalName is ignored when spec.type is not "ExternalName"',
  ])
  assert.deepEqual(harness.warnings('Service', service({ trafficDistribution: 'PreferClose' })), [
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ])
  const told: Record<string, readonly string[]> = {}
  for (const minor of minors)
    told[minor] = (await rowHarness(minor)).warnings('Service', service({ externalIPs: ['1.1.1.1'] }))
  assert.deepEqual(told, {
    '1.34': [],
    '1.35': [],
    '1.36': ['spec.externalIPs is deprecated and may no longer be implemented in some clusters'],
  })
})

describe('addresses in older fields', () => {
  const at = (kind: LegacyAddress['kind'], text: string): readonly LegacyAddress[] => [{ path: 'f', kind, text }]
  const rows: readonly (readonly [
    LegacyAddress['kind'],
    string,
    warning: string | undefined,
    strict: string | undefined,
  ])[] = [
    ['ip', '10.0.0.1', undefined, undefined],
    ['ip', '2001:db8::1', undefined, undefined],
    ['ip', '010.0.0.1', 'non-standard IP address "010.0.0.1" is invalid: use "10.0.0.1"', 'must not have leading 0s'],
    [
      'ip',
      '::ffff:10.0.0.1',
      'non-standard IP address "::ffff:10.0.0.1" is invalid: use "10.0.0.1"',
      'must not be an IPv4-mapped IPv6 address',
    ],
    [
      'ip',
      '2001:DB8::1',
      'IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
      undefined,
    ],
    ['cidr', '10.0.0.0/8', undefined, undefined],
    [
      'cidr',
      '10.1.2.3/8',
      'CIDR value "10.1.2.3/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.1.2.3/32"?)',
      'must not have bits set beyond the prefix length',
    ],
    [
      'cidr',
      '010.0.0.0/8',
      'non-standard CIDR value "010.0.0.0/8" is invalid: use "10.0.0.0/8"',
      'must not have leading 0s in IP or prefix length',
    ],
    [
      'cidr',
      '10.0.0.0/08',
      'non-standard CIDR value "10.0.0.0/08" is invalid: use "10.0.0.0/8"',
      'must not have leading 0s in IP or prefix length',
    ],
    [
      'cidr',
      '2001:db8:0::/32',
      'IPv6 CIDR value "2001:db8:0::/32" should be in RFC 5952 canonical format ("2001:db8::/32")',
      undefined,
    ],
  ]
  for (const [kind, text, warning, strict] of rows) {
    test(text, () => {
      assert.deepEqual(addressWarnings(at(kind, text)), warning === undefined ? [] : [`f: ${warning}`])
      const told = strictAddressErrors(at(kind, text), { isStrict: true }).map(({ message }) => message)
      assert.equal(told.length, strict === undefined ? 0 : 1)
      if (strict !== undefined) assert.ok(told[0]!.endsWith(strict), told[0])
      assert.deepEqual(strictAddressErrors(at(kind, text), { isStrict: true, old: at(kind, text) }), [])
      assert.deepEqual(strictAddressErrors(at(kind, text), { isStrict: false }), [])
    })
  }

  test('are taken by 1.34 and 1.35 with a warning, and refused by 1.36 unless they stand there already', async () => {
    const policy = {
      metadata: { name: 'p' },
      spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.1.2.3/8' } }] }] },
    }
    for (const minor of minors) {
      const rules = await rowHarness(minor)
      const isStrict = minor === '1.36'
      assert.equal(
        rules.create('Pod', pod({ hostAliases: [{ ip: '010.0.0.1' }] })).errors.length,
        isStrict ? 1 : 0,
        minor,
      )
      assert.equal(rules.create('NetworkPolicy', policy).errors.length, isStrict ? 1 : 0, minor)
      assert.deepEqual(rules.update('NetworkPolicy', policy, { change: () => {} }).errors, [], minor)
      assert.equal(rules.warnings('NetworkPolicy', policy).length, 1, minor)
      const service = {
        metadata: { name: 's' },
        spec: { type: 'LoadBalancer', ports: [{ port: 80 }], clusterIP: '010.0.0.9', externalIPs: ['192.000.002.1'] },
      }
      const made = rules.create('Service', {
        ...service,
        spec: { ...service.spec, loadBalancerSourceRanges: ['010.0.0.0/8'] },
      })
      assert.equal(made.errors.length, isStrict ? 3 : 0, made.errors.join())
    }
  })
})

test('rules know the minor: service names, jobs that stand still, autoscalers to nothing', async () => {
  const template = { spec: { containers: [container], restartPolicy: 'Never' } }
  const job = { metadata: { name: 'j' }, spec: { suspend: true, template } }
  const seen: Record<string, unknown> = {}
  for (const minor of minors) {
    const rules = await rowHarness(minor)
    const service = rules.create('Service', { metadata: { name: '1st' }, spec: { ports: [{ port: 80 }] } }).errors
      .length
    const resized = rules.update('Job', job, {
      stored: (stored) =>
        Object.assign(stored, {
          status: { startTime: '2026-01-01T00:00:00Z', conditions: [{ type: 'Suspended', status: 'True' }] },
        }),
      change: (next) => {
        const { spec } = next as unknown as {
          spec: { template: { spec: { containers: object[]; nodeSelector: object } } }
        }
        Object.assign(spec.template.spec.containers[0]!, { resources: { requests: { cpu: '1' } } })
        Object.assign(spec.template.spec, { nodeSelector: { a: 'b' } })
      },
    }).errors.length
    seen[minor] = [service, resized]
  }
  assert.deepEqual(seen, { '1.34': [1, 1], '1.35': [1, 1], '1.36': [0, 0] })
})
