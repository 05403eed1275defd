// A server that starts slowly is waited for; one that ends, or hangs, is not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lateStart, startedServer, type StartingServer } from './server-start.ts'

type State = ReturnType<StartingServer['look']>

/** Half a second goes by between two looks. */
async function waited(stateAt: (seconds: number) => State): Promise<readonly [outcome: string, ...said: string[]]> {
  let nowMs = 1_000
  const said: string[] = []
  const outcome = await startedServer({
    look: () => stateAt((nowMs - 1_000) / 1_000),
    change: async () => void (nowMs += 500),
    nowMs: () => nowMs,
    say: (text) => said.at(-1) === text || said.push(text),
  })
  return [`${outcome} after ${(nowMs - 1_000) / 1_000} s`, ...said]
}

test('startedServer() waits for a server on a starved machine, and tells that it goes on', async () => {
  assert.deepEqual(await waited(() => 'ready'), ['ready after 0 s'])
  assert.deepEqual(await waited((seconds) => (seconds < 40 ? 'starting' : 'ready')), [
    'ready after 40 s',
    'The server is still starting after 15 s',
    'The server is still starting after 30 s',
  ])
})

test('startedServer() gives up a server that has ended at once, and one that hangs after three minutes', async () => {
  assert.deepEqual(await waited((seconds) => (seconds < 2 ? 'starting' : 'ended')), ['ended after 2 s'])
  const [outcome, ...said] = await waited(() => 'starting')
  assert.deepEqual([outcome, said.length], ['late after 180 s', 11])
  assert.match(lateStart(7, '/log', '  last'), /^The server runs as process 7 and .* 180 s.*"\.\/aksel down" ends it/)
})
