// Who a machine is to a listener that knows the nodes of one cluster: by the certificate that its node speaks to its API server with.

import type { TLSSocket } from 'node:tls'
import type { Socket } from 'node:net'
import type { MachineCaller } from './route.ts'
import type { ServerTls } from './server.ts'

const USER = /^system:node:(.+)$/
const GROUP = 'system:nodes'

/** Undefined for everybody else: no certificate, one of another authority, one for servers, one of somebody else. */
export function machineOf(socket: Socket, machines: ServerTls['machines']): MachineCaller | undefined {
  if (machines === undefined || !('authorized' in socket)) return undefined
  const { user, groups } = subjectOf(socket as TLSSocket)
  const nodeName = USER.exec(user)?.[1]
  if (socket.authorized !== true || nodeName === undefined || !groups.includes(GROUP)) return undefined
  return { clusterId: machines.clusterId.toLowerCase(), nodeName }
}

function subjectOf(socket: TLSSocket): { readonly user: string; readonly groups: readonly string[] } {
  // Without a certificate, an empty object.
  const { subject } = socket.getPeerCertificate() as Partial<ReturnType<TLSSocket['getPeerCertificate']>>
  // Several of a kind are a list, whatever the types say.
  const all = (value: unknown): readonly string[] => [value ?? []].flat().map(String)
  return { user: all(subject?.CN)[0] ?? '', groups: all(subject?.O) }
}
