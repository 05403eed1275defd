// The pods that the makers of the Pod Security standards publish with a verdict each, made of the rows that say what differs
// from a pod that passes. `compare-published.ts` holds them against a copy of what is published.

import { createHash } from 'node:crypto'
import {
  contexts,
  inBoth,
  publishedRows,
  runtimeDefault,
  type Change,
  type Json,
  type PublishedRow,
} from './published-rows.ts'

export interface PublishedCase {
  readonly level: 'baseline' | 'restricted'
  readonly minor: number
  readonly verdict: 'pass' | 'fail'
  /** As the published file is called. */
  readonly name: string
  readonly pod: Json
  /** What the refusal of a pod that fails must say. */
  readonly words: string
}

/** All cases of both levels at a minor of the standards. */
export function publishedCases(minor: number): readonly PublishedCase[] {
  return (['baseline', 'restricted'] as const).flatMap((asked) => {
    const make = (verdict: 'pass' | 'fail', name: string, words: string, pod: Json): PublishedCase => ({
      level: asked,
      minor,
      verdict,
      name,
      words,
      pod: { ...pod, metadata: { ...(pod['metadata'] as Json), name } },
    })
    const base = basePod(asked, minor)
    const bases = [make('pass', 'base', '', base)]
    if (asked === 'restricted' && minor >= 29) {
      bases.push(
        make('pass', 'base_linux', '', changed(base, [], { 'spec.os': { name: 'linux' } })),
        // What hardens a pod by means that Windows does not have is not asked of it.
        make('pass', 'base_windows', '', changed(basePod(asked, 0), [], { 'spec.os': { name: 'windows' } })),
      )
    }
    const rows = rowsOf(asked, minor)
    return [
      ...bases,
      ...rows.flatMap(({ check, words, blank = [], pass = [], fail, passRestricted }) => {
        const passing = asked === 'restricted' ? pass.slice(0, passRestricted?.(minor)) : pass
        const name = check.toLowerCase()
        return [
          ...passing.map((one, index) => make('pass', `${name}${index}`, words, changed(base, blank, one))),
          ...fail.map((one, index) => make('fail', `${name}${index}`, words, changed(base, blank, one))),
        ]
      }),
    ]
  })
}

function rowsOf(asked: 'baseline' | 'restricted', minor: number): readonly PublishedRow[] {
  const possible = publishedRows.filter(
    ({ level: own, from }) => from <= minor && (asked === 'restricted' || own === asked),
  )
  return possible.filter((row) => row === possible.findLast(({ check }) => check === row.check))
}

/** The least that passes. */
function basePod(asked: 'baseline' | 'restricted', minor: number): Json {
  const image = 'registry.k8s.io/pause'
  const plain = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: {
      containers: [{ name: 'container1', image }],
      initContainers: [{ name: 'initcontainer1', image }],
    },
  }
  if (asked === 'baseline') return plain
  return changed(plain, minor >= 8 ? contexts : ['pod'], {
    'pod.runAsNonRoot': true,
    ...(minor >= 8 ? inBoth('securityContext.allowPrivilegeEscalation', false) : {}),
    ...(minor >= 19 ? { 'pod.seccompProfile': runtimeDefault } : {}),
    ...(minor >= 22 ? inBoth('securityContext.capabilities', { drop: ['ALL'] }) : {}),
  })
}

function changed(pod: Json, blank: readonly string[], change: Change): Json {
  const copy = structuredClone(pod) as Record<string, unknown>
  for (const place of blank) {
    const { holder, key } = find(copy, place)
    holder[key] ??= {}
  }
  for (const [place, value] of Object.entries(change)) {
    const { holder, key } = find(copy, place)
    if (value === null) delete holder[key]
    else holder[key] = structuredClone(value)
  }
  return copy
}

const places = {
  spec: [],
  pod: ['securityContext'],
  main: ['containers', '0'],
  init: ['initContainers', '0'],
} as const

function find(pod: Record<string, unknown>, place: string): { holder: Record<string, unknown>; key: string } {
  const [room, ...rest] = place.split('.')
  const spec = pod['spec'] as Record<string, unknown>
  if (room === 'note') {
    const metadata = pod['metadata'] as Record<string, unknown>
    return { holder: (metadata['annotations'] ??= {}) as Record<string, unknown>, key: rest.join('.') }
  }
  const path = [...places[room as keyof typeof places], ...rest]
  let holder = spec
  for (const step of path.slice(0, -1)) holder = (holder[step] ??= {}) as typeof spec
  return { holder, key: path.at(-1)! }
}

/** One line for all cases, whatever the order of keys: equal where the cases are equal. */
export function digestOf(cases: readonly Omit<PublishedCase, 'words'>[]): string {
  const lines = cases.map(({ level: of, minor, verdict, name, pod }) =>
    JSON.stringify([of, minor, verdict, name, ordered(pod)]),
  )
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex')
}

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, ordered(inner)]),
  )
}
