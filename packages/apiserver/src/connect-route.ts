// Hands calls that a node or a pod answers to the connect handler.

import { ApiError } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { ResourceCall } from './call-context.ts'
import {
  connectSubresources,
  type ConnectCall,
  type ConnectHandler,
  type ConnectSubresource,
} from './connect-handler.ts'
import { assertAllowed } from './authorization/authorize.ts'
import { attributesOf } from './authorization/attributes.ts'
import { methodNotAllowed, noSuchPath } from './refusals.ts'
import type { Outcome } from './pipeline.ts'

export function isConnect(subresource: string): subresource is ConnectSubresource {
  return (connectSubresources as readonly string[]).includes(subresource)
}

/** Sessions that run commands: opening one over a WebSocket is a GET, and needs the right to create all the same. */
const sessions: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward'])

export async function connect(
  scope: Scope,
  handler: ConnectHandler | undefined,
  context: ResourceCall,
): Promise<Outcome> {
  const { row, info, call, user, authorizer } = context
  const fact = row.subresources[info.subresource]
  if (fact === undefined) throw noSuchPath()
  // Methods that are no verbs of the API mean what the proxied server makes of them.
  const isServed = (fact.verbs as readonly string[]).includes(info.verb) || info.subresource === 'proxy'
  if (!isServed) throw methodNotAllowed()
  if (handler === undefined)
    throw new ApiError('ServiceUnavailable', 'no connection to nodes: this API server was started without one')
  if (sessions.has(info.subresource) && info.verb === 'get') {
    await assertAllowed(authorizer, { ...attributesOf(user, info), verb: 'create' })
  }
  const request: ConnectCall = {
    resource: row.plural as ConnectCall['resource'],
    subresource: info.subresource as ConnectSubresource,
    ...(row.namespaced ? { namespace: info.namespace } : {}),
    name: info.name,
    proxyPath: info.rest,
    method: call.method,
    query: info.query,
    headers: call.headers,
    body: call.body,
    signal: call.signal,
    ...(call.upgrade === undefined ? {} : { upgrade: call.upgrade }),
  }
  return handler(scope, request)
}
