// `crd-conversion-webhook`: converts the test's custom resource between v1 (`hostPort`) and v2 (`host` and `port`).

import type { Flags } from './flags.ts'
import { json, serve, type Handler } from './http.ts'

type CustomResource = Record<string, unknown> & { apiVersion: string; hostPort?: string; host?: string; port?: string }

interface Review {
  readonly apiVersion: string
  readonly request: {
    readonly uid: string
    readonly desiredAPIVersion: string
    readonly objects: readonly CustomResource[]
  }
}

export function conversionWebhook(flags: Flags): void {
  const tls = { certificate: flags.text('tls-cert-file', ''), key: flags.text('tls-private-key-file', '') }
  serve(flags.number('port', 443), { '/crdconvert': convertReview, '/readyz': () => 'ok' }, tls)
}

const convertReview: Handler = async ({ body }) => {
  const { apiVersion, request } = JSON.parse((await body()).toString()) as Review
  const convertedObjects = request.objects.map((object) => convert(object, request.desiredAPIVersion))
  return json({
    apiVersion,
    kind: 'ConversionReview',
    response: { uid: request.uid, convertedObjects, result: { status: 'Success' } },
  })
}

function convert(object: CustomResource, wanted: string): CustomResource {
  const { hostPort, host, port, ...rest } = object
  if (wanted === object.apiVersion) return object
  if (wanted.endsWith('/v2')) {
    const [first = '', second = ''] = (hostPort ?? '').split(':')
    return { ...rest, apiVersion: wanted, ...(hostPort === undefined ? {} : { host: first, port: second }) }
  }
  return { ...rest, apiVersion: wanted, ...(host === undefined ? {} : { hostPort: `${host}:${port ?? ''}` }) }
}
