// Cuts the API facts of one minor down to what the product reads: the served kinds and every message they reach, without
// markers that nothing uses, so that the tables parse in a few milliseconds.

import type { GroupVersionFact, GroupVersionFacts, MessageFact } from './types.ts'

export interface KindFact {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly msg: string
  readonly listKind?: string
  readonly plural?: string
  readonly inOpenAPI?: false
  readonly removed?: string
  readonly subresources?: Readonly<Record<string, unknown>>
}

export interface ApiFacts {
  readonly release: string
  readonly kinds: readonly KindFact[]
  readonly groupVersions: GroupVersionFacts
}

/** Meta kinds that belong to no resource: options, tables and answers. */
const alwaysKept =
  /^((meta|core|autoscaling|admission|authentication|policy)\/v1|apimachinery\/\w+|apidiscovery\/v2|(custom_|external_)?metrics\/v1beta1)\./

const keptFieldKeys = [
  't',
  'n',
  'pn',
  'pt',
  'ptr',
  'oe',
  'oz',
  'r',
  'e',
  'ke',
  'lt',
  'lk',
  'mt',
  'ps',
  'pmk',
  'd',
  'fg',
]
const keptMessageKeys = ['tm', 'inl', 'js', 'mt', 'np', 't', 'u']
const keptKindKeys = [
  'group',
  'version',
  'kind',
  'msg',
  'listKind',
  'plural',
  'singular',
  'namespaced',
  'shortNames',
  'categories',
  'verbs',
  'subresources',
  'deprecated',
  'removed',
  'replacement',
]

/** The table file's text: JSON with one kind or message per line, so that a diff shows what a minor changed. */
export function renderTables(facts: ApiFacts): string {
  const kinds = facts.kinds.filter((kind) => isKept(kind))
  const wanted = reachable(facts.groupVersions, [
    ...kinds.map((kind) => kind.msg),
    'apimachinery/runtime.Unknown',
    'apimachinery/version.Info',
  ])
  const lines = ['{', `"release": ${JSON.stringify(facts.release)},`, '"kinds": [']
  lines.push(kinds.map((kind) => JSON.stringify(pick(kind, keptKindKeys))).join(',\n'), '],', '"groupVersions": {')
  const groupVersions = Object.entries(facts.groupVersions)
    .filter(([key]) => wanted.has(key))
    .map(([key, fact]) => renderGroupVersion(key, fact))
  lines.push(groupVersions.join(',\n'), '}', '}')
  return `${lines.join('\n')}\n`
}

function isKept(kind: KindFact): boolean {
  if (alwaysKept.test(kind.msg)) return true
  return kind.plural !== undefined && kind.inOpenAPI !== false
}

function renderGroupVersion(key: string, fact: GroupVersionFact): string {
  const head = { group: fact.group, version: fact.version, openapi: fact.openapi, proto: fact.proto }
  const sets = { enums: fact.enums, known: fact.known, aliases: fact.aliases }
  const body = Object.entries(fact.messages).map(
    ([name, message]) => `${JSON.stringify(name)}: ${JSON.stringify(trimmed(message))}`,
  )
  return [
    `${JSON.stringify(key)}: {`,
    `${JSON.stringify({ ...head, ...sets }).slice(1, -1)},`,
    '"messages": {',
    body.join(',\n'),
    '}}',
  ].join('\n')
}

function trimmed(message: MessageFact): unknown {
  const fields = Object.entries(message.f ?? {}).map(([name, field]) => [name, pick(field, keptFieldKeys)] as const)
  return { ...pick(message, keptMessageKeys), f: Object.fromEntries(fields) }
}

function pick(from: object, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)))
}

/** Every group version that these messages lead to. */
function reachable(facts: GroupVersionFacts, roots: readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const pending = roots.map(groupVersionOf)
  for (let key = pending.pop(); key !== undefined; key = pending.pop()) {
    const fact = facts[key]
    if (fact === undefined || seen.has(key)) continue
    seen.add(key)
    for (const message of Object.values(fact.messages)) {
      for (const { t } of [...Object.values(message.f ?? {}), ...(message.inl ?? [])]) pending.push(groupVersionOf(t))
    }
  }
  return seen
}

function groupVersionOf(reference: string): string {
  return reference.replace(/^(\[\]|map\[\w+\])+/, '').replace(/\.\w+$/, '')
}
