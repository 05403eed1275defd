// The directives that need patterns: `rewrite` and `template`.

import type { Answer } from 'dns-packet'
import type { Renaming, RewriteRule } from '../plugins/rewrite.ts'
import type { TemplateFacts, TemplateOptions } from '../plugins/template.ts'
import { rcodeNames, typeNumber } from '../wire.ts'
import { eachOption, refused, zonesOr, type Surroundings } from './directives.ts'
import type { Directive } from './parse.ts'

const matchers = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const
type Matcher = (typeof matchers)[number]

export function readRewrite(directive: Directive): RewriteRule {
  const [first = '', ...rest] = directive.args
  const hasMode = first === 'stop' || first === 'continue'
  const mode = first === 'continue' ? 'continue' : 'stop'
  const words = hasMode ? rest : directive.args
  const lines = [...(words.length === 0 ? [] : [words]), ...(directive.options ?? [])]
  let rule: RewriteRule = { mode, answers: [], values: [] }
  for (const line of lines) rule = withLine(directive, rule, line)
  if (rule.rename === undefined && rule.type === undefined) throw refused(directive, 'names no field to rewrite')
  return rule
}

function withLine(directive: Directive, rule: RewriteRule, line: readonly string[]): RewriteRule {
  const [field, ...args] = line
  if (field === 'answer') return withAnswer(directive, rule, args)
  if (rule.rename !== undefined || rule.type !== undefined)
    throw refused(directive, `a second field "${field}" in one rule`)
  if (field === 'type') {
    const [from = '', to = ''] = args.map((arg) => arg.toUpperCase())
    if (typeNumber(from) === undefined || typeNumber(to) === undefined)
      throw refused(directive, `type "${args.join(' ')}"`)
    return { ...rule, type: { from, to } }
  }
  if (field !== 'name') throw refused(directive, `field "${field ?? ''}" is not supported`)
  const hasMatcher = matchers.some((each) => each === args[0])
  const matcher: Matcher = hasMatcher ? (args[0] as Matcher) : 'exact'
  const [from, to, ...more] = hasMatcher ? args.slice(1) : args
  if (from === undefined || to === undefined)
    throw refused(directive, 'a name needs what to look for and what to put there')
  const named: RewriteRule = {
    ...rule,
    rename: renaming(directive, matcher, from, to),
    // Without, a client would get an answer for a name that it did not ask for.
    answers: matcher === 'exact' ? [...rule.answers, 'auto'] : rule.answers,
  }
  if (more[0] !== undefined && more[0] !== 'answer') throw refused(directive, `"${more[0]}" behind a name`)
  return more.length === 0 ? named : withAnswer(directive, named, more.slice(1))
}

function withAnswer(directive: Directive, rule: RewriteRule, args: readonly string[]): RewriteRule {
  const [field, from, to] = args
  if (field === 'auto') return { ...rule, answers: [...rule.answers, 'auto'] }
  if ((field !== 'name' && field !== 'value') || from === undefined || to === undefined) {
    throw refused(directive, `answer "${args.join(' ')}" is not supported`)
  }
  const change = renaming(directive, 'regex', from, to)
  return field === 'name'
    ? { ...rule, answers: [...rule.answers, change] }
    : { ...rule, values: [...rule.values, change] }
}

/** Patterns see names with a dot at their end, as upstream's do. */
function renaming(directive: Directive, matcher: Matcher, from: string, to: string): Renaming {
  const whole = (text: string): string => (text.endsWith('.') ? text : `${text}.`)
  switch (matcher) {
    case 'exact':
      return (name) => (name === whole(from.toLowerCase()) ? whole(to) : undefined)
    case 'prefix':
      return (name) => (name.startsWith(from.toLowerCase()) ? to + name.slice(from.length) : undefined)
    case 'suffix':
      return (name) => {
        const end = whole(from.toLowerCase())
        return name.endsWith(end) ? name.slice(0, -end.length) + whole(to) : undefined
      }
    case 'substring':
      return (name) => (name.includes(from.toLowerCase()) ? name.replaceAll(from.toLowerCase(), to) : undefined)
    case 'regex': {
      const pattern = patternOf(directive, from)
      return (name) => {
        const match = pattern.exec(name)
        if (match === null) return undefined
        return to.replaceAll(/\{(\d+)\}/g, (_, group: string) => match[Number(group)] ?? '')
      }
    }
    default:
      return matcher satisfies never
  }
}

export function patternOf(directive: Directive, text: string): RegExp {
  const isAnyCase = text.startsWith('(?i)')
  try {
    // Go writes named groups with a P.
    return new RegExp((isAnyCase ? text.slice(4) : text).replaceAll('(?P<', '(?<'), isAnyCase ? 'i' : '')
  } catch (error) {
    throw refused(directive, `"${text}" is no pattern: ${(error as Error).message}`)
  }
}

export function readTemplate(directive: Directive, { zones }: Surroundings): TemplateOptions {
  const [qclass = '', type = '', ...names] = directive.args
  if (!['IN', 'ANY'].includes(qclass.toUpperCase())) throw refused(directive, `class "${qclass}" is not supported`)
  if (type.toUpperCase() !== 'ANY' && typeNumber(type.toUpperCase()) === undefined)
    throw refused(directive, `type "${type}"`)
  let options: TemplateOptions = {
    type: type.toUpperCase(),
    zones: zonesOr(names, zones),
    patterns: [],
    answers: [],
    rcode: 0,
    fallthrough: [],
  }
  eachOption(directive, {
    match: (args) => {
      options = { ...options, patterns: [...options.patterns, ...args.map((text) => patternOf(directive, text))] }
    },
    answer: (args) => {
      options = { ...options, answers: [...options.answers, ...args.map((text) => answerOf(directive, text))] }
    },
    rcode: ([name = '']) => {
      const rcode = rcodeNames.indexOf(name.toUpperCase())
      if (rcode < 0) throw refused(directive, `rcode "${name}"`)
      options = { ...options, rcode }
    },
    fallthrough: (args) => (options = { ...options, fallthrough: zonesOr(args, ['.']) }),
  })
  return options
}

/** `{{ .Name }} 60 IN A 10.0.0.1`, with what a Go template may name here. */
function answerOf(directive: Directive, text: string): (facts: TemplateFacts) => Answer {
  const placeholder = /\{\{\s*(?:\.(Name|Type)|\.Group\.(\w+)|index \.Match (\d+))\s*\}\}/g
  if (text.replaceAll(placeholder, '').includes('{{'))
    throw refused(directive, `"${text}": only .Name, .Type, .Group.x and index .Match n`)
  return (facts) => {
    const filled = text.replaceAll(placeholder, (_, field?: string, group?: string, index?: string) => {
      if (field !== undefined) return field === 'Name' ? facts.name : facts.type
      return (group === undefined ? facts.match?.[Number(index)] : facts.match?.groups?.[group]) ?? ''
    })
    const [, name = '', ttl, type, data = ''] =
      /^(\S+)\s+(?:(\d+)\s+)?(?:IN\s+)?(A|AAAA|CNAME|PTR|TXT)\s+(.+)$/.exec(filled) ?? []
    if (type === undefined) throw new Error(`A template's answer cannot be read: "${filled}"`)
    const bare = type === 'CNAME' || type === 'PTR' ? data.replace(/\.$/, '') : data.replaceAll('"', '')
    return { type: type as 'A', name: name.replace(/\.$/, ''), ttl: Number(ttl ?? 60), data: bare }
  }
}
