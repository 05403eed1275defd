// The leases by which API servers tell that they are there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leases } from '@aksel/api/resources'
import type { Lease } from '@aksel/api/types/coordination-v1'
import { formatMicroTime } from '@aksel/base/clock'
import { FakeClient } from '@aksel/testing/fake-client'
import { testScope } from '@aksel/testing/test-scope'
import { Hooks } from '../hooks.ts'
import { identityHooks, identityOf, isExpired, keepIdentity } from './identity-lease.ts'

const HOUR_MS = 3_600_000

test('a server has one lease under its own name, renewed as long as it lives and taken over when it starts again', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  const hooks = new Hooks(identityHooks)
  const name = identityOf('here')
  assert.match(name, /^apiserver-[a-z2-7]{26}$/)
  const lease = (): Lease => client.peek(leases, `kube-system/${name}`)!
  {
    const first = new AbortController()
    keepIdentity({ ...scope, signal: first.signal }, client, hooks, 'here')
    await scope.clock.run(1)
    assert.deepEqual(lease().metadata.labels, {
      'apiserver.kubernetes.io/identity': 'kube-apiserver',
      'kubernetes.io/hostname': 'here',
    })
    assert.equal(lease().spec!.leaseDurationSeconds, 3600)
    const before = lease().spec!
    await scope.clock.run(10_400)
    const afterMs = Date.parse(lease().spec!.renewTime!) - Date.parse(before.renewTime!)
    assert.ok(afterMs >= 10_000 && afterMs <= 10_400, `renewed after ${afterMs} ms`)
    await scope.clock.run(HOUR_MS + 60_000)
    assert.equal(lease().spec!.holderIdentity, before.holderIdentity)
    assert.equal(isExpired(lease(), scope.clock.now()), false)
    assert.ok(hooks.checks().every((hook) => hook.check() === undefined))
    first.abort(new Error('the server ends'))
  }
  await scope.clock.run(2 * HOUR_MS)
  assert.equal(isExpired(lease(), scope.clock.now()), true)
  const { holderIdentity } = lease().spec!
  keepIdentity(scope, client, hooks, 'here')
  await scope.clock.run(1)
  assert.notEqual(lease().spec!.holderIdentity, holderIdentity)
  assert.equal(client.peekAll(leases).length, 1)
})

test('servers of many clusters that begin together do not renew together for long', async () => {
  using scope = testScope()
  const clients = Array.from({ length: 20 }, () => new FakeClient(scope))
  for (const client of clients) keepIdentity(scope, client, new Hooks(identityHooks), 'here')
  await scope.clock.run(60_000)
  const renewals = clients.map((client) => client.peekAll(leases)[0]!.spec!.renewTime)
  assert.ok(new Set(renewals).size > 10, renewals.join())
})

test('leases of servers that are gone are removed, those of others and of other things stay', async () => {
  using scope = testScope()
  const client = new FakeClient(scope)
  const put = (name: string, ageMs: number, labels: Record<string, string>): void =>
    void client.put(leases, {
      metadata: { name, namespace: 'kube-system', labels },
      spec: { leaseDurationSeconds: 3600, renewTime: formatMicroTime(scope.clock.now() - ageMs) },
    })
  const own = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' }
  put('apiserver-gone', 2 * HOUR_MS, own)
  put('apiserver-there', 60_000, own)
  put('kube-scheduler', 2 * HOUR_MS, {})
  keepIdentity(scope, client, new Hooks(identityHooks), 'here')
  await scope.clock.run(1)
  const names = (): readonly string[] =>
    client
      .peekAll(leases)
      .map(({ metadata }) => metadata.name)
      .toSorted()
  assert.deepEqual(names(), [identityOf('here'), 'apiserver-there', 'kube-scheduler'].toSorted())
  await scope.clock.run(2.5 * HOUR_MS)
  assert.deepEqual(names(), [identityOf('here'), 'kube-scheduler'].toSorted())
})
