// What a validating policy's expressions get wrong about the kinds that it names: told in its status, and changes nothing else.

import { admissionEnvironment } from '@aksel/cel/admission'
import { compile } from '@aksel/cel/compile'
import { CelCompileError } from '@aksel/cel/problems'
import { dynType, type CelType } from '@aksel/cel/types'
import type { KindRow } from '@aksel/api/kind-row'
import { groupVersionOf } from '@aksel/api/resource'
import type { ApiTables } from '@aksel/api/tables'
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '@aksel/api/types/admissionregistration-v1'
import type { Kinds } from '../../registry/registry.ts'
import { objectTypeOf } from './object-types.ts'

/** More kinds than these are not looked at, as upstream. */
const kindsMax = 10

export function typeWarnings(
  policy: ValidatingAdmissionPolicy,
  kinds: Kinds,
  tables: ApiTables,
): readonly ExpressionWarning[] {
  const rows = kindsToCheck(policy, kinds)
  const types = rows.map((row) => objectTypeOf(row, tables))
  const params = paramsType(policy, kinds, tables)
  const check = (expression: string): string =>
    rows
      .flatMap((row, index) => {
        const object = types[index]
        if (object === undefined) return []
        const complaint = complaintOf(policy, expression, { object, ...(params === undefined ? {} : { params }) })
        return complaint === undefined ? [] : [`${groupVersionOf(row)}, Kind=${row.kind}: ${complaint}\n`]
      })
      .join('\n')
  return (policy.spec.validations ?? []).flatMap(({ expression, messageExpression = '' }, index) => {
    const at = `spec.validations[${index}]`
    const found = [{ fieldRef: `${at}.expression`, warning: check(expression) }]
    if (messageExpression !== '') found.push({ fieldRef: `${at}.messageExpression`, warning: check(messageExpression) })
    return found.filter(({ warning }) => warning !== '')
  })
}

/** Kinds that are named without a wildcard, subresources left out, by group, version and kind. */
export function kindsToCheck({ spec }: ValidatingAdmissionPolicy, kinds: Kinds): readonly KindRow[] {
  const found = new Set<KindRow>()
  for (const rule of spec.matchConstraints?.resourceRules ?? []) {
    const { apiGroups = [], apiVersions = [], resources = [] } = rule
    if ([...apiGroups, ...apiVersions].some((name) => name.includes('*'))) continue
    for (const group of apiGroups.toSorted()) {
      for (const version of apiVersions.toSorted()) {
        for (const resource of resources.toSorted()) {
          const row = /[*/]/.test(resource) ? undefined : kinds.find(group, version, resource)
          if (row !== undefined && found.size < kindsMax) found.add(row)
        }
      }
    }
  }
  const key = ({ group, version, kind }: KindRow): string => `${group}\0${version}\0${kind}`
  return [...found].toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

function paramsType({ spec }: ValidatingAdmissionPolicy, kinds: Kinds, tables: ApiTables): CelType | undefined {
  const { apiVersion, kind } = spec.paramKind ?? {}
  const row = kinds.rows.find((one) => groupVersionOf(one) === apiVersion && one.kind === kind)
  return row === undefined ? undefined : objectTypeOf(row, tables)
}

function complaintOf(
  { spec }: ValidatingAdmissionPolicy,
  expression: string,
  types: { readonly object: CelType; readonly params?: CelType },
): string | undefined {
  const options = { hasParams: spec.paramKind !== undefined, hasAuthorizer: true, types }
  const variables: Record<string, CelType> = {}
  for (const variable of spec.variables ?? []) {
    try {
      const env = admissionEnvironment({ ...options, variables })
      variables[variable.name] = compile(variable.expression, env).outputType
    } catch (error) {
      if (!(error instanceof CelCompileError)) throw error
      variables[variable.name] = dynType
    }
  }
  try {
    compile(expression, admissionEnvironment({ ...options, variables }))
    return undefined
  } catch (error) {
    if (!(error instanceof CelCompileError)) throw error
    return error.message
  }
}
