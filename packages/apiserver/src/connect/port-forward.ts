// `pods/portforward`: each connection that a client makes is one call on the node of the pod.

import type { Scope } from '@aksel/base/scope'
import { serveForwards } from '@aksel/runtime/upgrades/forwarded-ports'
import type { ConnectCall, ConnectOptions } from '../connect-handler.ts'
import { callNode } from './node-call.ts'
import { findRunningPod, nodePath } from './pod-target.ts'

/** Resolves when the client has closed the session. */
export async function relayPortForward(scope: Scope, options: ConnectOptions, call: ConnectCall): Promise<'upgraded'> {
  const { pod, nodeName } = await findRunningPod(options, call)
  await serveForwards(scope, call, {
    ports: call.query.getAll('ports'),
    async open(port, signal) {
      const path = nodePath('portForward', pod, undefined, new URLSearchParams({ port }))
      return (await callNode(options, nodeName, { method: 'POST', path, signal })).stream
    },
    failure: (port, reason) =>
      `error forwarding port ${port} to pod ${pod.metadata.uid ?? pod.metadata.name}, uid : ${reason}`,
  })
  return 'upgraded'
}
