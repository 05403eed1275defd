// What a claim's devices must have in common, or must not: matchAttribute and distinctAttribute.

import type { DeviceAttribute, DeviceConstraint } from '@aksel/api/types/resource-v1'
import type { OfferedDevice } from './pools.ts'

export class Constraint {
  readonly #requests: ReadonlySet<string>
  readonly #attribute: string
  readonly #isDistinct: boolean
  /** Values of the devices so far, in order. */
  readonly #values: string[] = []

  constructor({ requests = [], matchAttribute, distinctAttribute }: DeviceConstraint) {
    this.#requests = new Set(requests)
    this.#attribute = matchAttribute ?? distinctAttribute ?? ''
    this.#isDistinct = matchAttribute === undefined
  }

  /** `reference`: `request`, or `request/alternative`. */
  concerns(reference: string): boolean {
    const [request] = reference.split('/')
    return this.#requests.size === 0 || this.#requests.has(request!) || this.#requests.has(reference)
  }

  /** False where the device does not go with the others; else it counts until `remove`. */
  add(device: OfferedDevice): boolean {
    const attribute = attributeOf(device, this.#attribute)
    if (attribute === undefined) return false
    const value = JSON.stringify(attribute)
    const goesWithOthers = this.#isDistinct
      ? !this.#values.includes(value)
      : this.#values.length === 0 || this.#values[0] === value
    if (goesWithOthers) this.#values.push(value)
    return goesWithOthers
  }

  /** The last that was added. */
  remove(): void {
    this.#values.pop()
  }
}

/** A name with a domain; one of the driver's own may stand without it in the device. */
function attributeOf({ driver, device }: OfferedDevice, name: string): DeviceAttribute | undefined {
  const found = device.attributes?.[name]
  if (found !== undefined) return found
  const slash = name.indexOf('/')
  return name.slice(0, slash) === driver ? device.attributes?.[name.slice(slash + 1)] : undefined
}
