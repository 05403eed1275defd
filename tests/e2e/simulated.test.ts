// Without root: a cluster of simulated nodes that says so wherever a person might look.

import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Aksel, repositoryRoot, runProgram, type Outcome } from './aksel.ts'

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

test(
  'without root, up makes a simulated cluster that says so, and kubectl works against it',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aksel-nobody-'))
    await chmod(folder, 0o777)
    const environment = { AKSEL_DATA: join(folder, 'data'), HOME: folder, NODE_COMPILE_CACHE: join(folder, 'cache') }
    const aksel = (args: readonly string[], input = ''): Promise<Outcome> =>
      runProgram([...nobody, join(repositoryRoot, 'aksel'), ...args], { environment, input })
    try {
      const up = await aksel(['up', '--nodes', '2'])
      assert.equal(up.code, 0, up.stderr)
      assert.match(up.stderr, /Nodes will be simulated: no container runs\. Reason: real nodes need root/)
      assert.match(up.stdout, /2 simulated nodes \(no container runs\)/)
      const nodes = await aksel(['kubectl', 'get', 'nodes', '-o', 'wide', '-L', 'aksel.dev/simulated'])
      assert.equal(
        nodes.stdout.match(/ Ready .* Aksel simulated node .* simulated:\/\/1 +true/g)?.length,
        2,
        nodes.stdout + nodes.stderr,
      )
      assert.match((await aksel(['status'])).stdout, /2 × Standard_D2s_v5, simulated: no container runs/)
      assert.match(
        (await aksel(['kubectl', 'create', 'deployment', 'web', '--image=nginx', '--replicas=3'])).stdout,
        /deployment\.apps\/web created/,
      )
      const rollout = await aksel(['kubectl', 'rollout', 'status', 'deployment/web', '--timeout=30s'])
      assert.match(rollout.stdout, /deployment "web" successfully rolled out/, rollout.stderr)
      assert.match((await aksel(['kubectl', 'logs', 'deployment/web'])).stderr, /simulated|no tunnel/)
      assert.match((await aksel(['kubectl', 'delete', 'deployment', 'web'])).stdout, /deleted/)
      assert.deepEqual(await new Aksel(environment.AKSEL_DATA).leaks(), [], 'a secret stands where it may not')
    } finally {
      const down = await aksel(['down', '--purge'])
      await rm(folder, { recursive: true, force: true })
      assert.equal(down.code, 0, down.stderr)
    }
  },
)
