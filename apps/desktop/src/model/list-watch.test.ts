// List and watch against a made-up server: pages, changes, lost places, refusals.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lineSplitter, listAndWatch, RefusedError, type ListWatchState } from './list-watch.ts'

interface Page {
  readonly names: readonly string[]
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
}

function run(
  script: {
    readonly list: (query: string, call: number) => Page
    readonly watch: (query: string, call: number, onEvent: (event: string) => void) => void
  },
  stop: AbortController,
) {
  const told: string[] = []
  const queries: string[] = []
  const states: ListWatchState[] = []
  let [lists, watches] = [0, 0]
  const done = listAndWatch<Page, string>(
    {
      list: async (query) => {
        queries.push(query)
        return script.list(query, lists++)
      },
      watch: async (query, onEvent) => {
        queries.push(query)
        script.watch(query, watches++, onEvent)
      },
      sleep: () => Promise.resolve(),
    },
    {
      page: ({ names }, first) => void told.push(`${first ? 'first' : 'next'} ${names.join()}`),
      listed: () => void told.push('listed'),
      event: (event) => {
        told.push(event)
        return event.split(' ')[1]
      },
      state: (state) => void states.push(state),
    },
    stop.signal,
  )
  return { done, told, queries, states }
}

test('a list is read page by page, and watched from where it ended', async () => {
  const stop = new AbortController()
  const { done, told, queries } = run(
    {
      list: (_query, call) =>
        call === 0
          ? { names: ['a'], metadata: { resourceVersion: '7', continue: 'more+' } }
          : { names: ['b'], metadata: { resourceVersion: '7' } },
      watch: (_query, call, onEvent) => {
        if (call === 0) return onEvent('changed 9')
        stop.abort()
      },
    },
    stop,
  )
  await done
  assert.deepEqual(told, ['first a', 'next b', 'listed', 'changed 9'])
  assert.match(queries[1]!, /continue=more%2B/)
  assert.match(queries[2]!, /resourceVersion=7&/)
  assert.match(queries[3]!, /resourceVersion=9&/)
})

test('a place that the server no longer knows leads to a new list', async () => {
  const stop = new AbortController()
  const { done, told, states } = run(
    {
      list: (_query, call) => ({ names: [`list${call}`], metadata: { resourceVersion: String(call) } }),
      watch: (_query, call) => {
        if (call === 0) throw new RefusedError(410, 'too old')
        stop.abort()
      },
    },
    stop,
  )
  await done
  assert.deepEqual(told, ['first list0', 'listed', 'first list1', 'listed'])
  assert.ok(states.every(({ kind }) => kind === 'listing' || kind === 'live'))
})

test('what may not be read is told and not asked again; a lost connection is', async () => {
  const refusedBy = run(
    {
      list: () => {
        throw new RefusedError(403, 'pods is forbidden')
      },
      watch: () => {},
    },
    new AbortController(),
  )
  await refusedBy.done
  assert.deepEqual(refusedBy.states.at(-1), { kind: 'refused', status: 403, message: 'pods is forbidden' })
  assert.equal(refusedBy.queries.length, 1)

  const stop = new AbortController()
  const lost = run(
    {
      list: (_query, call) => {
        if (call === 0) throw new Error('connection lost')
        stop.abort()
        return { names: [], metadata: { resourceVersion: '1' } }
      },
      watch: () => {},
    },
    stop,
  )
  await lost.done
  assert.ok(lost.states.some((state) => state.kind === 'retrying' && state.message === 'connection lost'))
})

test('lineSplitter() joins lines out of pieces that end anywhere, also within a character', () => {
  const lines: string[] = []
  const split = lineSplitter((line) => lines.push(line))
  const bytes = new TextEncoder().encode('eins\nzwölf\n\ndrei\nrest')
  for (let at = 0; at < bytes.length; at += 3) split(bytes.subarray(at, at + 3))
  assert.deepEqual(lines, ['eins', 'zwölf', 'drei'])
})
