// What stock Headlamp's front end asks of a cluster, read from its published source (frontend/src/lib/k8s, backend/cmd/multiplexer.go,
// 0.30 of April 2025). docs/coverage/headlamp.md names each of them.

/** Lists that its pages read and then watch; where it knows several versions, the one that it asks first. */
export const lists: readonly (readonly [path: string, kind: string])[] = [
  ['/api/v1/configmaps', 'ConfigMapList'],
  ['/api/v1/endpoints', 'EndpointsList'],
  ['/api/v1/events', 'EventList'],
  ['/api/v1/limitranges', 'LimitRangeList'],
  ['/api/v1/namespaces', 'NamespaceList'],
  ['/api/v1/nodes', 'NodeList'],
  ['/api/v1/persistentvolumeclaims', 'PersistentVolumeClaimList'],
  ['/api/v1/persistentvolumes', 'PersistentVolumeList'],
  ['/api/v1/pods', 'PodList'],
  ['/api/v1/resourcequotas', 'ResourceQuotaList'],
  ['/api/v1/secrets', 'SecretList'],
  ['/api/v1/serviceaccounts', 'ServiceAccountList'],
  ['/api/v1/services', 'ServiceList'],
  ['/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations', 'MutatingWebhookConfigurationList'],
  ['/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', 'ValidatingWebhookConfigurationList'],
  ['/apis/apiextensions.k8s.io/v1/customresourcedefinitions', 'CustomResourceDefinitionList'],
  ['/apis/apps/v1/daemonsets', 'DaemonSetList'],
  ['/apis/apps/v1/deployments', 'DeploymentList'],
  ['/apis/apps/v1/replicasets', 'ReplicaSetList'],
  ['/apis/apps/v1/statefulsets', 'StatefulSetList'],
  ['/apis/autoscaling/v2/horizontalpodautoscalers', 'HorizontalPodAutoscalerList'],
  ['/apis/batch/v1/cronjobs', 'CronJobList'],
  ['/apis/batch/v1/jobs', 'JobList'],
  ['/apis/coordination.k8s.io/v1/leases', 'LeaseList'],
  ['/apis/networking.k8s.io/v1/ingressclasses', 'IngressClassList'],
  ['/apis/networking.k8s.io/v1/ingresses', 'IngressList'],
  ['/apis/networking.k8s.io/v1/networkpolicies', 'NetworkPolicyList'],
  ['/apis/node.k8s.io/v1/runtimeclasses', 'RuntimeClassList'],
  ['/apis/policy/v1/poddisruptionbudgets', 'PodDisruptionBudgetList'],
  ['/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', 'ClusterRoleBindingList'],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'ClusterRoleList'],
  ['/apis/rbac.authorization.k8s.io/v1/rolebindings', 'RoleBindingList'],
  ['/apis/rbac.authorization.k8s.io/v1/roles', 'RoleList'],
  ['/apis/scheduling.k8s.io/v1/priorityclasses', 'PriorityClassList'],
  ['/apis/storage.k8s.io/v1/storageclasses', 'StorageClassList'],
]

/** Kinds that a cluster may lack: the page is left out where the answer is 404. */
export const optionalLists: readonly string[] = [
  '/apis/autoscaling.k8s.io/v1/verticalpodautoscalers',
  '/apis/gateway.networking.k8s.io/v1/gatewayclasses',
  '/apis/gateway.networking.k8s.io/v1/gateways',
  '/apis/gateway.networking.k8s.io/v1/httproutes',
  '/apis/gateway.networking.k8s.io/v1/grpcroutes',
]

/** The bearer's subprotocol, as its front end (btoa without padding) and its server's multiplexer write it. */
export function bearerProtocol(token: string): string {
  return `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64').replaceAll('=', '')}`
}

/** Offered for every stream, and what exec and attach offer beside it. */
export const streamProtocol = 'base64.binary.k8s.io'
export const channelProtocols = [
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const
