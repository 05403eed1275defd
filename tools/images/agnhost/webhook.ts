// `webhook`: an admission webhook server over TLS with the paths that tests register.

import type { Flags } from './flags.ts'
import { json, serve, type Handler } from './http.ts'

interface AdmissionRequest {
  readonly uid: string
  readonly operation: string
  readonly object?: KubernetesObject
  readonly oldObject?: KubernetesObject
}

interface KubernetesObject {
  readonly metadata?: {
    readonly name?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[]
    readonly initContainers?: readonly object[]
  }
}

interface Verdict {
  readonly allowed: boolean
  readonly message?: string
  readonly patch?: readonly object[]
}

type Judge = (request: AdmissionRequest) => Verdict | Promise<Verdict>

const allow: Verdict = { allowed: true }

export function webhook(flags: Flags): void {
  const tls = { certificate: flags.text('tls-cert-file', ''), key: flags.text('tls-private-key-file', '') }
  const judges = Object.entries(paths).map(([path, judge]) => [path, review(judge)] as const)
  serve(flags.number('port', 443), { ...Object.fromEntries(judges), '/readyz': () => 'ok' }, tls)
}

function review(judge: Judge): Handler {
  return async ({ body }) => {
    const { request, apiVersion } = JSON.parse((await body()).toString()) as {
      request: AdmissionRequest
      apiVersion: string
    }
    const { allowed, message, patch } = await judge(request)
    const response = {
      uid: request.uid,
      allowed,
      ...(message === undefined ? {} : { status: { message } }),
      ...(patch === undefined
        ? {}
        : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }),
    }
    return json({ apiVersion, kind: 'AdmissionReview', response })
  }
}

const paths: Readonly<Record<string, Judge>> = {
  '/always-allow-delay-5s': async () => {
    await new Promise((resolve) => setTimeout(resolve, 5000))
    return allow
  },
  '/always-deny': () => ({ allowed: false, message: 'this webhook denies all requests' }),
  '/add-label': ({ object }) => {
    const labels = object?.metadata?.labels
    if (labels?.['added-label'] === 'yes') return allow
    const patch =
      labels === undefined
        ? [{ op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }]
        : [
            {
              op: labels['added-label'] === undefined ? 'add' : 'replace',
              path: '/metadata/labels/added-label',
              value: 'yes',
            },
          ]
    return { allowed: true, patch }
  },
  '/pods': ({ object }) => {
    const containers = object?.spec?.containers ?? []
    const reasons: string[] = []
    if (containers.some(({ name }) => name.includes('webhook-disallow')))
      reasons.push('the pod contains unwanted container name')
    if (object?.metadata?.labels?.['webhook-e2e-test'] === 'webhook-disallow')
      reasons.push('the pod contains unwanted label')
    return reasons.length === 0 ? allow : { allowed: false, message: reasons.join('; ') }
  },
  '/pods/attach': () => ({ allowed: false, message: "attaching to pod 'to-be-attached-pod' is not allowed" }),
  '/mutating-pods': ({ object }) => {
    if (object?.spec?.initContainers !== undefined) return allow
    const container = { image: 'registry.k8s.io/pause:3.6', name: 'webhook-added-init-container', resources: {} }
    return { allowed: true, patch: [{ op: 'add', path: '/spec/initContainers', value: [container] }] }
  },
  '/configmaps': ({ object }) => dataVerdict(object, 'the configmap contains unwanted key and value'),
  '/mutating-configmaps': ({ object }) => mutateData(object),
  '/custom-resource': ({ operation, object, oldObject }) =>
    dataVerdict(
      operation === 'DELETE' ? oldObject : object,
      operation === 'DELETE'
        ? 'the custom resource cannot be deleted because it contains unwanted key and value'
        : 'the custom resource contains unwanted data',
    ),
  '/mutating-custom-resource': ({ object }) => mutateData(object),
  '/crd': ({ object }) =>
    object?.metadata?.labels?.['webhook-e2e-test'] === 'webhook-disallow'
      ? { allowed: false, message: 'the crd contains unwanted label' }
      : allow,
}

function dataVerdict(object: KubernetesObject | undefined, message: string): Verdict {
  return object?.data?.['webhook-e2e-test'] === 'webhook-disallow' ? { allowed: false, message } : allow
}

/** One stage after the other, so that the order of calls shows. */
function mutateData(object: KubernetesObject | undefined): Verdict {
  const data = object?.data ?? {}
  const patch: object[] = []
  if (data['mutation-start'] === 'yes') patch.push({ op: 'add', path: '/data/mutation-stage-1', value: 'yes' })
  if (data['mutation-stage-1'] === 'yes') patch.push({ op: 'add', path: '/data/mutation-stage-2', value: 'yes' })
  return patch.length === 0 ? allow : { allowed: true, patch }
}
