// The refused examples of every kind.

import type { RefusedExamples } from './examples.ts'
import { certificateSigningRequestExamples } from './certificate-signing-request.ts'
import { clusterRoleBindingExamples } from './cluster-role-binding.ts'
import { clusterRoleExamples } from './cluster-role.ts'
import { configMapExamples } from './config-map.ts'
import { controllerRevisionExamples } from './controller-revision.ts'
import { coreEventExamples } from './core-event.ts'
import { cronJobExamples } from './cron-job.ts'
import { csiDriverExamples } from './csi-driver.ts'
import { csiNodeExamples } from './csi-node.ts'
import { csiStorageCapacityExamples } from './csi-storage-capacity.ts'
import { daemonSetExamples } from './daemon-set.ts'
import { deploymentExamples } from './deployment.ts'
import { deviceClassExamples } from './device-class.ts'
import { endpointSliceExamples } from './endpoint-slice.ts'
import { endpointsExamples } from './endpoints.ts'
import { eventExamples } from './event.ts'
import { flowSchemaExamples } from './flow-schema.ts'
import { horizontalPodAutoscalerExamples } from './horizontal-pod-autoscaler.ts'
import { ingressClassExamples } from './ingress-class.ts'
import { ingressExamples } from './ingress.ts'
import { ipAddressExamples } from './ip-address.ts'
import { jobExamples } from './job.ts'
import { leaseExamples } from './lease.ts'
import { limitRangeExamples } from './limit-range.ts'
import { namespaceExamples } from './namespace.ts'
import { networkPolicyExamples } from './network-policy.ts'
import { nodeExamples } from './node.ts'
import { persistentVolumeClaimExamples } from './persistent-volume-claim.ts'
import { persistentVolumeExamples } from './persistent-volume.ts'
import { podDisruptionBudgetExamples } from './pod-disruption-budget.ts'
import { podTemplateExamples } from './pod-template.ts'
import { podExamples } from './pod.ts'
import { apiServiceExamples } from './api-service.ts'
import { customResourceDefinitionExamples } from './custom-resource-definition.ts'
import { priorityClassExamples } from './priority-class.ts'
import { priorityLevelConfigurationExamples } from './priority-level-configuration.ts'
import { replicaSetExamples } from './replica-set.ts'
import { replicationControllerExamples } from './replication-controller.ts'
import { resourceClaimExamples, resourceClaimTemplateExamples } from './resource-claim.ts'
import { resourceQuotaExamples } from './resource-quota.ts'
import { resourceSliceExamples } from './resource-slice.ts'
import { roleBindingExamples } from './role-binding.ts'
import { roleExamples } from './role.ts'
import { runtimeClassExamples } from './runtime-class.ts'
import { secretExamples } from './secret.ts'
import { serviceAccountExamples } from './service-account.ts'
import { serviceCidrExamples } from './service-cidr.ts'
import { serviceExamples } from './service.ts'
import { statefulSetExamples } from './stateful-set.ts'
import { storageClassExamples } from './storage-class.ts'
import { volumeAttachmentExamples } from './volume-attachment.ts'
import { volumeAttributesClassExamples } from './volume-attributes-class.ts'

export const allRefused: readonly RefusedExamples[] = [
  certificateSigningRequestExamples,
  clusterRoleBindingExamples,
  clusterRoleExamples,
  configMapExamples,
  controllerRevisionExamples,
  coreEventExamples,
  cronJobExamples,
  csiDriverExamples,
  csiNodeExamples,
  csiStorageCapacityExamples,
  daemonSetExamples,
  deploymentExamples,
  deviceClassExamples,
  endpointSliceExamples,
  endpointsExamples,
  eventExamples,
  flowSchemaExamples,
  horizontalPodAutoscalerExamples,
  ingressClassExamples,
  ingressExamples,
  ipAddressExamples,
  jobExamples,
  leaseExamples,
  limitRangeExamples,
  namespaceExamples,
  networkPolicyExamples,
  nodeExamples,
  persistentVolumeClaimExamples,
  persistentVolumeExamples,
  podDisruptionBudgetExamples,
  podExamples,
  podTemplateExamples,
  apiServiceExamples,
  customResourceDefinitionExamples,
  priorityClassExamples,
  priorityLevelConfigurationExamples,
  replicaSetExamples,
  replicationControllerExamples,
  resourceClaimExamples,
  resourceClaimTemplateExamples,
  resourceQuotaExamples,
  resourceSliceExamples,
  roleBindingExamples,
  roleExamples,
  runtimeClassExamples,
  secretExamples,
  serviceAccountExamples,
  serviceCidrExamples,
  serviceExamples,
  statefulSetExamples,
  storageClassExamples,
  volumeAttachmentExamples,
  volumeAttributesClassExamples,
]
