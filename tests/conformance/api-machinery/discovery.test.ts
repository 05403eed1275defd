// Discovery, as clients find their way with it.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1APIGroup, V1APIGroupList, V1APIResourceList } from '@kubernetes/client-node'
import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'

const deadline = { timeout: 60_000 }

void suite('discovery', () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  void test(
    '[sig-api-machinery] Discovery should validate PreferredVersion for each APIGroup [Conformance]',
    deadline,
    async () => {
      const { groups } = await cluster.get<V1APIGroupList>('/apis')
      assert.ok(groups.length > 10, `only ${groups.length} groups`)
      for (const listed of groups) {
        const group = await cluster.get<V1APIGroup>(`/apis/${listed.name}`)
        const preferred = group.preferredVersion?.groupVersion
        assert.ok(preferred, `${group.name} prefers no version`)
        assert.ok(
          group.versions.some(({ groupVersion }) => groupVersion === preferred),
          `${group.name} prefers ${preferred}, which it does not have`,
        )
      }
    },
  )

  void test(
    '[sig-api-machinery] Discovery should locate the groupVersion and a resource within each APIGroup [Conformance]',
    deadline,
    async () => {
      const { groups } = await cluster.get<V1APIGroupList>('/apis')
      for (const { name, versions } of groups) {
        for (const { groupVersion } of versions) {
          const list = await cluster.get<V1APIResourceList>(`/apis/${groupVersion}`)
          assert.equal(list.groupVersion, groupVersion, `of group ${name}`)
          assert.ok(list.resources.length > 0, `${groupVersion} has no resources`)
        }
      }
    },
  )
})
