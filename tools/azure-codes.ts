// The Azure error codes that the product answers with, read from the code that answers.

import { readFileSync } from 'node:fs'
import { sourceFiles } from './source-files.ts'

const answered = /new (?:ArmError|AksError)\(\s*(\d{3}),\s*'(\w+)'/g
/** Refusals of the network provider, which are all of status 400. */
const refused = /\b(?:refused|inUse|judgeApart)\(\s*'([A-Z]\w+)'/g
const failed = /(?<!powerState: \{ )\bcode: '([A-Z]\w+)'/g

/** Each `409 OperationNotAllowed` once, sorted; `operation X` for what only a failed operation's body tells. */
export function azureCodes(): readonly string[] {
  const texts = sourceFiles()
    .filter(({ relative }) => relative.startsWith('packages/arm/src/') && !relative.includes('.test.'))
    .map(({ absolute }) => readFileSync(absolute, 'utf8'))
  return [...new Set(texts.flatMap(codesIn))].toSorted()
}

export function codesIn(text: string): readonly string[] {
  const direct = Array.from(text.matchAll(answered), ([, status, code]) => `${status} ${code}`)
  const network = Array.from(text.matchAll(refused), ([, code]) => `400 ${code}`)
  const later = Array.from(text.matchAll(failed), ([, code]) => `operation ${code}`)
  return [...direct, ...network, ...later]
}
