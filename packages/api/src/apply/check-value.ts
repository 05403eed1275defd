// Does a configuration fit its type? In the words in which upstream's merge refuses one.

import { goShow } from '../go-format.ts'
import { ElementError, itemElement, showElement } from './path-element.ts'
import { isMap, shapeOf, typeOfEntry, type ListSchema, type MapSchema, type TypeSchema } from './type-schema.ts'

/** What is wrong, as `.spec.foo: field not declared in schema`; several complaints stand below each other. Undefined: nothing. */
export function complaintsOf(type: TypeSchema, value: unknown): string | undefined {
  const found: string[] = []
  check(type, value, '', found)
  if (found.length <= 1) return found[0]
  return ['errors:', ...found.map((line) => `  ${line}`)].join('\n')
}

function complain(path: string, text: string): string {
  return path === '' ? text : `${path}: ${text}`
}

function check(type: TypeSchema, value: unknown, path: string, found: string[]): void {
  if (value === undefined || value === null) return
  switch (shapeOf(type, value)) {
    case 'scalar': {
      const text = scalarComplaint(type, value)
      if (text !== undefined) found.push(complain(path, text))
      return
    }
    case 'list':
      if (Array.isArray(value)) checkItems(type.list!, value, path, found)
      else found.push(complain(path, `expected list, got &{${goShow(value)}}`))
      return
    case 'map':
      if (isMap(value)) checkEntries(type.map!, value, path, found)
      else found.push(complain(path, `expected map, got &{${goShow(value)}}`))
  }
}

function scalarComplaint(type: TypeSchema, value: unknown): string | undefined {
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  switch (type.scalar) {
    case 'numeric':
      return isNumber ? undefined : `expected numeric (int or float), got ${goType(value)}`
    case 'string':
      return typeof value === 'string'
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goShow(value)}}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goShow(value)}}`
    case 'untyped':
    case undefined:
      return isNumber || typeof value === 'string' || typeof value === 'boolean'
        ? undefined
        : `expected any scalar, got &{${goShow(value)}}`
  }
}

function goType(value: unknown): string {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'bool'
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}'
}

function checkItems(list: ListSchema, items: readonly unknown[], path: string, found: string[]): void {
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    let element = `i:${index}`
    if (list.kind !== 'atomic') {
      try {
        element = itemElement(list, item)
      } catch (error) {
        if (!(error instanceof ElementError)) throw error
        found.push(complain(path, `element ${index}: ${error.message}`))
        return
      }
      if (seen.has(element)) found.push(complain(path, `duplicate entries for key ${showElement(element)}`))
      seen.add(element)
    }
    check(list.item(), item, `${path}${showElement(element)}`, found)
  }
}

function checkEntries(map: MapSchema, value: Readonly<Record<string, unknown>>, path: string, found: string[]): void {
  for (const key of Object.keys(value)) {
    const type = typeOfEntry(map, key)
    if (type === undefined) {
      found.push(complain(`${path}.${key}`, 'field not declared in schema'))
      return
    }
    check(type, value[key], `${path}.${key}`, found)
  }
}
