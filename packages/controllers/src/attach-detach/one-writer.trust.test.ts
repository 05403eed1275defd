// A volume for one node, and pods that come and go on several, while what the loop sees is late, answers get lost, and it is killed:
// it is never attached to two nodes at once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodes, persistentVolumeClaims, persistentVolumes, pods, volumeAttachments } from '@aksel/api/resources'
import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import { sleep } from '@aksel/base/clock'
import { fraction, seededRandom } from '@aksel/base/ids'
import type { WatchEvent, WatchOptions } from '@aksel/client/client'
import { createCaches } from '@aksel/runtime/caches'
import { runControllers } from '@aksel/runtime/runner'
import { FakeClient, type FakeClientOptions } from '@aksel/testing/fake-client'
import { FakeObjects } from '@aksel/testing/fake-objects'
import { SimulatedClock } from '@aksel/testing/simulated-clock'
import { sized } from '@aksel/testing/test-size'
import { testScope, type TestScope } from '@aksel/testing/test-scope'
import { newClaim, newPod, readyNode } from '../testing/objects.ts'
import { attachDetachController } from './controller.ts'
import { uniqueVolumeName } from './judge.ts'

const driver = 'disk.example.com'
const machines = ['a', 'b', 'c']
const LAG_MS = 300
const TICK_MS = 40

/** What it watches arrives late, in order. */
class LateClient extends FakeClient {
  readonly #clock: SimulatedClock
  readonly #chance: () => number

  constructor(options: FakeClientOptions & { readonly clock: SimulatedClock }, chance: () => number) {
    super(options)
    this.#clock = options.clock
    this.#chance = chance
  }

  override async *watch<T extends KubernetesObject>(
    type: ResourceType<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<WatchEvent<T>> {
    for await (const event of super.watch(type, options)) {
      await sleep(this.#clock, this.#chance() * LAG_MS, options.signal)
      yield event
    }
  }
}

class World {
  readonly clock = new SimulatedClock()
  readonly objects = new FakeObjects()
  readonly chance: () => number
  readonly server: FakeClient
  /** Moments at which it was attached to one node. */
  attached = 0
  #life: { readonly scope: TestScope; readonly ended: Promise<unknown> } | undefined
  #pods = 0

  constructor(seed: number) {
    const random = seededRandom(seed)
    this.chance = () => fraction(random)
    this.server = new FakeClient({ clock: this.clock, random, objects: this.objects })
    for (const type of [pods, volumeAttachments] as const) this.objects.kind(type as ResourceType)
    for (const name of machines) this.server.put(nodes, readyNode(name, '10.0.0.1'))
    this.server.put(persistentVolumes, {
      metadata: { name: 'pv' },
      spec: {
        accessModes: ['ReadWriteOnce'],
        capacity: { storage: '1Gi' },
        csi: { driver, volumeHandle: 'h1' },
        claimRef: { namespace: 'shop', name: 'data' },
      },
    })
    this.server.put(persistentVolumeClaims, newClaim('data', { volumeName: 'pv' }))
  }

  start(): void {
    const scope = testScope({ clock: this.clock })
    const after = (): void => {
      if (this.chance() < 0.1) throw new Error('The answer was lost')
    }
    const random = seededRandom(this.#pods + 1)
    const client = new LateClient({ clock: this.clock, random, objects: this.objects, after }, this.chance)
    const caches = createCaches(scope, client)
    const ended = runControllers(scope, { controllers: [attachDetachController({ client, caches })], caches })
    this.#life = { scope, ended: ended.finally(() => caches[Symbol.asyncDispose]()) }
  }

  async kill(): Promise<void> {
    this.#life?.scope.abort()
    await this.#life?.ended
    this.#life = undefined
  }

  act(): void {
    const dice = this.chance()
    const all = this.server.peekAll(pods)
    if (dice < 0.5 && all.length < 3) {
      const nodeName = machines[Math.floor(this.chance() * machines.length)]!
      const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }]
      this.server.put(pods, newPod(`p-${(this.#pods += 1)}`, { nodeName, volumes }))
    } else if (dice < 0.9 && all.length > 0) {
      const pod = all[Math.floor(this.chance() * all.length)]!
      void this.server.delete(pods, pod.metadata, { gracePeriodSeconds: 0 })
    }
  }

  /** Time passes; the driver does what it is asked for, sooner or later, and nodes say what they use. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      await this.clock.run(TICK_MS)
      for (const { metadata, status } of this.server.peekAll(volumeAttachments)) {
        if (this.chance() < 0.5) continue
        this.server.change(volumeAttachments, keyOf({ metadata }), (draft) => {
          if (metadata.deletionTimestamp !== undefined) draft.metadata.finalizers = []
          else if (status?.attached !== true) {
            draft.metadata.finalizers = ['external-attacher/disk']
            draft.status = { attached: true }
          }
        })
      }
      this.#sayWhatIsUsed()
      this.#judge()
    }
  }

  where(): readonly string[] {
    return this.server
      .peekAll(volumeAttachments)
      .flatMap(({ spec, status }) => (status?.attached === true ? [spec.nodeName] : []))
  }

  #sayWhatIsUsed(): void {
    const attachedTo = new Set(this.where())
    for (const node of this.server.peekAll(nodes)) {
      const { name } = node.metadata
      const isUsed = attachedTo.has(name) && this.server.peekAll(pods).some(({ spec }) => spec.nodeName === name)
      const volumesInUse = isUsed ? [uniqueVolumeName(driver, 'h1')] : []
      if ((node.status?.volumesInUse ?? []).length === volumesInUse.length) continue
      this.server.change(nodes, name, (draft) => {
        draft.status = { ...draft.status, volumesInUse }
      })
    }
  }

  #judge(): void {
    const now = this.where()
    assert.ok(now.length <= 1, `attached to ${now.join(' and ')}`)
    this.attached += now.length
  }
}

const seeds = sized({ gate: 40, full: 1000 })

test(`a volume for one node is never attached to two, in ${seeds} histories, and follows its last pod in each`, async () => {
  let attached = 0
  for (let seed = 1; seed <= seeds; seed += 1) {
    const world = new World(seed)
    world.start()
    for (let step = 0; step < 40; step += 1) {
      world.act()
      await world.pass(world.chance() * 800)
      if (world.chance() < 0.1) {
        await world.kill()
        world.start()
      }
    }
    const [last, ...others] = world.server.peekAll(pods)
    for (const { metadata } of others) void world.server.delete(pods, metadata, { gracePeriodSeconds: 0 })
    await world.pass(60_000)
    assert.deepEqual(world.where(), last === undefined ? [] : [last.spec.nodeName], `seed ${seed}`)
    attached += world.attached
    await world.kill()
  }
  assert.ok(attached > seeds * 20, `only ${attached} moments with an attached volume`)
})
