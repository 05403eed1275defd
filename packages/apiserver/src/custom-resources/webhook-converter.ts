// Conversion of custom resources by a webhook: the review that is sent, and a strict look at what comes back.

import type { ConvertObjects } from '@aksel/api/custom/stored-form'
import { invalidError } from '@aksel/api/field-errors'
import type { KubernetesObject } from '@aksel/api/resource'
import type { CustomResourceDefinition, WebhookClientConfig } from '@aksel/api/types/apiextensions-v1'
import { validateAnnotations, validateLabels } from '@aksel/api/validation/metadata'
import { ApiError } from '@aksel/base/errors'
import { encodeJson } from '@aksel/base/json'
import { uuid, type Random } from '@aksel/base/ids'

type Json = Readonly<Record<string, unknown>>

/** Posts a body to where the webhook is; rejects with an Error whose message says what went wrong. */
export type PostReview = (target: WebhookClientConfig, body: Uint8Array) => Promise<unknown>

export function webhookConverter(
  post: PostReview,
  random: Random,
  definition: CustomResourceDefinition,
): ConvertObjects {
  const { webhook } = definition.spec.conversion!
  const version = (webhook?.conversionReviewVersions ?? []).find((one) => one === 'v1' || one === 'v1beta1')
  const target = targetOf(webhook?.clientConfig ?? {})
  return async (objects, apiVersion) => {
    const kind = kindText(objects[0]!)
    if (version === undefined) throw failure('no supported conversion review versions')
    const uid = uuid(random)
    const request = { uid, desiredAPIVersion: apiVersion, objects }
    const review = { kind: 'ConversionReview', apiVersion: `apiextensions.k8s.io/${version}`, request }
    let converted: readonly unknown[]
    try {
      converted = convertedObjects(await post(target, encodeJson(review)), uid, version)
    } catch (error) {
      throw failure(`conversion webhook for ${kind} failed: ${(error as Error).message}`, error)
    }
    if (converted.length !== objects.length)
      throw failure(`conversion webhook for ${kind} returned ${converted.length} objects, expected ${objects.length}`)
    return objects.map((original, index) => {
      try {
        return checked(original, converted[index], apiVersion)
      } catch (error) {
        const text = (error as Error).message
        const words = text.startsWith('metadata: ')
          ? `invalid metadata in object at index ${index}: ${text.slice(10)}`
          : `invalid converted object at index ${index}: ${text}`
        throw failure(`conversion webhook for ${kind} returned ${words}`, error)
      }
    })
  }
}

/** A bundle of blanks is none. */
function targetOf(config: WebhookClientConfig): WebhookClientConfig {
  const { caBundle = '', ...rest } = config
  return caBundle === '' || atob(caBundle).trim() === '' ? rest : config
}

function failure(message: string, cause?: unknown): ApiError {
  return new ApiError('InternalError', message, { cause })
}

/** `example.com/v1, Kind=Widget` */
function kindText({ apiVersion = '', kind = '' }: KubernetesObject): string {
  return `${apiVersion}, Kind=${kind}`
}

function convertedObjects(answer: unknown, uid: string, version: 'v1' | 'v1beta1'): readonly unknown[] {
  const review = (typeof answer === 'object' && answer !== null ? answer : {}) as Json
  if (version === 'v1' && (review['kind'] !== 'ConversionReview' || review['apiVersion'] !== 'apiextensions.k8s.io/v1'))
    throw new Error(
      `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${kindText(review as unknown as KubernetesObject)}`,
    )
  const response = review['response'] as Json | undefined | null
  if (response === undefined || response === null) throw new Error('no response provided')
  if (version === 'v1' && response['uid'] !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`)
  const result = (response['result'] ?? {}) as { readonly status?: string; readonly message?: string }
  if (result.status !== 'Success') {
    const { message = '', status = '' } = result
    throw new Error(message === '' ? `response.result.status was '${status}', not 'Success'` : message)
  }
  const objects = response['convertedObjects']
  return Array.isArray(objects) ? (objects as readonly unknown[]) : []
}

/** The converted object with the original's metadata, of which only labels and annotations may differ. */
function checked(original: KubernetesObject, answer: unknown, apiVersion: string): KubernetesObject {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw new Error('an object is expected')
  const converted = answer as Json
  const version = textOf(converted['apiVersion'])
  if (version !== apiVersion) throw new Error(`invalid groupVersion (expected ${apiVersion}, received ${version})`)
  const kind = textOf(converted['kind'])
  if (kind !== original.kind) throw new Error(`invalid kind (expected ${original.kind}, received ${kind})`)
  const metadata = converted['metadata']
  const meta = (isMap(metadata) ? metadata : {}) as Json
  for (const [field, word] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const) {
    const [before, after] = [original.metadata[field] ?? '', textOf(meta[field])]
    if (before !== after) throw new Error(`must have the same ${word}: ${before} != ${after}`)
  }
  if (metadata === undefined) throw new Error('metadata: missing metadata in converted object')
  if (!isMap(metadata)) throw new Error(`metadata: invalid metadata of type ${typeof metadata} in converted object`)
  return { ...converted, metadata: restored(original, metadata) } as unknown as KubernetesObject
}

function restored(original: KubernetesObject, converted: Json): KubernetesObject['metadata'] {
  const { labels: _labels, annotations: _annotations, ...kept } = original.metadata
  const labels = mapOf(converted, 'labels')
  const annotations = mapOf(converted, 'annotations')
  const errors = [
    ...(labels === undefined ? [] : validateLabels(labels, 'metadata.labels')),
    ...(annotations === undefined ? [] : validateAnnotations(annotations, 'metadata.annotations')),
  ]
  if (errors.length > 0) {
    const { message } = invalidError({ group: '', kind: '', name: '' }, errors)
    throw new Error(`metadata: ${message.slice(message.indexOf(': ') + 2)}`)
  }
  return { ...kept, ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) }
}

function mapOf(metadata: Json, field: 'labels' | 'annotations'): Readonly<Record<string, string>> | undefined {
  const value = metadata[field]
  if (value === undefined || value === null) return undefined
  if (!isMap(value)) throw new Error(`metadata: invalid metadata.${field} of type ${typeof value} in converted object`)
  for (const [key, item] of Object.entries(value))
    if (typeof item !== 'string')
      throw new Error(`metadata: metadata.${field}[${key}] must be a string, but is ${typeof item} in converted object`)
  return value as Readonly<Record<string, string>>
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
