// What etcd's refusals mean to the store's callers.

import type { ServiceError } from '@grpc/grpc-js'
import { StoreError } from '../store.ts'

/** gRPC's status codes, as far as etcd uses them. */
export const grpcStatus = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  failedPrecondition: 9,
  outOfRange: 11,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

/** Another member may do better. */
export function isTransient(error: ServiceError): boolean {
  return (
    error.code === grpcStatus.unavailable ||
    error.code === grpcStatus.deadlineExceeded ||
    (error.code === grpcStatus.internal && /RST_STREAM|GOAWAY|connection/i.test(error.details))
  )
}

/**
 * The request certainly did nothing, so that it may be sent again even when it writes: no connection was made, or the member
 * had no leader to hand it to.
 */
export function wasNotTried(error: ServiceError): boolean {
  if (error.code !== grpcStatus.unavailable) return false
  return /No connection established|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|etcdserver: no leader/i.test(error.details)
}

export function storeErrorOf(error: ServiceError): StoreError {
  const { details } = error
  if (details.includes('required revision has been compacted')) {
    return new StoreError('Compacted', 'the revision is compacted', error)
  }
  if (details.includes('required revision is a future revision')) {
    return new StoreError('FutureRevision', 'the revision is not there yet', error)
  }
  if (error.code === grpcStatus.resourceExhausted && details.includes('space exceeded')) {
    return new StoreError('NoSpace', `Cannot write to etcd: ${details}`, error)
  }
  if (/request is too large|too many operations|larger than max/i.test(details)) {
    return new StoreError('TooLarge', `Cannot write to etcd: ${details}`, error)
  }
  return new StoreError('Unavailable', `etcd does not answer: ${details}`, error)
}
