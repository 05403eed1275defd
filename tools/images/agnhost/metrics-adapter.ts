// `metrics-adapter`: serves the custom and the external metrics API with one number by name, as the adapters of monitoring
// systems do. Whoever may `PUT …/values/NAME` says the number. It believes its callers: tests alone use it.

import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Flags } from './flags.ts'

type Answer = readonly [status: number, body: unknown]

const custom = 'custom.metrics.k8s.io/v1beta2'
const external = 'external.metrics.k8s.io/v1beta1'
const group = /^\/apis\/([^/]+\/[^/]+)$/
const value = /^\/apis\/[^/]+\/[^/]+\/values\/([^/]+)$/
const externalValue = new RegExp(`^/apis/${external}/namespaces/[^/]+/([^/]+)$`)
const customValue = new RegExp(`^/apis/${custom}/namespaces/([^/]+)/([^/]+)/([^/]+)/([^/]+)$`)

export function metricsAdapter(flags: Flags): void {
  const numbers = new Map<string, string>()
  const tls = {
    cert: readFileSync(flags.text('tls-cert-file', '')),
    key: readFileSync(flags.text('tls-private-key-file', '')),
  }
  const server = createServer(tls, (incoming, response) => {
    answer(numbers, incoming)
      .then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })
      .catch((error: Error) => response.destroy(error))
  })
  server.listen(flags.number('secure-port', 443))
}

async function answer(numbers: Map<string, string>, incoming: IncomingMessage): Promise<Answer> {
  const { pathname } = new URL(incoming.url ?? '/', 'https://adapter')
  if (pathname === '/readyz') return [200, { status: 'ok' }]
  const groupVersion = group.exec(pathname)?.[1]
  if (groupVersion !== undefined)
    return [200, { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: [] }]
  const named = value.exec(pathname)?.[1]
  if (named !== undefined && incoming.method === 'PUT') {
    numbers.set(named, await text(incoming))
    return [200, { [named]: numbers.get(named) }]
  }
  process.stdout.write(`${incoming.method} ${incoming.url} ${String(incoming.headers['x-remote-user'])}\n`)
  const timestamp = new Date().toISOString().replace(/\.\d+/, '')
  const metricName = externalValue.exec(pathname)?.[1]
  if (metricName !== undefined)
    return listed(external, numbers.get(metricName), (number) => ({ metricName, timestamp, value: number }))
  const [, namespace, resource, object, name = ''] = customValue.exec(pathname) ?? []
  if (object === undefined) return failure(`the server could not find the requested resource ${pathname}`)
  const describedObject = { kind: resource, namespace, name: object }
  const metric = { name }
  return listed(custom, numbers.get(name), (number) => ({ describedObject, metric, timestamp, value: number }))
}

function listed(apiVersion: string, number: string | undefined, item: (number: string) => object): Answer {
  if (number === undefined) return failure('nobody said a number')
  const kind = apiVersion === external ? 'ExternalMetricValueList' : 'MetricValueList'
  return [200, { kind, apiVersion, metadata: {}, items: [item(number)] }]
}

function failure(message: string): Answer {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message }
  return [404, { ...status, reason: 'NotFound', code: 404 }]
}
