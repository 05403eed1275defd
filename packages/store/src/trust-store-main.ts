// A log store on the real disk in a process of its own, for the tests that kill it: it carries out operations that its parent
// sends. `--bug` plants one, to show that the test would notice.

import { parseArgs } from 'node:util'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { openLogStore } from './log-store.ts'
import { nodeDisk } from './node-disk.ts'
import type { Guard } from './store.ts'

const { values } = parseArgs({ options: { directory: { type: 'string' }, bug: { type: 'string', default: '' } } })
const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
const limits = { segmentBytes: 200_000, slackBytes: 400_000, historyRevisions: 2_000 }
const store = await openLogStore(scope, { disk: nodeDisk(), directory: values.directory!, limits })

export interface StoreOrder {
  readonly number: number
  readonly kind: 'read' | 'write' | 'swap'
  readonly key: string
  readonly value?: string
  readonly expected?: string
}

export interface StoreAnswer {
  readonly number: number
  readonly value?: string | undefined
  readonly done?: boolean
}

const count = { writes: 0 }

async function carryOut(order: StoreOrder): Promise<StoreAnswer> {
  const { number, kind, key, value = '', expected } = order
  const current = await store.get(key)
  const held = current === undefined ? undefined : Buffer.from(current.value).toString()
  if (kind === 'read')
    return { number, value: values.bug === 'stale-read' && count.writes % 7 === 0 ? undefined : held }
  count.writes += 1
  if (values.bug === 'dropped-write' && count.writes % 40 === 0) return { number, done: true }
  const guards: Guard[] =
    kind === 'write' || values.bug === 'unguarded'
      ? []
      : [
          expected === undefined
            ? { kind: 'revision', key, modRevision: 0 }
            : { kind: 'value', key, value: Buffer.from(expected) },
        ]
  const result = await store.transact({ guards, writes: [{ kind: 'put', key, value: Buffer.from(value) }] })
  return { number, done: result.committed }
}

process.on('message', (order: StoreOrder) => {
  carryOut(order).then(
    (answer) => process.send!(answer),
    () => process.exit(1),
  )
})
process.on('disconnect', () => process.exit(0))
process.send!({ ready: true })
