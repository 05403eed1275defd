// Unification of types with parameters: whether an argument fits a declared type, and what that makes of its parameters.

import { dynType, isDynamic, type CelType } from './types.ts'

/** What type parameters stand for, so far. */
export class Substitution {
  #bound: Map<string, CelType>

  constructor(bound: ReadonlyMap<string, CelType> = new Map()) {
    this.#bound = new Map(bound)
  }

  copy(): Substitution {
    return new Substitution(this.#bound)
  }

  adopt(other: Substitution): void {
    this.#bound = other.#bound
  }

  /** Whether `actual` may stand where `declared` is; what that says of parameters is kept only where it may. */
  assign(declared: CelType, actual: CelType): boolean {
    const attempt = this.copy()
    if (!attempt.#unify(declared, actual)) return false
    this.adopt(attempt)
    return true
  }

  assignAll(declared: readonly CelType[], actual: readonly CelType[]): boolean {
    if (declared.length !== actual.length) return false
    const attempt = this.copy()
    if (!declared.every((type, index) => attempt.#unify(type, actual[index]!))) return false
    this.adopt(attempt)
    return true
  }

  #unify(left: CelType, right: CelType): boolean {
    const one = this.#resolve(left)
    const other = this.#resolve(right)
    if (one === other) return true
    if (other.kind === 'param') return this.#bind(other.name, one)
    if (one.kind === 'param') return this.#bind(one.name, other)
    if (isDynamic(one) || isDynamic(other)) return true
    if (one.kind === 'null_type') return acceptsNull(other)
    if (other.kind === 'null_type') return acceptsNull(one)
    if (one.kind !== other.kind) return false
    switch (one.kind) {
      case 'list':
        return this.#unify(one.element, (other as typeof one).element)
      case 'map':
        return this.#unify(one.key, (other as typeof one).key) && this.#unify(one.value, (other as typeof one).value)
      case 'object':
        return one.name === (other as typeof one).name
      case 'opaque': {
        const same = other as typeof one
        return (
          one.name === same.name &&
          one.parameters.length === same.parameters.length &&
          one.parameters.every((type, index) => this.#unify(type, same.parameters[index]!))
        )
      }
      default:
        return true
    }
  }

  #resolve(type: CelType): CelType {
    let resolved = type
    while (resolved.kind === 'param') {
      const bound = this.#bound.get(resolved.name)
      if (bound === undefined) return resolved
      resolved = bound
    }
    return resolved
  }

  #bind(name: string, type: CelType): boolean {
    if (type.kind === 'param' && type.name === name) return true
    if (this.#mentions(type, name)) return false
    this.#bound.set(name, type)
    return true
  }

  #mentions(type: CelType, name: string): boolean {
    const resolved = this.#resolve(type)
    switch (resolved.kind) {
      case 'param':
        return resolved.name === name
      case 'list':
        return this.#mentions(resolved.element, name)
      case 'map':
        return this.#mentions(resolved.key, name) || this.#mentions(resolved.value, name)
      case 'opaque':
        return resolved.parameters.some((parameter) => this.#mentions(parameter, name))
      default:
        return false
    }
  }

  /** The type with its parameters filled in; what stayed open becomes dyn where asked. */
  apply(type: CelType, isFinal = false): CelType {
    const resolved = this.#resolve(type)
    switch (resolved.kind) {
      case 'param':
        return isFinal ? dynType : resolved
      case 'list': {
        const element = this.apply(resolved.element, isFinal)
        return element === resolved.element ? resolved : { ...resolved, element }
      }
      case 'map': {
        const key = this.apply(resolved.key, isFinal)
        const value = this.apply(resolved.value, isFinal)
        return key === resolved.key && value === resolved.value ? resolved : { ...resolved, key, value }
      }
      case 'opaque':
        if (resolved.parameters.length === 0) return resolved
        return { ...resolved, parameters: resolved.parameters.map((parameter) => this.apply(parameter, isFinal)) }
      case 'type':
        return resolved.of === undefined ? resolved : { ...resolved, of: this.apply(resolved.of, isFinal) }
      default:
        return resolved
    }
  }
}

/** Messages, times and abstract types may be absent; plain ones may not. */
function acceptsNull(type: CelType): boolean {
  return ['object', 'opaque', 'timestamp', 'duration', 'null_type'].includes(type.kind)
}
