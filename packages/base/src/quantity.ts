// Kubernetes quantities (`100m`, `1.5Gi`, `12e6`) as exact numbers: parsed, added, compared, and written the one
// canonical way that upstream writes them.

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

export interface Quantity {
  /** Billionths of one unit. */
  readonly nano: bigint
  readonly format: QuantityFormat
}

export class QuantityError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'QuantityError'
  }
}

const shape = /^([+-]?)(\d+\.?\d*|\.\d+)(|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d{1,4})$/
const anyShape = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/

const nanoPerUnit = 10n ** 9n
const unitsMax = 2n ** 63n - 1n

const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const

/** Reads a quantity; numbers are accepted as their decimal text. Throws QuantityError in upstream's words. */
export function parseQuantity(value: string | number | bigint): Quantity {
  const text = typeof value === 'string' ? value.trim() : String(value)
  return simpleQuantity(text) ?? anyQuantity(text)
}

/** A few digits and a common suffix: nearly all quantities that pods ask for. Undefined for every other spelling. */
function simpleQuantity(text: string): Quantity | undefined {
  let digits = 0
  let value = 0
  for (; digits < text.length; digits += 1) {
    const digit = text.charCodeAt(digits) - 0x30
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  if (digits === 0 || digits > 9) return undefined
  const scale = simpleScales.get(text.slice(digits))
  if (scale === undefined) return undefined
  const nano = value * scale.factor
  return { nano: Number.isSafeInteger(nano) ? BigInt(nano) : BigInt(value) * scale.exact, format: scale.format }
}

function simpleScale(suffix: string): readonly [string, SimpleScale] {
  const { numerator, exponent, format } = scaleOf(suffix)
  const exact = scaled(numerator, exponent + 9)
  return [suffix, { factor: Number(exact), exact, format }]
}

interface SimpleScale {
  readonly factor: number
  readonly exact: bigint
  readonly format: QuantityFormat
}

function anyQuantity(text: string): Quantity {
  const match = shape.exec(text)
  if (match === null) throw new QuantityError(complaint(text))
  const suffix = match[3]!
  const digits = match[2]!
  const dot = digits.indexOf('.')
  const fraction = dot < 0 ? '' : digits.slice(dot + 1)
  const mantissa = BigInt(dot < 0 ? digits : digits.slice(0, dot) + fraction)
  const { numerator, exponent, format } = scaleOf(suffix)
  const nano = scaled(mantissa * numerator, exponent + 9 - fraction.length)
  const capped = nano > unitsMax * nanoPerUnit ? unitsMax * nanoPerUnit : nano
  return { nano: match[1] === '-' ? -capped : capped, format }
}

/** Undefined where the text is no quantity. */
export function tryParseQuantity(value: string | number): Quantity | undefined {
  try {
    return parseQuantity(value)
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

function complaint(text: string): string {
  if (text === '') return 'unable to parse quantity: empty string'
  if (anyShape.test(text)) return "unable to parse quantity's suffix"
  return `quantities must match the regular expression '${anyShape.source}'`
}

function scaleOf(suffix: string): { numerator: bigint; exponent: number; format: QuantityFormat } {
  if (suffix.endsWith('i')) {
    const power = binarySuffixes.indexOf(suffix as (typeof binarySuffixes)[number])
    return { numerator: 1024n ** BigInt(power), exponent: 0, format: 'BinarySI' }
  }
  const decimal = decimalSuffixes.indexOf(suffix as (typeof decimalSuffixes)[number])
  if (decimal >= 0) return { numerator: 1n, exponent: (decimal - 3) * 3, format: 'DecimalSI' }
  return { numerator: 1n, exponent: Number(suffix.slice(1)), format: 'DecimalExponent' }
}

const simpleScales: ReadonlyMap<string, SimpleScale> = new Map(
  ['', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi'].map(simpleScale),
)

/** value × 10^exponent, rounded away from zero. */
function scaled(value: bigint, exponent: number): bigint {
  if (value === 0n) return 0n
  if (exponent >= 0) return value * 10n ** BigInt(Math.min(exponent, 40))
  const divisor = 10n ** BigInt(-exponent)
  return (value + divisor - 1n) / divisor
}

/** The canonical text: the largest suffix of its family that leaves a whole number. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0'
  const magnitude = nano < 0n ? -nano : nano
  const isBinary = format === 'BinarySI' && magnitude >= 1024n * nanoPerUnit && nano % nanoPerUnit === 0n
  const sign = nano < 0n ? '-' : ''
  if (isBinary) return sign + binaryText(magnitude / nanoPerUnit)
  let mantissa = magnitude
  let exponent = -9
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n
    exponent += 3
  }
  if (format === 'DecimalExponent') return `${sign}${mantissa}${exponent === 0 ? '' : `e${exponent}`}`
  return `${sign}${mantissa}${decimalSuffixes[exponent / 3 + 3]!}`
}

function binaryText(units: bigint): string {
  let mantissa = units
  let power = 0
  while (mantissa % 1024n === 0n && power < binarySuffixes.length - 1) {
    mantissa /= 1024n
    power += 1
  }
  return `${mantissa}${binarySuffixes[power]!}`
}

const alreadyCanonical = /^[1-9]\d{0,2}(|m|Ki|Mi|Gi|Ti|k|M|G)$/
const endsRound = /(?:000)(|m|k|M|G)$/

/** The canonical text of any accepted spelling. Throws QuantityError. */
export function canonicalQuantity(value: string | number | bigint): string {
  if (typeof value === 'string' && isCanonical(value)) return value
  return formatQuantity(parseQuantity(value))
}

/** True only where it is surely canonical: the common short spellings. */
function isCanonical(text: string): boolean {
  if (!alreadyCanonical.test(text) || endsRound.test(text)) return false
  return true
}

export function addQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano + right.nano, format: left.nano === 0n ? right.format : left.format }
}

export function subtractQuantities(left: Quantity, right: Quantity): Quantity {
  return { nano: left.nano - right.nano, format: left.nano === 0n ? right.format : left.format }
}

/** Negative, 0 or positive, as left is smaller, equal or greater. */
export function compareQuantities(left: Quantity, right: Quantity): number {
  return left.nano < right.nano ? -1 : left.nano > right.nano ? 1 : 0
}

export function quantityOfUnits(units: number | bigint, format: QuantityFormat = 'DecimalSI'): Quantity {
  return { nano: BigInt(units) * nanoPerUnit, format }
}

/** Whole units (bytes, pods), rounded up. */
export function quantityUnits(value: string | number): number {
  return Number(ceilDivide(parseQuantity(value).nano, nanoPerUnit))
}

/** Thousandths (millicores), rounded up. */
export function quantityMilli(value: string | number): number {
  return Number(ceilDivide(parseQuantity(value).nano, 10n ** 6n))
}

function ceilDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value > 0n && value % divisor !== 0n ? quotient + 1n : quotient
}
