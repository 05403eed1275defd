// Writing: manifests, schema, difference, orders, the plan of a cluster; and what streams in: logs, flows, frames.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planDrain, restartOrder, scaleOrder, triggerOrder } from './actions.ts'
import { armBody, azCommand, faults, firstPlan } from './cluster-plan.ts'
import { frame, readFrame, resizeFrame } from './exec-frames.ts'
import { edgesOf, flowRow } from './flow-records.ts'
import { diffLines } from './line-diff.ts'
import { LogBuffer, parseLogLine, searchPattern, splitMatches, visibleLines } from './log-lines.ts'
import { offsetsOf, parseManifests, pathAt, toYaml } from './manifest.ts'
import { complaints, schemaAt, schemaOf, type SchemaDocument } from './schema.ts'

const deployments = {
  group: 'apps',
  version: 'v1',
  resource: 'deployments',
  kind: 'Deployment',
  namespaced: true,
  verbs: [],
  shortNames: [],
  subresources: [],
}

test('a diff shows what changed with a few lines around it', () => {
  const before = Array.from({ length: 20 }, (_, at) => `line ${at}`).join('\n')
  const lines = diffLines(before, before.replace('line 10', 'line ten'), 1)
  assert.deepEqual(
    lines.map(({ kind, text }) => `${kind} ${text}`),
    ['gap ⋯', 'same line 9', 'cut line 10', 'add line ten', 'same line 11', 'gap ⋯'],
  )
  assert.deepEqual(diffLines('a\nb', 'a\nb'), [])
  const large = Array.from({ length: 3000 }, (_, at) => `a${at}`).join('\n')
  assert.equal(diffLines(large, large.replaceAll('a', 'b')).length, 6000)
})

const document: SchemaDocument = {
  components: {
    schemas: {
      Thing: {
        type: 'object',
        required: ['spec'],
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: { type: 'object', additionalProperties: true },
          spec: { allOf: [{ $ref: '#/components/schemas/Spec' }], description: 'what is wanted' },
        },
        'x-kubernetes-group-version-kind': [{ group: 'g', version: 'v1', kind: 'Thing' }],
      },
      Spec: {
        type: 'object',
        properties: {
          size: { type: 'integer' },
          port: { 'x-kubernetes-int-or-string': true },
          parts: { type: 'array', items: { $ref: '#/components/schemas/Part' } },
          labels: { type: 'object', additionalProperties: { type: 'string' } },
        },
      },
      Part: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          mode: { type: 'string', enum: ['a', 'b'] },
          inner: { $ref: '#/components/schemas/Part' },
        },
      },
    },
  },
}

test('the schema finds unknown fields, wrong types, missing fields and bad words, through references', () => {
  const root = schemaOf(document, { group: 'g', version: 'v1', kind: 'Thing' })!
  const bad = {
    metadata: { name: 'x' },
    spec: { size: 'big', port: '80', prats: 1, labels: { a: 1 }, parts: [{ name: 'n', mode: 'c', inner: {} }] },
  }
  assert.deepEqual(
    complaints(document, root, bad).map(({ path, message }) => `${path.join('.')}: ${message}`),
    [
      'spec.size: a whole number is wanted',
      'spec.prats: there is no field "prats"',
      'spec.labels.a: a text is wanted; 1 is none',
      'spec.parts.0.mode: one of a, b is wanted',
      'spec.parts.0.inner: "name" is missing',
    ],
  )
  assert.equal(schemaAt(document, root, ['spec'])?.description, 'what is wanted')
  assert.equal(schemaAt(document, root, ['spec', 'parts', 0, 'inner', 'name'])?.type, 'string')
  assert.deepEqual(complaints(document, root, { spec: {} }), [])
})

test('the path under the cursor is found by indentation, also in half-written text', () => {
  const text = 'spec:\n  template:\n    containers:\n    - name: x\n      image: y\n      por'
  assert.deepEqual(pathAt(text, text.indexOf('image') + 2), ['spec', 'template', 'containers', 0, 'image'])
  assert.deepEqual(pathAt(text, text.indexOf('template')), ['spec', 'template'])
  assert.deepEqual(pathAt(text, text.length), ['spec', 'template', 'containers', 0])
})

test('offsetsOf() points at the key, or at the nearest one above', () => {
  const text = 'a:\n  b:\n    - c: 1\n'
  const { from, to } = offsetsOf(text, ['a', 'b', 0, 'c'])
  assert.equal(text.slice(from, to), 'c')
  const near = offsetsOf(text, ['a', 'b', 0, 'missing'])
  assert.equal(text.slice(near.from, near.to).trim(), 'c: 1')
})

test('manifests are several documents, and refused in words', () => {
  assert.equal(
    parseManifests(
      'apiVersion: v1\nkind: A\nmetadata: {name: a}\n---\napiVersion: v1\nkind: B\nmetadata: {generateName: b-}\n---\n',
    ).length,
    2,
  )
  assert.throws(() => parseManifests('kind: A'), /apiVersion and kind are missing/)
  assert.throws(() => parseManifests('apiVersion: v1\nkind: A'), /metadata.name is missing/)
  assert.ok(!toYaml({ metadata: { name: 'a', managedFields: [1] } }).includes('managedFields'))
})

test('orders are the calls that kubectl makes', () => {
  const target = { namespace: 'shop', name: 'web' }
  assert.equal(scaleOrder(deployments, target, 3).path, '/apis/apps/v1/namespaces/shop/deployments/web/scale')
  assert.deepEqual(restartOrder(deployments, target, 0).body, {
    spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '1970-01-01T00:00:00Z' } } } },
  })
  const job = triggerOrder(
    { metadata: { name: 'nightly', namespace: 'x', uid: 'u' }, spec: { jobTemplate: { spec: { backoffLimit: 1 } } } },
    'abc',
  ).body as { metadata: { name: string; ownerReferences: unknown[] }; spec: unknown }
  assert.equal(job.metadata.name, 'nightly-abc')
  assert.deepEqual(job.spec, { backoffLimit: 1 })
})

test('a drain leaves pods of DaemonSets and mirrors where they are', () => {
  const pod = (name: string, more: object) => ({ metadata: { name, namespace: 'x', ...more } })
  const plan = planDrain([
    pod('a', {}),
    pod('b', { ownerReferences: [{ kind: 'DaemonSet', controller: true }] }),
    pod('c', { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
  ])
  assert.deepEqual(
    plan.evict.map(({ metadata }) => metadata.name),
    ['a'],
  )
  assert.deepEqual(
    plan.stay.map(({ why }) => why),
    ['of a DaemonSet', 'static pod'],
  )
})

test('the plan of a cluster is the same to az and to Resource Manager', () => {
  const plan = {
    ...firstPlan,
    name: 'c1',
    nodeCount: 2,
    zones: ['1', '2'],
    autoscale: { min: 1, max: 5 },
    networkPolicy: 'cilium' as const,
    flows: true,
    simulated: true,
  }
  const body = armBody(plan) as {
    properties: {
      agentPoolProfiles: { count: number; minCount: number; availabilityZones: string[] }[]
      networkProfile: Record<string, unknown>
      dnsPrefix: string
    }
  }
  assert.deepEqual(body.properties.networkProfile, {
    networkPolicy: 'cilium',
    networkPlugin: 'azure',
    networkPluginMode: 'overlay',
    networkDataplane: 'cilium',
    advancedNetworking: { enabled: true },
  })
  assert.equal(body.properties.agentPoolProfiles[0]!.minCount, 1)
  assert.equal(body.properties.dnsPrefix, 'c1-aksel')
  assert.match(azCommand(plan), /--network-dataplane cilium/)
  assert.match(azCommand(plan), /--enable-cluster-autoscaler --min-count 1 --max-count 5/)
  assert.match(azCommand(plan), /--zones 1 2/)
  assert.deepEqual(faults(plan), {})
  assert.deepEqual(Object.keys(faults({ ...plan, name: '-x', poolName: 'UPPER', nodeCount: 0 })).toSorted(), [
    'autoscale',
    'name',
    'nodeCount',
    'poolName',
  ])
})

test('log lines have a time, a level and no escapes', () => {
  const line = parseLogLine('2026-11-27T10:00:00.5Z \u001b[31mERROR\u001b[0m it broke', 'a/b', 1)
  assert.deepEqual([line.time, line.text, line.severity], ['2026-11-27T10:00:00.5Z', 'ERROR it broke', 'error'])
  assert.equal(parseLogLine('{"level":"warn","msg":"x"}', 'a', 1).severity, 'warn')
  assert.equal(parseLogLine('E1127 10:00:00 x.go:1] bad', 'a', 1).severity, 'error')
  assert.equal(parseLogLine('level=debug x', 'a', 1).severity, 'debug')
  assert.equal(parseLogLine('plain', 'a', 1).severity, undefined)
})

test('several logs are one, in the order of their stamps, and bounded', () => {
  const buffer = new LogBuffer(4)
  buffer.add(['2026-01-01T00:00:01Z one', '2026-01-01T00:00:04Z four'], 'a')
  buffer.add(['2026-01-01T00:00:02Z two', '2026-01-01T00:00:03Z three'], 'b')
  assert.deepEqual(
    buffer.lines.map(({ text }) => text),
    ['one', 'two', 'three', 'four'],
  )
  buffer.add(['2026-01-01T00:00:05Z five'], 'a')
  assert.deepEqual(
    buffer.lines.map(({ text }) => text),
    ['two', 'three', 'four', 'five'],
  )
})

test('a log is searched by text or pattern, and filtered by level and container', () => {
  const lines = ['level=error time out', 'level=info fine', 'other'].map((text, at) =>
    parseLogLine(text, at === 2 ? 'p/b' : 'p/a', at),
  )
  const view = { search: '', only: false, severities: new Set<'error'>(), hidden: new Set<string>() }
  assert.equal(visibleLines(lines, { ...view, severities: new Set(['error'] as const) }).length, 1)
  assert.equal(visibleLines(lines, { ...view, hidden: new Set(['p/a']) }).length, 1)
  assert.equal(visibleLines(lines, { ...view, search: '/time ?out/', only: true }).length, 1)
  assert.equal(visibleLines(lines, { ...view, search: '/(unfinished', only: true }).length, 0)
  assert.deepEqual(splitMatches('a.b.c', searchPattern('.')), ['a', '.', 'b', '.', 'c'])
})

test('frames of a terminal carry their channel', () => {
  assert.deepEqual([...frame(0, 'ls')], [0, 108, 115])
  assert.equal(new TextDecoder().decode(resizeFrame({ columns: 80, rows: 24 }).subarray(1)), '{"Width":80,"Height":24}')
  const output = readFrame(frame(1, 'hi'))
  assert.equal(output?.kind === 'output' ? new TextDecoder().decode(output.data) : '', 'hi')
  assert.deepEqual(readFrame(frame(3, '{"status":"Success"}')), { kind: 'ended', message: undefined })
  assert.deepEqual(readFrame(frame(3, '{"status":"Failure","message":"exit code 2"}')), {
    kind: 'ended',
    message: 'exit code 2',
  })
})

test('flows become edges between workloads, what is dropped first', () => {
  const flow = (from: string, to: string, verdict: string, more: object = {}) =>
    flowRow(
      JSON.stringify({
        flow: {
          time: 't',
          uuid: `${from}${to}`,
          verdict,
          IP: { source: '10.0.0.1', destination: '10.0.0.2' },
          l4: { TCP: { destination_port: 80 } },
          source: { namespace: 'shop', workloads: [{ name: from }] },
          destination: { namespace: 'shop', workloads: [{ name: to }] },
          is_reply: false,
          Summary: 's',
          node_name: 'n',
          ...more,
        },
      }),
    )
  const rows = [
    flow('a', 'b', 'FORWARDED'),
    flow('a', 'b', 'FORWARDED'),
    flow('x', 'b', 'DROPPED', { ingress_denied_by: [{ namespace: 'shop', name: 'only-a' }] }),
  ].filter((row) => row !== undefined)
  assert.deepEqual(edgesOf(rows), [
    { from: 'shop/x', to: 'shop/b', port: '80/TCP', forwarded: 0, dropped: 1, why: 'denied by shop/only-a' },
    { from: 'shop/a', to: 'shop/b', port: '80/TCP', forwarded: 2, dropped: 0, why: '' },
  ])
  assert.equal(flow('a', 'b', 'FORWARDED', { is_reply: true }), undefined)
})
