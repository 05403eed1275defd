// What the node answers besides streams: whether it is well, and which pods it runs.

import { ApiError } from '@aksel/base/errors'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import type { NodePods } from './pods.ts'

/** `/healthz`, `/pods` and `/runningpods/`, as the kubelet's endpoint answers them; anything else is not found. */
export function nodeEndpoints(nodePods: NodePods): TunnelHandler {
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
    throw new ApiError('NotFound', `the node does not serve "${call.path}"`)
  }
}
