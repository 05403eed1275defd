// What gates let a pod say, through its row: off, on, and where the stored object says it already.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rowHarness, withValues } from '../kinds/row-harness.ts'
import type { Minor } from '../tables.ts'

const pod = {
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'c', image: 'web' }] },
}

const restartAll = {
  'spec.containers.0.restartPolicy': 'Never',
  'spec.containers.0.restartPolicyRules': [
    { action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } },
  ],
}
const comparing = { 'spec.tolerations': [{ key: 'size', operator: 'Gt', value: '5', effect: 'NoSchedule' }] }
const ownUsers = { 'spec.hostUsers': false, 'spec.hostNetwork': true }

async function errors(
  minor: Minor,
  values: Record<string, unknown>,
  featureGates: Record<string, boolean> = {},
): Promise<readonly string[]> {
  const rows = await rowHarness(minor, { featureGates })
  return rows.create('Pod', withValues(pod, values)).errors
}

test('restarting all containers is an alpha of 1.35 and a beta of 1.36', async () => {
  const refused = (index: number): string =>
    `spec.containers[0].restartPolicyRules[${index}].action: Unsupported value: "RestartAllContainers": supported values: "Restart"`
  assert.deepEqual(await errors('1.35', restartAll), [refused(0)])
  assert.deepEqual(await errors('1.35', restartAll, { RestartAllContainersOnContainerExits: true }), [])
  assert.deepEqual(await errors('1.36', restartAll), [])
  assert.deepEqual(await errors('1.36', restartAll, { RestartAllContainersOnContainerExits: false }), [refused(0)])
  const unknown = withValues(restartAll, {}) as typeof restartAll
  unknown['spec.containers.0.restartPolicyRules'] = [{ action: 'Wait', exitCodes: { operator: 'In', values: [42] } }]
  assert.deepEqual(await errors('1.36', unknown), [
    'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Wait": supported values: "Restart", "RestartAllContainers"',
  ])
})

test('tolerations compare numbers where the alpha is on', async () => {
  const on = { TaintTolerationComparisonOperators: true }
  assert.deepEqual(await errors('1.36', comparing), [
    'spec.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"',
  ])
  assert.deepEqual(await errors('1.36', comparing, on), [])
  for (const value of ['05', '+5', '-0', 'five', '9223372036854775808', '']) {
    const tolerations = [{ key: 'size', operator: 'Lt', value, effect: 'NoSchedule' }]
    assert.deepEqual(await errors('1.35', { 'spec.tolerations': tolerations }, on), [
      `spec.tolerations[0].value: Invalid value: ${JSON.stringify(value)}: must be a valid decimal integer in canonical form`,
    ])
  }
  const odd = [{ key: 'size', operator: 'Near', value: '5' }]
  assert.deepEqual(await errors('1.35', { 'spec.tolerations': odd }, on), [
    'spec.tolerations[0].operator: Unsupported value: "Near": supported values: "Equal", "Exists", "Lt", "Gt"',
  ])
  assert.deepEqual(await errors('1.34', comparing, on), [
    'spec.tolerations[0].operator: Unsupported value: "Gt": supported values: "Equal", "Exists"',
  ])
})

test('users of its own go with the host’s network where the alpha is on', async () => {
  const refused = ['spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false']
  assert.deepEqual(await errors('1.36', ownUsers), refused)
  assert.deepEqual(await errors('1.36', ownUsers, { UserNamespacesHostNetworkSupport: true }), [])
})

test('templates are judged by the same gates, and what is stored already stays allowed', async () => {
  const rows = await rowHarness('1.35')
  const deployment = (spec: object): object => ({
    metadata: { name: 'web' },
    spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec } },
  })
  const spec = (withValues(pod, { ...restartAll, ...comparing, ...ownUsers }) as typeof pod).spec
  const made = rows.create('Deployment', deployment(spec))
  assert.equal(made.errors.length, 3, made.errors.join('\n'))
  const { errors: kept } = rows.update('Deployment', deployment(spec), {
    change: (object) => void ((object as unknown as { spec: { replicas: number } }).spec.replicas = 3),
  })
  assert.deepEqual(kept, [])
})

test('the pod’s own resources are resized where the gate is on', async () => {
  const whole = withValues(pod, { 'spec.resources': { requests: { cpu: '1' }, limits: { cpu: '2' } } })
  const resized = async (minor: Minor, change: Record<string, unknown>, featureGates = {}) => {
    const rows = await rowHarness(minor, { featureGates })
    return rows.update('Pod', whole, {
      subresource: 'resize',
      change: (object) => {
        for (const [path, value] of Object.entries(change)) {
          const steps = path.split('.')
          const last = steps.pop()!
          const at = steps.reduce<Record<string, never>>((one, step) => one[step]!, object)
          if (value === undefined) delete at[last]
          else at[last] = value as never
        }
      },
    })
  }
  const more = { 'spec.resources.requests.cpu': '1500m' }
  const refused = ['[]: Forbidden: pods with pod-level resources cannot be resized']
  assert.deepEqual((await resized('1.34', more)).errors, refused)
  assert.deepEqual((await resized('1.35', more)).errors, refused)
  assert.deepEqual((await resized('1.35', more, { InPlacePodLevelResourcesVerticalScaling: true })).errors, [])
  const { object, errors: none } = await resized('1.36', more)
  assert.deepEqual(none, [])
  assert.equal(object['spec']!['resources']!['requests']!['cpu'] as unknown, '1500m')
  assert.deepEqual((await resized('1.36', { 'spec.resources': undefined })).errors, [
    'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    'spec.resources: Forbidden: pod-level resources cannot be removed',
  ])
  assert.deepEqual((await resized('1.36', { 'spec.resources.limits': {} })).errors, [
    'spec.resources.limits: Forbidden: pod-level resource limits cannot be removed',
  ])
})

test('an AppArmor annotation becomes the field of its container, and its writer is told', async () => {
  const rows = await rowHarness('1.35')
  const key = 'container.apparmor.security.beta.kubernetes.io/c'
  const annotated = (text: string, spec: Record<string, unknown> = {}) =>
    withValues({ ...pod, metadata: { name: 'web', annotations: { [key]: text } } }, spec)
  const fieldOf = (object: unknown): unknown =>
    (object as { spec: { containers: [{ securityContext?: { appArmorProfile?: unknown } }] } }).spec.containers[0]
      .securityContext?.appArmorProfile
  const told = [`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`]
  for (const [text, field] of [
    ['unconfined', { type: 'Unconfined' }],
    ['runtime/default', { type: 'RuntimeDefault' }],
    ['localhost/mine', { type: 'Localhost', localhostProfile: 'mine' }],
    ['localhost/ ', undefined],
  ] as const) {
    assert.deepEqual(fieldOf(rows.create('Pod', annotated(text)).object), field, text)
    assert.deepEqual(rows.warnings('Pod', annotated(text)), told, text)
  }
  const same = annotated('unconfined', { 'spec.securityContext': { appArmorProfile: { type: 'Unconfined' } } })
  assert.equal(fieldOf(rows.create('Pod', same).object), undefined)
  assert.deepEqual(rows.warnings('Pod', same), [])
  const field = withValues(pod, { 'spec.securityContext': { appArmorProfile: { type: 'Unconfined' } } })
  assert.equal(rows.create('Pod', field).object['metadata']!['annotations'], undefined)
})

test('a rule that taints devices is judged as a slice’s own taints are, in each of its versions', async () => {
  for (const [minor, version] of [
    ['1.34', 'v1alpha3'],
    ['1.35', 'v1alpha3'],
    ['1.36', 'v1alpha3'],
    ['1.36', 'v1beta2'],
  ] as const) {
    const rows = await rowHarness(minor, { runtimeConfig: { [`resource.k8s.io/${version}`]: true } })
    const rule = {
      metadata: { name: 'broken' },
      spec: {
        deviceSelector: { driver: 'gpu.example', pool: 'a', device: 'gpu-0' },
        taint: { key: 'broken', effect: 'NoExecute' },
      },
    }
    const made = rows.create('DeviceTaintRule', rule)
    assert.deepEqual(made.errors, [], `${minor} ${version}`)
    assert.equal(made.object['spec']!['taint']!['timeAdded'] as unknown, '2026-01-02T03:04:05Z')
    const wrong = withValues(rule, { 'spec.taint.effect': 'Perhaps', 'spec.deviceSelector.device': 'GPU' })
    const words = rows.create('DeviceTaintRule', wrong).errors
    assert.match(words[0]!, /^spec\.deviceSelector\.device: Invalid value: "GPU": a lowercase RFC 1123 label/)
    assert.match(words[1]!, /^spec\.taint\.effect: Unsupported value: "Perhaps": supported values: /)
  }
})
