// The kept-alive nft: results belong to their own scripts, a refused script changes nothing, a dead program is replaced.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '@aksel/host/command'
import { withHost } from '../testing/host-bench.ts'
import { InteractiveNft } from './interactive.ts'

test('scripts are applied in order, each alone, and a refused one leaves no trace', () =>
  withHost(async ({ scope, ledger, inside }) => {
    const name = `akt-${process.pid}-nft`
    await ledger.record('test', { kind: 'network-namespace', name })
    await run(scope, ['ip', 'netns', 'add', name])
    using nft = new InteractiveNft(['nsenter', `--net=/run/netns/${name}`])
    const many = Array.from({ length: 3000 }, (_, n) => `10.1.${n >> 8}.${n & 255}`).join(', ')
    const results = await Promise.allSettled([
      nft.apply(scope, ['add table ip t', 'add set ip t s { type ipv4_addr; }']),
      nft.apply(scope, ['add element ip t s { 10.0.0.1 }', 'add element ip t absent { 10.0.0.2 }']),
      nft.apply(scope, ['add element ip t s { 10.0.0.3 }', `add element ip t s { ${many} }`]),
    ])
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    const listed = await inside(name, ['nft', 'list', 'set', 'ip', 't', 's'])
    assert.doesNotMatch(listed, /10\.0\.0\.1\b/)
    assert.match(listed, /10\.0\.0\.3\b/)
    nft[Symbol.dispose]()
    await nft.apply(scope, ['delete table ip t'])
    assert.equal((await inside(name, ['nft', 'list', 'tables'])).trim(), '')
  }))
