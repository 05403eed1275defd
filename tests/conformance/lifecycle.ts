// The life that upstream's tests named "should run through the lifecycle of …" give an object of a kind.

import assert from 'node:assert/strict'
import { labelled, type AnyObject, type Objects } from './objects.ts'
import { fresh } from './pods.ts'

/** Made, read, patched, found by its new label, deleted; another made, updated, deleted with its collection. */
export async function lives(objects: Objects, make: (name: string) => object): Promise<void> {
  const first = fresh('e2e-life')
  assert.equal((await objects.create(make(first))).metadata.name, first)
  assert.equal((await objects.get(first)).metadata.name, first)
  const patched = await objects.patch(first, { metadata: { labels: { [first]: 'patched' } } })
  assert.equal(patched.metadata.labels?.[first], 'patched')
  assert.equal((await objects.list({ labelSelector: `${first}=patched` })).items.length, 1)
  await objects.delete(first)
  await objects.isGone(first)

  const others = [fresh('e2e-life'), fresh('e2e-life')]
  const value = others.join('.')
  for (const name of others) {
    await objects.create(make(name))
    const label = (object: AnyObject): object => ({ ...object, metadata: labelled(object, { 'e2e-life': value }) })
    assert.equal((await objects.update(name, label)).metadata.labels?.['e2e-life'], value)
  }
  const query = { labelSelector: `e2e-life=${value}` }
  assert.equal((await objects.list(query)).items.length, 2)
  await objects.deleteCollection(query)
  await objects.listed(query, (items) => items.length === 0)
}
