// The catalog and what discovery makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf } from './catalog.ts'
import { allRules } from './kinds/all.ts'
import { aggregatedDiscovery, groupList, resourceList } from './discovery.ts'
import { minors } from './tables.ts'

test('every file of rules has its kind in every minor’s tables', async () => {
  for (const minor of minors) {
    const { rows } = await catalogOf(minor)
    const known = new Set(rows.map(({ group, version, kind }) => `${group}/${version}/${kind}`))
    for (const { group, version, kind } of allRules)
      assert.ok(known.has(`${group}/${version}/${kind}`), `${minor}: ${group}/${version} ${kind}`)
  }
})

test('a row is found by its path and by its kind', async () => {
  const catalog = await catalogOf('1.35')
  assert.equal(catalog.row('apps', 'v1', 'deployments')?.kind, 'Deployment')
  assert.equal(catalog.rowOfKind('', 'v1', 'Service')?.storagePrefix, 'services/specs')
  assert.equal(catalog.row('apps', 'v1beta1', 'deployments'), undefined)
})

test('no two rows that are stored as themselves share a place in the store', async () => {
  const { rows } = await catalogOf('1.35')
  const stored = rows.filter(({ virtual, storedAs }) => !virtual && storedAs === undefined)
  const prefixes = stored.map(({ storagePrefix }) => storagePrefix)
  assert.equal(new Set(prefixes).size, prefixes.length, prefixes.join(' '))
})

test('the storage version hash is upstream’s', async () => {
  const catalog = await catalogOf('1.35')
  assert.equal(catalog.row('', 'v1', 'pods')?.storageVersionHash, 'xPOwRZ+Yhw8=')
})

test('discovery lists the resources with short names, verbs and subresources', async () => {
  const { rows } = await catalogOf('1.35')
  const core = resourceList(rows, '', 'v1') as { readonly resources: readonly Readonly<Record<string, unknown>>[] }
  const pods = core.resources.find(({ name }) => name === 'pods')
  assert.deepEqual([pods?.['kind'], pods?.['shortNames'], pods?.['namespaced']], ['Pod', ['po'], true])
  assert.ok(core.resources.some(({ name }) => name === 'pods/binding'))
  const scale = (resourceList(rows, 'apps', 'v1') as typeof core).resources.find(
    ({ name }) => name === 'deployments/scale',
  )
  assert.deepEqual([scale?.['kind'], scale?.['group'], scale?.['version']], ['Scale', 'autoscaling', 'v1'])
  const groups = (groupList(rows) as { readonly groups: readonly { readonly name: string }[] }).groups.map(
    ({ name }) => name,
  )
  assert.ok(groups.includes('apps') && groups.includes('rbac.authorization.k8s.io'))
  const aggregated = aggregatedDiscovery(rows, 'apis') as { readonly kind?: string; readonly items: readonly unknown[] }
  assert.equal(aggregated.items.length, groups.length)
})
