// Passes a request on to the API server that answers for its group version, as the user that made it, and its answer back.

import type { APIService } from '@aksel/api/types/apiregistration-v1'
import type { CallContext } from '../call-context.ts'
import { textAnswer } from '../http/answer.ts'
import type { Answer } from '../http/message.ts'
import { passUpgrade } from '../http/pass-upgrade.ts'
import type { Outcome } from '../pipeline.ts'
import { isAvailable } from './api-services.ts'
import { isUserHeader, userHeaders } from './front-proxy.ts'
import { askOver, openRemote, type RemoteCaller } from './remote-call.ts'

/** RFC 9110, 7.6.1: these concern one connection alone. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export async function proxyTo(caller: RemoteCaller, service: APIService, context: CallContext): Promise<Outcome> {
  if (!isAvailable(service)) return unavailable('service unavailable')
  const { call, user } = context
  let connection
  try {
    connection = await openRemote(caller, service, call.signal)
  } catch {
    return unavailable('service unavailable')
  }
  const { namespace = '', name = '', port = 443 } = service.spec.service ?? {}
  const headers = { ...passedOn(call.headers), host: `${name}.${namespace}.svc:${port}` }
  if (call.upgrade !== undefined) {
    const changed = {
      ...headers,
      ...userHeaders(user),
      connection: 'Upgrade',
      upgrade: call.headers['upgrade'] ?? '',
    }
    return passUpgrade(call.upgrade, connection, { method: call.method, path: call.url, headers: changed })
  }
  try {
    const request = { method: call.method, path: call.url, headers, user, body: call.body, signal: call.signal }
    const response = await askOver(connection, request)
    response.once('close', () => connection.destroy())
    const answered = Object.entries(response.headers).map(([key, value]) => [key, String(value)] as const)
    return { status: response.statusCode ?? 502, headers: endToEnd(Object.fromEntries(answered)), body: response }
  } catch (error) {
    connection.destroy()
    return unavailable(`error trying to reach service: ${(error as Error).message}`)
  }
}

function unavailable(words: string): Answer {
  return textAnswer(503, `${words}\n`)
}

/** The client's credentials are for us; who it is, we say ourselves. */
function passedOn(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(endToEnd(headers)).filter(([name]) => name !== 'authorization' && !isUserHeader(name))
  return Object.fromEntries(kept)
}

function endToEnd(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.has(name) && !name.startsWith(':')))
}
