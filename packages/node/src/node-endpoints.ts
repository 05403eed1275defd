// What the node answers besides streams: whether it is well, which pods it runs, and what they use.

import { ApiError } from '@aksel/base/errors'
import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import type { NodeUsage } from './node-usage.ts'
import type { NodePods } from './pods.ts'
import type { ProbeMetrics } from './probes/probe-metrics.ts'

export interface EndpointFacts {
  readonly nodeName: string
  readonly probes: ProbeMetrics
  /** What `/configz` shows. */
  configz(): object
}

/**
 * `/healthz`, `/configz`, `/pods`, `/runningpods/`, `/metrics`, `/metrics/resource`, `/metrics/cadvisor`, `/metrics/probes` and
 * `/stats/summary`, as the kubelet's endpoint answers them; anything else is not found.
 */
export function nodeEndpoints(nodePods: NodePods, usage: NodeUsage, about: EndpointFacts): TunnelHandler {
  return async (_scope, call) => {
    const path = withoutTrailingSlashes(call.path)
    // Upstream's parts of it: that it answers, that its log is written, that its loop goes round.
    if (/^\/healthz(\/(ping|log|syncloop))?$/.test(path)) {
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
    if (path === '/metrics/probes') {
      call.respond(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      call.stream.end(about.probes.samples())
      return
    }
    if (path === '/configz') {
      call.respond(200, { 'content-type': 'application/json' })
      call.stream.end(JSON.stringify(about.configz()))
      return
    }
    if (path === '/metrics') {
      call.respond(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      call.stream.end(kubeletMetrics(nodePods, about.nodeName))
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

/** Of the agent itself, in the kubelet's names. */
function kubeletMetrics(nodePods: NodePods, nodeName: string): string {
  const views = [...nodePods.workers.values()].map(({ view }) => view)
  const running = views.filter(({ sandboxes }) => sandboxes.some(({ ready }) => ready)).length
  const states = { created: 0, running: 0, exited: 0, unknown: 0 }
  for (const { containers } of views) {
    for (const { state } of containers) {
      const name = state.replace('CONTAINER_', '').toLowerCase()
      states[Object.hasOwn(states, name) ? (name as keyof typeof states) : 'unknown'] += 1
    }
  }
  const { user, system } = process.cpuUsage()
  const rows: readonly (readonly [name: string, type: string, help: string, samples: readonly string[]])[] = [
    ['kubelet_node_name', 'gauge', 'The node’s name', [`{node="${nodeName}"} 1`]],
    ['kubelet_running_pods', 'gauge', 'Pods with a running sandbox', [` ${running}`]],
    [
      'kubelet_running_containers',
      'gauge',
      'Containers by state',
      Object.entries(states).map(([state, count]) => `{container_state="${state}"} ${count}`),
    ],
    ['process_cpu_seconds_total', 'counter', 'CPU time of the agent, seconds', [` ${(user + system) / 1e6}`]],
    ['process_resident_memory_bytes', 'gauge', 'Memory of the agent, bytes', [` ${process.memoryUsage.rss()}`]],
  ]
  return rows
    .map(([name, type, help, samples]) => {
      const lines = samples.map((sample) => `${name}${sample}\n`).join('')
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines}`
    })
    .join('')
}
