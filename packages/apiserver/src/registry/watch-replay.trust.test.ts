// A list and the watch from its version are the store's history: whoever replays them knows what every later list says, at
// every version on the way, whatever is selected and wherever one begins.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fraction, seededRandom, type Random } from '@aksel/base/ids'
import { readLines } from '@aksel/client/response-body'
import { sized } from '@aksel/testing/test-size'
import { admin, startTestServer, type TestServer } from '../test-server.ts'

const path = '/api/v1/namespaces/default/configmaps'
const everywhere = '/api/v1/configmaps'

interface Item {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly resourceVersion: string }
}

interface Listed {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly Item[]
}

interface Event {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Item
}

type State = ReadonlyMap<string, string>

const keyOf = ({ metadata }: Item): string => `${metadata.namespace}/${metadata.name}`
const stateOf = (items: readonly Item[]): State => new Map(items.map((item) => [keyOf(item), JSON.stringify(item)]))

const selectors = [
  '',
  'labelSelector=colour%3Dred',
  'labelSelector=colour%20in%20(red,blue),size',
  'fieldSelector=metadata.name%3Dm3',
  'labelSelector=!colour',
]

/** All pages of a list. */
async function list(server: TestServer, at: string, query: string): Promise<Listed> {
  const items: Item[] = []
  let token = ''
  while (true) {
    const { status, json, text } = await server.ask(`${at}?${query}${token === '' ? '' : `&continue=${token}`}`)
    assert.equal(status, 200, text)
    const page = json as unknown as Listed
    items.push(...page.items)
    token = page.metadata.continue ?? ''
    if (token === '') return { metadata: page.metadata, items }
  }
}

/** Lists, then collects events until one has this version or a later one: a marker that every selection is shown. */
class Watcher {
  readonly first: Promise<Listed>
  readonly events: Event[] = []
  readonly done: Promise<void>
  readonly at: string
  readonly selector: string

  constructor(server: TestServer, at: string, selector: string, limit: number, last: Promise<number>) {
    this.at = at
    this.selector = selector
    this.first = list(server, at, `${selector}&limit=${limit}`)
    this.done = this.#follow(server, last)
  }

  async #follow(server: TestServer, last: Promise<number>): Promise<void> {
    const { metadata } = await this.first
    const stop = new AbortController()
    const query = `${this.selector}&watch=1&resourceVersion=${metadata.resourceVersion}`
    const response = await server.server
      .transportFor(admin)
      .send({ method: 'GET', path: `${this.at}?${query}`, headers: {}, signal: stop.signal })
    assert.equal(response.status, 200)
    // Delivery is in order: once the history is over, what is due is in the stream already.
    void last.then(() => setImmediate(() => stop.abort()))
    try {
      for await (const line of readLines(response.body))
        this.events.push(JSON.parse(Buffer.from(line).toString()) as Event)
    } catch (error) {
      if (!stop.signal.aborted) throw error
    }
  }
}

async function change(server: TestServer, random: Random): Promise<void> {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(fraction(random) * values.length)]!
  const name = pick(['m1', 'm2', 'm3', 'm4', 'm5', 'm6'])
  const colour = pick(['red', 'blue', undefined])
  const labels = { ...(colour === undefined ? {} : { colour }), ...(fraction(random) < 0.5 ? { size: 'xl' } : {}) }
  const body = { metadata: { name, labels }, data: { n: String(fraction(random)) } }
  const what = fraction(random)
  if (what < 0.3) await server.ask(`${path}/${name}`, { method: 'DELETE' })
  else if (what < 0.6) await server.ask(path, { body })
  else await server.ask(`${path}/${name}`, { method: 'PUT', body })
}

for (const seed of sized({ gate: [1, 2], full: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] })) {
  test(`list and watch replay the store's history (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    await using server = await startTestServer()
    const { promise: last, resolve: end } = Promise.withResolvers<number>()
    const watchers: Watcher[] = []
    const changes = sized({ gate: 150, full: 1500 })
    for (let n = 0; n < changes; n += 1) {
      if (n % 12 === 0) {
        const selector = selectors[watchers.length % selectors.length]!
        watchers.push(new Watcher(server, watchers.length % 3 === 0 ? everywhere : path, selector, 1 + (n % 4), last))
        await watchers.at(-1)!.first
      }
      await change(server, random)
    }
    end(server.store.revision)
    for (const watcher of watchers) {
      await watcher.done
      await assertReplays(server, watcher)
    }
    assert.ok(watchers.reduce((sum, { events }) => sum + events.length, 0) > changes)
  })
}

async function assertReplays(server: TestServer, { at, selector, first, events }: Watcher): Promise<void> {
  const { metadata, items } = await first
  const known = new Map(stateOf(items))
  let version = Number(metadata.resourceVersion)
  for (const [n, { type, object }] of events.entries()) {
    const next = Number(object.metadata.resourceVersion)
    assert.ok(next > version, `${type} ${keyOf(object)} at ${next} came after ${version}`)
    version = next
    const key = keyOf(object)
    assert.equal(known.has(key), type !== 'ADDED', `${type} ${key} at ${version}`)
    if (type === 'DELETED') known.delete(key)
    else known.set(key, JSON.stringify(object))
    // At every version on the way what is known is what a list of that version says; a few are asked.
    if (n % 7 === 0) {
      const then = await list(server, at, `${selector}&resourceVersion=${version}&resourceVersionMatch=Exact`)
      assert.deepEqual(sorted(known), sorted(stateOf(then.items)), `at ${version} with "${selector}"`)
    }
  }
  const now = await list(server, at, selector)
  assert.deepEqual(sorted(known), sorted(stateOf(now.items)), `at the end with "${selector}"`)
}

function sorted(state: State): readonly (readonly [string, string])[] {
  return [...state].sort(([a], [b]) => (a < b ? -1 : 1))
}
