// Names and types that are asked for as others, in the words of CoreDNS' `rewrite`. The client gets its own question back,
// and with it the names in the answers that its rule says.

import { decode, type Answer } from 'dns-packet'
import type { Scope } from '@aksel/base/scope'
import { asking, reply, type Answering, type Query } from '../query.ts'
import { rcodes } from '../wire.ts'

/** A name with a dot at its end in, another one out; undefined where the rule says nothing of it. */
export type Renaming = (name: string) => string | undefined

export interface RewriteRule {
  readonly mode: 'stop' | 'continue'
  readonly rename?: Renaming
  readonly type?: { readonly from: string; readonly to: string }
  /** What becomes of owners' names in answers. `auto` sets back what `rename` made of the name. */
  readonly answers: readonly ('auto' | Renaming)[]
  /** What becomes of the names that answers lead to. */
  readonly values: readonly Renaming[]
}

interface Undo {
  readonly owners: readonly Renaming[]
  readonly values: readonly Renaming[]
}

export function rewrite(rules: readonly RewriteRule[], next: Answering): Answering {
  return (scope, query) => {
    let current = query
    const undo: Undo[] = []
    for (const rule of rules) {
      const changed = apply(rule, current)
      if (changed === undefined) continue
      const before = current.question.name
      const after = changed.question.name
      current = changed
      const back: Renaming = (name) => (name === `${after}.` ? `${before}.` : undefined)
      undo.push({ owners: rule.answers.map((each) => (each === 'auto' ? back : each)), values: rule.values })
      if (rule.mode === 'stop') break
    }
    return current === query ? next(scope, query) : undone(scope, query, current, undo, next)
  }
}

function apply(rule: RewriteRule, query: Query): Query | undefined {
  const { name, type } = query.question
  if (rule.type !== undefined) return rule.type.from === type ? asking(query, { type: rule.type.to }) : undefined
  const renamed = rule.rename?.(`${name}.`)?.toLowerCase().replace(/\.$/, '')
  return renamed === undefined || renamed === name ? undefined : asking(query, { name: renamed })
}

async function undone(
  scope: Scope,
  query: Query,
  asked: Query,
  undo: readonly Undo[],
  next: Answering,
): Promise<Buffer> {
  const bytes = await next(scope, asked)
  const answer = decode(bytes)
  const through = (name: string, which: 'owners' | 'values'): string => {
    let current = `${name.replace(/\.$/, '')}.`
    for (const step of undo.toReversed()) {
      for (const renaming of step[which]) current = renaming(current) ?? current
    }
    return current.replace(/\.$/, '')
  }
  const back = (record: Answer): Answer => {
    const named = { ...record, name: through(record.name, 'owners') } as Answer
    if (named.type === 'CNAME' || named.type === 'PTR') return { ...named, data: through(named.data, 'values') }
    if (named.type === 'SRV') return { ...named, data: { ...named.data, target: through(named.data.target, 'values') } }
    return named
  }
  const known = ['A', 'AAAA', 'CNAME', 'NS', 'PTR', 'TXT', 'SRV', 'SOA']
  const records = (answer.answers ?? []).filter(({ type }) => known.includes(type))
  if (records.length < (answer.answers ?? []).length) return reply(query, { rcode: rcodes.serverFailure })
  return reply(query, {
    rcode: (answer.flags ?? 0) & 15,
    isAuthoritative: answer.flag_aa,
    answers: records.map(back),
    authorities: (answer.authorities ?? []).filter(({ type }) => known.includes(type)),
  })
}
