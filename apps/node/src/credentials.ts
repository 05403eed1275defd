// Who the agent is to its cluster: a certificate that it asked for itself, by a token the first time, and that it renews.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { ignoreMissing, writeDurableFile } from '@aksel/host/durable-file'
import { CertificateManager, type Certificate } from '@aksel/node/certificates/certificate-manager'
import { createHttpsTransport, type HttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig, renderKubeconfig, type ClusterAccess } from '@aksel/runtime/kubeconfig'
import { makeRequest } from './certificate-request.ts'
import type { NodeOptions } from './options.ts'

export interface NodeIdentity extends AsyncDisposable {
  readonly client: Client
  /** The API server's URL. */
  readonly server: string
  /** The certificate of now, and the authority to judge the server by. */
  readonly tls: () => Certificate & { readonly caPem: string }
  /** Renews until the scope aborts. */
  run(scope: Scope): Promise<void>
}

/** Resolves when the node has a certificate, which takes as long as its cluster takes. */
export async function openIdentity(scope: Scope, options: NodeOptions): Promise<NodeIdentity> {
  const userAgent = `kubelet/v${options.kubernetesVersion}`
  const kept = await accessIn(options.kubeconfigPath)
  const first = kept ?? (await accessIn(options.bootstrapKubeconfigPath))
  if (first === undefined) throw new Error(`Cannot reach the cluster: there is no ${options.kubeconfigPath}`)
  const { certPem: _, keyPem: __, token: ___, ...place } = first
  const late: { client?: Client; transport?: HttpsTransport } = {}
  const manager = new CertificateManager({
    file: join(options.pkiDir, 'kubelet-client-current.pem'),
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    wanted: { commonName: `system:node:${options.nodeName}`, organizations: ['system:nodes'] },
    client: () => late.client!,
    makeRequest,
    onRenewed: async (certificate) => {
      await writeDurableFile(options.kubeconfigPath, kubeconfigOf(options.nodeName, { ...place, ...certificate }))
      late.transport?.reconnect()
    },
  })
  if ((await manager.load(scope, certificateOf(kept))) === undefined) {
    await using transport = createHttpsTransport((await accessIn(options.bootstrapKubeconfigPath)) ?? first)
    late.client = createClient(transport, { userAgent })
    await manager.obtain(scope)
  }
  const transport = createHttpsTransport({ ...place, credentials: () => manager.current })
  late.transport = transport
  const client = createClient(transport, { userAgent })
  late.client = client
  return {
    client,
    server: place.server,
    tls: () => ({ ...manager.current!, caPem: place.caPem }),
    run: (own) => manager.run(own),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  }
}

async function accessIn(path: string | undefined): Promise<ClusterAccess | undefined> {
  const text = path === undefined ? undefined : await ignoreMissing(readFile(path, 'utf8'))
  return text === undefined ? undefined : parseKubeconfig(text)
}

function certificateOf(access: ClusterAccess | undefined): Certificate | undefined {
  const { certPem, keyPem } = access ?? {}
  return certPem === undefined || keyPem === undefined ? undefined : { certPem, keyPem }
}

/** For people on the machine, and for the next agent where the folder of certificates is gone. */
function kubeconfigOf(nodeName: string, access: ClusterAccess): string {
  return renderKubeconfig(access, { cluster: 'default-cluster', user: `system:node:${nodeName}`, context: 'default' })
}
