// Findings as a person reads them in a terminal.

import { subjectText, type Finding } from './finding.ts'
import type { Picture } from './picture.ts'
import { counted, listed } from './words.ts'

const OTHERS_MAX = 5

export function renderFindings(findings: readonly Finding[], unread: Picture['unread']): string {
  const parts = findings.map(renderFinding)
  const words = [...new Set(unread.keys())]
  const gaps = words.length === 0 ? '' : `Not looked at, for they may not be read: ${listed(words)}.\n`
  if (findings.length === 0) return `Nothing wrong was found.\n${gaps}`
  return `${parts.join('\n')}\n${counted(findings.length, 'finding')}.\n${gaps}`
}

function renderFinding(finding: Finding): string {
  const { id, subject, alsoAffected, symptom, cause, evidence, fix, commands, confidence } = finding
  const others = alsoAffected.slice(0, OTHERS_MAX).map(subjectText)
  const more = alsoAffected.length - others.length
  const lines = [
    `${subjectText(subject)}: ${symptom}`,
    ...(others.length === 0 ? [] : [`  also     ${others.join(', ')}${more > 0 ? ` and ${more} more` : ''}`]),
    `  cause    ${cause} (${confidence}, ${id})`,
    ...evidence.map(({ subject: seen, line }) => `  seen     ${subjectText(seen)}: ${line}`),
    `  fix      ${fix}`,
    ...commands.map((command) => `  next     ${command}`),
  ]
  return `${lines.join('\n')}\n`
}
