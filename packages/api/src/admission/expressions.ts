// The expressions of a policy, judged together: variables may use those before them, and everything else may use them all.

import { admissionEnvironment, compileAdmission } from '@aksel/cel/admission'
import { compile } from '@aksel/cel/compile'
import { CelCompileError } from '@aksel/cel/problems'
import { escapeField } from '@aksel/cel/escaping'
import { invalid, required, type FieldError } from '../field-errors.ts'
import type { CelType } from '@aksel/cel/types'
import type { Variable } from '../types/admissionregistration-v1.ts'

export interface PolicyExpressions {
  readonly hasParams: boolean
  readonly hasPatches: boolean
  /** Types of the variables so far. */
  readonly variables: Record<string, CelType>
}

export function validateVariables(
  variables: readonly Variable[] | undefined,
  expressions: PolicyExpressions,
  path: string,
): readonly FieldError[] {
  return (variables ?? []).flatMap((variable, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = []
    const name = variable.name ?? ''
    if (name.trim() === '') errors.push(required(`${at}.name`, 'name is not specified'))
    else if (escapeField(name) !== name) {
      errors.push(invalid(`${at}.name`, name, 'name is not a valid CEL identifier'))
    }
    const expression = variable.expression ?? ''
    if (expression.trim() === '') return [...errors, required(`${at}.expression`, 'expression is not specified')]
    const env = admissionEnvironment({ ...expressions, hasAuthorizer: true })
    try {
      expressions.variables[name] = compile(expression, env).outputType
    } catch (error) {
      if (!(error instanceof CelCompileError)) throw error
      errors.push(invalid(`${at}.expression`, expression, `compilation failed: ${error.message}`))
      expressions.variables[name] = { kind: 'dyn' }
    }
    return errors
  })
}

export interface JudgedExpression {
  readonly text: string
  readonly path: string
  readonly outputs: readonly CelType[]
  readonly hasAuthorizer: boolean
}

export function validateExpression(
  { text, path, outputs, hasAuthorizer }: JudgedExpression,
  expressions: PolicyExpressions,
): readonly FieldError[] {
  const { complaint } = compileAdmission(text, admissionEnvironment({ ...expressions, hasAuthorizer }), ...outputs)
  return complaint === undefined ? [] : [invalid(path, text, complaint)]
}
