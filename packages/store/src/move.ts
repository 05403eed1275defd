// Moves everything from one store to another: every key and value, in the order of its changes. Clients that come back afterwards
// with a revision of before must list anew rather than be told wrong: the new store's history begins above every old revision.

import type { Random } from '@aksel/base/ids'
import { copyInto, restoreArchive, writeArchive } from './archive.ts'
import type { Disk } from './disk.ts'
import { removeFile } from './segment-files.ts'
import { StoreError, type KeyValue, type Store } from './store.ts'

export interface Moved {
  readonly keys: number
  /** The revision that the new store is at. */
  readonly revision: number
}

/** Stands in the new store while it is filled: whoever finds it begins anew. */
const MOVING_KEY = 'aksel.dev/moving'
const RAISE_KEY = 'aksel.dev/raised'
/** Transactions under way at once while the revision is raised. */
const RAISE_LANES = 64
/** etcd takes 128 changes at once. */
const REMOVE_BATCH = 100

export interface MoveOptions {
  /** Stores of single clusters, which go below a prefix of their own. */
  readonly others?: readonly { readonly store: Store; readonly prefix: string }[]
  /** What is being done, from time to time. */
  readonly progress?: (text: string) => void
}

/** Into a store that counts for itself, as an etcd does. It must be empty, or half filled by a move that was cut off. Throws a TypeError when it is not. */
export async function moveInto(target: Store, source: Store, options: MoveOptions = {}): Promise<Moved> {
  const { others = [], progress = () => {} } = options
  await claimEmpty(target)
  const main = await source.range({ prefix: '' })
  const parts = [{ prefix: '', items: main.items, revision: main.revision }]
  for (const { store, prefix } of others) parts.push({ prefix, ...(await store.range({ prefix: '' })) })
  const above = Math.max(...parts.map(({ revision }) => revision))
  await raise(target, above, (at) => progress(`Raising the revision: ${at} of ${above}`))
  await target.compact(target.revision)
  for (const { prefix, items } of parts)
    await copyInto(target, prefix, items, (done) => progress(`Copying keys: ${done} of ${items.length}`))
  await target.transact({ guards: [], writes: [{ kind: 'delete', key: MOVING_KEY }] })
  const all = parts.flatMap(({ prefix, items }) => items.map((item) => ({ ...item, key: `${prefix}${item.key}` })))
  await assertEqual(
    target,
    all.toSorted((left, right) => (left.key < right.key ? -1 : 1)),
  )
  return { keys: all.length, revision: target.revision }
}

async function claimEmpty(target: Store): Promise<void> {
  const count = await target.count('')
  if (count > 0 && (await target.get(MOVING_KEY)) === undefined)
    throw new TypeError(`Cannot move into a store that is in use: it has ${count} keys`)
  await target.transact({ guards: [], writes: [{ kind: 'put', key: MOVING_KEY, value: Buffer.from('{}') }] })
  for (;;) {
    const { items } = await target.range({ prefix: '', limit: REMOVE_BATCH })
    const left = items.filter(({ key }) => key !== MOVING_KEY)
    if (left.length === 0) return
    await target.transact({ guards: [], writes: left.map(({ key }) => ({ kind: 'delete', key })) })
  }
}

/** Into a new log: revisions stay what they are. The folder must hold no log. */
export async function moveToLog(
  target: { readonly disk: Disk; readonly directory: string; readonly random: Random },
  source: Store,
): Promise<Moved> {
  const { disk, directory, random } = target
  await disk.makeDirectory(directory)
  const names = await disk.list(directory)
  if (names.some((name) => /\.(log|base)$/.test(name))) {
    throw new TypeError(`Cannot move into ${directory}: it holds a store already`)
  }
  const path = `${directory}/moving`
  const { keys, revision } = await writeArchive({ disk, path, store: source, prefix: '', random })
  await restoreArchive({ disk, path, directory, random })
  await removeFile(disk, path)
  return { keys, revision }
}

/** Uses revisions up until the store is above this one. */
async function raise(store: Store, above: number, tell: (revision: number) => void): Promise<void> {
  const lane = async (i: number): Promise<void> => {
    const key = `${RAISE_KEY}/${i}`
    while (store.revision <= above) {
      await store.transact({ guards: [], writes: [{ kind: 'put', key, value: Buffer.from('{}') }] })
      tell(store.revision)
    }
    await store.transact({ guards: [], writes: [{ kind: 'delete', key }] })
  }
  await Promise.all(Array.from({ length: RAISE_LANES }, (_, i) => lane(i)))
}

async function assertEqual(store: Store, items: readonly KeyValue[]): Promise<void> {
  const copied = (await store.range({ prefix: '' })).items
  const same =
    copied.length === items.length &&
    copied.every(({ key, value }, i) => key === items[i]!.key && Buffer.compare(value, items[i]!.value) === 0)
  if (!same)
    throw new StoreError('Corrupt', 'What was moved is not what was there: someone else writes to the new store')
}
