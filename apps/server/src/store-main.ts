// What is done to a store while no server runs: `check` reads every byte of the log, `move` takes everything from a log to an
// etcd or back. Started by `./aksel store`, which prints what it says.

import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import type { Scope } from '@aksel/base/scope'
import { silentLog } from '@aksel/base/log'
import { checkLog } from '@aksel/store/check-log'
import { moveInto, moveToLog } from '@aksel/store/move'
import { nodeDisk } from '@aksel/store/node-disk'
import { FileRecords, StoreRecords } from './cluster-record.ts'
import { checkStoreName, isShared, openStore, recordStore, recordedStore, storeDirectory } from './open-store.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, to: { type: 'string' } },
})
const scope: Scope = {
  clock: systemClock(),
  random: systemRandom(),
  log: silentLog(),
  signal: new AbortController().signal,
}
const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function check(dataDir: string): Promise<void> {
  const { revision, keys, files, bytes, tornBytes } = await checkLog(nodeDisk(), storeDirectory(dataDir))
  const torn = tornBytes === 0 ? '' : `; ${tornBytes} bytes of a torn tail will be dropped at the next start`
  say(`The store is intact: revision ${revision}, ${keys} keys, ${files} files of ${bytes} bytes${torn}.`)
}

async function move(dataDir: string, to: string): Promise<void> {
  const from = recordedStore(dataDir)
  if (from === to) throw new Error(`The store of ${dataDir} is "${to}" already`)
  const records = new FileRecords(dataDir)
  {
    await using source = await openStore(scope, { store: from, dataDir })
    if (isShared(to)) {
      await using target = await openStore(scope, { store: to, dataDir })
      const moved = await moveInto(target, source)
      const shared = new StoreRecords(target)
      for (const record of await records.readAll()) await shared.write(record)
      say(`Moved ${moved.keys} keys; the etcd is at revision ${moved.revision}.`)
    } else {
      await setAside(dataDir)
      const directory = storeDirectory(dataDir)
      const moved = await moveToLog({ disk: nodeDisk(), directory, random: scope.random }, source)
      for (const record of await new StoreRecords(source).readAll()) await records.write(record)
      // A log belongs to one host, and that host keeps them in files.
      await using target = await openStore(scope, { store: to, dataDir })
      for (const record of await records.readAll()) await new StoreRecords(target).remove(record.key)
      say(`Moved ${moved.keys} keys, with their revisions; the newest is ${moved.revision}.`)
    }
  }
  await recordStore(dataDir, to)
  say(`From now on this server uses the store "${to}". What was moved still stands in the old one.`)
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
  const [command] = positionals
  const dataDir = values.data!
  if (command === 'check') await check(dataDir)
  else if (command === 'move' && values.to !== undefined) await move(dataDir, checkStoreName(values.to))
  else throw new Error('Usage: aksel store check | aksel store move --to log|etcd://…')
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
