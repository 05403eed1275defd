// The roles of trusted access: what Azure's services may be given inside a cluster. Names are those of Azure's documentation; it does
// not publish all of their rules, and those of Azure Backup and Machine Learning are Aksel's reading of what these services do.

import type { PolicyRule } from '@aksel/api/types/rbac-v1'

export interface TrustedAccessRole {
  readonly sourceResourceType: string
  /** Below the type: `backup-operator`. */
  readonly name: string
  readonly rules: readonly PolicyRule[]
}

const scaleSets = 'Microsoft.Compute/virtualMachineScaleSets'
const vaults = 'Microsoft.DataProtection/backupVaults'
const workspaces = 'Microsoft.MachineLearningServices/workspaces'

const read = ['get', 'list', 'watch']
const write = [...read, 'create', 'update', 'patch', 'delete']

export const trustedAccessRoles: readonly TrustedAccessRole[] = [
  {
    sourceResourceType: scaleSets,
    name: 'test-node-reader',
    rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['nodes'] }],
  },
  {
    sourceResourceType: scaleSets,
    name: 'test-admin',
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  },
  {
    sourceResourceType: vaults,
    name: 'backup-operator',
    rules: [
      { verbs: read, apiGroups: [''], resources: ['namespaces', 'persistentvolumes', 'persistentvolumeclaims'] },
      { verbs: read, apiGroups: ['apps'], resources: ['deployments'] },
      {
        verbs: write,
        apiGroups: ['clusterbackup.dataprotection.microsoft.com', 'dataprotection.microsoft.com', 'velero.io'],
        resources: ['*'],
      },
    ],
  },
  {
    sourceResourceType: workspaces,
    name: 'inference-v1',
    rules: [
      { verbs: read, apiGroups: [''], resources: ['nodes', 'namespaces', 'pods', 'pods/log', 'events'] },
      { verbs: write, apiGroups: ['amlarc.azureml.com'], resources: ['*'] },
    ],
  },
  {
    sourceResourceType: workspaces,
    name: 'mlworkload',
    rules: [
      { verbs: read, apiGroups: [''], resources: ['nodes', 'namespaces', 'pods', 'pods/log', 'events'] },
      { verbs: write, apiGroups: [''], resources: ['configmaps', 'secrets', 'services'] },
      { verbs: write, apiGroups: ['amlarc.azureml.com', 'batch.volcano.sh'], resources: ['*'] },
    ],
  },
]

/** By its name with the type before it; undefined for one that is not known here. */
export function findTrustedAccessRole(qualified: string): TrustedAccessRole | undefined {
  return trustedAccessRoles.find(
    ({ sourceResourceType, name }) => `${sourceResourceType}/${name}`.toLowerCase() === qualified.toLowerCase(),
  )
}
