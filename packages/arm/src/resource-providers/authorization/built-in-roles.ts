// The built-in roles that people use around AKS, with Azure's own ids and permissions.

import type { Permission, RoleDefinition } from './role-definition.ts'

const support = ['Microsoft.Authorization/*/read', 'Microsoft.Support/*']
const common = [
  ...support,
  'Microsoft.Insights/alertRules/*',
  'Microsoft.Resources/deployments/*',
  'Microsoft.Resources/subscriptions/resourceGroups/read',
]
const aks = 'Microsoft.ContainerService'
const clusters = `${aks}/managedClusters`

/** Kinds that the Kubernetes role `view` reads, as data actions name them: group, slash, resource; the core group has no name. */
const viewed = [
  'apps/controllerrevisions',
  'apps/daemonsets',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'autoscaling/horizontalpodautoscalers',
  'batch/cronjobs',
  'batch/jobs',
  'configmaps',
  'discovery.k8s.io/endpointslices',
  'endpoints',
  'extensions/daemonsets',
  'extensions/deployments',
  'extensions/ingresses',
  'extensions/networkpolicies',
  'extensions/replicasets',
  'networking.k8s.io/ingresses',
  'networking.k8s.io/networkpolicies',
  'persistentvolumeclaims',
  'pods',
  'policy/poddisruptionbudgets',
  'replicationcontrollers',
  'serviceaccounts',
  'services',
]
const seen = ['events', 'events.k8s.io/events', 'limitranges', 'namespaces', 'resourcequotas', 'metrics.k8s.io/pods']
const read = (names: readonly string[]): readonly string[] => names.map((name) => `${clusters}/${name}/read`)

const readInside = [...read(viewed), ...read(seen)]
const writeInside = [
  ...viewed.filter((name) => !name.endsWith('controllerrevisions')).map((name) => `${clusters}/${name}/*`),
  `${clusters}/apps/controllerrevisions/read`,
  `${clusters}/secrets/*`,
  `${clusters}/coordination.k8s.io/leases/*`,
  ...read(seen),
]

interface Row extends Partial<Permission> {
  readonly id: string
  readonly role: string
  readonly description: string
}

const rows: readonly Row[] = [
  {
    id: '8e3af657-a8ff-443c-a75c-2fe8c4bcb635',
    role: 'Owner',
    description: 'Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.',
    actions: ['*'],
  },
  {
    id: 'b24988ac-6180-42a0-ab88-20f7382dd24c',
    role: 'Contributor',
    description: 'Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC.',
    actions: ['*'],
    notActions: [
      'Microsoft.Authorization/*/Delete',
      'Microsoft.Authorization/*/Write',
      'Microsoft.Authorization/elevateAccess/Action',
      'Microsoft.Blueprint/blueprintAssignments/write',
      'Microsoft.Blueprint/blueprintAssignments/delete',
      'Microsoft.Compute/galleries/share/action',
    ],
  },
  {
    id: 'acdd72a7-3385-48ef-bd42-f606fba81ae7',
    role: 'Reader',
    description: 'View all resources, but does not allow you to make any changes.',
    actions: ['*/read'],
  },
  {
    id: '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9',
    role: 'User Access Administrator',
    description: 'Lets you manage user access to Azure resources.',
    actions: ['*/read', 'Microsoft.Authorization/*', 'Microsoft.Support/*'],
  },
  {
    id: 'f58310d9-a9f6-439a-9e8d-f62e7b41a168',
    role: 'Role Based Access Control Administrator',
    description: 'Manage access to Azure resources by assigning roles using Azure RBAC.',
    actions: [
      'Microsoft.Authorization/roleAssignments/write',
      'Microsoft.Authorization/roleAssignments/delete',
      '*/read',
      'Microsoft.Support/*',
    ],
  },
  {
    id: '4d97b98b-1d4f-4787-a291-c67834d212e7',
    role: 'Network Contributor',
    description: 'Lets you manage networks, but not access to them.',
    actions: [...common, 'Microsoft.Network/*', 'Microsoft.ResourceHealth/availabilityStatuses/read'],
  },
  {
    id: '9980e02c-c2be-4d73-94e8-173b1dc7cf3c',
    role: 'Virtual Machine Contributor',
    description: 'Lets you manage virtual machines, but not access to them, nor the network they are connected to.',
    actions: [
      ...common,
      'Microsoft.Compute/availabilitySets/*',
      'Microsoft.Compute/locations/*',
      'Microsoft.Compute/virtualMachines/*',
      'Microsoft.Compute/virtualMachineScaleSets/*',
      'Microsoft.Compute/disks/write',
      'Microsoft.Compute/disks/read',
      'Microsoft.Compute/disks/delete',
      'Microsoft.Network/networkSecurityGroups/join/action',
      'Microsoft.Network/networkSecurityGroups/read',
      'Microsoft.Network/publicIPAddresses/join/action',
      'Microsoft.Network/publicIPAddresses/read',
      'Microsoft.Network/virtualNetworks/read',
      'Microsoft.Network/virtualNetworks/subnets/join/action',
    ],
  },
  {
    id: '4a9ae827-6dc8-4573-8ac7-8239d42aa03f',
    role: 'Tag Contributor',
    description: 'Lets you manage tags on entities, without providing access to the entities themselves.',
    actions: [
      ...common,
      'Microsoft.Resources/subscriptions/resourceGroups/resources/read',
      'Microsoft.Resources/subscriptions/resources/read',
      'Microsoft.Resources/tags/*',
    ],
  },
  {
    id: 'ed7f3fbd-7b88-4dd4-9017-9adb7ce333f8',
    role: 'Azure Kubernetes Service Contributor Role',
    description: 'Grants access to read and write Azure Kubernetes Service clusters',
    actions: [
      ...common,
      `${aks}/locations/*`,
      `${clusters}/*`,
      `${aks}/managedclustersnapshots/*`,
      `${aks}/snapshots/*`,
    ],
  },
  {
    id: '0ab0b1a8-8aac-4efd-b8c2-3ee1fb270be8',
    role: 'Azure Kubernetes Service Cluster Admin Role',
    description: 'List cluster admin credential action.',
    actions: [
      `${clusters}/listClusterAdminCredential/action`,
      `${clusters}/accessProfiles/listCredential/action`,
      `${clusters}/read`,
      `${clusters}/runcommand/action`,
      `${clusters}/commandResults/read`,
    ],
  },
  {
    id: '4abbcc35-e782-43d8-92c5-2d3f1bd2253f',
    role: 'Azure Kubernetes Service Cluster User Role',
    description: 'List cluster user credential action.',
    actions: [`${clusters}/listClusterUserCredential/action`, `${clusters}/read`],
  },
  {
    id: '1afdec4b-e479-420e-99e7-f82237c7c5e6',
    role: 'Azure Kubernetes Service Cluster Monitoring User',
    description: 'List cluster monitoring user credential action.',
    actions: [`${clusters}/listClusterMonitoringUserCredential/action`, `${clusters}/read`],
  },
  {
    id: '289d8817-ee69-43f1-a0af-43a45505b488',
    role: 'Azure Kubernetes Service Namespace Contributor',
    description: 'Allows users to create and manage Azure Kubernetes Service namespace resources.',
    actions: [...common, `${clusters}/managedNamespaces/*`],
  },
  {
    id: 'c9f76ca8-b262-4b10-8ed2-09cf0948aa35',
    role: 'Azure Kubernetes Service Namespace User',
    description:
      'Allows users to read Azure Kubernetes Service namespace resources. In-cluster namespace access further requires assignment of Azure Kubernetes Service RBAC roles to the namespace resource for an Entra ID enabled cluster.',
    actions: [`${clusters}/managedNamespaces/read`, `${clusters}/managedNamespaces/listCredential/action`],
  },
  {
    id: 'b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b',
    role: 'Azure Kubernetes Service RBAC Cluster Admin',
    description: 'Lets you manage all resources in the cluster.',
    actions: [...common, `${clusters}/listClusterUserCredential/action`],
    dataActions: [`${clusters}/*`],
  },
  {
    id: '3498e952-d568-435e-9b2c-8d77e338d7f7',
    role: 'Azure Kubernetes Service RBAC Admin',
    description:
      'Lets you manage all resources under cluster/namespace, except update or delete resource quotas and namespaces.',
    actions: [...common, `${clusters}/listClusterUserCredential/action`],
    dataActions: [`${clusters}/*`],
    notDataActions: [
      `${clusters}/*/impersonate/action`,
      `${clusters}/resourcequotas/write`,
      `${clusters}/resourcequotas/delete`,
      `${clusters}/namespaces/write`,
      `${clusters}/namespaces/delete`,
    ],
  },
  {
    id: '7f6c6a51-bcf8-42ba-9220-52d62157d7db',
    role: 'Azure Kubernetes Service RBAC Reader',
    description:
      'Allows read-only access to see most objects in a namespace. It does not allow viewing roles, role bindings or secrets.',
    actions: common,
    dataActions: readInside,
  },
  {
    id: 'a7ffa36f-339b-4b5c-8bdf-e2c188b2c0eb',
    role: 'Azure Kubernetes Service RBAC Writer',
    description:
      'Allows read/write access to most objects in a namespace. It does not allow viewing or modifying roles or role bindings.',
    actions: common,
    dataActions: writeInside,
  },
  {
    id: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
    role: 'AcrPull',
    description: 'acr pull',
    actions: ['Microsoft.ContainerRegistry/registries/pull/read'],
  },
  {
    id: '8311e382-0749-4cb8-b61a-304f252e45ec',
    role: 'AcrPush',
    description: 'acr push',
    actions: ['Microsoft.ContainerRegistry/registries/pull/read', 'Microsoft.ContainerRegistry/registries/push/write'],
  },
  {
    id: 'f1a07417-d97a-45cb-824c-7a7467783830',
    role: 'Managed Identity Operator',
    description: 'Read and Assign User Assigned Identity',
    actions: [
      ...common,
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
      'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
    ],
  },
  {
    id: 'e40ec5ca-96e0-45a2-b4ff-59039f2c2b59',
    role: 'Managed Identity Contributor',
    description: 'Create, Read, Update, and Delete User Assigned Identity',
    actions: [
      ...common,
      'Microsoft.ManagedIdentity/userAssignedIdentities/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/delete',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/delete',
    ],
  },
  {
    id: '749f88d5-cbae-40b8-bcfc-e573ddc772fa',
    role: 'Monitoring Contributor',
    description: 'Can read all monitoring data and update monitoring settings.',
    actions: [
      '*/read',
      ...support,
      'Microsoft.Insights/*',
      'Microsoft.Monitor/*',
      'Microsoft.OperationalInsights/workspaces/*',
    ],
  },
  {
    id: '43d0d8ad-25c7-4714-9337-8ba259a9fe05',
    role: 'Monitoring Reader',
    description: 'Can read all monitoring data.',
    actions: ['*/read', 'Microsoft.OperationalInsights/workspaces/search/action', 'Microsoft.Support/*'],
  },
  {
    id: '3913510d-42f4-4e42-8a64-420c390055eb',
    role: 'Monitoring Metrics Publisher',
    description: 'Enables publishing metrics against Azure resources',
    actions: [
      'Microsoft.Insights/Register/Action',
      'Microsoft.Support/*',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
    ],
    dataActions: ['Microsoft.Insights/Metrics/Write', 'Microsoft.Insights/Telemetry/Write'],
  },
  {
    id: '92aaf0da-9dab-42b6-94a3-d43ce8d16293',
    role: 'Log Analytics Contributor',
    description: 'Log Analytics Contributor can read all monitoring data and edit monitoring settings.',
    actions: ['*/read', ...common, 'Microsoft.Insights/diagnosticSettings/*', 'Microsoft.OperationalInsights/*'],
  },
  {
    id: '73c42c96-874c-492b-b04d-ab87d138a893',
    role: 'Log Analytics Reader',
    description:
      'Log Analytics Reader can view and search all monitoring data as well as and view monitoring settings.',
    actions: ['*/read', 'Microsoft.OperationalInsights/workspaces/analytics/query/action', 'Microsoft.Support/*'],
    notActions: ['Microsoft.OperationalInsights/workspaces/sharedKeys/read'],
  },
  {
    id: 'f25e0fa2-a7c8-4377-a976-54943a77a395',
    role: 'Key Vault Contributor',
    description: 'Lets you manage key vaults, but not access to them.',
    actions: [...common, 'Microsoft.KeyVault/*'],
    notActions: ['Microsoft.KeyVault/locations/deletedVaults/purge/action', 'Microsoft.KeyVault/hsmPools/*'],
  },
  {
    id: '4633458b-17de-408a-b874-0445c86b69e6',
    role: 'Key Vault Secrets User',
    description:
      'Read secret contents. Only works for key vaults that use the Azure role-based access control permission model.',
    dataActions: [
      'Microsoft.KeyVault/vaults/secrets/getSecret/action',
      'Microsoft.KeyVault/vaults/secrets/readMetadata/action',
    ],
  },
  {
    id: 'b12aa53e-6015-4669-85d0-8515ebb3ae7f',
    role: 'Private DNS Zone Contributor',
    description: 'Lets you manage private DNS zone resources, but not the virtual networks they are linked to.',
    actions: [
      ...common,
      'Microsoft.Network/privateDnsZones/*',
      'Microsoft.Network/privateDnsOperationResults/*',
      'Microsoft.Network/virtualNetworks/read',
      'Microsoft.Network/virtualNetworks/join/action',
    ],
  },
]

export const ownerRole = rows[0]!.id

/** When Azure made its first roles; ours show one date for all. */
const madeOn = '2015-02-02T21:55:09.8806423Z'

export const builtInRoles: readonly RoleDefinition[] = rows.map(({ id, role, description, ...lists }) => ({
  kind: 'roleDefinition',
  name: id,
  roleName: role,
  description,
  type: 'BuiltInRole',
  permissions: [{ actions: [], notActions: [], dataActions: [], notDataActions: [], ...lists }],
  assignableScopes: ['/'],
  createdOn: madeOn,
  updatedOn: madeOn,
}))
