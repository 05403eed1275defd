// The two plug-ins that ask webhooks: mutating ones in turn, again where a later one changed the object; validating ones
// side by side.

import type { KindRow } from '@aksel/api/kind-row'
import { deepEqual } from '@aksel/api/deep-equal'
import { jsonPatch } from '@aksel/api/patch/json-patch'
import type { MutatingWebhook } from '@aksel/api/types/admissionregistration-v1'
import { ApiError } from '@aksel/base/errors'
import type { Log } from '@aksel/base/log'
import type { WebhookClient } from '../../webhook/client.ts'
import { codeOf, type WebhookCallOutcome } from '../admission-metrics.ts'
import type { AdmissionContext, AdmissionPlugin, AdmissionRequest, Reinvocation } from '../admission.ts'
import type { CachedList } from './cached-list.ts'
import { RequestAuthorizer } from './evaluation.ts'
import { isExempt } from './matching.ts'
import { Rounds } from './rounds.ts'
import { shownOf, takeBack } from './shown.ts'
import { askHook, failedClosed, HookFailure, rowFor } from './webhook-call.ts'
import type { Hook } from './webhook-source.ts'
import { patchAnnotation } from '../../audit/auditor.ts'

export interface WebhookParts {
  readonly source: CachedList<Hook>
  readonly client: WebhookClient
  readonly log: Log
}

export function validatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (request) => !parts.source.isEmpty && !isExempt(request),
    async validate(request, context) {
      const hooks = await parts.source.get()
      const authorizer = new RequestAuthorizer(context.authorizer, request.user)
      const relevant: (readonly [Hook, KindRow])[] = []
      for (const hook of hooks) {
        const row = await rowFor(hook, request, context, authorizer, 'validating')
        if (row !== undefined) relevant.push([hook, row])
      }
      const outcomes = await Promise.all(
        relevant.map(([hook, row], index) => validateWith(parts, hook, row, request, context, index)),
      )
      const refused = outcomes.find((outcome) => outcome !== undefined)
      if (refused !== undefined) throw refused
    },
  }
}

/** The error that refuses the request, or undefined. */
async function validateWith(
  { client, log }: WebhookParts,
  hook: Hook,
  row: KindRow,
  request: AdmissionRequest,
  context: AdmissionContext,
  index: number,
): Promise<Error | undefined> {
  const measure = measuring(hook, request, context, 'validating')
  try {
    await askHook(client, hook, row, request, context, false)
    measure({ code: 200 })
    return undefined
  } catch (error) {
    measure(outcomeOf(error, hook))
    if (!(error instanceof HookFailure)) return error as Error
    if (hook.isFailClosed) return failedClosed(error)
    log.warn('a webhook failed and is passed over', { webhook: hook.webhook.name, error })
    request.annotations?.set(
      `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`,
      hook.webhook.name,
    )
    return undefined
  }
}

export function mutatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  return {
    name: 'MutatingAdmissionWebhook',
    handles: (request) => !parts.source.isEmpty && !isExempt(request),
    async admit(request, context, rounds) {
      const hooks = await parts.source.get()
      const authorizer = new RequestAuthorizer(context.authorizer, request.user)
      const own = Rounds.of(rounds, 'MutatingAdmissionWebhook')
      own.begin(request.object)
      let changed = false
      for (const [index, hook] of hooks.entries()) {
        // Even a condition is not asked again in a later round, unless the hook is due.
        if (rounds.round > 0 && !own.isDue(hook.id)) continue
        const row = await rowFor(hook, request, context, authorizer, 'admit')
        if (row === undefined) continue
        const mutated = await mutateWith(parts, hook, row, request, context, { rounds, index })
        if (mutated) {
          own.requireOthers()
          rounds.isDue = true
          changed = true
        }
        if ((hook.webhook as MutatingWebhook).reinvocationPolicy === 'IfNeeded') own.invoked(hook.id)
      }
      own.end(request.object)
      return changed
    },
  }
}

async function mutateWith(
  { client, log }: WebhookParts,
  hook: Hook,
  row: KindRow,
  request: AdmissionRequest,
  context: AdmissionContext,
  { rounds, index }: { readonly rounds: Reinvocation; readonly index: number },
): Promise<boolean> {
  const place = `round_${rounds.round}_index_${index}`
  if (request.object !== undefined) request.row.default(request.object)
  const measure = measuring(hook, request, context, 'admit')
  try {
    const { patch } = await askHook(client, hook, row, request, context, true).then(
      (answer) => (measure({ code: 200 }), answer),
      (error: unknown) => {
        measure(outcomeOf(error, hook))
        throw error
      },
    )
    const changed = patch !== undefined && (await applyPatch(hook, row, request, context, patch))
    annotate(request, hook, place, changed)
    if (patch !== undefined) {
      const value = { configuration: hook.configuration, webhook: hook.webhook.name, patch, patchType: 'JSONPatch' }
      request.annotations?.set(`${patchAnnotation}${place}`, JSON.stringify(value))
    }
    return changed
  } catch (error) {
    annotate(request, hook, place, false)
    if (!(error instanceof HookFailure)) throw error
    if (hook.isFailClosed) throw failedClosed(error)
    log.warn('a webhook failed and is passed over', { webhook: hook.webhook.name, error })
    request.annotations?.set(`failed-open.mutating.webhook.admission.k8s.io/${place}`, hook.webhook.name)
    return false
  }
}

type Measured = Omit<WebhookCallOutcome, 'name' | 'kind' | 'operation' | 'seconds'>

/** From now until what it answers is called. */
function measuring(
  { webhook }: Hook,
  { operation, waits }: AdmissionRequest,
  { clock, metrics }: AdmissionContext,
  kind: WebhookCallOutcome['kind'],
): (measured: Measured) => void {
  const startMs = clock.monotonicMs()
  return (measured) => {
    const tookMs = clock.monotonicMs() - startMs
    if (waits !== undefined) waits.webhookMs += tookMs
    metrics.observeWebhook({ ...measured, name: webhook.name, kind, operation, seconds: tookMs / 1000 })
  }
}

function outcomeOf(error: unknown, hook: Hook): Measured {
  if (!(error instanceof HookFailure)) return { rejection: 'no_error', code: codeOf(error) }
  return { rejection: 'calling_webhook_error', failedOpen: !hook.isFailClosed, code: 500 }
}

function annotate(request: AdmissionRequest, hook: Hook, place: string, mutated: boolean): void {
  const value = { configuration: hook.configuration, webhook: hook.webhook.name, mutated }
  request.annotations?.set(`mutation.webhook.admission.k8s.io/${place}`, JSON.stringify(value))
}

async function applyPatch(
  hook: Hook,
  row: KindRow,
  request: AdmissionRequest,
  context: AdmissionContext,
  patch: unknown,
): Promise<boolean> {
  const { object } = await shownOf(request, row)
  if (object === null) {
    throw new ApiError(
      'InternalError',
      `Internal error occurred: admission webhook ${JSON.stringify(hook.webhook.name)} attempted to modify the object, which is not supported for this operation`,
    )
  }
  const before = structuredClone(object)
  try {
    await takeBack(context, request, row, jsonPatch(object, patch))
  } catch (error) {
    throw new ApiError('InternalError', `Internal error occurred: ${(error as Error).message}`, { cause: error })
  }
  return !deepEqual(before, (await shownOf(request, row)).object)
}
