// Upgrade insights over HTTP: what would stop an upgrade, before anybody begins it.

import { ok, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { poolsOf, readCluster } from './cluster-store.ts'
import { upgradesOf } from './kubernetes-versions.ts'
import { upgradeIssues } from './upgrade-checks.ts'
import { checkNames } from './upgrade-insights.ts'

export function upgradeInsightRoutes(hub: Hub): readonly Route[] {
  return [
    {
      method: 'POST',
      path: `${clusterPath}/upgradeInsights/default/evaluate`,
      handle: (request) => evaluate(hub, request),
    },
  ]
}

async function evaluate(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const { value: cluster } = await readCluster(hub.store, clusterRef(request))
  const pools = (await poolsOf(hub.store, cluster.id)).map(({ value }) => value)
  const nowMs = request.scope.clock.now()
  const target = request.query['targetkubernetesversion'] ?? upgradesOf(cluster.version)[0] ?? cluster.version
  const onlyControlPlane = request.query['controlplaneonly'] === 'true'
  const issues = await upgradeIssues(hub, {
    cluster,
    from: cluster.version,
    pools,
    target,
    upgradedPools: onlyControlPlane ? [] : pools.map(({ name }) => name),
    nowMs,
  })
  return ok({
    upgradeInsight: issues.length === 0 ? 'NoIssuesDetected' : 'UpgradeIssueDetected',
    detectedIssues: issues.map(({ reason, ...issue }) => ({ ...issue, code: reason })),
    postureContext: { kubernetesVersionCompliancePosture: 'InSupport' },
    aksel: { targetKubernetesVersion: target, checks: checkNames },
  })
}
