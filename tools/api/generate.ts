// Writes what is generated from the API facts: the tables per minor and the TypeScript interfaces.
// Run: `node tools/api/generate.ts [--facts DIR]`; the test beside it keeps the files fresh.

import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { renderTables, type ApiFacts } from './tables.ts'
import { renderTypes, type GroupVersionFacts } from './types.ts'

export const minors = ['1.34', '1.35', '1.36'] as const
const typesMinor = '1.36'
const checkout = resolve(import.meta.dirname, '../..')

/** Group versions whose interfaces the product writes against; what they refer to comes along. */
const typeRoots = [
  'core/v1',
  'apps/v1',
  'batch/v1',
  'autoscaling/v1',
  'autoscaling/v2',
  'policy/v1',
  'rbac/v1',
  'storage/v1',
  'scheduling/v1',
  'node/v1',
  'networking/v1',
  'discovery/v1',
  'coordination/v1',
  'certificates/v1',
  'authentication/v1',
  'authorization/v1',
  'admissionregistration/v1',
  'apiextensions/v1',
  'events/v1',
  'flowcontrol/v1',
  'admission/v1',
  'resource/v1',
  'apiregistration/v1',
  'metrics/v1beta1',
  'custom_metrics/v1beta1',
  'external_metrics/v1beta1',
  'meta/v1',
  'apidiscovery/v2',
]

/** Where the facts lie unless told otherwise: beside the checkout. */
export function defaultFactsDir(): string {
  return resolve(checkout, '../shared/k8s-facts')
}

/** Path (from the checkout) and text of each generated file, formatted. Without facts, the interfaces are made from the checked-in tables. */
export function generated(factsDir: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  const haveFacts = existsSync(join(factsDir, `api-${typesMinor}.json`))
  for (const minor of haveFacts ? minors : []) files.set(tablesPath(minor), renderTables(readFacts(factsDir, minor)))
  const tables = files.get(tablesPath(typesMinor)) ?? readFileSync(join(checkout, tablesPath(typesMinor)), 'utf8')
  const facts = JSON.parse(tables) as { readonly groupVersions: GroupVersionFacts }
  const types = renderTypes(facts.groupVersions, typeRoots)
  for (const [name, text] of formatted(types)) files.set(`packages/api/src/types/${name}.ts`, text)
  return files
}

function tablesPath(minor: string): string {
  return `packages/api/src/generated/api-${minor}.json`
}

function readFacts(factsDir: string, minor: string): ApiFacts {
  return JSON.parse(readFileSync(join(factsDir, `api-${minor}.json`), 'utf8')) as ApiFacts
}

/** All files through one run of the formatter, in a folder of their own. */
function formatted(files: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'aksel-types-'))
  try {
    for (const [name, text] of files) writeFileSync(join(folder, `${name}.ts`), text)
    copyFileSync(join(checkout, '.oxfmtrc.json'), join(folder, '.oxfmtrc.json'))
    execFileSync(join(checkout, 'node_modules/.bin/oxfmt'), ['.'], { cwd: folder, stdio: 'ignore' })
    return new Map([...files.keys()].map((name) => [name, readFileSync(join(folder, `${name}.ts`), 'utf8')]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Writes what differs from the tree; returns the paths written. */
export function writeStale(files: ReadonlyMap<string, string>): readonly string[] {
  const stale: string[] = []
  for (const [path, text] of files) {
    const absolute = join(checkout, path)
    if (existsSync(absolute) && readFileSync(absolute, 'utf8') === text) continue
    mkdirSync(dirname(absolute), { recursive: true })
    writeFileSync(absolute, text)
    stale.push(path)
  }
  return stale
}

if (import.meta.main) {
  const at = process.argv.indexOf('--facts')
  const stale = writeStale(generated(at < 0 ? defaultFactsDir() : process.argv[at + 1]!))
  console.log(stale.length === 0 ? 'nothing changed' : stale.join('\n'))
}
