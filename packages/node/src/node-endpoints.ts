// What the node answers besides streams: whether it is well, which pods it runs, and what they use.

import { ApiError } from '@aksel/base/errors'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import type { NodeUsage } from './node-usage.ts'
import type { NodePods } from './pods.ts'

/**
 * `/healthz`, `/pods`, `/runningpods/`, `/metrics/resource`, `/metrics/cadvisor` and `/stats/summary`, as the kubelet's endpoint answers them;
 * anything else is not found.
 */
export function nodeEndpoints(nodePods: NodePods, usage: NodeUsage): TunnelHandler {
  return async (_scope, call) => {
    const path = call.path.replace(/\/+$/, '')
    if (path === '/healthz') {
      call.respond(200, { 'content-type': 'text/plain; charset=utf-8' })
      call.stream.end('ok')
      return
    }
    if (path === '/pods' || path === '/runningpods') {
      const items = [...nodePods.workers.values()]
        .filter(({ view }) => path === '/pods' || view.sandboxes.some(({ ready }) => ready))
        .map(({ pod }) => pod)
      call.respond(200, { 'content-type': 'application/json' })
      call.stream.end(JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items }))
      return
    }
    if (path === '/metrics/resource') {
      const text = await usage.samples()
      call.respond(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      call.stream.end(text)
      return
    }
    if (path === '/metrics/cadvisor') {
      const text = await usage.cadvisor()
      call.respond(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      call.stream.end(text)
      return
    }
    if (path === '/stats/summary') {
      const summary = await usage.summary()
      call.respond(200, { 'content-type': 'application/json' })
      call.stream.end(JSON.stringify(summary))
      return
    }
    throw new ApiError('NotFound', `the node does not serve "${call.path}"`)
  }
}
