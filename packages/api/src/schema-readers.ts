// Readers for everything that is not a struct: scalars, lists, maps, and the types with a JSON shape of their own.

import { canonicalQuantity, QuantityError } from '@aksel/base/quantity'
import { canonicalMicroTime, canonicalTime } from './times.ts'
import { DecodeFailure, MapKey, type Reader } from './schema-state.ts'

/** `[]core/v1.Container` → `[]v1.Container`, as Go's messages name it. */
export function goTypeName(t: string): string {
  return t.replace(/^((?:\[\]|map\[\w+\])*)(.*)$/, (_all, lead: string, rest: string) => {
    if (!rest.includes('.')) return lead + (goScalars[rest] ?? rest)
    const [packagePath, name] = [rest.slice(0, rest.lastIndexOf('.')), rest.slice(rest.lastIndexOf('.') + 1)]
    return `${lead}${packagePath.slice(packagePath.lastIndexOf('/') + 1)}.${name}`
  })
}

const goScalars: Readonly<Record<string, string>> = { double: 'float64', bytes: '[]uint8', any: 'interface {}' }

export function scalarReader(t: string): Reader | undefined {
  switch (t) {
    case 'string':
      return (value, state) => {
        if (typeof value === 'string') return value
        if (value === null) return ''
        throw state.mismatch(value, 'string')
      }
    case 'bool':
      return (value, state) => {
        if (typeof value !== 'boolean') throw state.mismatch(value, 'bool')
        return value
      }
    case 'int32':
    case 'int64':
      return (value, state) => {
        if (!Number.isInteger(value) && typeof value !== 'bigint') throw state.mismatch(value, t)
        return value
      }
    case 'double':
      return (value, state) => {
        if (typeof value !== 'number') throw state.mismatch(value, 'float64')
        return value
      }
    case 'bytes':
      return readBytes
    case 'any':
      return (value) => value
    default:
      return undefined
  }
}

const base64Letters = /^[A-Za-z0-9+/]*={0,2}$/

/** Two looks, as one expression that counts by four takes ten times as long. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && base64Letters.test(text)
}

const readBytes: Reader = (value, state) => {
  if (value === null) return ''
  if (typeof value !== 'string') throw state.mismatch(value, '[]uint8')
  if (isBase64(value)) return value
  const compact = value.replace(/[\r\n]/g, '')
  if (isBase64(compact)) return compact
  const bad = compact.search(/[^A-Za-z0-9+/]/)
  throw new DecodeFailure(`illegal base64 data at input byte ${bad < 0 ? compact.length - (compact.length % 4) : bad}`)
}

export function arrayReader(item: Reader, t: string): Reader {
  const typeName = goTypeName(t)
  return (value, state) => {
    if (!Array.isArray(value)) throw state.mismatch(value, typeName)
    const output: unknown[] = []
    for (let index = 0; index < value.length; index += 1) {
      state.path.push(index)
      output.push(item(value[index], state))
      state.path.pop()
    }
    return output
  }
}

export function mapReader(item: Reader, t: string): Reader {
  const typeName = goTypeName(t)
  return (value, state) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw state.mismatch(value, typeName)
    const input = value as Record<string, unknown>
    const output: Record<string, unknown> = {}
    for (const key of sortedKeys(input)) {
      state.path.push(new MapKey(key))
      const read = item(input[key], state)
      state.path.pop()
      if (key === '__proto__')
        Object.defineProperty(output, key, { value: read, enumerable: true, writable: true, configurable: true })
      else output[key] = read
    }
    return output
  }
}

/** Keys in byte order, as Go writes maps. */
function sortedKeys(input: object): readonly string[] {
  const keys = Object.keys(input)
  for (let at = 1; at < keys.length; at += 1) if (keys[at - 1]! > keys[at]!) return keys.sort()
  return keys
}

/** The reader of a message whose JSON is not an object of its fields; `js` is the table's word. */
export function shapeReader(reference: string, js: string, message: (reference: string) => Reader): Reader {
  const typeName = goTypeName(reference)
  switch (js) {
    case 'string':
      return stringShape(reference, typeName)
    case 'list':
      return arrayReader(scalarReader('string')!, '[]string')
    case 'int-or-string':
      return (value, state) => {
        if (typeof value === 'string' || (Number.isInteger(value) && (value as number) === ((value as number) | 0)))
          return value
        if (value === null) return 0
        throw state.mismatch(value, typeof value === 'number' ? 'int32' : 'string')
      }
    case 'quantity':
      return readQuantity
    case 'any':
    case 'envelope':
      return (value) => value
    case 'object':
      return (value, state) => {
        if (value === null) return undefined
        if (typeof value !== 'object') throw state.mismatch(value, typeName)
        return value
      }
    default:
      return schemaShape(reference, js, message)
  }
}

const readQuantity: Reader = (value) => {
  if (value === null) return '0'
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    throw new DecodeFailure(
      `quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    )
  }
  try {
    return canonicalQuantity(value)
  } catch (error) {
    if (error instanceof QuantityError) throw new DecodeFailure(error.message)
    throw error
  }
}

function stringShape(reference: string, typeName: string): Reader {
  const canonical = { 'meta/v1.Time': canonicalTime, 'meta/v1.MicroTime': canonicalMicroTime }[reference]
  return (value, state) => {
    if (value === null || value === '') return undefined
    if (typeof value !== 'string') throw state.mismatch(value, typeName)
    if (canonical === undefined) return value
    const text = canonical(value)
    if (text === undefined)
      throw new DecodeFailure(
        `parsing time "${value}" as "2006-01-02T15:04:05Z07:00": cannot parse "${value}" as "2006"`,
      )
    return text
  }
}

/** JSON schema's own alternatives: a schema, or a list, a boolean, or a list of strings. */
function schemaShape(reference: string, js: string, message: (reference: string) => Reader): Reader {
  const groupVersion = reference.slice(0, reference.lastIndexOf('.'))
  const schema = message(`${groupVersion}.JSONSchemaProps`)
  const list =
    js === 'schema-or-string-array'
      ? arrayReader(scalarReader('string')!, '[]string')
      : arrayReader(schema, '[]JSONSchemaProps')
  return (value, state) => {
    if (js === 'schema-or-bool' && typeof value === 'boolean') return value
    return js !== 'schema-or-bool' && Array.isArray(value) ? list(value, state) : schema(value, state)
  }
}
