// The cluster autoscaler beside a control plane: it decides as the scheduler does, and the pools of Resource Manager are its groups.

import type { Autoscale } from '@aksel/arm/resource-providers/container-service/autoscaling'
import { createCaches } from '@aksel/runtime/caches'
import { runAutoscaler } from '@aksel/scheduler/autoscaler/autoscaler'
import { readSettings } from '@aksel/scheduler/autoscaler/settings'

/** Runs until the scope's signal; its caches live as long, because only clusters with such pools pay for them. */
export const autoscale: Autoscale = async (scope, { client, groups, profile }) => {
  await using caches = createCaches(scope, client)
  await runAutoscaler(scope, { client, caches, groups, settings: () => readSettings(profile()) })
}
