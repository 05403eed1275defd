// Which runtime isolates pods, and what is said where there is none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findSandboxRuntime } from './sandbox-runtime.ts'

test('findSandboxRuntime() takes Kata before gVisor, and names the package where there is neither', async () => {
  const having =
    (...paths: string[]) =>
    (path: string): Promise<boolean> =>
      Promise.resolve(paths.includes(path))
  const both = having('/usr/bin/containerd-shim-kata-v2', '/usr/bin/runsc')
  assert.deepEqual(await findSandboxRuntime(both), { kind: 'kata' })
  const found = await findSandboxRuntime(having('/usr/bin/runsc'))
  assert.match(found.kind === 'gvisor' ? found.binaryPath : '', /^\/.*\/runsc-as-runc\.sh$/)
  await assert.rejects(findSandboxRuntime(having()), /install the package "runsc"/)
})
