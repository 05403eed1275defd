// An image is looked at once, also for containers that start together, and a link at its root is refused.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Snapshots } from '../containerd/snapshots.ts'
import { ImageRoots } from './image-root.ts'

test('check() looks once for all who ask, refuses links in the highest layer that has the name, and asks again after a failure', async () => {
  const root = mkdtempSync(join(tmpdir(), 'aksel-root-'))
  try {
    for (const layer of ['low', 'high']) mkdirSync(join(root, layer))
    symlinkSync('/etc', join(root, 'low/dev'))
    mkdirSync(join(root, 'high/dev'))
    const calls: string[] = []
    let layers = ['high', 'low']
    let isAway = true
    const snapshots: Snapshots = {
      async view(key) {
        calls.push(`view ${key}`)
        if (isAway) throw new Error('away')
        const lower = layers.map((layer) => join(root, layer)).join(':')
        return [{ type: 'overlay', source: 'overlay', options: ['ro', `lowerdir=${lower}`] }]
      },
      async remove(key) {
        calls.push(`remove ${key}`)
      },
      [Symbol.dispose]() {},
    }
    const roots = new ImageRoots({ imageChain: (image) => Promise.resolve(`chain-${image}`) }, snapshots)
    await assert.rejects(roots.check('a'), /away/)
    isAway = false
    await Promise.all([roots.check('a'), roots.check('a')])
    await roots.check('a')
    const key = 'aksel-look-chain-a'
    assert.deepEqual(calls, [`view ${key}`, `view ${key}`, `remove ${key}`])
    layers = ['low', 'high']
    await assert.rejects(roots.check('b'), /the image has a link in place of its folder \/dev/)
    await assert.rejects(roots.check('b'), /the image has a link in place of its folder \/dev/)
  } finally {
    rmSync(root, { recursive: true })
  }
})
