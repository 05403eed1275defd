// Kubernetes quantities: `quantity("1Gi").isLessThan(quantity("2G"))`.

import {
  addQuantities,
  compareQuantities,
  parseQuantity,
  quantityOfUnits,
  QuantityError,
  subtractQuantities,
  type Quantity,
} from '@aksel/base/quantity'
import { declare, type FunctionDeclaration } from '../functions.ts'
import { CelEvaluationError } from '../problems.ts'
import { scaled, traversal, traversalFactor } from '../cost-ranges.ts'
import { OpaqueValue, sizeOf } from '../values.ts'
import type { CostOf, EstimateOf } from '../functions.ts'

const nanoPerUnit = 1_000_000_000n

export class QuantityValue extends OpaqueValue {
  readonly typeName = 'kubernetes.Quantity'
  readonly quantity: Quantity

  constructor(quantity: Quantity) {
    super()
    this.quantity = quantity
  }

  equals(other: OpaqueValue): boolean {
    return other instanceof QuantityValue && compareQuantities(this.quantity, other.quantity) === 0
  }
}

function parse(text: string): QuantityValue | undefined {
  try {
    // CEL's parser takes no white space around it.
    return text.trim() === text ? new QuantityValue(parseQuantity(text)) : undefined
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

function toQuantity(text: string): QuantityValue {
  const parsed = parse(text)
  if (parsed !== undefined) return parsed
  throw new CelEvaluationError(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
  )
}

function asInteger({ quantity }: QuantityValue): bigint {
  if (quantity.nano % nanoPerUnit !== 0n) throw new CelEvaluationError('cannot convert value to integer')
  return quantity.nano / nanoPerUnit
}

const compare = (left: QuantityValue, right: QuantityValue): number => compareQuantities(left.quantity, right.quantity)

const walk: CostOf = ([text]) => traversal(sizeOf(text!))
const walkEstimate: EstimateOf = ({ args }) => scaled(args[0]!.size, traversalFactor)

const type = 'kubernetes.Quantity'

export const quantityFunctions: readonly FunctionDeclaration[] = [
  declare('quantity', { [`(string) -> ${type}`]: toQuantity }, { cost: walk, estimate: walkEstimate }),
  declare(
    'isQuantity',
    { '(string) -> bool': (text: string) => parse(text) !== undefined },
    { cost: walk, estimate: walkEstimate },
  ),
  declare('sign', {
    [`(${type}) -> int`]: ({ quantity }: QuantityValue) => (quantity.nano > 0n ? 1n : quantity.nano < 0n ? -1n : 0n),
  }),
  declare('isGreaterThan', {
    [`${type}.(${type}) -> bool`]: (left: QuantityValue, right: QuantityValue) => compare(left, right) > 0,
  }),
  declare('isLessThan', {
    [`${type}.(${type}) -> bool`]: (left: QuantityValue, right: QuantityValue) => compare(left, right) < 0,
  }),
  declare('compareTo', {
    [`${type}.(${type}) -> int`]: (left: QuantityValue, right: QuantityValue) => BigInt(compare(left, right)),
  }),
  declare('asApproximateFloat', {
    [`${type}.() -> double`]: ({ quantity }: QuantityValue) => Number(quantity.nano) / 1e9,
  }),
  declare('asInteger', { [`${type}.() -> int`]: asInteger }),
  declare('isInteger', {
    [`${type}.() -> bool`]: ({ quantity }: QuantityValue) => quantity.nano % nanoPerUnit === 0n,
  }),
  declare('add', {
    [`${type}.(${type}) -> ${type}`]: (left: QuantityValue, right: QuantityValue) =>
      new QuantityValue(addQuantities(left.quantity, right.quantity)),
    [`${type}.(int) -> ${type}`]: (left: QuantityValue, right: bigint) =>
      new QuantityValue(addQuantities(left.quantity, quantityOfUnits(right))),
  }),
  declare('sub', {
    [`${type}.(${type}) -> ${type}`]: (left: QuantityValue, right: QuantityValue) =>
      new QuantityValue(subtractQuantities(left.quantity, right.quantity)),
    [`${type}.(int) -> ${type}`]: (left: QuantityValue, right: bigint) =>
      new QuantityValue(subtractQuantities(left.quantity, quantityOfUnits(right))),
  }),
]
