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

const RAISE_KEY = 'aksel.dev/raised'
/** Transactions under way at once while the revision is raised. */
const RAISE_LANES = 64

/** Into a store that counts for itself, as an etcd does. It must be empty. Throws a TypeError when it is not. */
export async function moveInto(target: Store, source: Store): Promise<Moved> {
  const count = await target.count('')
  if (count > 0) throw new TypeError(`Cannot move into a store that is in use: it has ${count} keys`)
  const { items, revision } = await source.range({ prefix: '' })
  await raise(target, revision)
  await target.compact(target.revision)
  await copyInto(target, '', items)
  await assertEqual(target, items)
  return { keys: items.length, revision: target.revision }
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
async function raise(store: Store, above: number): Promise<void> {
  const lane = async (i: number): Promise<void> => {
    const key = `${RAISE_KEY}/${i}`
    while (store.revision <= above) {
      await store.transact({ guards: [], writes: [{ kind: 'put', key, value: Buffer.from('{}') }] })
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
