// What is done to a store while no server runs: `check` reads every byte of the logs, or of an archive, `move` takes everything from a
// log to an etcd or back. Started by `./aksel store`, which prints what it says; what takes longer than a second says how far it is.

import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { silentLog } from '@aksel/base/log'
import { readArchive } from '@aksel/store/archive'
import { checkLog } from '@aksel/store/check-log'
import { moveInto, moveToLog } from '@aksel/store/move'
import { nodeDisk } from '@aksel/store/node-disk'
import { bindGroups } from '@aksel/arm/sharing/bound-groups'
import { ResourceStore } from '@aksel/arm/store-keyspace'
import { FileRecords, StoreRecords } from './cluster-record.ts'
import {
  checkStoreName,
  hostName,
  isShared,
  openStore,
  recordStore,
  recordedStore,
  storeDirectory,
} from './open-store.ts'
import { OwnStores } from './own-stores.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, to: { type: 'string' }, json: { type: 'boolean' } },
})
const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}

/** Words for people, or the same facts for scripts. */
function say(facts: object, ...lines: readonly string[]): void {
  process.stdout.write(values.json === true ? `${JSON.stringify(facts, undefined, 2)}\n` : `${lines.join('\n')}\n`)
}

const SIGN_OF_LIFE_MS = 1_000

/** Tells on stderr what is being done, once a second at most, and nothing in the first second. */
function progress(): (text: string) => void {
  let toldMs = performance.now()
  return (text) => {
    if (performance.now() - toldMs < SIGN_OF_LIFE_MS) return
    toldMs = performance.now()
    process.stderr.write(`${text}\n`)
  }
}

async function checkFile(file: string): Promise<void> {
  const { revision, keys, sizeBytes } = await readArchive(nodeDisk(), file)
  say(
    { archive: file, revision, keys, bytes: sizeBytes },
    `The archive is intact: revision ${revision}, ${keys} keys, ${sizeBytes} bytes.`,
  )
}

async function check(dataDir: string): Promise<void> {
  const store = recordedStore(dataDir)
  if (isShared(store)) throw new Error(`The clusters of ${dataDir} live in "${store}": etcd checks its own files`)
  const tell = progress()
  const checked: object[] = []
  const lines: string[] = []
  for (const { name, directory } of await logsOf(dataDir)) {
    tell(`Reading ${directory}`)
    const { revision, keys, files, bytes, tornBytes } = await checkLog(nodeDisk(), directory)
    checked.push({ store: name, revision, keys, files, bytes, tornBytes })
    const torn = tornBytes === 0 ? '' : `; ${tornBytes} bytes of a torn tail will be dropped at the next start`
    lines.push(`${name} is intact: revision ${revision}, ${keys} keys, ${files} files of ${bytes} bytes${torn}.`)
  }
  say({ stores: checked }, ...lines)
}

/** The log that all share, and those of clusters that were made of an archive. */
async function logsOf(dataDir: string): Promise<readonly { readonly name: string; readonly directory: string }[]> {
  const own = (await new FileRecords(dataDir).readAll()).filter(({ ownStore }) => ownStore === true)
  return [
    { name: 'The store', directory: storeDirectory(dataDir) },
    ...own.map(({ key, spec }) => ({ name: `The store of ${spec.name}`, directory: join(dataDir, 'stores', key) })),
  ]
}

async function move(dataDir: string, to: string): Promise<void> {
  const from = recordedStore(dataDir)
  if (from === to) throw new Error(`The store of ${dataDir} is "${to}" already`)
  const moved = isShared(to) ? await moveToEtcd(dataDir, from, to) : await moveHome(dataDir, from, to)
  await recordStore(dataDir, to)
  say(
    { from, to, ...moved },
    `Moved ${moved.keys} keys; the newest revision is ${moved.revision}.`,
    `From now on this server uses the store "${to}". What was moved still stands in the old one.`,
  )
}

async function moveToEtcd(dataDir: string, from: string, to: string): Promise<{ keys: number; revision: number }> {
  const records = await new FileRecords(dataDir).readAll()
  const own = new OwnStores(scope, dataDir)
  await using source = await openStore(scope, { store: from, dataDir })
  await using target = await openStore(scope, { store: to, dataDir })
  const theirs = records.filter(({ ownStore }) => ownStore === true)
  try {
    const others = await Promise.all(
      theirs.map(async ({ key }) => ({ store: await own.open(key), prefix: `clusters/${key}/` })),
    )
    const moved = await moveInto(target, source, { others, progress: progress() })
    const shared = new StoreRecords(target)
    for (const { ownStore: _, ...record } of records) await shared.write({ ...record, madeBy: hostName(dataDir) })
    // Machines and networks stay on this host, and so does the work on whatever has any.
    if (records.some(({ spec }) => spec.fabricAddress !== undefined))
      await bindGroups(new ResourceStore(target), hostName(dataDir))
    return moved
  } finally {
    for (const { key } of theirs) await own.close(key)
  }
}

async function moveHome(dataDir: string, from: string, to: string): Promise<{ keys: number; revision: number }> {
  const records = new FileRecords(dataDir)
  await using source = await openStore(scope, { store: from, dataDir })
  const there = await new StoreRecords(source).readAll()
  const foreign = there.filter(({ madeBy = hostName(dataDir) }) => madeBy !== hostName(dataDir))
  if (foreign.length > 0) {
    const names = foreign.map(({ spec, madeBy }) => `"${spec.name}" of ${madeBy}`).join(', ')
    throw new Error(`Cannot move to a log: clusters of other servers live in "${from}": ${names}`)
  }
  await setAside(dataDir)
  const directory = storeDirectory(dataDir)
  const moved = await moveToLog({ disk: nodeDisk(), directory, random: scope.random }, source)
  for (const { madeBy: _, ...record } of there) await records.write(record)
  // A log belongs to one host, and that host keeps them in files.
  await using target = await openStore(scope, { store: to, dataDir })
  for (const record of await records.readAll()) await new StoreRecords(target).remove(record.key)
  return moved
}

/** A log that was moved away from before is kept beside the new one, until the next move. */
async function setAside(dataDir: string): Promise<void> {
  const directory = storeDirectory(dataDir)
  if (!existsSync(directory) || (await readdir(directory)).length === 0) return
  const old = join(dataDir, 'store.old')
  await rm(old, { recursive: true, force: true })
  await rename(directory, old)
}

try {
  const [command, file] = positionals
  const dataDir = values.data!
  if (command === 'check' && file !== undefined) await checkFile(file)
  else if (command === 'check') await check(dataDir)
  else if (command === 'move' && values.to !== undefined) await move(dataDir, checkStoreName(values.to))
  else throw new Error('Usage: aksel store check [ARCHIVE] | aksel store move --to log|etcd://…')
} catch (error) {
  // Without a line's end: that is how the command line tells the error from progress.
  process.stderr.write((error instanceof Error ? error.message : String(error)).replaceAll('\n', ' '))
  process.exitCode = 1
}
