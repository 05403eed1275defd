// Upgrades that channels begin: in their window, one at a time, told in the activity log, and never outside.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock, type Clock } from '@aksel/base/clock'
import {
  clientId,
  clientSecret,
  openFrontDoor,
  subscriptionId,
  type OpenedFrontDoor,
} from './testing/opened-front-door.ts'

const group = `/subscriptions/${subscriptionId}/resourceGroups/rg`
const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/c1`

/** Runs as fast as ours, at another time. */
class MovedClock implements Clock {
  readonly #own = systemClock()
  offsetMs = 0

  now(): number {
    return this.#own.now() + this.offsetMs
  }

  monotonicMs(): number {
    return this.#own.monotonicMs()
  }

  after(delayMs: number, fire: () => void): ReturnType<Clock['after']> {
    return this.#own.after(delayMs, fire)
  }

  moveTo(time: string): void {
    this.offsetMs = Date.parse(time) - this.#own.now()
  }
}

interface Facts {
  readonly version: string
  readonly pool: string
  readonly image: string
  readonly etag: string
}

interface Opened extends AsyncDisposable {
  readonly door: OpenedFrontDoor
  at(time: string): Promise<Facts>
  call(method: string, path: string, body?: unknown): Promise<string>
}

async function opened(autoUpgradeProfile: object): Promise<Opened> {
  const clock = new MovedClock()
  clock.moveTo('2026-11-27T12:00:00Z')
  const door = await openFrontDoor({ clock })
  const call = async (method: string, path: string, body?: unknown): Promise<string> => {
    // Tokens end with time.
    const token = await door.signIn(clientId, clientSecret)
    const answer = await door.call(method, path, { token, ...(body === undefined ? {} : { body }) })
    assert.ok(answer.status < 300, answer.text)
    return answer.text
  }
  await call('PUT', group, { location: 'eastus' })
  const agentPoolProfiles = [{ name: 'system', mode: 'System', count: 1 }]
  await call('PUT', cluster, {
    location: 'eastus',
    properties: { dnsPrefix: 'c1', kubernetesVersion: '1.34', agentPoolProfiles, autoUpgradeProfile },
  })
  await door.door.idle()
  return {
    door,
    call,
    async at(time) {
      clock.moveTo(time)
      await door.door.maintain()
      await door.door.idle()
      const read = JSON.parse(await call('GET', cluster)) as {
        eTag: string
        properties: {
          currentKubernetesVersion: string
          agentPoolProfiles: { currentOrchestratorVersion: string; nodeImageVersion: string }[]
        }
      }
      const [pool] = read.properties.agentPoolProfiles
      return {
        version: read.properties.currentKubernetesVersion,
        pool: pool!.currentOrchestratorVersion,
        image: pool!.nodeImageVersion,
        etag: read.eTag,
      }
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  }
}

const saturdays = {
  schedule: { weekly: { intervalWeeks: 1, dayOfWeek: 'Saturday' } },
  durationHours: 4,
  startTime: '02:00',
}
const schedule = (name: string): string => `${cluster}/maintenanceConfigurations/${name}`

test('a channel upgrades control plane and pools within the window, and not before; the log says who did it', async () => {
  await using story = await opened({ upgradeChannel: 'stable', nodeOSUpgradeChannel: 'None' })
  await story.call('PUT', schedule('aksManagedAutoUpgradeSchedule'), { properties: { maintenanceWindow: saturdays } })
  const before = await story.at('2026-11-27T13:00:00Z')
  assert.equal(before.version, '1.34.10')
  assert.equal((await story.at('2026-11-28T01:00:00Z')).etag, before.etag)
  const after = await story.at('2026-11-28T02:10:00Z')
  assert.deepEqual([after.version, after.pool], ['1.35.7', '1.35.7'])
  assert.equal((await story.at('2026-11-28T03:00:00Z')).etag, after.etag, 'stable is reached')
  const filter = encodeURIComponent("eventTimestamp ge 2026-11-28T00:00:00Z and caller eq 'aks-auto-upgrade'")
  const log = await story.call(
    'GET',
    `/subscriptions/${subscriptionId}/providers/Microsoft.Insights/eventtypes/management/values?$filter=${filter}&api-version=2015-04-01`,
  )
  assert.match(log, /managedClusters\/write/)
})

test('without a window a version channel goes at any time, a minor at a look; none goes nowhere', async () => {
  await using rapid = await opened({ upgradeChannel: 'rapid', nodeOSUpgradeChannel: 'None' })
  assert.equal((await rapid.at('2026-11-27T13:00:00Z')).version, '1.35.7')
  assert.equal((await rapid.at('2026-11-27T13:10:00Z')).version, '1.36.3')
  await using none = await opened({ upgradeChannel: 'none', nodeOSUpgradeChannel: 'None' })
  assert.equal((await none.at('2026-11-27T13:00:00Z')).version, '1.34.10')
})

test('nodes get the newest image in the window of their own schedule, and without one nothing restarts', async () => {
  await using story = await opened({ nodeOSUpgradeChannel: 'NodeImage' })
  const before = await story.at('2026-11-28T02:10:00Z')
  assert.match(before.image, /-202611\.23\.0$/)
  assert.equal((await story.at('2026-12-05T02:10:00Z')).image, before.image)
  await story.call('PUT', schedule('aksManagedNodeOSUpgradeSchedule'), { properties: { maintenanceWindow: saturdays } })
  assert.equal((await story.at('2026-12-04T02:10:00Z')).image, before.image)
  assert.match((await story.at('2026-12-05T02:20:00Z')).image, /-202611\.30\.0$/)
})
