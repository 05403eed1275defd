// A sealed value where nothing opens it: the server was started without the keys.

import { ApiError } from '@aksel/base/errors'

export const sealedPrefix = 'k8s:enc:'
const bytes = Buffer.from(sealedPrefix)

export function isSealed(value: Uint8Array): boolean {
  return value[0] === bytes[0] && bytes.equals(value.subarray(0, bytes.length))
}

/** In upstream's words. `keyPrefix`: of the cluster; what stands behind it is the place of the object. */
export function sealedError(keyPrefix: string, key: string): ApiError {
  const why = 'identity transformer tried to read encrypted data'
  return new ApiError(
    'InternalError',
    `Internal error occurred: unable to transform key "/registry/${key.slice(keyPrefix.length)}": ${why}`,
  )
}
