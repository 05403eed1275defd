// Answers made of the question itself, in the words of CoreDNS' `template`: mostly to say at once that names are not there.

import type { Answer } from 'dns-packet'
import { liesIn, reply, type Answering, type Query } from '../query.ts'
import type { Rcode } from '../wire.ts'

export interface TemplateOptions {
  /** `ANY` for all. */
  readonly type: string
  readonly zones: readonly string[]
  /** Against the name with a dot at its end; one that fits is enough. */
  readonly patterns: readonly RegExp[]
  readonly answers: readonly ((facts: TemplateFacts) => Answer)[]
  readonly rcode: Rcode
  readonly fallthrough: readonly string[]
}

export interface TemplateFacts {
  readonly name: string
  readonly type: string
  readonly match: RegExpExecArray | undefined
}

export function template(options: TemplateOptions, next: Answering): Answering {
  return (scope, query) => {
    const { name, type } = query.question
    const isMeant = options.type === 'ANY' || options.type === type
    if (!isMeant || !options.zones.some((zone) => liesIn(name, zone))) return next(scope, query)
    const match = firstMatch(options, query)
    if (match !== undefined) {
      const facts = { name: `${name}.`, type, match: match === true ? undefined : match }
      const answers = options.answers.map((make) => make(facts))
      return reply(query, { rcode: options.rcode, isAuthoritative: true, answers })
    }
    if (options.fallthrough.some((zone) => liesIn(name, zone))) return next(scope, query)
    return reply(query, { rcode: 3 })
  }
}

function firstMatch({ patterns }: TemplateOptions, { question }: Query): RegExpExecArray | true | undefined {
  if (patterns.length === 0) return true
  for (const pattern of patterns) {
    const match = pattern.exec(`${question.name}.`)
    if (match !== null) return match
  }
  return undefined
}
