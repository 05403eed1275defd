// One question to one admission webhook: the AdmissionReview that goes out, and what may come back.

import type { KindRow } from '@aksel/api/kind-row'
import type { AdmissionResponse, AdmissionReview } from '@aksel/api/types/admission-v1'
import { ApiError, type Status } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { encodeJson, parseJson } from '@aksel/base/json'
import { costOfMatchConditionsMax } from '@aksel/cel/compile'
import { forbiddenError } from '../../refusals.ts'
import { WebhookCallError, type WebhookClient } from '../../webhook/client.ts'
import type { AdmissionContext, AdmissionRequest } from '../admission.ts'
import { judgeConditions } from './conditions.ts'
import { Evaluation, requestOf, type RequestAuthorizer } from './evaluation.ts'
import { matchingRow } from './matching.ts'
import { shownOf } from './shown.ts'
import type { Hook } from './webhook-source.ts'

/** The webhook could not be asked, or its answer is of no use: the failure policy decides. */
export class HookFailure extends Error {
  constructor(hook: Hook, reason: string, cause?: unknown) {
    super(
      `failed calling webhook ${JSON.stringify(hook.webhook.name)}: ${reason}`,
      cause === undefined ? undefined : { cause },
    )
    this.name = 'HookFailure'
  }
}

/** The row in whose version the hook is asked, or undefined where it is not to be asked. Throws an ApiError. */
export async function rowFor(
  hook: Hook,
  request: AdmissionRequest,
  context: AdmissionContext,
  authorizer: RequestAuthorizer,
  type: 'admit' | 'validating',
): Promise<KindRow | undefined> {
  const row = await matchingRow(hook.match, request, context)
  if (row === undefined || hook.conditions.length === 0) return row
  const evaluation = new Evaluation({
    request,
    row,
    shown: await shownOf(request, row),
    authorizer,
    budget: costOfMatchConditionsMax,
  })
  const { isFailClosed } = hook
  const owner = { kind: 'webhook', type, name: hook.webhook.name, isFailClosed } as const
  const verdict = await judgeConditions(hook.conditions, evaluation, owner, context)
  if (verdict === 'met') return row
  if (verdict === 'not met') return undefined
  throw forbiddenError(request.row, nameOf(request), verdict.error)
}

export function nameOf({ name, object }: AdmissionRequest): string {
  return name === '' ? (object?.metadata.name ?? '') : name
}

export interface HookAnswer {
  /** The patch's operations, where the webhook sent one. */
  readonly patch: unknown
}

const defaultTimeoutSeconds = 10

/** Asks. Throws HookFailure, or the ApiError with which the webhook refuses. */
export async function askHook(
  client: WebhookClient,
  hook: Hook,
  row: KindRow,
  request: AdmissionRequest,
  context: AdmissionContext,
  isMutating: boolean,
): Promise<HookAnswer> {
  const { webhook } = hook
  if (request.dryRun && !['None', 'NoneOnDryRun'].includes(webhook.sideEffects)) {
    throw new ApiError('BadRequest', `admission webhook ${JSON.stringify(webhook.name)} does not support dry run`)
  }
  const version = webhook.admissionReviewVersions.find((one) => one === 'v1' || one === 'v1beta1')
  if (version === undefined) {
    throw new HookFailure(
      hook,
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)',
    )
  }
  const uid = uuid(context.random)
  const timeoutMs = timeoutOf(hook, request, context)
  const answer = await call(client, hook, request, { review: await reviewOf(uid, version, row, request), timeoutMs })
  const response = verified(hook, answer, { uid, version, isMutating })
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {})) {
    request.annotations?.set(`${webhook.name}/${key}`, value)
  }
  for (const warning of response.warnings ?? []) request.warnings.add(warning)
  if (!response.allowed) throw refusal(webhook.name, response.status as Partial<Status> | undefined)
  return { patch: response.patch === undefined ? undefined : patchOf(hook, response.patch) }
}

async function reviewOf(uid: string, version: string, row: KindRow, request: AdmissionRequest): Promise<unknown> {
  const shown = await shownOf(request, row)
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...requestOf(request, row, shown),
      object: shown.object,
      oldObject: shown.old,
      options: request.options ?? null,
    },
  }
}

/** Its own, or what its queue and the webhooks before it have left. */
function timeoutOf({ webhook }: Hook, { waits }: AdmissionRequest, { clock }: AdmissionContext): number {
  const { timeoutSeconds = defaultTimeoutSeconds } = webhook
  if (waits === undefined) return timeoutSeconds * 1000
  return Math.min(timeoutSeconds * 1000, Math.max(0, waits.webhooksUntilMs - clock.monotonicMs()))
}

interface Question {
  readonly review: unknown
  readonly timeoutMs: number
}

async function call(
  client: WebhookClient,
  hook: Hook,
  request: AdmissionRequest,
  { review, timeoutMs }: Question,
): Promise<unknown> {
  const { clientConfig, timeoutSeconds = defaultTimeoutSeconds } = hook.webhook
  try {
    return await client.post({
      target: clientConfig,
      body: encodeJson(review),
      saidTimeoutMs: timeoutSeconds * 1000,
      timeoutMs,
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    })
  } catch (error) {
    if (!(error instanceof WebhookCallError)) throw error
    throw new HookFailure(hook, `failed to call webhook: ${error.message}`, error)
  }
}

interface Expected {
  readonly uid: string
  readonly version: string
  readonly isMutating: boolean
}

function verified(hook: Hook, answer: unknown, { uid, version, isMutating }: Expected): AdmissionResponse {
  const invalid = (why: string): HookFailure => new HookFailure(hook, `received invalid webhook response: ${why}`)
  const review = (typeof answer === 'object' && answer !== null ? answer : {}) as AdmissionReview
  const { response } = review
  if (response === undefined || response === null) throw invalid('webhook response was absent')
  if (version === 'v1') {
    if (response.uid !== uid)
      throw invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`)
    if (review.kind !== 'AdmissionReview' || review.apiVersion !== 'admission.k8s.io/v1') {
      const got = `${review.apiVersion ?? ''}, Kind=${review.kind ?? ''}`
      throw invalid(`expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${got}`)
    }
  }
  const hasPatch = (response.patch ?? '') !== ''
  const hasType = response.patchType !== undefined && response.patchType !== null
  if (!isMutating) {
    if (version === 'v1' && hasPatch) throw invalid('validating webhook may not return response.patch')
    if (version === 'v1' && hasType) throw invalid('validating webhook may not return response.patchType')
    const { patch: _, ...rest } = response
    return rest
  }
  if (version !== 'v1') return hasPatch ? response : withoutPatch(response)
  if (hasPatch && !hasType) throw invalid('webhook returned response.patch but not response.patchType')
  if (!hasPatch && hasType) throw invalid('webhook returned response.patchType but not response.patch')
  if (hasType && response.patchType !== 'JSONPatch')
    throw invalid(`webhook returned invalid response.patchType of ${JSON.stringify(response.patchType)}`)
  return hasPatch ? response : withoutPatch(response)
}

function withoutPatch(response: AdmissionResponse): AdmissionResponse {
  const { patch: _, ...rest } = response
  return rest
}

function patchOf(hook: Hook, text: string): unknown {
  try {
    return parseJson(Buffer.from(text, 'base64'))
  } catch (error) {
    throw new ApiError(
      'InternalError',
      `Internal error occurred: webhook ${JSON.stringify(hook.webhook.name)}: ${(error as Error).message}`,
      { cause: error },
    )
  }
}

/** What a client is told of a refusal: the webhook's own code and reason, never a success. */
function refusal(name: string, status: Partial<Status> | undefined): ApiError {
  const deniedBy = `admission webhook ${JSON.stringify(name)} denied the request`
  const { message = '', reason = '', code = 0, details } = status ?? {}
  const why = message !== '' ? `: ${message}` : reason !== '' ? `: ${reason}` : ' without explanation'
  return ApiError.fromStatus({
    message: deniedBy + why,
    ...(reason === '' ? {} : { reason }),
    code: code < 400 ? 400 : code,
    ...(details === undefined || details === null ? {} : { details }),
  })
}

/** The answer to a client whose request a webhook holds up that cannot be asked. */
export function failedClosed(failure: HookFailure): ApiError {
  return new ApiError('InternalError', `Internal error occurred: ${failure.message}`, {
    details: { causes: [{ reason: '', message: failure.message }] },
    cause: failure,
  })
}
