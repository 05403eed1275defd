// The user that a benchmark acts as: a service account with rights in one namespace. The administrator's certificate
// would not do: its group goes around RBAC and flow control. The account stands in kube-system, which the API server guard leaves
// alone: what floods a late server is what a benchmark is, and a throttled one would measure the throttle.

import { namespaces, roleBindings, serviceAccounts } from '@aksel/api/resources'
import { isReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'

export interface BenchUser {
  readonly namespace: string
  /** In that namespace, for its pods. */
  readonly serviceAccount: string
  readonly token: string
}

export const benchNamespace = 'aksel-bench'
const NAME = 'bench'
const account = { name: benchNamespace, namespace: 'kube-system' }
const TOKEN_SECONDS = 3600

/** Makes namespace, account and rights where they are missing, and asks for a token. */
export async function prepareBenchUser(admin: Client): Promise<BenchUser> {
  const namespace = benchNamespace
  const metadata = { name: NAME, namespace }
  await existing(admin.create(namespaces, { metadata: { name: namespace }, spec: {} }))
  await existing(admin.create(serviceAccounts, { metadata }))
  await existing(admin.create(serviceAccounts, { metadata: account }))
  await existing(
    admin.create(roleBindings, {
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
      subjects: [{ kind: 'ServiceAccount', ...account }],
    }),
  )
  const answer = await admin.createSubresource<{ readonly status: { readonly token: string } }>(
    serviceAccounts,
    account,
    'token',
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: TOKEN_SECONDS },
    },
  )
  return { namespace, serviceAccount: NAME, token: answer.status.token }
}

async function existing(creation: Promise<unknown>): Promise<void> {
  try {
    await creation
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
