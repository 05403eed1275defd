// The two contract errors: a Kubernetes Status and an Azure error. Callers ask for the reason or the code, never the text.

/** Kubernetes reasons and their HTTP codes (apimachinery StatusReason). */
export const reasonCodes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  ServerTimeout: 500,
  /** Upstream gives no reason: an error that its handlers did not make a Status of. */
  Unknown: 500,
} as const

export type Reason = keyof typeof reasonCodes

/** One entry of `status.details.causes`. */
export interface Cause {
  readonly reason: string
  readonly message: string
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

/** A Kubernetes `v1 Status`, as it goes over the wire. */
export interface Status {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Readonly<Record<string, unknown>>
  readonly status: 'Success' | 'Failure'
  readonly message?: string
  readonly reason?: string
  readonly details?: StatusDetails
  readonly code: number
}

export interface ApiErrorOptions {
  readonly details?: StatusDetails
  readonly cause?: unknown
  /** HTTP code, where it differs from the reason's own. */
  readonly code?: number
  /** Of the Status: where an expired list may go on. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** An error of the Kubernetes contract. */
export class ApiError extends Error {
  readonly reason: Reason
  readonly code: number
  readonly details: StatusDetails | undefined
  readonly metadata: Readonly<Record<string, unknown>>

  constructor(reason: Reason, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ApiError'
    this.reason = reason
    this.code = options.code ?? reasonCodes[reason]
    this.details = options.details
    this.metadata = options.metadata ?? {}
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      ...(this.reason === 'Unknown' ? {} : { reason: this.reason }),
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    }
  }

  /** The error that a received Status stands for; a reason we do not know becomes InternalError with the Status' code. */
  static fromStatus(status: Partial<Status> & { readonly code?: number }): ApiError {
    const known = status.reason !== undefined && Object.hasOwn(reasonCodes, status.reason)
    const reason = known ? (status.reason as Reason) : reasonOfCode(status.code ?? 500)
    return new ApiError(reason, status.message ?? reason, {
      ...(status.details === undefined ? {} : { details: status.details }),
      ...(status.code === undefined ? {} : { code: status.code }),
      ...(status.metadata === undefined ? {} : { metadata: status.metadata }),
    })
  }
}

function reasonOfCode(code: number): Reason {
  const found = Object.entries(reasonCodes).find(([, value]) => value === code)
  return found === undefined ? 'InternalError' : (found[0] as Reason)
}

export function isReason(error: unknown, ...reasons: readonly Reason[]): error is ApiError {
  return error instanceof ApiError && reasons.includes(error.reason)
}

/** The value, or undefined where the call failed with this reason; any other failure goes on. */
export async function ignoreReason<T>(reason: Reason, promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (isReason(error, reason)) return undefined
    throw error
  }
}

export interface ArmErrorBody {
  readonly code: string
  readonly message: string
  readonly target?: string
  readonly details?: readonly ArmErrorBody[]
  readonly additionalInfo?: readonly { readonly type: string; readonly info: unknown }[]
}

export interface ArmErrorOptions {
  readonly target?: string
  readonly details?: readonly ArmErrorBody[]
  readonly cause?: unknown
}

/** An error of the Azure Resource Manager contract; `status` is the HTTP status it is answered with. */
export class ArmError extends Error {
  readonly status: number
  readonly code: string
  readonly target: string | undefined
  readonly details: readonly ArmErrorBody[] | undefined

  constructor(status: number, code: string, message: string, options: ArmErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ArmError'
    this.status = status
    this.code = code
    this.target = options.target
    this.details = options.details
  }

  /** Azure's envelope: `{ "error": { code, message, … } }`. */
  toBody(): { readonly error: ArmErrorBody } {
    return {
      error: {
        code: this.code,
        message: this.message,
        ...(this.target === undefined ? {} : { target: this.target }),
        ...(this.details === undefined ? {} : { details: this.details }),
      },
    }
  }
}
