// `/flows` of a node: its flows as they come, a JSON object a line, until whoever asked hangs up.

import { once } from 'node:events'
import type { StreamFilter } from '@aksel/network/flows/filter'
import type { FlowLog } from '@aksel/network/flows/flow-log'
import type { TunnelHandler } from '@aksel/runtime/tunnel'

/** A reader that lags behind by more than this misses flows. */
const BEHIND_BYTES_MAX = 1_000_000

export function withFlows(flows: FlowLog, others: TunnelHandler): TunnelHandler {
  return async (scope, call) => {
    if (call.path !== '/flows') return others(scope, call)
    call.respond(200, { 'content-type': 'application/x-ndjson' })
    using _following = flows.follow(filterOf(call.query), (flow) => {
      if (call.stream.writableLength > BEHIND_BYTES_MAX) return
      call.stream.write(`${JSON.stringify({ flow, node_name: flow.node_name, time: flow.time })}\n`)
    })
    if (!call.signal.aborted) await once(call.signal, 'abort')
  }
}

function filterOf(query: URLSearchParams): StreamFilter {
  const text = (name: string): string | undefined => query.get(name) ?? undefined
  const [namespace, pod, verdict, port] = ['namespace', 'pod', 'verdict', 'port'].map(text)
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(port === undefined ? {} : { port: Number(port) }),
  }
}
