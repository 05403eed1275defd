// What a junctor restricts must be there outside of it too, with a type.

import { required, type FieldError } from '../../field-errors.ts'
import type { JSONSchemaProps } from '../../types/apiextensions-v1.ts'
import { isSchema } from '../schema-node.ts'

/** `restricting` stands at `from`, and restricts what `structural` at `path` gives its shape. */
export function completenessErrors(
  restricting: JSONSchemaProps,
  structural: JSONSchemaProps,
  path: string,
  from: string,
): readonly FieldError[] {
  const { not, allOf = [], anyOf = [], oneOf = [] } = restricting
  const errors: FieldError[] = []
  if (not !== undefined) errors.push(...nested(not, structural, path, `${from}.not`))
  for (const [name, list] of [
    ['allOf', allOf],
    ['anyOf', anyOf],
    ['oneOf', oneOf],
  ] as const) {
    for (const [index, one] of list.entries())
      errors.push(...nested(one, structural, path, `${from}.${name}[${index}]`))
  }
  return errors
}

function nested(
  restricting: JSONSchemaProps,
  structural: JSONSchemaProps | undefined,
  path: string,
  from: string,
): readonly FieldError[] {
  if (structural === undefined) return [required(path, `because it is defined in ${from}`)]
  const errors = [...completenessErrors(restricting, structural, path, from)]
  if (isSchema(restricting.items)) {
    const items = isSchema(structural.items) ? structural.items : undefined
    errors.push(...nested(restricting.items, items, `${path}.items`, `${from}.items`))
  }
  for (const [key, one] of Object.entries(restricting.properties ?? {})) {
    const own = structural.properties?.[key]
    errors.push(...nested(one, own, `${path}.properties[${key}]`, `${from}.properties[${key}]`))
  }
  return errors
}
