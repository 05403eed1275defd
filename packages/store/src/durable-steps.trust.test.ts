// A crash at each step that makes something durable, by name: what the log does to its files from its first opening to the next.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@aksel/base/ids'
import { checkPowerCuts, Load, openCrashStore } from './crash-harness.ts'
import { SimulatedDisk, type DiskPlan } from './simulated-disk.ts'
import { StoreError } from './store.ts'

type Phase = 'first opening' | 'load' | 'closing' | 'opening again' | 'load again' | 'opening after a torn tail'

/** `load: datasync of a base draft`. */
function nameOf(phase: Phase, kind: string, path: string): string {
  const what = path.endsWith('.draft')
    ? 'a base draft'
    : path.endsWith('.base')
      ? 'a base'
      : path.endsWith('.log')
        ? 'a segment'
        : 'the folder'
  return `${phase}: ${kind} of ${what}`
}

interface Life {
  readonly disk: SimulatedDisk
  readonly load: Load
}

/** The whole life of a store; ends early where the power goes. */
async function live(seed: number, observe: (name: string) => 'power' | undefined): Promise<Life> {
  let phase: Phase = 'first opening'
  const plan: DiskPlan = { faultAt: (_, kind, path) => observe(nameOf(phase, kind, path)) }
  let disk = new SimulatedDisk(seededRandom(seed), plan)
  const load = new Load(seed)
  try {
    const store = await openCrashStore(disk, seed)
    phase = 'load'
    await load.run(store, 30)
    phase = 'closing'
    await store[Symbol.asyncDispose]()
    phase = 'opening again'
    const again = await openCrashStore(disk, seed + 1)
    phase = 'load again'
    await load.run(again, 10)
    phase = 'opening after a torn tail'
    // The power goes while the store is open; whatever tail that leaves is cleared away.
    disk = disk.afterPowerCut(seededRandom(seed))
    disk.setPlan(plan)
    const last = await openCrashStore(disk, seed + 2)
    await last[Symbol.asyncDispose]()
  } catch (error) {
    if (!(error instanceof StoreError) && !/simulated at/.test(String(error))) throw error
  }
  return { disk, load }
}

test('a crash at each of at least 25 named durable steps loses nothing acknowledged', async () => {
  const steps = new Map<string, number>()
  for (const seed of [1, 2]) {
    await live(seed, (name) => void steps.set(name, (steps.get(name) ?? 0) + 1))
  }
  const durable = [...steps.keys()].filter((name) =>
    /: (write|truncate|datasync|syncDirectory|rename|remove|open) of/.test(name),
  )
  assert.ok(durable.length >= 25, `${durable.length} steps: ${durable.join('; ')}`)
  for (const name of durable) {
    // The first, one in the middle, and the last of that name.
    const count = steps.get(name)!
    for (const which of new Set([1, Math.ceil(count / 4), Math.max(1, Math.floor(count / 2) - 1)])) {
      let seen = 0
      const { disk, load } = await live(1, (one) => (one === name && (seen += 1) === which ? 'power' : undefined))
      await checkPowerCuts(disk, load, 3, which)
    }
  }
})
