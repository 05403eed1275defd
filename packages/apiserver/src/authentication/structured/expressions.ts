// The CEL expressions of an authentication configuration: over the claims of a token, and over the user they became.

import { compile, type Program } from '@aksel/cel/compile'
import { environment } from '@aksel/cel/environment'
import type { CelType, ObjectType } from '@aksel/cel/types'

export type OutputKind = 'string' | 'list' | 'bool'

const text: CelType = { kind: 'string' }
const texts: CelType = { kind: 'list', element: text }

const userType: ObjectType = {
  kind: 'object',
  name: 'kubernetes.UserInfo',
  fields: new Map<string, { type: CelType; key: string }>([
    ['username', { type: text, key: 'username' }],
    ['uid', { type: text, key: 'uid' }],
    ['groups', { type: texts, key: 'groups' }],
    ['extra', { type: { kind: 'map', key: text, value: texts }, key: 'extra' }],
  ]),
}

const overClaims = environment({ variables: { claims: { kind: 'map', key: text, value: { kind: 'dyn' } } } })
const overUser = environment({ variables: { user: userType } })

const names: Readonly<Record<OutputKind, string>> = { string: 'string', list: 'list(string)', bool: 'bool' }

/** Throws where the expression does not compile or cannot give one of these. */
export function claimsProgram(expression: string, kinds: readonly OutputKind[]): Program {
  return checked(compile(expression, overClaims), kinds)
}

export function userProgram(expression: string, kinds: readonly OutputKind[]): Program {
  return checked(compile(expression, overUser), kinds)
}

/** What only shows when it is evaluated passes, as upstream has it. */
function checked(program: Program, kinds: readonly OutputKind[]): Program {
  const { kind } = program.outputType
  if (kind === 'dyn' || (kinds as readonly string[]).includes(kind)) return program
  throw new Error(`must evaluate to ${kinds.map((each) => names[each]).join(' or a ')}`)
}

/** Whether the text reads this claim, by field or by index, optionally or not. */
export function mentionsClaim(expression: string, claim: string): boolean {
  return new RegExp(String.raw`\bclaims(\.\??${claim}\b(?!_)|\[\??["']${claim}["']\])`).test(expression)
}
