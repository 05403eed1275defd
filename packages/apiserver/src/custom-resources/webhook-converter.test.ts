// What a conversion webhook may answer: every answer that is refused, in upstream's words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesObject } from '@aksel/api/resource'
import type { CustomResourceDefinition } from '@aksel/api/types/apiextensions-v1'
import { seededRandom } from '@aksel/base/ids'
import { webhookConverter } from './webhook-converter.ts'

type Json = Record<string, unknown>

const definition = {
  metadata: { name: 'widgets.example.com' },
  spec: {
    conversion: {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v7', 'v1'], clientConfig: { url: 'https://hook.example/convert' } },
    },
  },
} as unknown as CustomResourceDefinition

const original = {
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name: 'a', namespace: 'b', uid: 'u', finalizers: ['example.com/f'], labels: { old: 'x' } },
  spec: { size: 1 },
} as unknown as KubernetesObject

/** What a well-behaved webhook answers, changed by the test. */
function ask(change: (response: Json, converted: Json, review: Json) => void): Promise<readonly KubernetesObject[]> {
  const post = (_target: unknown, body: Uint8Array): Promise<unknown> => {
    const review = JSON.parse(Buffer.from(body).toString()) as {
      apiVersion: string
      kind: string
      request: { uid: string; desiredAPIVersion: string; objects: Json[] }
    }
    const converted: Json = {
      ...structuredClone(review.request.objects[0]!),
      apiVersion: review.request.desiredAPIVersion,
    }
    const response: Json = {
      uid: review.request.uid,
      result: { status: 'Success' },
      convertedObjects: [converted],
    }
    const answer: Json = { apiVersion: review.apiVersion, kind: review.kind, response }
    change(response, converted, answer)
    return Promise.resolve(answer)
  }
  return webhookConverter(post, seededRandom(1), definition)([original], 'example.com/v2')
}

test('metadata stays what it was but for labels and annotations', async () => {
  const [converted] = await ask((_response, object) => {
    const metadata = object['metadata'] as Json
    delete metadata['finalizers']
    metadata['labels'] = { new: 'y' }
    metadata['annotations'] = { note: 'z' }
    object['spec'] = { width: 1 }
  })
  assert.deepEqual(converted, {
    apiVersion: 'example.com/v2',
    kind: 'Widget',
    metadata: {
      name: 'a',
      namespace: 'b',
      uid: 'u',
      finalizers: ['example.com/f'],
      labels: { new: 'y' },
      annotations: { note: 'z' },
    },
    spec: { width: 1 },
  })
})

test('answers that cannot be right are refused', async () => {
  const refusals: readonly (readonly [Parameters<typeof ask>[0], string])[] = [
    [
      (_response, _object, review) => (review['kind'] = 'AdmissionReview'),
      'failed: expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got apiextensions.k8s.io/v1, Kind=AdmissionReview',
    ],
    [(_response, _object, review) => delete review['response'], 'failed: no response provided'],
    [(response) => (response['uid'] = 'other'), 'failed: expected response.uid='],
    [
      (response) => (response['result'] = { status: 'Failure' }),
      "failed: response.result.status was 'Failure', not 'Success'",
    ],
    [(response) => (response['result'] = { status: 'Failure', message: 'cannot' }), 'failed: cannot'],
    [(response) => (response['convertedObjects'] = []), 'returned 0 objects, expected 1'],
    [
      (_response, object) => (object['apiVersion'] = 'example.com/v3'),
      'returned invalid converted object at index 0: invalid groupVersion (expected example.com/v2, received example.com/v3)',
    ],
    [
      (_response, object) => (object['kind'] = 'Gadget'),
      'returned invalid converted object at index 0: invalid kind (expected Widget, received Gadget)',
    ],
    [
      (_response, object) => ((object['metadata'] as Json)['name'] = 'c'),
      'returned invalid converted object at index 0: must have the same name: a != c',
    ],
    [
      (_response, object) => ((object['metadata'] as Json)['uid'] = 'c'),
      'returned invalid converted object at index 0: must have the same UID: u != c',
    ],
    [
      (_response, object) => ((object['metadata'] as Json)['labels'] = { a: 1 }),
      'returned invalid metadata in object at index 0: metadata.labels[a] must be a string, but is number in converted object',
    ],
    [
      (_response, object) => ((object['metadata'] as Json)['labels'] = { 'a/b/c': 'd' }),
      'returned invalid metadata in object at index 0: metadata.labels: Invalid value: "a/b/c": ',
    ],
  ]
  for (const [change, words] of refusals) {
    await assert.rejects(ask(change), (error: Error) => {
      const wanted = `conversion webhook for example.com/v1, Kind=Widget ${words}`
      assert.ok(error.message.startsWith(wanted), `${error.message}\nis not\n${wanted}`)
      return true
    })
  }
})
