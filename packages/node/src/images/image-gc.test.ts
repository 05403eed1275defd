// Which images go when the disk is full, and how much has to.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { testScope } from '@aksel/testing/test-scope'
import type { ContainerRuntime } from '../cri/types.ts'
import { bytesToFree, ImageGc } from './image-gc.ts'
import { PulledImages } from './pulled-images.ts'

test('bytesToFree() goes from the high mark down to the low one', () => {
  const marks = { highPercent: 85, lowPercent: 80 }
  const rows: readonly (readonly [number, number])[] = [
    [160, 0],
    [150, 50],
    [0, 200],
  ]
  for (const [availableBytes, expected] of rows) {
    assert.equal(bytesToFree({ availableBytes, capacityBytes: 1000 }, marks), expected, `${availableBytes} left`)
  }
  assert.equal(bytesToFree({ availableBytes: 0, capacityBytes: 1000 }, { highPercent: 100, lowPercent: 80 }), 0)
})

async function withImages(
  work: (world: {
    readonly scope: ReturnType<typeof testScope>
    readonly gc: ImageGc
    readonly removed: string[]
    readonly told: string[]
    readonly use: (...ids: readonly string[]) => void
    readonly left: (bytes: number) => void
  }) => Promise<void>,
  maxAgeMs = 0,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-pulled-'))
  try {
    const scope = testScope()
    const pulled = new PulledImages(join(directory, 'pulled'))
    for (const id of ['old', 'older', 'young', 'used']) await pulled.add(id)
    const removed: string[] = []
    const told: string[] = []
    let [inUse, availableBytes] = [['used'] as readonly string[], 1000]
    const runtime = {
      listImages: async () =>
        ['old', 'older', 'young', 'used', 'imported']
          .filter((id) => !removed.includes(id))
          .map((id) => ({ id, size: 100, repoTags: [`${id}:1`], repoDigests: [] })),
      listContainers: async () => inUse.map((imageRef) => ({ imageRef, image: null })),
      removeImage: async (id: string) => void removed.push(id),
    } as unknown as ContainerRuntime
    const gc = new ImageGc(
      scope,
      { highPercent: 85, lowPercent: 80, minAgeMs: 120_000, maxAgeMs, periodMs: 1 },
      {
        runtime,
        pulled,
        disk: async () => ({ availableBytes, capacityBytes: 1000 }),
        tellNode: (_type, reason, message) => told.push(`${reason} ${message}`),
      },
    )
    await work({ scope, gc, removed, told, use: (...ids) => (inUse = ids), left: (bytes) => (availableBytes = bytes) })
  } finally {
    await rm(directory, { recursive: true })
  }
}

test('unused images go, the longest unused first, no sooner than at their minimum age; imported ones stay', async () => {
  await withImages(async ({ scope, gc, removed, told, use, left }) => {
    use('used', 'older', 'old')
    await gc.look()
    await scope.clock.run(60_000)
    use('used', 'old')
    await gc.look()
    await scope.clock.run(60_001)
    use('used')
    left(50)
    await gc.look()
    assert.deepEqual(removed, ['young', 'older'], '150 bytes are wanted, and two images have them')
    await scope.clock.run(1000)
    left(0)
    await gc.look()
    assert.deepEqual(removed, ['young', 'older', 'old'])
    assert.match(told[0] ?? '', /^FreeDiskSpaceFailed .*Attempted to free 200 bytes, but only found 100 bytes eligible/)
  })
})

test('an image that was unused for too long goes without need; removeUnused() takes all that may go', async () => {
  await withImages(async ({ scope, gc, removed }) => {
    await gc.look()
    await scope.clock.run(600_001)
    await gc.look()
    assert.deepEqual(removed, ['old', 'older', 'young'])
  }, 600_000)
  await withImages(async ({ gc, removed }) => {
    await gc.removeUnused()
    assert.deepEqual(removed.toSorted(), ['old', 'older', 'young'])
  })
})
