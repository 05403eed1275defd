// Which clusters share their kinds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Catalogs } from './catalogs.ts'

test('clusters share the kinds of a minor where they switch the same, and only there', async () => {
  const catalogs = new Catalogs()
  const plain = await catalogs.of('1.35.7')
  assert.equal(await catalogs.of('1.35.6', {}), plain)
  const featureGates = { HPAScaleToZero: true, ContainerStopSignals: true }
  const gated = await catalogs.of('1.35.7', { featureGates })
  assert.equal(plain.schemas.gates('HPAScaleToZero'), false)
  assert.equal(gated.schemas.gates('HPAScaleToZero'), true)
  assert.equal(
    await catalogs.of('1.35.7', { featureGates: { ContainerStopSignals: true, HPAScaleToZero: true } }),
    gated,
  )
  const alpha = await catalogs.of('1.35.7', { runtimeConfig: { 'resource.k8s.io/v1alpha3': true } })
  assert.equal(plain.row('resource.k8s.io', 'v1alpha3', 'devicetaintrules'), undefined)
  assert.equal(alpha.row('resource.k8s.io', 'v1alpha3', 'devicetaintrules')?.kind, 'DeviceTaintRule')
})
