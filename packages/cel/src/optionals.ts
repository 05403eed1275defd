// Optional values: `a.?b`, `a[?k]`, `optional.of(x)`, `o.orValue(d)`.

import { declare, type FunctionDeclaration } from './functions.ts'
import { CelEvaluationError } from './problems.ts'
import { lookUp } from './standard.ts'
import { ArrayList, ListValue, MapValue, Optional, sizeOf, Uint, type Value } from './values.ts'

const none = new Optional(undefined)

function find(container: Value, key: Value): Optional {
  const inner = container instanceof Optional ? container.value : container
  if (inner === undefined) return none
  return new Optional(lookUp(inner, key))
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === '') return true
  if (value instanceof Uint) return value.value === 0n
  return (value instanceof ListValue || value instanceof MapValue || value instanceof Uint8Array) && sizeOf(value) === 0
}

function first(list: ListValue, index: number): Optional {
  return new Optional(index >= 0 && index < list.size ? list.at(index) : undefined)
}

export const optionalFunctions: readonly FunctionDeclaration[] = [
  declare('optional.of', { '(T) -> optional<T>': (value: Value) => new Optional(value) }),
  declare('optional.ofNonZeroValue', {
    '(T) -> optional<T>': (value: Value) => (isZero(value) ? none : new Optional(value)),
  }),
  declare('optional.none', { '() -> optional<T>': () => none }),
  declare('hasValue', { 'optional<T>.() -> bool': (optional: Optional) => optional.value !== undefined }),
  declare('value', {
    'optional<T>.() -> T': (optional: Optional) => {
      if (optional.value === undefined) throw new CelEvaluationError('optional.none() dereference')
      return optional.value
    },
  }),
  declare('or', {
    'optional<T>.(optional<T>) -> optional<T>': (optional: Optional, other: Optional) =>
      optional.value === undefined ? other : optional,
  }),
  declare('orValue', {
    'optional<T>.(T) -> T': (optional: Optional, other: Value) => optional.value ?? other,
  }),
  declare('_[?_]', {
    '(list<T>, int) -> optional<T>': find,
    '(optional<list<T>>, int) -> optional<T>': find,
    '(map<K, V>, K) -> optional<V>': find,
    '(optional<map<K, V>>, K) -> optional<V>': find,
  }),
  declare('_[_]', {
    '(optional<list<T>>, int) -> optional<T>': find,
    '(optional<map<K, V>>, K) -> optional<V>': find,
  }),
  declare('first', { 'list<T>.() -> optional<T>': (list: ListValue) => first(list, 0) }),
  declare('last', { 'list<T>.() -> optional<T>': (list: ListValue) => first(list, list.size - 1) }),
  declare('optional.unwrap', { '(list<optional<T>>) -> list<T>': unwrap }),
  declare('unwrapOpt', { 'list<optional<T>>.() -> list<T>': unwrap }),
]

function unwrap(list: ListValue): ListValue {
  const items = [...list].flatMap((item) => (item instanceof Optional && item.value !== undefined ? [item.value] : []))
  return new ArrayList(items)
}
