// Who each loop is to the API server: a service account of kube-system with upstream's bootstrap role, as with
// `--use-service-account-credentials`. The manager itself reads for all, and elects itself.

import { serviceAccounts } from '@aksel/api/resources'
import type { ServiceAccount } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Client } from '@aksel/client/client'
import type { Cache } from '@aksel/runtime/controller'

/** Accounts of the loops; the bootstrap policy has a role `system:controller:NAME` for each, within a namespace for two. */
export const loopAccounts = [
  'namespace-controller',
  'service-account-controller',
  'root-ca-cert-publisher',
  'deployment-controller',
  'replicaset-controller',
  'replication-controller',
  'statefulset-controller',
  'daemon-set-controller',
  'job-controller',
  'cronjob-controller',
  'ttl-after-finished-controller',
  'disruption-controller',
  'resourcequota-controller',
  'horizontal-pod-autoscaler',
  'endpointslice-controller',
  'endpoint-controller',
  'endpointslicemirroring-controller',
  'ephemeral-volume-controller',
  'clusterrole-aggregation-controller',
  'node-controller',
  'pod-garbage-collector',
  'persistent-volume-binder',
  'pvc-protection-controller',
  'pv-protection-controller',
  'volumeattributesclass-protection-controller',
  'generic-garbage-collector',
  'service-controller',
  'route-controller',
  'certificate-controller',
  'attachdetach-controller',
  'legacy-service-account-token-cleaner',
  'resource-claim-controller',
  'device-taint-eviction-controller',
  'service-cidrs-controller',
  'expand-controller',
  'ttl-controller',
  'bootstrap-signer',
  'token-cleaner',
] as const
export type LoopAccount = (typeof loopAccounts)[number]

export type ClientOf = (account: LoopAccount) => Client

const accountPrefix = 'system:serviceaccount:kube-system:'

export interface LoopUser {
  readonly name: string
  readonly groups: readonly string[]
}

/** Lists and watches for every loop, and stands for election. */
export const managerUser: LoopUser = { name: 'system:kube-controller-manager', groups: ['system:authenticated'] }

export const schedulerUser: LoopUser = { name: 'system:kube-scheduler', groups: ['system:authenticated'] }

/**
 * True for an audit entry of a loop that asked for more than its role gives it. What admission refused it (in a namespace
 * on its way out, by a quota) had been allowed before.
 */
export function isLoopBeyondItsRole(entry: Readonly<Record<string, unknown>>): boolean {
  const { user, responseStatus, annotations, userAgent } = entry as {
    readonly user?: { readonly username?: string }
    readonly responseStatus?: { readonly code?: number }
    readonly annotations?: Readonly<Record<string, string>>
    readonly userAgent?: string
  }
  if (responseStatus?.code !== 403) return false
  if (annotations?.['authorization.k8s.io/reason']?.startsWith('RBAC: allowed by') === true) return false
  const { username = '' } = user ?? {}
  if (username === managerUser.name || username === schedulerUser.name) return true
  return username.startsWith(accountPrefix) && (userAgent ?? '').startsWith('kube-controller-manager')
}

export function isLoopUser({ name }: LoopUser): boolean {
  return name === managerUser.name || name === schedulerUser.name || name.startsWith(accountPrefix)
}

/** The accounts as objects of kube-system, where people look for them. Reads nothing: those that are there answer so. */
export async function ensureAccounts(
  client: Client,
  known: Pick<Cache<ServiceAccount>, 'get'>,
  names: readonly string[] = loopAccounts,
): Promise<void> {
  const missing = names.filter((name) => known.get(`kube-system/${name}`) === undefined)
  const create = (name: string): Promise<unknown> =>
    client.create(serviceAccounts, { metadata: { name, namespace: 'kube-system' } })
  await Promise.all(missing.map((name) => ignoreReason('AlreadyExists', create(name))))
}

/** The first part is the manager of the fields that it writes; the rest tells the loops apart, as upstream's does. */
export function loopUserAgent({ name }: LoopUser): string {
  if (name === schedulerUser.name) return 'kube-scheduler'
  return name === managerUser.name ? 'kube-controller-manager' : `kube-controller-manager/${name}`
}

/** The user that a service account of kube-system is. */
export function systemAccount(name: string): LoopUser {
  return {
    name: `${accountPrefix}${name}`,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:kube-system', 'system:authenticated'],
  }
}
