// The built-in resources as typed values: `client.get(pods, { namespace, name })` returns a Pod.

import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from './types/apps-v1.ts'
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration } from './types/admissionregistration-v1.ts'
import type { HorizontalPodAutoscaler } from './types/autoscaling-v2.ts'
import type { APIService } from './types/apiregistration-v1.ts'
import type { CustomResourceDefinition } from './types/apiextensions-v1.ts'
import type { CertificateSigningRequest } from './types/certificates-v1.ts'
import type { ClusterTrustBundle, PodCertificateRequest } from './types/certificates-v1beta1.ts'
import type { Lease } from './types/coordination-v1.ts'
import type { CronJob, Job } from './types/batch-v1.ts'
import type {
  ConfigMap,
  Endpoints,
  Event,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
} from './types/core-v1.ts'
import type { DeviceTaintRule } from './kinds/device-taint-rule.ts'
import type { EndpointSlice } from './types/discovery-v1.ts'
import type { FlowSchema, PriorityLevelConfiguration } from './types/flowcontrol-v1.ts'
import type { IPAddress, Ingress, IngressClass, NetworkPolicy, ServiceCIDR } from './types/networking-v1.ts'
import type { RuntimeClass } from './types/node-v1.ts'
import type { PodDisruptionBudget } from './types/policy-v1.ts'
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from './types/rbac-v1.ts'
import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from './types/resource-v1.ts'
import type { PriorityClass } from './types/scheduling-v1.ts'
import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from './types/storage-v1.ts'
import type { KubernetesObject, ResourceType } from './resource.ts'

function resource<T extends KubernetesObject>(
  groupVersion: string,
  kind: string,
  plural: string,
  scope: 'Namespaced' | 'Cluster',
): ResourceType<T> {
  const slash = groupVersion.indexOf('/')
  const group = slash < 0 ? '' : groupVersion.slice(0, slash)
  return { group, version: groupVersion.slice(slash + 1), kind, plural, namespaced: scope === 'Namespaced' }
}

export const configMaps = resource<ConfigMap>('v1', 'ConfigMap', 'configmaps', 'Namespaced')
export const endpoints = resource<Endpoints>('v1', 'Endpoints', 'endpoints', 'Namespaced')
export const events = resource<Event>('v1', 'Event', 'events', 'Namespaced')
export const namespaces = resource<Namespace>('v1', 'Namespace', 'namespaces', 'Cluster')
export const nodes = resource<Node>('v1', 'Node', 'nodes', 'Cluster')
export const persistentVolumes = resource<PersistentVolume>('v1', 'PersistentVolume', 'persistentvolumes', 'Cluster')
export const persistentVolumeClaims = resource<PersistentVolumeClaim>(
  'v1',
  'PersistentVolumeClaim',
  'persistentvolumeclaims',
  'Namespaced',
)
export const pods = resource<Pod>('v1', 'Pod', 'pods', 'Namespaced')
export const replicationControllers = resource<ReplicationController>(
  'v1',
  'ReplicationController',
  'replicationcontrollers',
  'Namespaced',
)
export const resourceQuotas = resource<ResourceQuota>('v1', 'ResourceQuota', 'resourcequotas', 'Namespaced')
export const secrets = resource<Secret>('v1', 'Secret', 'secrets', 'Namespaced')
export const services = resource<Service>('v1', 'Service', 'services', 'Namespaced')
export const serviceAccounts = resource<ServiceAccount>('v1', 'ServiceAccount', 'serviceaccounts', 'Namespaced')

export const controllerRevisions = resource<ControllerRevision>(
  'apps/v1',
  'ControllerRevision',
  'controllerrevisions',
  'Namespaced',
)
export const daemonSets = resource<DaemonSet>('apps/v1', 'DaemonSet', 'daemonsets', 'Namespaced')
export const deployments = resource<Deployment>('apps/v1', 'Deployment', 'deployments', 'Namespaced')
export const replicaSets = resource<ReplicaSet>('apps/v1', 'ReplicaSet', 'replicasets', 'Namespaced')
export const statefulSets = resource<StatefulSet>('apps/v1', 'StatefulSet', 'statefulsets', 'Namespaced')

export const horizontalPodAutoscalers = resource<HorizontalPodAutoscaler>(
  'autoscaling/v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
  'Namespaced',
)

export const jobs = resource<Job>('batch/v1', 'Job', 'jobs', 'Namespaced')
export const cronJobs = resource<CronJob>('batch/v1', 'CronJob', 'cronjobs', 'Namespaced')
export const podDisruptionBudgets = resource<PodDisruptionBudget>(
  'policy/v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
  'Namespaced',
)
export const networkPolicies = resource<NetworkPolicy>(
  'networking.k8s.io/v1',
  'NetworkPolicy',
  'networkpolicies',
  'Namespaced',
)
export const runtimeClasses = resource<RuntimeClass>('node.k8s.io/v1', 'RuntimeClass', 'runtimeclasses', 'Cluster')
export const leases = resource<Lease>('coordination.k8s.io/v1', 'Lease', 'leases', 'Namespaced')
export const endpointSlices = resource<EndpointSlice>(
  'discovery.k8s.io/v1',
  'EndpointSlice',
  'endpointslices',
  'Namespaced',
)
export const certificateSigningRequests = resource<CertificateSigningRequest>(
  'certificates.k8s.io/v1',
  'CertificateSigningRequest',
  'certificatesigningrequests',
  'Cluster',
)
/** Served where the version is switched on. */
export const clusterTrustBundles = resource<ClusterTrustBundle>(
  'certificates.k8s.io/v1beta1',
  'ClusterTrustBundle',
  'clustertrustbundles',
  'Cluster',
)
/** Served where the version is switched on, since 1.35. */
export const podCertificateRequests = resource<PodCertificateRequest>(
  'certificates.k8s.io/v1beta1',
  'PodCertificateRequest',
  'podcertificaterequests',
  'Namespaced',
)
/** As 1.34 has them. */
export const podCertificateRequestsAlpha = resource<PodCertificateRequest>(
  'certificates.k8s.io/v1alpha1',
  'PodCertificateRequest',
  'podcertificaterequests',
  'Namespaced',
)
export const apiServices = resource<APIService>('apiregistration.k8s.io/v1', 'APIService', 'apiservices', 'Cluster')
export const customResourceDefinitions = resource<CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'CustomResourceDefinition',
  'customresourcedefinitions',
  'Cluster',
)
export const priorityClasses = resource<PriorityClass>(
  'scheduling.k8s.io/v1',
  'PriorityClass',
  'priorityclasses',
  'Cluster',
)

export const roles = resource<Role>('rbac.authorization.k8s.io/v1', 'Role', 'roles', 'Namespaced')
export const roleBindings = resource<RoleBinding>(
  'rbac.authorization.k8s.io/v1',
  'RoleBinding',
  'rolebindings',
  'Namespaced',
)
export const clusterRoles = resource<ClusterRole>(
  'rbac.authorization.k8s.io/v1',
  'ClusterRole',
  'clusterroles',
  'Cluster',
)
export const clusterRoleBindings = resource<ClusterRoleBinding>(
  'rbac.authorization.k8s.io/v1',
  'ClusterRoleBinding',
  'clusterrolebindings',
  'Cluster',
)

export const storageClasses = resource<StorageClass>('storage.k8s.io/v1', 'StorageClass', 'storageclasses', 'Cluster')
export const volumeAttributesClasses = resource<VolumeAttributesClass>(
  'storage.k8s.io/v1',
  'VolumeAttributesClass',
  'volumeattributesclasses',
  'Cluster',
)
export const resourceClaims = resource<ResourceClaim>(
  'resource.k8s.io/v1',
  'ResourceClaim',
  'resourceclaims',
  'Namespaced',
)
export const resourceClaimTemplates = resource<ResourceClaimTemplate>(
  'resource.k8s.io/v1',
  'ResourceClaimTemplate',
  'resourceclaimtemplates',
  'Namespaced',
)
export const deviceClasses = resource<DeviceClass>('resource.k8s.io/v1', 'DeviceClass', 'deviceclasses', 'Cluster')
/** Served only where its version is switched on: the alpha of all minors, and the beta of 1.36. */
export const deviceTaintRules = resource<DeviceTaintRule>(
  'resource.k8s.io/v1alpha3',
  'DeviceTaintRule',
  'devicetaintrules',
  'Cluster',
)
export const resourceSlices = resource<ResourceSlice>(
  'resource.k8s.io/v1',
  'ResourceSlice',
  'resourceslices',
  'Cluster',
)
export const csiDrivers = resource<CSIDriver>('storage.k8s.io/v1', 'CSIDriver', 'csidrivers', 'Cluster')
export const csiNodes = resource<CSINode>('storage.k8s.io/v1', 'CSINode', 'csinodes', 'Cluster')
export const csiStorageCapacities = resource<CSIStorageCapacity>(
  'storage.k8s.io/v1',
  'CSIStorageCapacity',
  'csistoragecapacities',
  'Namespaced',
)
export const volumeAttachments = resource<VolumeAttachment>(
  'storage.k8s.io/v1',
  'VolumeAttachment',
  'volumeattachments',
  'Cluster',
)

const flowControl = 'flowcontrol.apiserver.k8s.io/v1'
export const flowSchemas = resource<FlowSchema>(flowControl, 'FlowSchema', 'flowschemas', 'Cluster')
export const priorityLevelConfigurations = resource<PriorityLevelConfiguration>(
  flowControl,
  'PriorityLevelConfiguration',
  'prioritylevelconfigurations',
  'Cluster',
)
export const ipAddresses = resource<IPAddress>('networking.k8s.io/v1', 'IPAddress', 'ipaddresses', 'Cluster')
export const serviceCidrs = resource<ServiceCIDR>('networking.k8s.io/v1', 'ServiceCIDR', 'servicecidrs', 'Cluster')
export const ingresses = resource<Ingress>('networking.k8s.io/v1', 'Ingress', 'ingresses', 'Namespaced')
export const ingressClasses = resource<IngressClass>(
  'networking.k8s.io/v1',
  'IngressClass',
  'ingressclasses',
  'Cluster',
)
export const limitRanges = resource<LimitRange>('v1', 'LimitRange', 'limitranges', 'Namespaced')
export const mutatingWebhookConfigurations = resource<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'MutatingWebhookConfiguration',
  'mutatingwebhookconfigurations',
  'Cluster',
)
export const validatingWebhookConfigurations = resource<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'ValidatingWebhookConfiguration',
  'validatingwebhookconfigurations',
  'Cluster',
)
