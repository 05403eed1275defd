// The subresources that a node answers, each with its relay.

import type { ApiResponse } from '@aksel/client/transport'
import type { ConnectCall, ConnectHandler, ConnectOptions } from '../connect-handler.ts'
import { relayExec } from './exec.ts'
import { answerLog } from './log.ts'
import { DialError, dialStatus } from './node-call.ts'
import { relayPortForward } from './port-forward.ts'
import { answerProxy } from './proxy.ts'
import type { Scope } from '@aksel/base/scope'

export function createConnectHandler(options: ConnectOptions): ConnectHandler {
  return async (scope, call) => {
    try {
      return await answer(scope, options, call)
    } catch (error) {
      if (error instanceof DialError) return statusResponse(error)
      throw error
    }
  }
}

function answer(scope: Scope, options: ConnectOptions, call: ConnectCall): Promise<ApiResponse | 'upgraded'> {
  switch (call.subresource) {
    case 'log':
      return answerLog(options, call)
    case 'exec':
    case 'attach':
      return relayExec(scope, options, call)
    case 'portforward':
      return relayPortForward(scope, options, call)
    case 'proxy':
      return answerProxy(scope, options, call)
    default:
      return call.subresource satisfies never
  }
}

function statusResponse(error: DialError): ApiResponse {
  const body = Buffer.from(JSON.stringify(dialStatus(error)))
  return { status: 500, headers: { 'content-type': 'application/json' }, body: once(body) }
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body
}
