// A device as expressions see it, and whether an expression picks it.

import { parseQuantity } from '@aksel/base/quantity'
import type { Program } from './compile.ts'
import { deviceCostMax } from './devices.ts'
import { QuantityValue } from './library/quantity.ts'
import { parseSemver } from './library/semver.ts'
import { CelEvaluationError } from './problems.ts'
import { ArrayList, LiteralMap, MapValue, type Value } from './values.ts'

interface Attribute {
  readonly int?: number
  readonly bool?: boolean
  readonly string?: string
  readonly version?: string
  readonly ints?: readonly number[]
  readonly bools?: readonly boolean[]
  readonly strings?: readonly string[]
  readonly versions?: readonly string[]
}

/** What a driver tells of a device. Names without a domain are of the driver's own. */
export interface DescribedDevice {
  readonly driver: string
  readonly allowMultipleAllocations?: boolean
  readonly attributes?: Readonly<Record<string, Attribute>>
  readonly capacity?: Readonly<Record<string, { readonly value: string | number }>>
}

/** By domain and name. A domain that the device does not know reads as one without names, as upstream has it. */
class Domains extends MapValue {
  readonly #domains = new LiteralMap()
  static readonly #none = new LiteralMap()

  add(name: string, driver: string, value: Value): void {
    const slash = name.indexOf('/')
    const domain = slash < 0 ? driver : name.slice(0, slash)
    let names = this.#domains.get(domain) as LiteralMap | undefined
    if (names === undefined) this.#domains.set(domain, (names = new LiteralMap()))
    names.set(name.slice(slash + 1), value)
  }

  get size(): number {
    return this.#domains.size
  }

  get(key: Value): Value {
    return this.#domains.get(key) ?? Domains.#none
  }

  override has(key: Value): boolean {
    return this.#domains.get(key) !== undefined
  }

  keys(): Iterable<Value> {
    return this.#domains.keys()
  }
}

/** To be made once per device: expressions share it. */
export function deviceValue(device: DescribedDevice): Readonly<Record<string, unknown>> {
  const { driver } = device
  const attributes = new Domains()
  for (const [name, attribute] of Object.entries(device.attributes ?? {}))
    attributes.add(name, driver, valueOf(attribute))
  const capacity = new Domains()
  for (const [name, { value }] of Object.entries(device.capacity ?? {}))
    capacity.add(name, driver, new QuantityValue(parseQuantity(value)))
  return { driver, allowMultipleAllocations: device.allowMultipleAllocations ?? false, attributes, capacity }
}

/** Throws CelEvaluationError or CelCostError where the expression cannot tell. */
export function picksDevice(program: Program, device: ReturnType<typeof deviceValue>): boolean {
  const { value } = program.evaluate({ device }, { costMax: deviceCostMax })
  if (typeof value !== 'boolean') throw new CelEvaluationError('CEL result of type that could not be converted to bool')
  return value
}

function valueOf(attribute: Attribute): Value {
  const { int, bool, string, version, ints, bools, strings, versions } = attribute
  if (int !== undefined) return BigInt(int)
  if (bool !== undefined) return bool
  if (string !== undefined) return string
  if (version !== undefined) return versionOf(version)
  if (ints !== undefined) return new ArrayList(ints.map(BigInt))
  const list = bools ?? strings ?? versions?.map(versionOf)
  if (list === undefined) throw new CelEvaluationError('unsupported attribute value')
  return new ArrayList(list)
}

function versionOf(text: string): Value {
  const version = parseSemver(text)
  if (version === undefined) throw new CelEvaluationError(`parse semantic version: "${text}"`)
  return version
}
