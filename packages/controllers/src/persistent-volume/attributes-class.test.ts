// An attributes class stays as long as a claim or a volume has it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { persistentVolumeClaims, volumeAttributesClasses } from '@aksel/api/resources'
import { TestCluster } from '../testing/cluster.ts'
import { newClaim } from '../testing/objects.ts'
import { attributesClassProtectionController } from './protection.ts'

const name = 'fast'

function names(cluster: TestCluster): readonly string[] {
  return cluster.all(volumeAttributesClasses).map(({ metadata }) => metadata.name)
}

test('an attributes class that nothing has goes at once', async () => {
  await using cluster = new TestCluster((parts) => [attributesClassProtectionController(parts)])
  cluster.start()
  await cluster.client.create(volumeAttributesClasses, { metadata: { name }, driverName: 'disk.csi.azure.com' })
  await cluster.still()
  const [found] = cluster.all(volumeAttributesClasses)
  assert.deepEqual(found?.metadata.finalizers, ['kubernetes.io/vac-protection'])
  await cluster.client.delete(volumeAttributesClasses, { name })
  await cluster.still()
  assert.deepEqual(names(cluster), [])
})

test('an attributes class goes after the last claim that has it', async () => {
  await using cluster = new TestCluster((parts) => [attributesClassProtectionController(parts)])
  cluster.start()
  await cluster.client.create(volumeAttributesClasses, { metadata: { name }, driverName: 'disk.csi.azure.com' })
  const claim = await cluster.client.create(
    persistentVolumeClaims,
    newClaim('data', { volumeAttributesClassName: name }),
  )
  await cluster.still()
  await cluster.client.delete(volumeAttributesClasses, { name })
  await cluster.still()
  assert.deepEqual(names(cluster), [name])
  await cluster.client.delete(persistentVolumeClaims, claim.metadata)
  await cluster.still()
  assert.deepEqual(names(cluster), [])
})
