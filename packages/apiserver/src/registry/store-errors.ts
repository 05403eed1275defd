// What failures of the store are to those who call the API.

import { ApiError } from '@aksel/base/errors'
import { StoreError } from '@aksel/store/store'
import { expiredError } from '../refusals.ts'

export function watchError(error: StoreError, revision: number, oldest: number): ApiError {
  if (error.kind === 'Compacted') return expiredError(`too old resource version: ${revision} (${oldest})`)
  return apiErrorOf(error)
}

function apiErrorOf(error: StoreError): ApiError {
  switch (error.kind) {
    case 'Compacted':
      return expiredError('The resourceVersion for the provided list is too old.')
    case 'FutureRevision':
      return new ApiError('Timeout', `Too large resource version: ${error.message}`, {
        details: {
          retryAfterSeconds: 1,
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        },
        cause: error,
      })
    case 'Closed':
    case 'Locked':
      return new ApiError('ServiceUnavailable', 'the server is shutting down', { cause: error })
    case 'Poisoned':
    case 'Corrupt':
    case 'NoSpace':
      return new ApiError('InternalError', `Internal error occurred: storage: ${error.message}`, { cause: error })
    case 'TooLarge':
      return new ApiError('RequestEntityTooLarge', `Request entity too large: ${error.message}`, { cause: error })
    case 'Unavailable':
      // As upstream answers a storage that cannot be reached: the client tries again, and a write may have happened.
      return new ApiError(
        'ServerTimeout',
        `The operation could not be completed at this time, please try again: ${error.message}`,
        {
          details: { retryAfterSeconds: 1 },
          cause: error,
        },
      )
    default:
      return error.kind satisfies never
  }
}

/** What a store in this process answers without waiting; its errors as the API's. */
export function atOnce<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof StoreError ? apiErrorOf(error) : error
  }
}

/** The store's errors as the API's. */
export async function translated<T>(work: Promise<T> | (() => Promise<T>)): Promise<T> {
  try {
    return await (typeof work === 'function' ? work() : work)
  } catch (error) {
    throw error instanceof StoreError ? apiErrorOf(error) : error
  }
}
