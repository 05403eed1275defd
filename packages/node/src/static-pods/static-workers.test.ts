// Static pods and their pictures in the API, without containers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes, pods } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { isMirrorPod } from '../pod/critical.ts'
import { parseManifest } from './manifest.ts'
import { MirrorWriter } from './mirror.ts'
import { StaticWorkers } from './static-workers.ts'

function manifest(name: string, image = 'busybox:1'): Pod {
  const text = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{"containers":[{"name":"c","image":"${image}"}]}}`
  return parseManifest({ path: `/m/${name}`, text, nodeName: 'n1', seenAt: '2026-11-27T08:00:00Z' })
}

test('a changed manifest ends the pod before its successor starts; a removed one takes its mirror along', async () => {
  const scope = testScope()
  const client = new FakeClient({ clock: scope.clock, random: scope.random })
  const log: string[] = []
  const gone = new Map<string, () => void>()
  const workers = new StaticWorkers(scope, {
    client,
    start(pod, onGone) {
      log.push(`start ${pod.spec.containers[0]?.image}`)
      gone.set(pod.metadata.uid ?? '', onGone)
    },
    end: (uid) => void log.push(`end ${uid}`),
    wake: () => void log.push('wake'),
  })
  const [first, second] = [manifest('web', 'a:1'), manifest('web', 'a:2')]
  workers.set([first])
  workers.set([second])
  workers.set([second])
  assert.deepEqual(log, ['start a:1', `end ${first.metadata.uid}`, `end ${first.metadata.uid}`])
  gone.get(first.metadata.uid!)!()
  assert.equal(log.at(-1), 'start a:2')
  await client.create(nodes, { metadata: { name: 'n1' }, spec: {} })
  const writer = new MirrorWriter(scope, { client, nodeName: 'n1', mirrorOf: (pod) => workers.mirrorOf(pod) }, () => {})
  await writer.write(second, () => ({ phase: 'Running' }))
  const mirror = client.peek(pods, 'default/web-n1')!
  workers.onMirror(mirror, undefined)
  assert.equal(log.at(-1), 'wake')
  workers.set([])
  assert.ok(client.peek(pods, 'default/web-n1') !== undefined, 'it still ends')
  gone.get(second.metadata.uid!)!()
  await scope.clock.run(1)
  assert.equal(client.peek(pods, 'default/web-n1'), undefined)
})

test('MirrorWriter makes the mirror, keeps its status, makes it again, and lets the pod go on without the API', async () => {
  const scope = testScope()
  let isDown = true
  const client = new FakeClient({
    clock: scope.clock,
    random: scope.random,
    before: () => {
      if (isDown) throw new Error('connection refused')
    },
  })
  let failures = 0
  const seen = (): Pod | undefined => client.peek(pods, 'default/web-n1')
  const writer = new MirrorWriter(scope, { client, nodeName: 'n1', mirrorOf: seen }, () => (failures += 1))
  const pod = manifest('web')
  const running = await writer.write(pod, () => ({ phase: 'Running', startTime: '2026-11-27T08:00:01Z' }))
  assert.deepEqual([running.status?.phase, failures, seen()], ['Running', 1, undefined])
  isDown = false
  await client.create(nodes, { metadata: { name: 'n1' }, spec: {} })
  await writer.write(running, ({ status }) => status!)
  const mirror = seen()!
  assert.ok(isMirrorPod(mirror))
  assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.mirror'], pod.metadata.uid)
  assert.notEqual(mirror.metadata.uid, pod.metadata.uid)
  const [owner] = mirror.metadata.ownerReferences ?? []
  assert.deepEqual([owner?.kind, owner?.name, owner?.controller], ['Node', 'n1', true])
  assert.equal(mirror.status?.phase, 'Running')
  const { length } = client.writes
  await writer.write(running, ({ status }) => status!)
  assert.equal(client.writes.length, length, 'nothing has changed')
  await client.delete(pods, { namespace: 'default', name: 'web-n1' }, { gracePeriodSeconds: 0 })
  await writer.write(running, ({ status }) => status!)
  assert.notEqual(seen()?.metadata.uid, mirror.metadata.uid)
  assert.equal(seen()?.status?.phase, 'Running')
  // An agent that has restarted takes up the start that the mirror tells.
  const later = new MirrorWriter(scope, { client, nodeName: 'n1', mirrorOf: seen }, () => {})
  const again = await later.write(pod, ({ status }) => status!)
  assert.equal(again.status?.startTime, '2026-11-27T08:00:01Z')
})
