// An API server that is killed again and again under a hundred writes a second and fifty informers: nothing acknowledged is lost,
// nothing appears that nobody wrote, and every informer is whole again.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { configMaps } from '@aksel/api/resources'
import type { ConfigMap } from '@aksel/api/types/core-v1'
import { systemClock } from '@aksel/base/clock'
import { ApiError } from '@aksel/base/errors'
import { fraction, seededRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import type { Scope } from '@aksel/base/scope'
import { startEngine } from '@aksel/cli/bench/api/rig'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { Informer } from '@aksel/runtime/informer'
import { parseKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { sized } from '@aksel/testing/test-size'

const KILLS = sized({ gate: 3, full: 100 })
const INFORMERS = 50
const WRITES_PER_SECOND = 100
const NAMES = 150
/** Hangs end here; how long it took is told. */
const DEADLINE_MS = 120_000
/** Of whatever took longer it is told what the informers met meanwhile. */
const SLOW_MS = 5_000

/** What each name may hold: the last that was acknowledged, and what was asked since and never answered. */
class Expectation {
  readonly #possible = new Map<string, readonly (string | undefined)[]>()
  acknowledged = 0

  settled(name: string, value: string | undefined): void {
    this.acknowledged += 1
    this.#possible.set(name, [value])
  }

  unanswered(name: string, value: string | undefined): void {
    this.#possible.set(name, [...(this.#possible.get(name) ?? [undefined]), value])
  }

  check(found: ReadonlyMap<string, string | undefined>): void {
    for (const [name, values] of this.#possible) {
      assert.ok(values.includes(found.get(name)), `${name} holds ${found.get(name)}, not one of ${values.join(', ')}`)
    }
    for (const name of found.keys()) assert.ok(this.#possible.has(name), `${name} is a phantom`)
  }
}

class Writer {
  readonly expected = new Expectation()
  readonly #client: Client
  readonly #random = seededRandom(7)
  readonly #stop = new AbortController()
  readonly #busy = new Set<string>()
  #value = 0
  #running: Promise<void>

  constructor(client: Client) {
    this.#client = client
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const writes = new Set<Promise<void>>()
    while (!this.#stop.signal.aborted) {
      const one: Promise<void> = this.#write().finally(() => writes.delete(one))
      writes.add(one)
      await sleep(1_000 / WRITES_PER_SECOND)
    }
    await Promise.all(writes)
  }

  async #write(): Promise<void> {
    const name = `w-${Math.floor(fraction(this.#random) * NAMES)}`
    if (this.#busy.has(name)) return
    this.#busy.add(name)
    const ref = { namespace: 'default', name }
    const value = fraction(this.#random) < 0.2 ? undefined : String((this.#value += 1))
    try {
      if (value === undefined) await this.#client.delete(configMaps, ref)
      else await this.#put({ metadata: ref, data: { value } })
      this.expected.settled(name, value)
    } catch (error) {
      if (error instanceof ApiError && error.code === 404 && value === undefined) this.expected.settled(name, undefined)
      else this.expected.unanswered(name, value)
    } finally {
      this.#busy.delete(name)
    }
  }

  async #put(object: ConfigMap): Promise<void> {
    try {
      await this.#client.update(configMaps, object)
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 404) throw error
      await this.#client.create(configMaps, object)
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }
}

function valuesOf(objects: readonly ConfigMap[]): Map<string, string | undefined> {
  const own = objects.filter(({ metadata }) => metadata.name.startsWith('w-'))
  return new Map(own.map(({ metadata, data }) => [metadata.name, data?.['value']]))
}

function fingerprint(objects: readonly ConfigMap[]): string {
  return objects
    .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
    .toSorted()
    .join(' ')
}

/** Resolves when the informer holds the object, or what it should hold. */
function holds(informer: Informer<ConfigMap>, isWhole: () => boolean, deadlineMs = DEADLINE_MS): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('an informer was not whole in time')), deadlineMs)
    const look = (): void => {
      if (!isWhole()) return
      clearTimeout(late)
      subscription?.[Symbol.dispose]()
      resolve()
    }
    const subscription: Disposable | undefined = informer.subscribe(look)
    look()
  })
}

interface Story {
  readonly kills: number
  readonly sabotage?: (client: Client) => Client
  readonly deadlineMs?: number
}

async function story(
  context: TestContext,
  { kills, sabotage = (client) => client, deadlineMs = DEADLINE_MS }: Story,
): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'aksel-killed-'))
  const stopping = new AbortController()
  const met = new Map<string, number>()
  const log = logTo(({ fields }) => {
    const { error, waitMs } = fields as { readonly error?: Error; readonly waitMs?: number }
    const text = `${error?.message} (waits ${Math.round((waitMs ?? 0) / 1000)} s)`
    if (error !== undefined) met.set(text, (met.get(text) ?? 0) + 1)
  })
  const scope: Scope = { clock: systemClock(), random: seededRandom(3), log, signal: stopping.signal }
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rmSync(dataDir, { recursive: true, force: true }))
  let engine = await startEngine(dataDir)
  stack.defer(() => engine.kill())
  stack.defer(() => stopping.abort(new Error('the story ended')))
  const access: ClusterAccess = await parseKubeconfig(await engine.ask('create', 'killed'))
  const clientOf = (): Client => createClient(stack.use(createHttpsTransport(access)))
  const informers = Array.from(
    { length: INFORMERS },
    (_, i) => new Informer(scope, i === 0 ? sabotage(clientOf()) : clientOf(), configMaps, { namespace: 'default' }),
  )
  for (const informer of informers) void informer.run()
  await Promise.all(informers.map((informer) => informer.synced()))
  const client = clientOf()
  const writer = new Writer(client)
  if (kills === 0) await sleep(2_000)
  for (let kill = 1; kill <= kills; kill++) {
    await sleep(1_000 + fraction(scope.random) * 500)
    await engine.kill()
    met.clear()
    engine = await startEngine(dataDir)
    const startedMs = performance.now()
    const mark = `mark-${kill}`
    await client.create(configMaps, { metadata: { name: mark, namespace: 'default' } })
    await Promise.all(informers.map((informer) => holds(informer, () => informer.get(`default/${mark}`) !== undefined)))
    const tookMs = performance.now() - startedMs
    const why = tookMs < SLOW_MS ? '' : `: ${[...met].map(([text, times]) => `${times} × ${text}`).join('; ')}`
    context.diagnostic(`kill ${kill}: informers whole again after ${(tookMs / 1000).toFixed(2)} s${why}`)
  }
  await writer.stop()
  const { items } = await client.list(configMaps, { namespace: 'default' })
  writer.expected.check(valuesOf(items))
  assert.ok(writer.expected.acknowledged > kills * 50, `only ${writer.expected.acknowledged} writes were acknowledged`)
  const whole = fingerprint(items)
  await Promise.all(
    informers.map((informer) => holds(informer, () => fingerprint(informer.list('default')) === whole, deadlineMs)),
  )
}

test('killed under 100 writes a second and 50 informers: 0 lost, 0 phantom, all whole again', (context) =>
  story(context, { kills: KILLS }))

test('the harness notices a watch event that is lost', { timeout: 120_000 }, async (context) => {
  let count = 0
  const deaf = (client: Client): Client =>
    new Proxy(client, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown
        if (name !== 'watch')
          return typeof member === 'function' ? (member as (...args: never[]) => unknown).bind(target) : member
        return async function* (...args: Parameters<Client['watch']>) {
          for await (const event of target.watch(...args))
            if (event.type === 'BOOKMARK' || (count += 1) % 10 !== 0) yield event
        }
      },
    })
  await assert.rejects(story(context, { kills: 0, sabotage: deaf, deadlineMs: 3_000 }), /not whole in time/)
})
