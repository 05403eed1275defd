// Every path that Azure's SDK of the AKS provider can ask for is served: read from the SDK itself, so that a newer one tells what is missing.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openFrontDoor, subscriptionId } from './testing/opened-front-door.ts'

const call = /expandUrlTemplate\("([^"]+)"[\s\S]*?\.path\(path\)\s*\.(get|post|put|patch|delete)\(/g

/** `GET /subscriptions/…`, each once. */
function callsOfSdk(): readonly string[] {
  const api = join(dirname(fileURLToPath(import.meta.resolve('@azure/arm-containerservice'))), 'api')
  const files = readdirSync(api, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const texts = files.map(({ name }) => readFileSync(join(api, name, 'operations.js'), 'utf8'))
  const calls = texts.flatMap((text) =>
    Array.from(text.matchAll(call), ([, path, verb]) => {
      const filled = path!
        .replace(/\{\?.*$/, '')
        .replace('{subscriptionId}', subscriptionId)
        .replaceAll(/\{\w+\}/g, 'x')
      return `${verb!.toUpperCase()} ${filled}`
    }),
  )
  return [...new Set(calls)].toSorted()
}

test('every call that Azure’s SDK makes of the AKS provider is served', async () => {
  const calls = callsOfSdk()
  assert.ok(calls.length > 60, `only ${calls.length} calls were found in the SDK`)
  await using opened = await openFrontDoor()
  const missing: string[] = []
  for (const one of calls) {
    const [method, path] = one.split(' ') as [string, string]
    const { status, text } = await opened.call(method, path, method === 'GET' ? {} : { body: {} })
    if (/InvalidResourceType|InvalidResourceNamespace/.test(text) || status === 405 || status >= 500)
      missing.push(`${one}: ${status} ${text.slice(0, 200)}`)
  }
  assert.deepEqual(missing, [])
})
