// A set of fields, in the very form in which FieldsV1 stores it: a tree of plain objects whose keys are path elements.
//
//     {"f:spec": {"f:replicas": {}, "f:template": {…}}}      replicas is in the set, spec is not
//     {"f:labels": {".": {}, "f:app": {}}}                   labels and labels.app both are
//
// An empty object is a member without members below. Sets are never changed; results share what they can.

import { compareElements, isElement } from './path-element.ts'

export interface FieldSet {
  readonly [element: string]: FieldSet
}

type Building = Record<string, FieldSet>

export const emptySet: FieldSet = {}
/** A node that is in the set and has nothing below it. */
export const leaf: FieldSet = {}
export const SELF = '.'

export function isEmptySet(set: FieldSet): boolean {
  for (const _key in set) return false
  return true
}

function isMember(node: FieldSet): boolean {
  return node[SELF] !== undefined || isEmptySet(node)
}

/** A node of these parts; undefined where nothing is left of it. */
export function nodeOf(member: boolean, below: FieldSet | undefined): FieldSet | undefined {
  if (below === undefined || isEmptySet(below)) return member ? leaf : undefined
  return member ? { [SELF]: leaf, ...below } : below
}

/** The same node as a member. */
export function asMember(node: FieldSet | undefined): FieldSet {
  if (node === undefined || isMember(node)) return node ?? leaf
  return { [SELF]: leaf, ...node }
}

/** Elements of one level in their order; the same object where they stand in it already. */
export function ordered(below: FieldSet): FieldSet {
  let previous: string | undefined
  for (const key in below) {
    if (previous !== undefined && compareElements(previous, key) > 0) return reordered(below)
    previous = key
  }
  return below
}

function reordered(below: FieldSet): FieldSet {
  const sorted: Building = {}
  for (const key of Object.keys(below).sort(compareElements)) sorted[key] = below[key]!
  return sorted
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a
  if (isEmptySet(a)) return b
  const merged: Building = { ...a }
  let changed = false
  for (const key in b) {
    const [left, right] = [a[key], b[key]!]
    const both = left === undefined ? right : key === SELF ? left : unionNode(left, right)
    if (both === left) continue
    merged[key] = both
    changed = true
  }
  return changed ? ordered(merged) : a
}

function unionNode(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return asMember(a)
  if (isEmptySet(a)) return asMember(b)
  return union(a, b)
}

/** Members of `a` that are not in `b`; what lies below a member of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return a
  return differenceBelow(a, b, differenceNode) ?? emptySet
}

function differenceNode(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return nodeOf(isMember(a) && !isMember(b), differenceBelow(a, b, differenceNode))
}

/** Like `difference`, and everything below a member of `b` goes with it. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(a) || isEmptySet(b)) return a
  return differenceBelow(a, b, recursiveNode) ?? emptySet
}

function recursiveNode(a: FieldSet, b: FieldSet): FieldSet | undefined {
  return isMember(b) ? undefined : nodeOf(isMember(a), differenceBelow(a, b, recursiveNode))
}

function differenceBelow(
  a: FieldSet,
  b: FieldSet,
  node: (a: FieldSet, b: FieldSet) => FieldSet | undefined,
): FieldSet | undefined {
  const kept: Building = {}
  for (const key in a) {
    if (key === SELF) continue
    const [left, right] = [a[key]!, b[key]]
    const rest = right === undefined ? left : node(left, right)
    if (rest !== undefined) kept[key] = rest
  }
  return kept
}

/** Any element, in a pattern. */
const ANY = '*'

/**
 * What of a set a pattern lets through: everything at and below its ends, and the members on the way there. A pattern is a set
 * whose elements may be `*`.
 */
export function included(set: FieldSet, pattern: FieldSet): FieldSet {
  const kept: Building = {}
  for (const key in set) {
    const below = key === SELF ? undefined : (pattern[key] ?? pattern[ANY])
    if (below === undefined) continue
    const node = set[key]!
    const rest = isEmptySet(below) ? node : nodeOf(isMember(node), included(node, below))
    if (rest !== undefined) kept[key] = rest
  }
  return kept
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const kept: Building = {}
  for (const key in a) {
    const right = b[key]
    if (key === SELF || right === undefined) continue
    const left = a[key]!
    const both = nodeOf(isMember(left) && isMember(right), intersection(left, right))
    if (both !== undefined) kept[key] = both
  }
  return kept
}

export function has(set: FieldSet, path: readonly string[]): boolean {
  const node = at(set, path)
  return node !== undefined && isMember(node)
}

function at(set: FieldSet, path: readonly string[]): FieldSet | undefined {
  let node: FieldSet | undefined = set
  for (const element of path) {
    node = node[element]
    if (node === undefined) return undefined
  }
  return node
}

/** The members at and below one element, as a set of their own. */
export function below(set: FieldSet, element: string): FieldSet {
  return set[element] ?? emptySet
}

export function hasElement(set: FieldSet, element: string): boolean {
  const node = set[element]
  return node !== undefined && isMember(node)
}

/** Is anything in the set below this node itself? */
export function hasBelow(node: FieldSet): boolean {
  for (const key in node) if (key !== SELF) return true
  return false
}

export function setOf(...paths: readonly (readonly string[])[]): FieldSet {
  return paths.reduce<FieldSet>((set, path) => union(set, pathSet(path)), emptySet)
}

function pathSet(path: readonly string[]): FieldSet {
  return path.reduceRight<FieldSet>((node, element) => ({ [element]: node }), leaf)
}

/** Every member's path: the members of a level first, then what lies below them. */
export function pathsOf(set: FieldSet): readonly (readonly string[])[] {
  const found: (readonly string[])[] = []
  collect(set, [], found)
  return found
}

function collect(set: FieldSet, prefix: readonly string[], found: (readonly string[])[]): void {
  const keys = Object.keys(set).filter((key) => key !== SELF)
  for (const key of keys) if (isMember(set[key]!)) found.push([...prefix, key])
  for (const key of keys) collect(set[key]!, [...prefix, key], found)
}

/** Reads what a client sent as FieldsV1; undefined where it is none. */
export function parseFieldSet(raw: unknown): FieldSet | undefined {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined
  const set: Building = {}
  for (const [key, value] of Object.entries(raw)) {
    if (key !== SELF && !isElement(key)) return undefined
    const node = parseFieldSet(value)
    if (node === undefined) return undefined
    set[key] = node
  }
  return ordered(set)
}
