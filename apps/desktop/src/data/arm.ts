// Clusters as Resource Manager tells them, and what one asks of it. It has no watch: it is asked again, sooner while something goes on.

import type { SessionCluster, Session } from './session.ts'
import { call, callJson } from './api.ts'

export interface ArmPool {
  readonly name: string
  readonly count?: number
  readonly vmSize?: string
  readonly mode?: string
  readonly osType?: string
  readonly provisioningState?: string
  readonly powerState?: { readonly code?: string }
  readonly currentOrchestratorVersion?: string
  readonly nodeImageVersion?: string
  readonly enableAutoScaling?: boolean
  readonly minCount?: number
  readonly maxCount?: number
  readonly availabilityZones?: readonly string[]
  readonly nodeLabels?: Readonly<Record<string, string>>
  readonly nodeTaints?: readonly string[]
  readonly status?: { readonly provisioningError?: { readonly message?: string } }
  readonly aksel?: { readonly simulated?: boolean }
}

export interface ArmCluster {
  readonly id: string
  readonly name: string
  readonly location: string
  readonly sku?: { readonly name?: string; readonly tier?: string }
  readonly tags?: Readonly<Record<string, string>>
  readonly properties: {
    readonly provisioningState: string
    readonly powerState?: { readonly code?: string }
    readonly currentKubernetesVersion?: string
    readonly kubernetesVersion?: string
    readonly fqdn?: string
    readonly agentPoolProfiles?: readonly ArmPool[]
    readonly networkProfile?: Readonly<Record<string, unknown>>
    readonly status?: { readonly provisioningError?: { readonly message?: string } }
    readonly aksel?: { readonly simulated?: boolean; readonly recorded?: readonly string[] }
  }
}

export const ARM_VERSION = '2026-05-01'

export function groupOf(id: string): string {
  return /\/resourceGroups\/([^/]+)/i.exec(id)?.[1] ?? ''
}

export function armKey(cluster: Pick<ArmCluster, 'id' | 'name'>): string {
  return `arm.${groupOf(cluster.id)}.${cluster.name}`.toLowerCase()
}

export function armPath(path: string, version = ARM_VERSION): string {
  return `arm${path}?api-version=${version}`
}

export async function listClusters(session: Session, signal: AbortSignal): Promise<readonly ArmCluster[]> {
  if (session.arm === undefined) return []
  const path = `/subscriptions/${session.arm.subscriptionId}/providers/Microsoft.ContainerService/managedClusters`
  return (await callJson<{ readonly value: readonly ArmCluster[] }>(armPath(path), { signal })).value
}

/** Anything but rest: what a person waits for. */
export function isUnderWay(state: string | undefined): boolean {
  return state !== undefined && !/^(Succeeded|Failed|Canceled)$/i.test(state)
}

export interface Operation {
  readonly status?: string
  readonly error?: { readonly message?: string }
  readonly properties?: { readonly step?: string }
}

/** Sends a write and follows its operation to the end; tells each step. Rejects with what Azure says went wrong. */
export async function order(
  path: string,
  request: { readonly method: string; readonly body?: unknown },
  seen: (step: string) => void,
): Promise<void> {
  const answer = await call(armPath(path), request)
  const address = answer.headers.get('azure-asyncoperation') ?? answer.headers.get('location')
  if (address === null) return
  const { pathname, search } = new URL(address)
  for (;;) {
    const polled = await call(`arm${pathname}${search}`, { headers: { prefer: 'wait=2' } })
    const text = await polled.text()
    const state = (text === '' ? {} : JSON.parse(text)) as Operation
    seen(state.properties?.step ?? state.status ?? '')
    if (state.status === 'Failed' || state.status === 'Canceled')
      throw new Error(state.error?.message ?? `The operation ended: ${state.status}`)
    if (state.status === 'Succeeded' || (state.status === undefined && polled.status !== 202)) return
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

/** Clusters of the server that one may enter, and those that one signed in to by themselves. */
export function sessionClusters(session: Session, clusters: readonly ArmCluster[]): readonly SessionCluster[] {
  const own = clusters.map((each) => ({
    key: armKey(each),
    name: each.name,
    group: groupOf(each.id),
    server: each.properties.fqdn ?? '',
  }))
  const keys = new Set(own.map(({ key }) => key))
  return [...own, ...(session.clusters ?? []).filter(({ key }) => !keys.has(key))]
}
