// What the test suite's webhook server answers, path by path, run in the test's own process.

import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { logTo } from '@aksel/base/log'
import { admissionListener, startHook, type Answer, type TestHook } from '@aksel/apiserver/webhook/test-hook'

interface Shown {
  readonly metadata?: { readonly name?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: { readonly containers?: readonly { readonly name: string }[] }
}

interface Review {
  readonly operation: string
  readonly name?: string
  readonly resource: { readonly resource: string }
  readonly object?: unknown
  readonly oldObject?: unknown
}

export interface WebhookServer extends TestHook {
  /** Paths and names asked about, in order. */
  readonly asked: string[]
}

const allowed: Answer = {}
const denied = (message: string): Answer => ({ allowed: false, status: { message } })

function objectOf({ object, oldObject, operation }: Review): Shown {
  return ((operation === 'DELETE' ? oldObject : object) ?? {}) as Shown
}

function stage(data: Readonly<Record<string, string>> | undefined, from: string, to: string): readonly unknown[] {
  return data?.[from] === 'yes' ? [{ op: 'add', path: `/data/${to}`, value: 'yes' }] : []
}

const paths: Readonly<Record<string, (review: Review) => Answer | Promise<Answer>>> = {
  '/always-deny': () => denied('this webhook denies all requests'),
  '/pods': (review) => {
    const { metadata, spec } = objectOf(review)
    const reasons: string[] = []
    if (metadata?.labels?.['webhook-e2e-test'] === 'webhook-disallow') reasons.push('the pod contains unwanted label; ')
    if (spec?.containers?.some(({ name }) => name.includes('webhook-disallow')) === true) {
      reasons.push('the pod contains unwanted container name; ')
    }
    if (spec?.containers?.some(({ name }) => name.includes('webhook-wait')) === true) return new Promise(() => {})
    return reasons.length === 0 ? allowed : denied(reasons.join(''))
  },
  '/pods/attach': ({ name }) =>
    name === 'to-be-attached-pod' ? denied("attaching to pod 'to-be-attached-pod' is not allowed") : allowed,
  '/configmaps': (review) =>
    objectOf(review).data?.['webhook-e2e-test'] === 'webhook-disallow'
      ? denied('the configmap contains unwanted key and value')
      : allowed,
  '/mutating-configmaps': (review) => {
    const { data } = objectOf(review)
    return {
      patch: [
        ...stage(data, 'mutation-start', 'mutation-stage-1'),
        ...stage(data, 'mutation-stage-1', 'mutation-stage-2'),
      ],
    }
  },
  '/mutating-pods': () => ({
    patch: [
      {
        op: 'add',
        path: '/spec/initContainers',
        value: [{ image: 'webhook-added-image', name: 'webhook-added-init-container', resources: {} }],
      },
    ],
  }),
  '/custom-resource': (review) =>
    objectOf(review).data?.['webhook-e2e-test'] === 'webhook-disallow'
      ? denied('the custom resource contains unwanted data')
      : allowed,
  '/mutating-custom-resource': (review) => {
    const { data } = objectOf(review)
    return {
      patch: [
        ...stage(data, 'mutation-start', 'mutation-stage-1'),
        ...stage(data, 'mutation-stage-1', 'mutation-stage-2'),
      ],
    }
  },
  '/crd': (review) =>
    objectOf(review).metadata?.labels?.['webhook-e2e-test'] === 'webhook-disallow'
      ? denied('the crd contains unwanted label')
      : allowed,
  '/add-label': (review) => ({
    patch: [
      objectOf(review).metadata?.labels === undefined
        ? { op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }
        : { op: 'add', path: '/metadata/labels/added-label', value: 'yes' },
    ],
  }),
  // Five seconds there; here an answer that comes later than one second and sooner than the longer time limits.
  '/always-allow-delay': () => new Promise((resolve) => systemClock().after(1500, () => resolve(allowed))),
}

export async function startWebhookServer(signal: AbortSignal): Promise<WebhookServer> {
  const asked: string[] = []
  const scope = { clock: systemClock(), random: systemRandom(), log: logTo(() => {}), signal }
  const hook = await startHook(
    scope,
    admissionListener((review, path) => {
      asked.push(`${path} ${review.name ?? ''}`)
      return paths[path]?.(review as Review) ?? denied(`no such path: ${path}`)
    }),
  )
  return { ...hook, asked }
}
