// What a cloud knows of the machine behind a node, in the words that nodes carry: providerID, size, region and zone.

import type { MachineSpec, MachineState } from './machine-provider.ts'

/** A node that has it belongs to nobody yet: its cloud has not said what it is. A kubelet with an external cloud gives it to itself. */
export const uninitializedTaint = {
  key: 'node.cloudprovider.kubernetes.io/uninitialized',
  value: 'true',
  effect: 'NoSchedule',
} as const

export interface CloudInstance {
  /** `azure:///subscriptions/…/virtualMachineScaleSets/aks-nodepool1-12345678-vmss/virtualMachines/0` */
  readonly providerId: string
  readonly instanceType: string
  readonly region: string
  /** `westeurope-1`; `0`, the fault domain, where the machine lies in no zone. */
  readonly zone: string
  readonly state: MachineState
}

/** Undefined for machines of no cloud: their nodes say themselves what they are. */
export function instanceOf(spec: MachineSpec, state: MachineState): CloudInstance | undefined {
  const { cloud, vmSize, zone } = spec
  if (cloud === undefined) return undefined
  return {
    providerId: `azure://${cloud.resourceId}`,
    instanceType: vmSize,
    region: cloud.region,
    zone: zone === undefined ? '0' : `${cloud.region}-${zone}`,
    state,
  }
}

/** What the node registers with: the taint that its cloud takes away, where it has one. */
export function registrationTaints(spec: Pick<MachineSpec, 'cloud' | 'taints'>): MachineSpec['taints'] {
  return spec.cloud === undefined ? spec.taints : [...spec.taints, uninitializedTaint]
}
