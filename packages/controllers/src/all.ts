// The loops of one cluster: the controller manager's and the cloud's. The app adds what other packages bring.

import type { DeviceTaintRule } from '@aksel/api/kinds/device-taint-rule'
import type { ResourceType } from '@aksel/api/resource'
import type { KeyPair, SigningKey } from '@aksel/runtime/pki'
import type { Controller } from '@aksel/runtime/controller'
import { attachDetachController } from './attach-detach/controller.ts'
import { bootstrapTokenCleaner } from './bootstrap-token/cleaner.ts'
import { bootstrapSigner } from './bootstrap-token/signer.ts'
import { certificateApprovingController } from './certificates/approve.ts'
import { certificateCleaner } from './certificates/clean.ts'
import { certificateSigningController } from './certificates/sign.ts'
import { clusterRoleAggregationController } from './cluster-role-aggregation/controller.ts'
import { cronJobController } from './cron-job/controller.ts'
import { daemonSetController } from './daemon-set/controller.ts'
import { deploymentController } from './deployment/controller.ts'
import { deviceTaintEvictionController } from './device-taint-eviction/controller.ts'
import { disruptionController } from './disruption/controller.ts'
import { endpointSliceController } from './endpoint-slice/controller.ts'
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts'
import { endpointsController } from './endpoints/controller.ts'
import { customKindSource } from './garbage-collector/custom-kinds.ts'
import { ephemeralVolumeController } from './ephemeral-volume/controller.ts'
import { garbageCollector } from './garbage-collector/controller.ts'
import type { KindSource } from './garbage-collector/kinds.ts'
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler/controller.ts'
import type { ClientOf, LoopAccount } from './identities.ts'
import { jobController } from './job/controller.ts'
import { namespaceController } from './namespace/controller.ts'
import { nodeIpamController, type NodeIpamParts } from './node-ipam/controller.ts'
import { nodeLifecycleController } from './node-lifecycle/controller.ts'
import { taintEvictionController } from './node-lifecycle/evict.ts'
import { nodeTtlController } from './node-ttl/controller.ts'
import type { LoopParts } from './parts.ts'
import { persistentVolumeController } from './persistent-volume/binder.ts'
import { expandController } from './persistent-volume/expand.ts'
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './persistent-volume/protection.ts'
import { podGcController } from './pod-gc/controller.ts'
import { replicaSetController, replicationController } from './replica-set/controller.ts'
import { resourceClaimController } from './resource-claim/controller.ts'
import { resourceQuotaController } from './resource-quota/controller.ts'
import { routeController } from './route/controller.ts'
import type { Routes } from './route/routes.ts'
import { rootCaController } from './root-ca/controller.ts'
import { legacyTokenCleaner } from './service-account/token-cleaner.ts'
import { tokensController, type TokensParts } from './service-account/tokens.ts'
import { serviceAccountController } from './service-account/controller.ts'
import { serviceCidrController } from './service-cidr/controller.ts'
import { serviceLoadBalancerController } from './service-load-balancer/controller.ts'
import { ttlAfterFinishedController } from './ttl-after-finished/controller.ts'
import type { LoadBalancers } from './service-load-balancer/load-balancers.ts'
import { statefulSetController } from './stateful-set/controller.ts'

export type { ClientOf } from './identities.ts'
export type { Routes } from './route/routes.ts'
export type { LoadBalancers } from './service-load-balancer/load-balancers.ts'
export type { KindSource } from './garbage-collector/kinds.ts'

export interface ControllerOptions extends LoopParts {
  /** The client of a loop, by its service account in kube-system. Absent: all use `client`. */
  readonly clientOf?: ClientOf
  /** Certificate of the cluster's authority, PEM: published in every namespace. */
  readonly rootCaPem: string
  /** The cluster's authority, to sign what nodes and users ask for. Absent: approved requests wait for another signer. */
  readonly authority?: KeyPair
  /** Signs the tokens of secrets that are made for service accounts. Absent: such secrets stay empty. */
  readonly tokenKey?: SigningKey
  /** Keys that signed before: what they signed is signed anew when it is believed no longer. */
  readonly retiredKeys?: TokensParts['retiredKeys']
  /** Absent: services of type LoadBalancer wait for an address for ever. */
  readonly loadBalancers?: LoadBalancers
  /** Absent: the network reaches pods without routes, as overlays do. */
  readonly routes?: { readonly routes: Routes; readonly isPodCidr: (cidr: string) => boolean }
  /** The pod ranges that nodes get their own out of. Absent: nobody gives nodes ranges. */
  readonly nodeIpam?: Pick<NodeIpamParts, 'clusterCidrs' | 'serviceCidrs' | 'masks'>
  /** Kinds of custom resources, for garbage collection; from the definitions where absent. */
  readonly customKinds?: KindSource
  /** Taints that administrators put on devices. Absent where the cluster serves none. */
  readonly deviceTaintRules?: ResourceType<DeviceTaintRule>
  /** How long a node may be silent before it counts as lost. Default 40 s. */
  readonly nodeGracePeriodMs?: number
  /** Ended pods that may stay, the newest; 0 keeps all. Default 12,500. */
  readonly terminatedPodsMax?: number
}

/** Every loop, to be run by `runControllers`. Each acts as its own service account, with upstream's bootstrap role of that name. */
export function controllersFor(options: ControllerOptions): readonly Controller[] {
  const {
    client,
    caches,
    clientOf = () => client,
    rootCaPem,
    authority,
    tokenKey,
    retiredKeys = [],
    loadBalancers,
    customKinds,
  } = options
  const { nodeGracePeriodMs, nodeIpam, deviceTaintRules, routes, terminatedPodsMax } = options
  const as = (account: LoopAccount): LoopParts => ({ client: clientOf(account), caches })
  return [
    namespaceController(as('namespace-controller')),
    serviceAccountController(as('service-account-controller')),
    rootCaController({ ...as('root-ca-cert-publisher'), rootCaPem }),
    deploymentController(as('deployment-controller')),
    replicaSetController(as('replicaset-controller')),
    replicationController(as('replication-controller')),
    statefulSetController(as('statefulset-controller')),
    daemonSetController(as('daemon-set-controller')),
    jobController(as('job-controller')),
    cronJobController(as('cronjob-controller')),
    ttlAfterFinishedController(as('ttl-after-finished-controller')),
    disruptionController(as('disruption-controller')),
    resourceQuotaController(as('resourcequota-controller')),
    horizontalPodAutoscalerController(as('horizontal-pod-autoscaler')),
    endpointSliceController(as('endpointslice-controller')),
    endpointsController(as('endpoint-controller')),
    serviceCidrController(as('service-cidrs-controller')),
    endpointSliceMirroringController(as('endpointslicemirroring-controller')),
    ephemeralVolumeController(as('ephemeral-volume-controller')),
    clusterRoleAggregationController(as('clusterrole-aggregation-controller')),
    nodeLifecycleController({
      ...as('node-controller'),
      reader: client,
      ...(nodeGracePeriodMs === undefined ? {} : { gracePeriodMs: nodeGracePeriodMs }),
    }),
    taintEvictionController(as('node-controller')),
    nodeTtlController(as('ttl-controller')),
    ...(nodeIpam === undefined ? [] : [nodeIpamController({ ...as('node-controller'), ...nodeIpam })]),
    ...(routes === undefined ? [] : [routeController({ ...as('route-controller'), ...routes })]),
    podGcController({
      ...as('pod-garbage-collector'),
      ...(terminatedPodsMax === undefined ? {} : { terminatedMax: terminatedPodsMax }),
    }),
    persistentVolumeController(as('persistent-volume-binder')),
    expandController(as('expand-controller')),
    claimProtectionController(as('pvc-protection-controller')),
    volumeProtectionController(as('pv-protection-controller')),
    attributesClassProtectionController(as('volumeattributesclass-protection-controller')),
    garbageCollector({ ...as('generic-garbage-collector'), kinds: customKinds ?? customKindSource(caches) }),
    attachDetachController(as('attachdetach-controller')),
    resourceClaimController(as('resource-claim-controller')),
    deviceTaintEvictionController({
      ...as('device-taint-eviction-controller'),
      ...(deviceTaintRules === undefined ? {} : { taintRules: deviceTaintRules }),
    }),
    // Upstream's, too, acts as the manager itself: it is what gives accounts their tokens.
    ...(tokenKey === undefined ? [] : [tokensController({ client, caches, rootCaPem, tokenKey, retiredKeys })]),
    bootstrapSigner(as('bootstrap-signer')),
    bootstrapTokenCleaner(as('token-cleaner')),
    legacyTokenCleaner(as('legacy-service-account-token-cleaner')),
    certificateApprovingController(as('certificate-controller')),
    certificateCleaner(as('certificate-controller')),
    ...(authority === undefined ? [] : [certificateSigningController({ ...as('certificate-controller'), authority })]),
    ...(loadBalancers === undefined
      ? []
      : [serviceLoadBalancerController({ ...as('service-controller'), loadBalancers })]),
  ]
}
