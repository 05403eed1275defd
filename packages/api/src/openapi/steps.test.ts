// Steps give way: that is what they are for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf } from '../catalog.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiV3, openApiV3Steps } from './documents.ts'
import { jsonSteps } from './json-steps.ts'
import { finish, finishInTurns, type Steps, type Turns } from './steps.ts'

function* counting(to: number): Steps<number> {
  for (let at = 0; at < to; at += 1) yield
  return to
}

/** Turns of so many steps; counts them. */
function turnsOf(stepsEach: number): Turns & { readonly begun: number } {
  let [steps, begun] = [0, 0]
  return {
    get begun() {
      return begun
    },
    isOver: () => (steps += 1) % stepsEach === 0,
    next: async () => void (begun += 1),
  }
}

test('finishInTurns() gives way whenever a turn is over, and returns what was made', async () => {
  const turns = turnsOf(4)
  assert.equal(await finishInTurns(counting(10), turns), 10)
  assert.equal(turns.begun, 2)
  assert.equal(finish(counting(3)), 3)
})

test('a document and its JSON are made in as many steps as they have parts, and come out the same', async () => {
  const { tables, facts } = await catalogOf('1.35')
  const options = { tables, kinds: facts, gitVersion: 'v1.35.7', descriptions: await loadDescriptions() }
  const making = turnsOf(1)
  const document = await finishInTurns(openApiV3Steps(options, 'api/v1'), making)
  const { schemas } = document!['components'] as { readonly schemas: object }
  const parts = Object.keys(schemas).length
  assert.ok(making.begun >= parts, `${making.begun} turns for ${parts} types`)
  const writing = turnsOf(1)
  const bytes = await finishInTurns(jsonSteps(document!), writing)
  assert.ok(writing.begun >= parts + Object.keys(document!['paths'] as object).length)
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), openApiV3(options, 'api/v1'))
  assert.equal(new TextDecoder().decode(finish(jsonSteps({ paths: {} }))), '{"paths":{}}')
})
