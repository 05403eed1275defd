// The catalog and what discovery makes of it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { featureGatesOf, knownGates } from './feature-gates.ts'
import { catalogOf } from './catalog.ts'
import { allRules } from './kinds/all.ts'
import { aggregatedDiscovery, groupList, groupVersionsOf, inDiscoveryOrder, resourceList } from './discovery.ts'
import { minors } from './tables.ts'

/** Kinds that came later than the first minor, or are a beta that has to be switched on. */
const notEverywhere =
  /^admissionregistration\.k8s\.io\/(v1|v1beta1)\/MutatingAdmissionPolicy(Binding)?$|^resource\.k8s\.io\/v1beta2\/DeviceTaintRule$|^certificates\.k8s\.io\/(v1alpha1|v1beta1)\/PodCertificateRequest$/

test('every file of rules has its kind in every minor’s tables', async () => {
  const seen = new Set<string>()
  for (const minor of minors) {
    const { rows } = await catalogOf(minor, { runtimeConfig: { 'api/all': true } })
    const known = new Set(rows.map(({ group, version, kind }) => `${group}/${version}/${kind}`))
    for (const { group, version, kind } of allRules) {
      const key = `${group}/${version}/${kind}`
      if (known.has(key)) seen.add(key)
      else assert.match(key, notEverywhere, `${minor}: ${key}`)
    }
  }
  for (const { group, version, kind } of allRules) assert.ok(seen.has(`${group}/${version}/${kind}`), kind)
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
  const rows = groupVersionsOf((await catalogOf('1.35')).rows)
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

test('betas and alphas are off, and a runtime config switches them on by stage, version and resource', async () => {
  const versionsOf = async (runtimeConfig: Record<string, boolean>) => {
    const { rows } = await catalogOf('1.34', { runtimeConfig })
    return new Set(rows.map(({ group, version, plural }) => `${group}/${version}/${plural}`))
  }
  const beta = 'storage.k8s.io/v1beta1/volumeattributesclasses'
  assert.equal((await versionsOf({})).has(beta), false)
  assert.equal((await versionsOf({ 'api/beta': true })).has(beta), true)
  assert.equal((await versionsOf({ 'api/beta': true })).has(beta.replace('v1beta1', 'v1alpha1')), false)
  assert.equal((await versionsOf({ 'storage.k8s.io/v1beta1': true })).has(beta), true)
  assert.equal((await versionsOf({ 'api/all': true, 'storage.k8s.io/v1beta1': false })).has(beta), false)
  assert.equal((await versionsOf({ 'batch/v1/cronjobs': false })).has('batch/v1/cronjobs'), false)
  await assert.rejects(versionsOf({ 'no.such/v1': true }), { message: 'unknown api groups no.such/v1' })
})

test('a beta is stored as its stable sister and read back in its own version', async () => {
  const catalog = await catalogOf('1.34', { runtimeConfig: { 'storage.k8s.io/v1beta1': true } })
  const row = catalog.row('storage.k8s.io', 'v1beta1', 'volumeattributesclasses')!
  const object = {
    apiVersion: 'storage.k8s.io/v1beta1',
    kind: 'VolumeAttributesClass',
    metadata: { name: 'gold' },
    driverName: 'disk.csi',
    parameters: { iops: '4000' },
  }
  const stored = row.storedAs!.toStored(structuredClone(object) as never)
  assert.equal(stored.apiVersion, 'storage.k8s.io/v1')
  assert.deepEqual(row.storedAs!.fromStored(stored as never), object)
  assert.equal(row.storagePrefix, catalog.row('storage.k8s.io', 'v1', 'volumeattributesclasses')!.storagePrefix)
  assert.deepEqual(row.deprecated, {
    since: '1.34',
    removedIn: '1.37',
    replacement: 'storage.k8s.io/v1/VolumeAttributesClass',
  })
})

test('gates have their state of each minor, and an operator may set them', async () => {
  const kept = async (minor: (typeof minors)[number], featureGates: Record<string, boolean> = {}) => {
    const { schemas } = await catalogOf(minor, { featureGates })
    const { value } = schemas.get('core/v1.PodSpec').decode({ containers: [], hostnameOverride: 'web.example' })
    return value['hostnameOverride']
  }
  assert.equal(await kept('1.34'), undefined)
  assert.equal(await kept('1.35'), 'web.example')
  assert.equal(await kept('1.34', { HostnameOverride: true }), 'web.example')
  assert.equal(await kept('1.34', { AllAlpha: true }), 'web.example')
  assert.equal(await kept('1.35', { AllBeta: false }), undefined)
  await assert.rejects(kept('1.35', { NoSuchGate: true }), { message: 'unrecognized feature gate: NoSuchGate' })
  await assert.rejects(kept('1.36', { ImageVolume: false }), /feature is locked to true/)
})

test('gates are what upstream’s servers of each minor list', () => {
  const states = (name: string): readonly unknown[] => minors.map((minor) => featureGatesOf(minor)(name))
  for (const [name, wanted] of Object.entries({
    ContainerStopSignals: [false, false, false],
    MaxUnavailableStatefulSet: [false, true, false],
    MutableCSINodeAllocatableCount: [false, true, true],
    RelaxedServiceNameValidation: [false, false, true],
    StrictIPCIDRValidation: [false, false, true],
    HPAScaleToZero: [false, false, false],
    MutablePodResourcesForSuspendedJobs: [false, false, true],
    CRDObservedGenerationTracking: [true, false, true],
    PodCertificateProjection: [false, false, false],
  }))
    assert.deepEqual(states(name), wanted, name)
  assert.equal(featureGatesOf('1.35', { PodCertificateRequest: true })('PodCertificateProjection'), true)
  assert.ok(knownGates('1.34').every(({ name }) => name !== 'MutablePodResourcesForSuspendedJobs'))
})

test('groups of other servers take their place by priority, then by name', async () => {
  const builtIn = groupVersionsOf((await catalogOf('1.35')).rows)
  const more = [
    { group: 'z.example', version: 'v1beta1', priority: { group: 1000, version: 100 } },
    { group: 'a.example', version: 'v1', priority: { group: 1000, version: 100 } },
    { group: 'z.example', version: 'v1', priority: { group: 1000, version: 100 } },
    { group: 'first.example', version: 'v1beta1', priority: { group: 17_050, version: 100 } },
  ].map((one) => ({ ...one, rows: [], freshness: 'Stale' as const }))
  const order = inDiscoveryOrder([...builtIn, ...more]).map(({ group, version }) => `${group}/${version}`)
  assert.deepEqual(order.slice(-4), ['a.example/v1', 'z.example/v1', 'z.example/v1beta1', 'metrics.k8s.io/v1beta1'])
  assert.ok(order.indexOf('first.example/v1beta1') === order.indexOf('rbac.authorization.k8s.io/v1') - 1)
  assert.deepEqual(order.slice(0, 2), ['apiregistration.k8s.io/v1', '/v1'])
})
