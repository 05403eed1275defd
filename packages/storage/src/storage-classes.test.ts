// The built-in classes are AKS's.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { builtInCsiDrivers, builtInStorageClasses } from './storage-classes.ts'

test('the built-in classes have the names and disks of AKS, and exactly one is the default', () => {
  const classes = builtInStorageClasses({ kubernetesVersion: '1.35.7' })
  assert.deepEqual(
    classes.map(({ metadata, parameters }) => [
      metadata.name,
      parameters!['skuname'] ?? parameters!['storageaccounttype'],
    ]),
    [
      ['default', 'StandardSSD_LRS'],
      ['managed', 'StandardSSD_LRS'],
      ['managed-csi', 'StandardSSD_LRS'],
      ['managed-csi-premium', 'Premium_LRS'],
      ['managed-csi-premium-v2', 'PremiumV2_LRS'],
      ['managed-premium', 'Premium_LRS'],
    ],
  )
  const marked = classes.filter(
    ({ metadata }) => metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
  )
  assert.deepEqual(
    marked.map(({ metadata }) => metadata.name),
    ['default'],
  )
})

test('before 1.35 there is no class for Premium v2, and clusters of several zones get redundant disks', () => {
  const classes = builtInStorageClasses({ kubernetesVersion: '1.34.10', multiZone: true })
  assert.equal(
    classes.some(({ metadata }) => metadata.name === 'managed-csi-premium-v2'),
    false,
  )
  assert.equal(classes[0]!.parameters!['skuname'], 'StandardSSD_ZRS')
})

test('the driver of all classes is there', () => {
  const names = builtInCsiDrivers().map(({ metadata }) => metadata.name)
  for (const { provisioner } of builtInStorageClasses({ kubernetesVersion: '1.36.3' }))
    assert.ok(names.includes(provisioner))
})
