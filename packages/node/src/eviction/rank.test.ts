// Who is evicted first, what people are told, and which limits of local storage count.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pod } from '@aksel/api/types/core-v1'
import { evictionNotice } from './messages.ts'
import { rankForEviction } from './rank.ts'
import type { PodUsage, StarvedResource } from './rank.ts'
import { brokenStorageLimit, hasStorageLimit } from './storage-limits.ts'
import type { Threshold } from './thresholds.ts'

const MI = 2 ** 20

function pod(name: string, resources: object = {}, more: Partial<Pod['spec']> = {}): Pod {
  return {
    metadata: { name, namespace: 'default', uid: name },
    spec: { containers: [{ name: 'main', image: 'i', resources }], ...more },
  }
}

function usage(used: Partial<PodUsage>): PodUsage {
  return {
    containers: [{ name: 'main', memoryBytes: used.memoryBytes ?? 0, diskBytes: used.diskBytes ?? 0 }],
    memoryBytes: 0,
    processes: 0,
    diskBytes: 0,
    inodes: 0,
    emptyDirBytes: new Map(),
    ...used,
  }
}

function order(resource: StarvedResource, rows: readonly (readonly [Pod, PodUsage | undefined])[]): readonly string[] {
  const known = new Map(rows)
  const pods = rows.map(([each]) => each)
  return rankForEviction(pods, (each) => known.get(each), resource).map(({ metadata }) => metadata.name)
}

test('memory: who uses more than it asked for goes first, then the lower priority, then the greedier', () => {
  const asked = { requests: { memory: '100Mi' } }
  assert.deepEqual(
    order('memory', [
      [pod('within', asked), usage({ memoryBytes: 90 * MI })],
      [pod('greedy', asked), usage({ memoryBytes: 180 * MI })],
      [pod('greedier', asked), usage({ memoryBytes: 190 * MI })],
      [pod('important', asked, { priority: 10 }), usage({ memoryBytes: 900 * MI })],
      [pod('unmeasured', asked), undefined],
    ]),
    ['unmeasured', 'greedier', 'greedy', 'important', 'within'],
  )
})

test('processes: the lower priority goes first, then who has more; disk counts requests of ephemeral storage', () => {
  assert.deepEqual(
    order('pids', [
      [pod('few'), usage({ processes: 2 })],
      [pod('many'), usage({ processes: 2000 })],
      [pod('most', {}, { priority: 5 }), usage({ processes: 9000 })],
    ]),
    ['many', 'few', 'most'],
  )
  assert.deepEqual(
    order('ephemeral-storage', [
      [pod('asked', { requests: { 'ephemeral-storage': '1Gi' } }), usage({ diskBytes: 900 * MI })],
      [pod('not-asked'), usage({ diskBytes: 10 * MI })],
    ]),
    ['not-asked', 'asked'],
  )
})

test('evictionNotice() says what was short and which containers took more than they asked for', () => {
  const threshold: Threshold = {
    signal: 'memory.available',
    below: { kind: 'quantity', units: 100 * MI, text: '100Mi' },
    graceMs: 0,
    isHard: true,
  }
  const notice = evictionNotice({
    pod: pod('a', { requests: { memory: '10Mi' } }),
    resource: 'memory',
    usage: usage({ memoryBytes: 30 * MI }),
    threshold,
    observed: { available: 90 * MI + 1024, capacity: 1000 * MI },
  })
  assert.equal(
    notice.message,
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 92161Ki. ' +
      'Container main was using 30Mi, request is 10Mi, has larger consumption of memory. ',
  )
  assert.deepEqual(notice.annotations, {
    offending_containers: 'main',
    offending_containers_usage: '30Mi',
    starved_resource: 'memory',
  })
})

test("brokenStorageLimit() names the first limit that is broken, in upstream's words", () => {
  const limited = pod(
    'a',
    { limits: { 'ephemeral-storage': '20Mi' } },
    { volumes: [{ name: 'cache', emptyDir: { sizeLimit: '10Mi' } }] },
  )
  assert.equal(hasStorageLimit(limited), true)
  assert.equal(hasStorageLimit(pod('b', {}, { volumes: [{ name: 'cache', emptyDir: {} }] })), false)
  const rows: readonly (readonly [PodUsage, string | undefined])[] = [
    [usage({ diskBytes: 20 * MI, emptyDirBytes: new Map([['cache', 10 * MI]]) }), undefined],
    [
      usage({ emptyDirBytes: new Map([['cache', 10 * MI + 1]]) }),
      'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ',
    ],
    [
      { ...usage({}), diskBytes: 21 * MI },
      'Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ',
    ],
    [
      { ...usage({}), containers: [{ name: 'main', memoryBytes: 0, diskBytes: 21 * MI }] },
      'Container main exceeded its local ephemeral storage limit "20Mi". ',
    ],
  ]
  for (const [used, expected] of rows) assert.equal(brokenStorageLimit(limited, used), expected)
})
