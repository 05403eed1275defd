// The shop on etcd: `up --store etcd://…` with nodes that are simulated, down and up again, a move to the log and back to work.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEtcd } from '@aksel/host/etcd-server'
import { e2ePrefix, repositoryRoot, runProgram, type Outcome } from './aksel.ts'

test(
  'the shop runs on etcd, comes back after a restart, and moves to the log with all its objects',
  { timeout: 240_000 },
  async () => {
    await using etcd = await startEtcd({ tls: true })
    const folder = await mkdtemp(join(tmpdir(), e2ePrefix))
    const environment = { AKSEL_DATA: folder }
    const aksel = async (...args: readonly string[]): Promise<Outcome> => {
      const outcome = await runProgram([join(repositoryRoot, 'aksel'), ...args], { environment })
      assert.equal(outcome.code, 0, `aksel ${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
      return outcome
    }
    const identities = async (): Promise<string> =>
      (
        await aksel(
          'kubectl',
          'get',
          'deployments,services,configmaps,pvc',
          '-A',
          '--sort-by=.metadata.uid',
          '-o',
          'jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.uid}{"\\n"}{end}',
        )
      ).stdout
    try {
      await aksel('up', '--simulated', '--nodes', '2', '--store', etcd.url)
      await aksel('kubectl', 'apply', '-f', 'examples/store/manifests')
      await aksel('kubectl', 'wait', 'deployment', '--all', '-A', '--for=condition=Available', '--timeout=60s')
      const before = await identities()
      const keys = await etcd.control('get', '/aksel/clusters/', '--prefix', '--keys-only')
      for (const kind of ['deployments', 'services/specs', 'minions', 'leases'])
        assert.match(keys, new RegExp(`/${kind}/`))
      await aksel('down')
      // The folder remembers which store its clusters live in.
      await aksel('up', '--simulated')
      assert.equal(await identities(), before)
      await aksel('down')
      await aksel('store', 'move', '--to', 'log')
      assert.match((await aksel('store', 'check')).stdout, /The store is intact: revision \d+, \d+ keys/)
      await aksel('up', '--simulated')
      assert.equal(await identities(), before)
      await aksel('kubectl', 'wait', 'deployment', '--all', '-A', '--for=condition=Available', '--timeout=60s')
    } finally {
      await runProgram([join(repositoryRoot, 'aksel'), 'down', '--purge'], { environment })
      await rm(folder, { recursive: true, force: true })
    }
  },
)
