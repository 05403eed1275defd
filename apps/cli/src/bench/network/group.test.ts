// One part of the group that cannot be measured does not take the others' rows with it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BenchRow } from '../row.ts'
import { eachMeasured } from './group.ts'

test('a part that cannot be measured is said, and the others stand; where none can, the group fails', async () => {
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const row = { name: 'D5.rate' } as BenchRow
  const slow = (): Promise<never> => Promise.reject(new Error('iptables-restore did not end'))
  assert.deepEqual(
    await eachMeasured({ say }, [
      ['D1, D2', slow],
      ['D5', () => Promise.resolve([row])],
    ]),
    [row],
  )
  assert.deepEqual(said, ['network: D1, D2 could not be measured: iptables-restore did not end'])
  await assert.rejects(eachMeasured({ say }, [['D1, D2', slow]]), /did not end/)
})
