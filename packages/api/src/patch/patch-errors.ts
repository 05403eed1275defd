// How a patch is refused: 400 where it is no patch, 422 where it does not fit, 500 without a reason where upstream's
// handlers make no Status of what the merge says.

import { ApiError } from '@aksel/base/errors'

export function malformedPatch(message: string): ApiError {
  return new ApiError('BadRequest', message)
}

/** Upstream's server keeps to itself why. */
export function unfitPatch(why: string): ApiError {
  return new ApiError('Invalid', 'the server rejected our request due to an error in our request', {
    details: {},
    cause: new Error(why),
  })
}

export function failedPatch(message: string): ApiError {
  return new ApiError('Unknown', message)
}
