// How machines prove themselves the first time: by a token of the cluster's that is good for a day, and for asking for a node's
// certificate. Machines of one cluster share it while it is good.

import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { makeToken, type BootstrapToken } from '@aksel/controllers/bootstrap-token/make-token'
import type { NodeCredentials } from '@aksel/provider/cluster-engine'
import { renderKubeconfig } from '@aksel/runtime/kubeconfig'
import type { ClusterRecord } from './cluster-record.ts'

const TOKEN_MS = 24 * 3_600_000
/** A machine has at least so long to use the one it was given. */
const LEFT_MS = 12 * 3_600_000

export class BootstrapTokens {
  /** By cluster. */
  readonly #given = new Map<string, Promise<BootstrapToken>>()

  async credentials(
    scope: Scope,
    cluster: {
      readonly record: Pick<ClusterRecord, 'authority' | 'spec'>
      readonly server: string
      readonly client: Client
    },
  ): Promise<NodeCredentials> {
    const { record, server, client } = cluster
    const { token } = await this.#token(scope, record.spec.id, client)
    const access = { server, caPem: record.authority.certificatePem, token }
    return { kubeconfig: renderKubeconfig(access, { cluster: record.spec.name, user: 'kubelet-bootstrap' }) }
  }

  /** A stopped or deleted cluster gets a new one when it is back. */
  forget(clusterId: string): void {
    this.#given.delete(clusterId)
  }

  async #token(scope: Scope, clusterId: string, client: Client): Promise<BootstrapToken> {
    const known = await this.#given.get(clusterId)
    if (known !== undefined && known.expiresMs - scope.clock.now() > LEFT_MS) return known
    const making = makeToken(scope, client, {
      description: 'Made for machines of node pools.',
      durationMs: TOKEN_MS,
    })
    this.#given.set(clusterId, making)
    making.catch(() => this.#given.delete(clusterId))
    return making
  }
}
