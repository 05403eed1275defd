// What upstream's framework does with a kind by `TestResource`: every verb, every sort of patch, and at each step what
// two informers, of the namespace and of the cluster, are told.

import assert from 'node:assert/strict'
import {
  assertHolds,
  assertNewer,
  Refusal,
  type AnyObject,
  type Following,
  type Objects,
  type PatchType,
} from './objects.ts'
import { fresh } from './pods.ts'

export interface Crud {
  readonly objects: Objects
  /** The same collection over all namespaces. */
  readonly everywhere?: Objects
  readonly initial: { readonly metadata: { readonly name: string }; readonly [field: string]: unknown }
  readonly update: (object: AnyObject) => object
  readonly updateStatus?: (object: AnyObject) => object
  /** Each makes of the initial object what `update` makes of it. */
  readonly patches: readonly (readonly [PatchType, unknown])[]
  readonly statusPatches?: readonly (readonly [PatchType, unknown])[]
}

const label = 'e2e-test.kubernetes.io'

export async function crud(wish: Crud): Promise<void> {
  const { objects, everywhere, initial, update, updateStatus, patches, statusPatches = [] } = wish
  const value = fresh('crud')
  const query = { labelSelector: `${label}=${value}` }
  const wanted = { ...initial, metadata: { ...initial.metadata, labels: { [label]: value } } }
  const { name } = initial.metadata
  const collections = everywhere === undefined ? [objects] : [objects, everywhere]

  const { resources } = await objects.cluster.get<{ readonly resources: readonly { readonly name: string }[] }>(
    `/apis/${objects.groupVersion}`,
  )
  assert.ok(resources.some((each) => each.name === objects.resource))

  const informers: Following[] = []
  for (const each of collections) {
    const list = await each.list(query)
    assert.equal(list.items.length, 0)
    informers.push(await each.watch({ ...query, resourceVersion: list.metadata.resourceVersion }))
  }
  /** Every informer is told of this version, by a change of this type, and lists have just it. */
  const isTold = async (type: string, object: AnyObject): Promise<void> => {
    const { uid, resourceVersion } = object.metadata
    for (const informer of informers) {
      const isIt = (change: { type: string; object: AnyObject }): boolean =>
        change.type === type && (type === 'DELETED' || change.object.metadata.resourceVersion === resourceVersion)
      const changes = await informer.until(isIt, 5_000)
      assert.deepEqual([...new Set(changes.map((change) => change.object.metadata.uid))], [uid])
    }
    for (const each of collections) {
      const names = (await each.list(query)).items.map(({ metadata }) => metadata.name)
      assert.deepEqual(names, type === 'DELETED' ? [] : [name])
    }
  }
  const create = async (): Promise<AnyObject> => {
    const created = await objects.create(wanted, { fieldValidation: 'Strict' })
    assertHolds(created, wanted)
    await isTold('ADDED', created)
    return created
  }
  const deleted = async (object: AnyObject): Promise<void> => {
    await objects.delete(name)
    await assert.rejects(objects.get(name), (error) => error instanceof Refusal && error.code === 404)
    await isTold('DELETED', object)
  }

  try {
    const created = await create()
    assert.deepEqual(await objects.get(name), created)
    const updated = await objects.replace(update(created) as AnyObject)
    assertHolds(spoken(updated), spoken(update(created) as AnyObject))
    assertNewer(updated, created)
    await isTold('MODIFIED', updated)
    let last = updated
    if (updateStatus !== undefined) {
      last = await objects.replace(updateStatus(updated) as AnyObject, 'status')
      assertHolds(spoken(last), spoken(updateStatus(updated) as AnyObject))
      await isTold('MODIFIED', last)
      assert.deepEqual(await objects.get(name, 'status'), last)
    }
    for (const [type, patch] of patches) {
      await deleted(last)
      const again = await create()
      last = await objects.patch(name, complete(again, patch), type)
      assertHolds(spoken(last), spoken(update(again) as AnyObject))
      await isTold('MODIFIED', last)
    }
    for (const [type, patch] of statusPatches) {
      await deleted(last)
      const again = await create()
      last = await objects.patch(name, complete(again, patch), type, 'status')
      assertHolds(spoken(last), spoken(updateStatus!(again) as AnyObject))
      await isTold('MODIFIED', last)
    }
    await objects.deleteCollection(query)
    await isTold('DELETED', last)
  } finally {
    for (const informer of informers) informer[Symbol.dispose]()
  }
}

/** A patch that is an object names its kind, its object and that object's uid. */
function complete({ apiVersion, kind, metadata }: AnyObject, patch: unknown): unknown {
  if (Array.isArray(patch)) return patch
  const { namespace, name, uid } = metadata
  const own = (patch as { readonly metadata?: object }).metadata
  return { ...(patch as object), apiVersion, kind, metadata: { ...own, namespace, name, uid } }
}

/** What clients say of an object; the rest of its metadata is the server's. */
function spoken({ metadata: { name, namespace, labels }, ...rest }: AnyObject): object {
  return { ...rest, metadata: { name, namespace, labels } }
}
