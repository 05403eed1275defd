// Writes the states and proofs of docs/coverage/conformance.md from the tests themselves: a row passes when a test file
// holds a test of exactly that name. Run it after adding one: `node tools/conformance/generate.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sourceFiles, repositoryRoot } from '../source-files.ts'

export const conformancePath = 'docs/coverage/conformance.md'

/** Test file by title, of every test whose name is one of the upstream suite's. */
export function conformanceTests(
  files: readonly { readonly relative: string; readonly text: string }[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  for (const { relative, text } of files) {
    for (const [, , title] of text.matchAll(/\b(?:test|it)\(\s*(['"`])(\[sig-.*?\[Conformance\])\1/g)) {
      const known = found.get(title!) ?? []
      found.set(title!, [...known, relative])
    }
  }
  return found
}

/** Throws where a test claims a name that the table does not have. */
export function renderConformance(document: string, tests: ReadonlyMap<string, readonly string[]>): string {
  const seen = new Set<string>()
  const lines = document.split('\n').map((line) => {
    // A name that holds a backquote stands between two of them.
    const [, quote, name, since] = /^\| (`+)(\[sig-.*\[Conformance\])\1 \| ([\d.]+) \|/.exec(line) ?? []
    if (name === undefined) return line
    seen.add(name)
    const files = tests.get(name) ?? []
    const proof = files.map((file) => `\`${file}\` ${name}`).join('<br>')
    return `| ${quote}${name}${quote} | ${since} | ${files.length === 0 ? 'open' : 'passes'} | ${proof} |`.replace(
      / {2}\|$/,
      ' |',
    )
  })
  const unknown = [...tests.keys()].filter((name) => !seen.has(name))
  if (unknown.length > 0) throw new Error(`no row of ${conformancePath} is named ${unknown.join(', ')}`)
  return lines.join('\n')
}

/** True when the file had to be written again. */
export function writeConformanceIfStale(): boolean {
  const path = `${repositoryRoot}${conformancePath}`
  const document = readFileSync(path, 'utf8')
  const files = sourceFiles()
    .filter(({ relative }) => relative.endsWith('.test.ts') && !relative.startsWith('tools/'))
    .map(({ relative, absolute }) => ({ relative, text: readFileSync(absolute, 'utf8') }))
  const rendered = renderConformance(document, conformanceTests(files))
  if (rendered === document) return false
  writeFileSync(path, rendered)
  return true
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(writeConformanceIfStale() ? `wrote ${conformancePath}\n` : `${conformancePath} is fresh\n`)
}
