// Steps give way: that is what they are for.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalogOf } from '../catalog.ts'
import { loadDescriptions } from './descriptions.ts'
import { openApiV3, openApiV3Steps } from './documents.ts'
import { jsonSteps } from './json-steps.ts'
import { finish, finishInTurns, type Steps } from './steps.ts'

function* counting(to: number): Steps<number> {
  for (let at = 0; at < to; at += 1) yield
  return to
}

test('finishInTurns() gives way after so many steps, and returns what was made', async () => {
  const turns: number[] = []
  const giveWay = async (): Promise<void> => void turns.push(1)
  assert.equal(await finishInTurns(counting(10), giveWay, 4), 10)
  assert.equal(turns.length, 2)
  assert.equal(finish(counting(3)), 3)
})

test('a document and its JSON are made in as many steps as they have parts, and come out the same', async () => {
  const { tables, facts } = await catalogOf('1.35')
  const options = { tables, kinds: facts, gitVersion: 'v1.35.7', descriptions: await loadDescriptions() }
  let turns = 0
  const giveWay = async (): Promise<void> => void (turns += 1)
  const document = await finishInTurns(openApiV3Steps(options, 'api/v1'), giveWay, 1)
  const { schemas } = document!['components'] as { readonly schemas: object }
  const parts = Object.keys(schemas).length
  assert.ok(turns >= parts, `${turns} turns for ${parts} types`)
  turns = 0
  const bytes = await finishInTurns(jsonSteps(document!), giveWay, 1)
  assert.ok(turns >= parts + Object.keys(document!['paths'] as object).length)
  assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes)), openApiV3(options, 'api/v1'))
  assert.equal(new TextDecoder().decode(finish(jsonSteps({ paths: {} }))), '{"paths":{}}')
})
