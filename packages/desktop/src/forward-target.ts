// Which pod and which of its ports a forward leads to: a pod's own, or that of a service's first ready endpoint.

import { textOf } from './front-door-client.ts'
import type { Upstream } from './upstream.ts'

export interface ForwardWish {
  readonly namespace: string
  readonly kind: 'Pod' | 'Service'
  readonly name: string
  /** Of the pod, or of the service. */
  readonly port: number
  /** Any free one when absent. */
  readonly localPort?: number
}

export interface ForwardTarget {
  readonly namespace: string
  readonly pod: string
  readonly port: number
}

interface ServiceBody {
  readonly spec: {
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly protocol?: string }[]
  }
}

interface SliceList {
  readonly items: readonly {
    readonly ports?: readonly { readonly name?: string; readonly port?: number }[] | null
    readonly endpoints?: readonly {
      readonly conditions?: { readonly ready?: boolean }
      readonly targetRef?: { readonly kind?: string; readonly name?: string }
    }[]
  }[]
}

const nameText = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/

/** Throws an Error with words for the person. */
export function readWish(body: unknown): ForwardWish {
  const { namespace, kind, name, port, localPort } = body as Readonly<Record<string, unknown>>
  const isPort = (value: unknown): value is number =>
    typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536
  if (typeof namespace !== 'string' || !nameText.test(namespace)) throw new Error('Which namespace?')
  if (kind !== 'Pod' && kind !== 'Service') throw new Error('Only ports of pods and services are forwarded.')
  if (typeof name !== 'string' || !nameText.test(name)) throw new Error(`Which ${kind.toLowerCase()}?`)
  if (!isPort(port)) throw new Error('A port from 1 to 65535 is wanted.')
  if (localPort !== undefined && !isPort(localPort)) throw new Error('A local port from 1 to 65535 is wanted.')
  return { namespace, kind, name, port, ...(localPort === undefined ? {} : { localPort }) }
}

/** Rejects with the cluster's words, or with why there is nobody behind the service. */
export async function findTarget(
  upstream: Pick<Upstream, 'send'>,
  { namespace, kind, name, port }: ForwardWish,
): Promise<ForwardTarget> {
  const base = `/api/v1/namespaces/${namespace}`
  if (kind === 'Pod') {
    await read(upstream, `${base}/pods/${name}`)
    return { namespace, pod: name, port }
  }
  const service = (await read(upstream, `${base}/services/${name}`)) as ServiceBody
  const wanted = service.spec.ports?.find((each) => each.port === port)
  if (wanted === undefined) throw new Error(`Service "${name}" has no port ${port}.`)
  const selector = encodeURIComponent(`kubernetes.io/service-name=${name}`)
  const slices = (await read(
    upstream,
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${selector}`,
  )) as SliceList
  for (const { ports, endpoints = [] } of slices.items) {
    const own = ports?.find((each) => (each.name ?? '') === (wanted.name ?? ''))?.port
    const ready = endpoints.find(
      ({ conditions, targetRef }) => conditions?.ready !== false && targetRef?.kind === 'Pod',
    )
    if (own !== undefined && ready?.targetRef?.name !== undefined)
      return { namespace, pod: ready.targetRef.name, port: own }
  }
  throw new Error(`Service "${name}" has no pod that is ready.`)
}

async function read(upstream: Pick<Upstream, 'send'>, path: string): Promise<unknown> {
  const answer = await upstream.send({ method: 'GET', path, headers: { accept: 'application/json' } })
  const body = JSON.parse(await textOf(answer)) as { readonly message?: string }
  if (answer.statusCode !== 200) throw new Error(body.message ?? `the cluster answered ${answer.statusCode}`)
  return body
}
