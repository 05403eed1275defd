// Field selectors as they stand in queries: `spec.nodeName=a,status.phase!=Running`. Complaints in upstream's words.

import { ApiError } from '@aksel/base/errors'

export interface FieldTerm {
  readonly field: string
  readonly equal: boolean
  readonly value: string
}

/** Values may escape `\`, `,` and `=` with a backslash. Throws BadRequest. */
export function parseFieldSelector(text: string): readonly FieldTerm[] {
  return termsOf(text)
    .filter((part) => part !== '')
    .map((part) => {
      const operator = firstOperator(part)
      if (operator === undefined)
        throw new ApiError('BadRequest', `invalid selector: '${text}'; can't understand '${part}'`)
      const { at, word } = operator
      return { field: part.slice(0, at), equal: word !== '!=', value: unescaped(part.slice(at + word.length)) }
    })
}

/** Split at commas that no backslash stands before. */
function termsOf(text: string): readonly string[] {
  const terms: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === ',') {
      terms.push(text.slice(start, at))
      start = at + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

function firstOperator(term: string): { readonly at: number; readonly word: '!=' | '==' | '=' } | undefined {
  for (let at = 0; at < term.length; at += 1) {
    const two = term.slice(at, at + 2)
    if (two === '!=' || two === '==') return { at, word: two }
    if (term[at] === '=') return { at, word: '=' }
  }
  return undefined
}

function unescaped(value: string): string {
  let text = ''
  for (let at = 0; at < value.length; at += 1) {
    const character = value[at]!
    if (character === '\\') {
      const next = value[(at += 1)] ?? ''
      if (!['\\', ',', '='].includes(next))
        throw new ApiError('BadRequest', `invalid field selector: invalid escape sequence: \\${next}`)
      text += next
    } else if (character === ',' || character === '=') {
      throw new ApiError('BadRequest', `invalid field selector: unescaped character in value: ${character}`)
    } else text += character
  }
  return text
}

export function meetsFields(terms: readonly FieldTerm[], fields: Readonly<Record<string, string>>): boolean {
  return terms.every(({ field, equal, value }) => ((fields[field] ?? '') === value) === equal)
}
