// A pod that comes alone: from its creation until a watch shows it on a node, with nothing else to do.

import { nodes, pods } from '@aksel/api/resources'
import { childScope, type Scope } from '@aksel/base/scope'
import { createCaches } from '@aksel/runtime/caches'
import { createScheduler } from '@aksel/scheduler/scheduler'
import { openInProcessCluster } from '@aksel/testing/in-process-cluster'
import { rowOf, type BenchRow } from '../row.ts'
import type { StageReport } from '../stages.ts'
import { proveInProcess } from './in-process-stages.ts'
import { inParallel } from './run.ts'
import { basic, benchNode, benchPod } from './workloads.ts'

/** The 99th of a hundred, in seconds; beside what a creation alone takes. */
export async function lonePods(
  scope: Scope,
  sizes: { readonly nodes: number; readonly pods: number },
): Promise<{ readonly row: BenchRow; readonly stages: StageReport }> {
  await using cluster = await openInProcessCluster(scope)
  const stages = await proveInProcess(cluster)
  const stop = new AbortController()
  const own = childScope(scope, {}, stop.signal)
  await using caches = createCaches(own, cluster.admin)
  await inParallel(sizes.nodes, async (index) => {
    const node = benchNode(index)
    await cluster.admin.create(nodes, node)
    await cluster.admin.patch(
      nodes,
      node.metadata,
      { kind: 'merge', body: { status: node.status } },
      { subresource: 'status' },
    )
    await cluster.admin.patch(nodes, node.metadata, { kind: 'merge', body: { spec: { taints: null } } })
  })
  const client = cluster.client({ name: 'system:kube-scheduler', groups: ['system:authenticated'] })
  const running = createScheduler(own, { client, caches }).run()
  running.catch(() => {})
  const bound = new Map<string, () => void>()
  const watching = (async () => {
    const query = { namespace: cluster.namespace, signal: stop.signal }
    const { resourceVersion } = (await cluster.user.list(pods, query)).metadata
    for await (const { object } of cluster.user.watch(pods, { ...query, resourceVersion: resourceVersion! }))
      if ((object.spec?.nodeName ?? '') !== '') bound.get(object.metadata.name)?.()
  })()
  watching.catch(() => {})
  const one = async (name: string): Promise<number> => {
    const seen = Promise.withResolvers<void>()
    bound.set(name, seen.resolve)
    const startedMs = performance.now()
    await cluster.user.create(pods, benchPod(basic, name, cluster.namespace))
    await seen.promise
    bound.delete(name)
    return (performance.now() - startedMs) / 1000
  }
  const creation = async (name: string): Promise<number> => {
    const pod = { ...benchPod(basic, name, cluster.namespace) }
    const startedMs = performance.now()
    await cluster.user.create(pods, { ...pod, spec: { ...pod.spec, schedulerName: 'nobody' } })
    return (performance.now() - startedMs) / 1000
  }
  for (let index = 0; index < 50; index += 1) await one(`warm-${index}`)
  const before = await slowest(50, (index) => creation(`before-${index}`))
  const value = await slowest(sizes.pods, (index) => one(`lone-${index}`))
  const after = await slowest(50, (index) => creation(`after-${index}`))
  stop.abort(new Error('the run is over'))
  await running.catch(() => {})
  const probe = { of: 'creating a pod alone, 99th of a hundred', before, after }
  return {
    row: rowOf({ name: 'S8 lone pod bound, p99', unit: 's', runs: [value], probe, stages, details: sizes }),
    stages,
  }
}

/** The 99th of a hundred. */
async function slowest(count: number, work: (index: number) => Promise<number>): Promise<number> {
  const taken: number[] = []
  for (let index = 0; index < count; index += 1) taken.push(await work(index))
  return taken.toSorted((left, right) => left - right)[Math.floor(count * 0.99)]!
}
