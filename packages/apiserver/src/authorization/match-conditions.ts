// Which requests a webhook is asked about: CEL over the SubjectAccessReview that it would be sent.

import { compile, costOfMatchConditionsMax, type Program } from '@aksel/cel/compile'
import { environment } from '@aksel/cel/environment'
import { listOf, mapOf, objectType, stringType } from '@aksel/cel/types'
import type { ReviewSpec } from './review.ts'

const requirement = { key: stringType, operator: stringType, values: listOf(stringType) }

const requestType = objectType('kubernetes.SubjectAccessReviewSpec', {
  resourceAttributes: objectType('kubernetes.ResourceAttributes', {
    namespace: stringType,
    verb: stringType,
    group: stringType,
    version: stringType,
    resource: stringType,
    subresource: stringType,
    name: stringType,
    fieldSelector: objectType('kubernetes.FieldSelectorAttributes', {
      rawSelector: stringType,
      requirements: listOf(objectType('kubernetes.FieldSelectorRequirement', requirement)),
    }),
    labelSelector: objectType('kubernetes.LabelSelectorAttributes', {
      rawSelector: stringType,
      requirements: listOf(objectType('kubernetes.LabelSelectorRequirement', requirement)),
    }),
  }),
  nonResourceAttributes: objectType('kubernetes.NonResourceAttributes', { path: stringType, verb: stringType }),
  user: stringType,
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
  uid: stringType,
})

const overReview = environment({ variables: { request: requestType } })

/** Throws where the expression does not compile or gives no bool. */
export function reviewProgram(expression: string): Program {
  const program = compile(expression, overReview)
  if (program.outputType.kind !== 'bool') throw new Error('must evaluate to bool')
  return program
}

/** Throws where one of them failed and none was false. */
export function meetsAll(programs: readonly Program[], request: ReviewSpec): boolean {
  const errors: string[] = []
  let left = costOfMatchConditionsMax
  for (const program of programs) {
    try {
      const { value } = program.evaluate({ request }, { costMax: left, onCost: (units) => (left -= units) })
      if (value === false) return false
    } catch (error) {
      errors.push(
        `cel evaluation error: expression '${program.expression}' resulted in error: ${(error as Error).message}`,
      )
    }
  }
  if (errors.length > 0) throw new Error(errors.join(', '))
  return true
}
