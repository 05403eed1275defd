// A long run says every ten seconds how far it is.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testScope } from '@aksel/testing/test-scope'
import { Progress } from './progress.ts'

test('progress is said every ten seconds, with what came in them, and not after its end', async () => {
  using scope = testScope()
  const lines: string[] = []
  {
    using progress = new Progress(scope, (line) => lines.push(line))
    await scope.clock.run(10_000)
    const onPod = progress.of('pods', 400)
    for (let count = 0; count < 100; count += 1) onPod()
    await scope.clock.run(10_000)
    for (let count = 0; count < 250; count += 1) onPod()
    await scope.clock.run(10_000)
    progress.of('services', 10)()
    await scope.clock.run(10_000)
  }
  await scope.clock.run(60_000)
  assert.deepEqual(lines, [
    'simulated: 100 of 400 pods (25 %), 10/s',
    'simulated: 350 of 400 pods (87 %), 25/s',
    'simulated: 1 of 10 services (10 %), 0/s',
  ])
})
