// How agents are started, by a Node that takes it.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { agentProgram } from './agent-program.ts'

test('agents run in little memory, by flags that this Node knows, and with the compiled code of whoever starts them', async () => {
  const { argv, environment } = agentProgram('/repository', { NODE_COMPILE_CACHE: '/cache', OTHER: 'x' })
  assert.deepEqual(environment, { MALLOC_ARENA_MAX: '1', NODE_COMPILE_CACHE: '/cache' })
  assert.equal(argv.at(-1), '/repository/apps/node/src/main.ts')
  const [node, ...flags] = argv.slice(0, -1)
  const { stdout } = await promisify(execFile)(node!, [...flags, '-p', 'process.execArgv.length'])
  assert.ok(Number(stdout) >= flags.length)
  assert.deepEqual(agentProgram('/repository', {}).environment, { MALLOC_ARENA_MAX: '1' })
})
