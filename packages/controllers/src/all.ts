// The loops of one cluster: the controller manager's and the cloud's. The app adds what other packages bring.

import type { Controller } from '@aksel/runtime/controller'
import { clusterRoleAggregationController } from './cluster-role-aggregation/controller.ts'
import { cronJobController } from './cron-job/controller.ts'
import { daemonSetController } from './daemon-set/controller.ts'
import { deploymentController } from './deployment/controller.ts'
import { disruptionController } from './disruption/controller.ts'
import { endpointSliceController } from './endpoint-slice/controller.ts'
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts'
import { endpointsController } from './endpoints/controller.ts'
import { customKindSource } from './garbage-collector/custom-kinds.ts'
import { ephemeralVolumeController } from './ephemeral-volume/controller.ts'
import { garbageCollector } from './garbage-collector/controller.ts'
import type { KindSource } from './garbage-collector/kinds.ts'
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler/controller.ts'
import { jobController } from './job/controller.ts'
import { namespaceController } from './namespace/controller.ts'
import { nodeLifecycleController } from './node-lifecycle/controller.ts'
import { taintEvictionController } from './node-lifecycle/evict.ts'
import type { LoopParts } from './parts.ts'
import { persistentVolumeController } from './persistent-volume/binder.ts'
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './persistent-volume/protection.ts'
import { podGcController } from './pod-gc/controller.ts'
import { replicaSetController, replicationController } from './replica-set/controller.ts'
import { resourceQuotaController } from './resource-quota/controller.ts'
import { rootCaController } from './root-ca/controller.ts'
import { serviceAccountController } from './service-account/controller.ts'
import { serviceLoadBalancerController } from './service-load-balancer/controller.ts'
import { ttlAfterFinishedController } from './ttl-after-finished/controller.ts'
import type { LoadBalancers } from './service-load-balancer/load-balancers.ts'
import { statefulSetController } from './stateful-set/controller.ts'

export type { LoadBalancers } from './service-load-balancer/load-balancers.ts'
export type { KindSource } from './garbage-collector/kinds.ts'

export interface ControllerOptions extends LoopParts {
  /** Certificate of the cluster's authority, PEM: published in every namespace. */
  readonly rootCaPem: string
  /** Absent: services of type LoadBalancer wait for an address for ever. */
  readonly loadBalancers?: LoadBalancers
  /** Kinds of custom resources, for garbage collection; from the definitions where absent. */
  readonly customKinds?: KindSource
  /** How long a node may be silent before it counts as lost. Default 40 s. */
  readonly nodeGracePeriodMs?: number
}

/** Every loop, to be run by `runControllers`. */
export function controllersFor(options: ControllerOptions): readonly Controller[] {
  const { client, caches, rootCaPem, loadBalancers, customKinds, nodeGracePeriodMs } = options
  const parts: LoopParts = { client, caches }
  return [
    namespaceController(parts),
    serviceAccountController(parts),
    rootCaController({ ...parts, rootCaPem }),
    deploymentController(parts),
    replicaSetController(parts),
    replicationController(parts),
    statefulSetController(parts),
    daemonSetController(parts),
    jobController(parts),
    cronJobController(parts),
    ttlAfterFinishedController(parts),
    disruptionController(parts),
    resourceQuotaController(parts),
    horizontalPodAutoscalerController(parts),
    endpointSliceController(parts),
    endpointsController(parts),
    endpointSliceMirroringController(parts),
    ephemeralVolumeController(parts),
    clusterRoleAggregationController(parts),
    nodeLifecycleController({
      ...parts,
      ...(nodeGracePeriodMs === undefined ? {} : { gracePeriodMs: nodeGracePeriodMs }),
    }),
    taintEvictionController(parts),
    podGcController(parts),
    persistentVolumeController(parts),
    claimProtectionController(parts),
    volumeProtectionController(parts),
    attributesClassProtectionController(parts),
    garbageCollector({ ...parts, kinds: customKinds ?? customKindSource(caches) }),
    ...(loadBalancers === undefined ? [] : [serviceLoadBalancerController({ ...parts, loadBalancers })]),
  ]
}
