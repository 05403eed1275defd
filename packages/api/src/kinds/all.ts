// The rules of every kind that has some of its own; all others get the common behaviour.

import type { KindRules } from '../kind-row.ts'
import { apiServiceRules } from './api-service.ts'
import { certificateSigningRequestRules } from './certificate-signing-request.ts'
import { componentStatusRules } from './component-status.ts'
import { configMapRules } from './config-map.ts'
import { controllerRevisionRules } from './controller-revision.ts'
import { cronJobRules } from './cron-job.ts'
import { csiStorageCapacityRules } from './csi-storage-capacity.ts'
import { customResourceDefinitionRules } from './custom-resource-definition.ts'
import { csiDriverRules, csiNodeRules, volumeAttachmentRules } from './csi.ts'
import { daemonSetRules } from './daemon-set.ts'
import { deploymentRules } from './deployment.ts'
import { deviceClassRules } from './device-class.ts'
import { deviceTaintRuleRules } from './device-taint-rule.ts'
import { endpointSliceRules } from './endpoint-slice.ts'
import { endpointsRules } from './endpoints.ts'
import { coreEventRules, newEventRules } from './event.ts'
import { flowSchemaRules } from './flow-schema.ts'
import { horizontalPodAutoscalerRules, oldHorizontalPodAutoscalerRules } from './horizontal-pod-autoscaler.ts'
import { ingressClassRules, ingressRules } from './ingress.ts'
import { ipAddressRules } from './ip-address.ts'
import { jobRules } from './job.ts'
import { leaseRules } from './lease.ts'
import { nodeMetricsRules, podMetricsRules } from './metrics.ts'
import { limitRangeRules } from './limit-range.ts'
import { mutatingAdmissionPolicyRules } from './mutating-admission-policy.ts'
import { namespaceRules } from './namespace.ts'
import { networkPolicyRules } from './network-policy.ts'
import { nodeRules } from './node.ts'
import { persistentVolumeClaimRules } from './persistent-volume-claim.ts'
import { persistentVolumeRules } from './persistent-volume.ts'
import { alphaPodCertificateRequestRules, podCertificateRequestRules } from './pod-certificate-request.ts'
import { podDisruptionBudgetRules } from './pod-disruption-budget.ts'
import { podTemplateRules } from './pod-template.ts'
import { podRules } from './pod.ts'
import { priorityClassRules } from './priority-class.ts'
import { priorityLevelConfigurationRules } from './priority-level-configuration.ts'
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleRules } from './rbac.ts'
import { replicaSetRules } from './replica-set.ts'
import { replicationControllerRules } from './replication-controller.ts'
import { resourceClaimRules, resourceClaimTemplateRules } from './resource-claim.ts'
import { resourceQuotaRules } from './resource-quota.ts'
import { resourceSliceRules } from './resource-slice.ts'
import { reviewRules } from './reviews.ts'
import { runtimeClassRules } from './runtime-class.ts'
import { secretRules } from './secret.ts'
import { serviceAccountRules } from './service-account.ts'
import { serviceCidrRules } from './service-cidr.ts'
import { serviceRules } from './service.ts'
import { statefulSetRules } from './stateful-set.ts'
import { storageClassRules } from './storage-class.ts'
import { volumeAttributesClassRules } from './volume-attributes-class.ts'

import { validatingAdmissionPolicyBindingRules, validatingAdmissionPolicyRules } from './validating-admission-policy.ts'
import { mutatingWebhookConfigurationRules, validatingWebhookConfigurationRules } from './webhook-configurations.ts'

export const allRules: readonly KindRules[] = [
  apiServiceRules,
  componentStatusRules,
  csiStorageCapacityRules,
  deviceClassRules,
  ...deviceTaintRuleRules,
  flowSchemaRules,
  ipAddressRules,
  priorityLevelConfigurationRules,
  resourceSliceRules,
  serviceCidrRules,
  volumeAttributesClassRules,
  resourceClaimRules,
  resourceClaimTemplateRules,
  certificateSigningRequestRules,
  podCertificateRequestRules,
  alphaPodCertificateRequestRules,
  clusterRoleBindingRules,
  clusterRoleRules,
  configMapRules,
  controllerRevisionRules,
  coreEventRules,
  cronJobRules,
  csiDriverRules,
  csiNodeRules,
  customResourceDefinitionRules,
  daemonSetRules,
  deploymentRules,
  endpointSliceRules,
  endpointsRules,
  horizontalPodAutoscalerRules,
  ingressClassRules,
  ingressRules,
  jobRules,
  leaseRules,
  limitRangeRules,
  ...mutatingAdmissionPolicyRules,
  mutatingWebhookConfigurationRules,
  namespaceRules,
  networkPolicyRules,
  newEventRules,
  nodeMetricsRules,
  nodeRules,
  oldHorizontalPodAutoscalerRules,
  persistentVolumeClaimRules,
  persistentVolumeRules,
  podDisruptionBudgetRules,
  podMetricsRules,
  podRules,
  podTemplateRules,
  priorityClassRules,
  replicaSetRules,
  replicationControllerRules,
  resourceQuotaRules,
  ...reviewRules,
  roleBindingRules,
  roleRules,
  runtimeClassRules,
  secretRules,
  serviceAccountRules,
  serviceRules,
  statefulSetRules,
  storageClassRules,
  volumeAttachmentRules,
  validatingAdmissionPolicyBindingRules,
  validatingAdmissionPolicyRules,
  validatingWebhookConfigurationRules,
]
