// Opens the kubelet's port once the node has a certificate to serve with, and keeps that fresh.

import { join } from 'node:path'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { CertificateManager } from '@aksel/node/certificates/certificate-manager'
import { KUBELET_PORT, type RunningAgent } from '@aksel/node/agent'
import { delegation } from '@aksel/node/kubelet-server/delegation'
import { openKubeletServer, type KubeletServer } from '@aksel/node/kubelet-server/server'
import type { TunnelHandler } from '@aksel/runtime/tunnel'
import { makeRequest } from './certificate-request.ts'
import type { NodeIdentity } from './credentials.ts'
import type { NodeOptions } from './options.ts'

const RETRY_MS = 5_000

/** Until the scope aborts. A port that somebody else has is told, and tried again: pods go on without. */
export async function serveKubelet(
  scope: Scope,
  options: Pick<NodeOptions, 'nodeName' | 'nodeAddress' | 'pkiDir'>,
  identity: NodeIdentity,
  { agent, handler }: { readonly agent: Pick<RunningAgent, 'registered'>; readonly handler: TunnelHandler },
): Promise<void> {
  const { nodeName, nodeAddress, pkiDir } = options
  const late: { server?: KubeletServer } = {}
  const manager = new CertificateManager({
    file: join(pkiDir, 'kubelet-server-current.pem'),
    signerName: 'kubernetes.io/kubelet-serving',
    wanted: {
      commonName: `system:node:${nodeName}`,
      organizations: ['system:nodes'],
      dnsNames: [nodeName],
      ipAddresses: [nodeAddress],
    },
    client: () => identity.client,
    makeRequest,
    onRenewed: (certificate) => late.server?.useCertificate(certificate),
  })
  try {
    // Nothing is approved for a node that is not there yet.
    await agent.registered
    const certificate = (await manager.load(scope)) ?? (await manager.obtain(scope))
    const reviews = delegation(scope, identity.client, nodeName)
    const open = (): Promise<KubeletServer> =>
      openKubeletServer(scope, {
        host: nodeAddress,
        port: KUBELET_PORT,
        certificate: manager.current ?? certificate,
        clientAuthority: identity.tls().caPem,
        delegation: reviews,
        handler,
      })
    while (late.server === undefined && !scope.signal.aborted) {
      try {
        late.server = await open()
      } catch (error) {
        scope.log.error('the kubelet’s port is not served', { port: KUBELET_PORT, error })
        await sleep(scope.clock, RETRY_MS, scope.signal)
      }
    }
    await manager.run(scope)
  } catch (error) {
    if (!scope.signal.aborted) throw error
  } finally {
    await late.server?.[Symbol.asyncDispose]()
  }
}
