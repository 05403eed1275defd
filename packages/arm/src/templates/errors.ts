// What is wrong with a template, in Resource Manager's words.

import { ArmError } from '@aksel/base/errors'

/** `InvalidTemplate`: the template cannot be read, or says something that cannot be. */
export function invalidTemplate(details: string): ArmError {
  return new ArmError(400, 'InvalidTemplate', `Deployment template validation failed: '${withEnd(details)}'.`)
}

/** `InvalidTemplate`: an expression of the template cannot be evaluated. */
export function evaluationFailed(details: string): ArmError {
  return new ArmError(
    400,
    'InvalidTemplate',
    `Deployment template language expression evaluation failed: '${withEnd(details)} Please see https://aka.ms/arm-functions for usage details.'.`,
  )
}

/** Thrown within an evaluation; whoever began it knows whose fault it is and says so. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}

/** Says what is wrong with an argument; the caller puts the function's name before it. */
export class BadArgument extends Error {
  override readonly name = 'BadArgument'
}

function withEnd(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
