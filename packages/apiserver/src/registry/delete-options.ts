// What a delete may be asked to do, from its body or, where there is none, from its query.

import { invalid, notSupported, type FieldError } from '@aksel/api/field-errors'
import type { Schemas } from '@aksel/api/schema'
import { DecodeFailure } from '@aksel/api/schema-state'
import { ApiError } from '@aksel/base/errors'
import { dryRunErrors, optionsError } from './write-options.ts'

export const propagationPolicies = ['Foreground', 'Background', 'Orphan'] as const
type PropagationPolicy = (typeof propagationPolicies)[number]

/** `ignoreStoreReadErrorWithClusterBreakingPotential` is read and dropped: its gate is off, as upstream ships it. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: PropagationPolicy
  readonly orphanDependents?: boolean
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun: boolean
}

/** A decoded body (`meta/v1.DeleteOptions`), or undefined. Throws BadRequest and Invalid. */
export function deleteOptionsOf(schemas: Schemas, body: unknown, query: URLSearchParams): DeleteOptions {
  const given = body === undefined ? fromQuery(query) : fromBody(schemas, body)
  const errors = errorsOf(given)
  if (errors.length > 0) throw optionsError('DeleteOptions', errors)
  const { gracePeriodSeconds, propagationPolicy, orphanDependents, preconditions, dryRun } = given
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy: propagationPolicy as PropagationPolicy }),
    ...(orphanDependents === undefined ? {} : { orphanDependents }),
    ...(preconditions === undefined ? {} : { preconditions }),
    dryRun: (dryRun ?? []).length > 0,
  }
}

interface Given {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: string | undefined
  readonly orphanDependents?: boolean | undefined
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined
  readonly dryRun?: readonly string[] | undefined
}

function fromBody(schemas: Schemas, body: unknown): Given {
  const { kind } = (typeof body === 'object' && body !== null ? body : {}) as { readonly kind?: unknown }
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions')
    throw new ApiError('BadRequest', 'decoded object cannot be converted to DeleteOptions')
  try {
    return schemas.get('meta/v1.DeleteOptions').decode(body).value as Given
  } catch (error) {
    if (!(error instanceof DecodeFailure)) throw error
    throw new ApiError('BadRequest', error.message, { cause: error })
  }
}

function fromQuery(query: URLSearchParams): Given {
  return {
    gracePeriodSeconds: integerFrom(query.get('gracePeriodSeconds')),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: booleanFrom(query.get('orphanDependents')),
    dryRun: query.getAll('dryRun'),
  }
}

function integerFrom(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text))
    throw new ApiError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

/** As upstream reads a boolean of the query: only `false` and `0` are no. */
function booleanFrom(text: string | null): boolean | undefined {
  if (text === null) return undefined
  return text !== '0' && text.toLowerCase() !== 'false'
}

function errorsOf({ propagationPolicy: policy, orphanDependents, dryRun }: Given): readonly FieldError[] {
  const errors: FieldError[] = []
  if (policy !== undefined && orphanDependents !== undefined) {
    const text = 'orphanDependents and deletionPropagation cannot be both set'
    errors.push(invalid('propagationPolicy', policy, text))
  }
  if (policy !== undefined && !(propagationPolicies as readonly string[]).includes(policy))
    errors.push(notSupported('propagationPolicy', policy, [...propagationPolicies, 'nil']))
  return [...errors, ...dryRunErrors(dryRun ?? [])]
}
