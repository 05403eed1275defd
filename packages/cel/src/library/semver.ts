// Semantic versions, strict or normalised.

import { declare, type CostOf, type EstimateOf, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { OpaqueValue, sizeOf } from '../values.ts'

export class SemverValue extends OpaqueValue {
  readonly typeName = 'kubernetes.Semver'
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: readonly string[]

  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    super()
    this.numbers = numbers
    this.pre = pre
  }

  equals(other: OpaqueValue): boolean {
    return other instanceof SemverValue && compare(this, other) === 0
  }
}

const identifier = '(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)'
const number = '(0|[1-9]\\d*)'
const shape = new RegExp(
  `^${number}\\.${number}\\.${number}(?:-(${identifier}(?:\\.${identifier})*))?(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$`,
)

/** Undefined for what is no version. */
export function parseSemver(text: string, isNormalised = false): SemverValue | undefined {
  const match = shape.exec(isNormalised ? normalised(text) : text)
  if (match === null) return undefined
  const numbers = [match[1], match[2], match[3]].map((part) => BigInt(part!)) as [bigint, bigint, bigint]
  if (numbers.some((each) => each >= 2n ** 64n)) return undefined
  return new SemverValue(numbers, match[4]?.split('.') ?? [])
}

/** A leading v goes, missing numbers become 0, and leading zeros go. */
function normalised(text: string): string {
  const [, core, rest] = /^v?([\d.]*)(.*)$/s.exec(text)!
  const parts = core!.split('.')
  if (parts.length < 3 && rest !== '') return text
  while (parts.length < 3) parts.push('0')
  return parts.map((part) => part.replace(/^0+(?=\d)/, '')).join('.') + rest!
}

function compare(left: SemverValue, right: SemverValue): number {
  for (const [index, one] of left.numbers.entries()) {
    const other = right.numbers[index]!
    if (one !== other) return one < other ? -1 : 1
  }
  if (left.pre.length === 0 || right.pre.length === 0) return Math.sign(right.pre.length - left.pre.length)
  for (let index = 0; index < Math.min(left.pre.length, right.pre.length); index += 1) {
    const order = compareIdentifiers(left.pre[index]!, right.pre[index]!)
    if (order !== 0) return order
  }
  return Math.sign(left.pre.length - right.pre.length)
}

function compareIdentifiers(left: string, right: string): number {
  const numeric = [left, right].map((part) => /^\d+$/.test(part))
  if (numeric[0] && numeric[1]) return Math.sign(Number(BigInt(left) - BigInt(right)))
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1
  return left < right ? -1 : left > right ? 1 : 0
}

function toSemver(text: string, isNormalised = false): SemverValue {
  const parsed = parseSemver(text, isNormalised)
  if (parsed === undefined)
    throw new CelEvaluationError(`semver parse error: ${JSON.stringify(text)} is no semantic version`)
  return parsed
}

const isSemver = (text: string, isNormalised = false): boolean => parseSemver(text, isNormalised) !== undefined

const walk: CostOf = ([text]) => traversal(sizeOf(text!))
const walkEstimate: EstimateOf = ({ args }) => scaled(args[0]!.size, traversalFactor)

const type = 'kubernetes.Semver'

export const semverFunctions: readonly FunctionDeclaration[] = [
  declare(
    'semver',
    { [`(string) -> ${type}`]: toSemver, [`(string, bool) -> ${type}`]: toSemver },
    { cost: walk, estimate: walkEstimate },
  ),
  declare(
    'isSemver',
    { '(string) -> bool': isSemver, '(string, bool) -> bool': isSemver },
    { cost: walk, estimate: walkEstimate },
  ),
  declare('isGreaterThan', {
    [`${type}.(${type}) -> bool`]: (left: SemverValue, right: SemverValue) => compare(left, right) > 0,
  }),
  declare('isLessThan', {
    [`${type}.(${type}) -> bool`]: (left: SemverValue, right: SemverValue) => compare(left, right) < 0,
  }),
  declare('compareTo', {
    [`${type}.(${type}) -> int`]: (left: SemverValue, right: SemverValue) => BigInt(compare(left, right)),
  }),
  ...(['major', 'minor', 'patch'] as const).map((name, index) =>
    declare(name, { [`${type}.() -> int`]: (version: SemverValue) => version.numbers[index]! }),
  ),
]
