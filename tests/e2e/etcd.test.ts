// The shop on an etcd of three members, with TLS and a user: `up --store etcd://…` with nodes that are simulated, down and up again, a
// move to the log and back to work; and two servers side by side, of which one goes on with what the other was doing when it was killed.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEtcd } from '@aksel/host/etcd-server'
import { startKmsPlugin } from '@aksel/testing/kms-plugin'
import { Aksel, e2ePrefix, type Outcome } from './aksel.ts'

test(
  'the shop runs on etcd, comes back after a restart and a kill, is copied, and moves to the log with all its objects',
  { timeout: 300_000 },
  async () => {
    await using etcd = await startEtcd({ members: 3, tls: true, userBelow: '/aksel/' })
    const story = await Aksel.inNewFolder()
    const folder = story.dataDir
    await using plugin = await startKmsPlugin()
    const kms = `{kms: {apiVersion: v2, name: vault, endpoint: "${plugin.endpoint}"}}`
    const sealed = ['--encryption-provider-config', join(folder, 'encryption.yaml')]
    await writeFile(
      sealed[1]!,
      `{kind: EncryptionConfiguration, apiVersion: apiserver.config.k8s.io/v1, resources: [{resources: [secrets], providers: [${kms}, {identity: {}}]}]}`,
    )
    const aksel = async (...args: readonly string[]): Promise<Outcome> => {
      const outcome = await story.run(args)
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
      await aksel('up', '--simulated', '--nodes', '2', '--store', etcd.url, ...sealed)
      await aksel('kubectl', 'apply', '-f', 'examples/store/manifests')
      await aksel('kubectl', 'wait', 'deployment', '--all', '-A', '--for=condition=Available', '--timeout=60s')
      const before = await identities()
      const keys = await etcd.control('get', '/aksel/clusters/', '--prefix', '--keys-only')
      for (const kind of ['deployments', 'services/specs', 'minions', 'leases'])
        assert.match(keys, new RegExp(`/${kind}/`))
      // Sealed by the key management service, in etcd and wherever the objects are moved.
      const key = /\S+\/secrets\/default\/sealed/
      const told = story.plant('the password that is sealed')
      await aksel('kubectl', 'create', 'secret', 'generic', 'sealed', `--from-literal=password=${told}`)
      const secret = key.exec(await etcd.control('get', '/aksel/clusters/', '--prefix', '--keys-only'))![0]
      assert.match(await etcd.control('get', secret, '--print-value-only'), /^k8s:enc:kms:v2:vault:/)
      const password = async (...more: readonly string[]): Promise<string> =>
        (await aksel('kubectl', ...more, 'get', 'secret', 'sealed', '-o', 'jsonpath={.data.password}')).stdout
      // A snapshot of what runs on etcd, and a copy of it that is another cluster.
      const archive = join(folder, 'shop.archive')
      await aksel('cluster', 'snapshot', archive)
      assert.match((await aksel('store', 'check', archive)).stdout, /The archive is intact/)
      await aksel('cluster', 'fork', 'twin')
      assert.equal(await identities(), before)
      // Killed in the middle, it comes back as it was; its loops take up their leases at once.
      process.kill(await story.serverPid(), 'SIGKILL')
      await aksel('up', '--simulated', ...sealed)
      assert.equal(await identities(), before)
      await aksel('down')
      // The folder remembers which store its clusters live in.
      await aksel('up', '--simulated', ...sealed)
      assert.equal(await identities(), before)
      await aksel('down')
      await aksel('store', 'move', '--to', 'log')
      assert.match((await aksel('store', 'check')).stdout, /The store is intact: revision \d+, \d+ keys/)
      await aksel('up', '--simulated', ...sealed)
      assert.equal(await identities(), before)
      await aksel('kubectl', 'wait', 'deployment', '--all', '-A', '--for=condition=Available', '--timeout=60s')
      // And once more out of the file, beside the first and the copy, whose objects have moved along.
      await aksel('cluster', 'restore', archive, '-n', 'again', '--simulated')
      await aksel(
        'az',
        'aks',
        'get-credentials',
        '-g',
        'aksel',
        '-n',
        'twin',
        '--file',
        join(folder, 'twin.kubeconfig'),
      )
      const twin = ['--kubeconfig', join(folder, 'twin.kubeconfig')]
      const planted = Buffer.from(told).toString('base64')
      assert.deepEqual([await password(), await password(...twin)], [planted, planted])
      await aksel('kubectl', ...twin, 'wait', 'deployment', '--all', '-A', '--for=condition=Available', '--timeout=60s')
      assert.deepEqual(await story.leaks(), [], 'a secret stands where it may not')
    } finally {
      await story.run(['down', '--purge'])
      await rm(folder, { recursive: true, force: true })
    }
  },
)

/** One server of several on a store. */
class Server {
  readonly #story: Aksel

  constructor(folder: string) {
    this.#story = new Aksel(folder)
  }

  async run(...args: readonly string[]): Promise<Outcome> {
    const outcome = await this.#story.run(args)
    assert.equal(outcome.code, 0, `aksel ${args.join(' ')}: ${outcome.stdout}${outcome.stderr}`)
    return outcome
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse((await this.run(...args, '-o', 'json')).stdout) as T
  }

  async kill(): Promise<void> {
    process.kill(await this.#story.serverPid(), 'SIGKILL')
  }

  async down(): Promise<void> {
    const leaks = await this.#story.leaks()
    await this.#story.run(['down', '--purge'])
    await rm(this.#story.dataDir, { recursive: true, force: true })
    assert.deepEqual(leaks, [], 'a secret stands where it may not')
  }
}

interface Pool {
  readonly name: string
  readonly count: number
  readonly provisioningState: string
}

test(
  'two servers on one etcd are one Resource Manager: what the first was doing when it was killed, the second finishes',
  { timeout: 300_000 },
  async () => {
    await using etcd = await startEtcd({ members: 3, tls: true, userBelow: '/aksel/' })
    await using stack = new AsyncDisposableStack()
    const open = async (): Promise<Server> => {
      const server = new Server(await mkdtemp(join(tmpdir(), e2ePrefix)))
      stack.defer(() => server.down())
      return server
    }
    const [first, second] = [await open(), await open()]
    await first.run('up', '--simulated', '--nodes', '2', '--store', etcd.url)
    // It finds the group and the cluster that are there, in the same subscription, and knows of nothing to make.
    await second.run('up', '--simulated', '--store', etcd.url)
    const idOf = async (server: Server): Promise<string> =>
      (await server.json<{ id: string }>('az', 'aks', 'show', '-g', 'aksel', '-n', 'demo')).id
    assert.equal(await idOf(second), await idOf(first))
    const pools = (server: Server): Promise<readonly Pool[]> =>
      server.json('az', 'aks', 'nodepool', 'list', '-g', 'aksel', '--cluster-name', 'demo')
    const add = 'az aks nodepool add -g aksel --cluster-name demo'.split(' ')
    // Ordered at the second, made by the first.
    await second.run(...add, '-n', 'other', '-c', '1')
    assert.deepEqual(
      (await pools(first)).map(({ name, count, provisioningState }) => [name, count, provisioningState]),
      [
        ['nodepool1', 2, 'Succeeded'],
        ['other', 1, 'Succeeded'],
      ],
    )
    await first.run(...add, '-n', 'flight', '-c', '150', '--no-wait')
    await first.kill()
    assert.equal((await pools(second)).find(({ name }) => name === 'flight')?.provisioningState, 'Creating')
    const late = AbortSignal.timeout(150_000)
    for (let state = ''; state !== 'Succeeded'; late.throwIfAborted()) {
      state = (await pools(second)).find(({ name }) => name === 'flight')?.provisioningState ?? 'none'
      assert.match(state, /^(?:Creating|Succeeded)$/)
    }
    await second.run('kubectl', 'wait', 'node', '--all', '--for=condition=Ready', '--timeout=60s')
    const nodes = (await second.run('kubectl', 'get', 'nodes', '-o', 'name')).stdout.trim().split('\n')
    assert.equal(nodes.length, 153)
    // The first comes back, and is the one that waits now: it has no nodes of its own, and what is ordered at it is done.
    await first.run('up', '--simulated')
    await first.run('az', 'aks', 'nodepool', 'delete', '-g', 'aksel', '--cluster-name', 'demo', '-n', 'other', '--yes')
    assert.deepEqual(
      (await pools(second)).map(({ name }) => name),
      ['flight', 'nodepool1'],
    )
    assert.equal((await first.run('kubectl', 'get', 'nodes', '-o', 'name')).stdout.trim().split('\n').length, 152)
    await first.run('az', 'aks', 'create', '-g', 'aksel', '-n', 'twin', '-c', '1', '--no-ssh-key')
    await second.run('az', 'aks', 'delete', '-g', 'aksel', '-n', 'twin', '--yes')
    const left = await etcd.control('get', '/aksel/clusters/', '--prefix', '--keys-only')
    assert.equal(new Set(left.match(/\/aksel\/clusters\/[0-9a-f]{12}\//g)).size, 1)
  },
)
