// Pod sandboxing: a pool whose workloadRuntime asks for it gets nodes with a second runtime, and its cluster the runtime
// class by which pods choose it.

import { runtimeClasses } from '@aksel/api/resources'
import type { RuntimeClass } from '@aksel/api/types/node-v1'
import { isReason } from '@aksel/base/errors'
import type { ClusterRecord, PoolProperties, PoolRecord } from '../../records.ts'
import { engineId, type Pass } from './pass.ts'

const label = 'kubernetes.azure.com/kata-vm-isolation'

/** The first name is today's, the second that of the preview. */
export const sandboxedRuntimes = ['KataVmIsolation', 'KataMshvVmIsolation'] as const

export function isSandboxed(pool: Pick<PoolProperties, 'workloadRuntime'>): boolean {
  return sandboxedRuntimes.some((name) => name === pool.workloadRuntime)
}

/** What nodes of such a pool are found by. */
export const sandboxLabels: Readonly<Record<string, string>> = { [label]: 'true' }

/** 512 MiB for the guest and what runs it, as AKS counts. */
const runtimeClass: RuntimeClass = {
  apiVersion: 'node.k8s.io/v1',
  kind: 'RuntimeClass',
  metadata: { name: 'kata-vm-isolation', labels: { 'addonmanager.kubernetes.io/mode': 'EnsureExists' } },
  handler: 'kata',
  overhead: { podFixed: { memory: '600Mi' } },
  scheduling: { nodeSelector: sandboxLabels },
}

/** Idempotent; a class that somebody changed stays as it is. */
export async function ensureSandboxing(pass: Pass, cluster: ClusterRecord, pool: PoolRecord): Promise<void> {
  if (!isSandboxed(pool.properties)) return
  try {
    await pass.suppliers.engine.client(engineId(cluster)).create(runtimeClasses, runtimeClass)
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error
  }
}
