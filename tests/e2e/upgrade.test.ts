// A cluster of real nodes is upgraded by Azure's own SDK while people buy: control plane, pool, node image; then it is stopped and
// started. And what is refused.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ContainerServiceClient } from '@azure/arm-containerservice'
import { Aksel } from './aksel.ts'
import { Customers } from './customers.ts'
import { connectionOf, sdkClient } from './sdk-client.ts'

let aksel: Aksel
let client: ContainerServiceClient

const group = 'aksel'
const cluster = 'demo'

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '2', '--kubernetes-version', '1.34'], { timeoutMs: 170_000 })
  client = await sdkClient(await connectionOf(aksel))
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

async function refusal(work: PromiseLike<unknown>): Promise<string> {
  try {
    await work
    return 'accepted'
  } catch (error) {
    const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string }
    return `${statusCode} ${code}: ${message}`
  }
}

/** As a careful operator has it: a budget, a spread over nodes, and time for the load balancer before a container ends. */
const budgets = `
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop-front}
spec: {minAvailable: 1, selector: {matchLabels: {app: shop-front}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop-api}
spec: {minAvailable: 1, selector: {matchLabels: {app: shop-api}}}
`
const graceful = {
  spec: {
    template: {
      spec: {
        containers: [{ name: 'front', lifecycle: { preStop: { exec: { command: ['sleep', '5'] } } } }],
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'ScheduleAnyway',
            labelSelector: { matchLabels: { app: 'shop-front' } },
          },
        ],
      },
    },
  },
}

async function openShop(): Promise<string> {
  await aksel.kubectl('apply -f examples/store/manifests')
  await aksel.kubectl(['apply', '-f', '-'], { input: budgets })
  await aksel.kubectl(['patch', 'deployment', 'shop-front', '--patch', JSON.stringify(graceful)])
  for (const one of ['deployment/shop-front', 'deployment/shop-api', 'statefulset/shop-store'])
    await aksel.kubectl(`rollout status ${one} --timeout=120s`)
  await aksel.kubectl('wait service/shop-front --for=jsonpath={.status.loadBalancer.ingress[0].ip} --timeout=30s')
  return aksel.kubectl('get service shop-front -o jsonpath={.status.loadBalancer.ingress[0].ip}')
}

const versions = (): Promise<string> =>
  aksel.kubectl('get nodes -o jsonpath={.items[*].status.nodeInfo.kubeletVersion}')

test('what an upgrade may not be is refused in the words of Azure', { timeout: 60_000 }, async () => {
  const now = await client.managedClusters.get(group, cluster)
  const to = (kubernetesVersion: string): Promise<string> =>
    refusal(client.managedClusters.createOrUpdate(group, cluster, { ...now, kubernetesVersion }))
  assert.match(
    await to('1.36'),
    /^409 OperationNotAllowed: .*Upgrading Kubernetes version 1\.34\.10 to 1\.36\.3 is not allowed\. Available upgrades: \[1\.35\.7\]/,
  )
  assert.match(await to('1.33'), /^400 K8sVersionNotSupported/)
  const pool = await client.agentPools.get(group, cluster, 'nodepool1')
  assert.match(
    await refusal(
      client.agentPools.createOrUpdate(group, cluster, 'nodepool1', { ...pool, orchestratorVersion: '1.35' }),
    ),
    /^400 NodePoolMcVersionIncompatible/,
  )
  assert.match(
    await refusal(client.managedClusters.abortLatestOperation(group, cluster)),
    /^409 OperationNotAllowed: .*no operation in progress/,
  )
  const profile = await client.managedClusters.getUpgradeProfile(group, cluster)
  assert.deepEqual(
    profile.controlPlaneProfile.upgrades?.map(({ kubernetesVersion }) => kubernetesVersion),
    ['1.35.7'],
  )
})

test(
  'the shop answers while the control plane, the pool with surge and the node image are upgraded, the image blue-green, too',
  { timeout: 600_000 },
  async () => {
    const address = await openShop()
    const customers = new Customers(`http://${address}/healthz`)
    const before = await aksel.kubectl('get configmap shop -o jsonpath={.metadata.uid}')
    const now = await client.managedClusters.get(group, cluster)
    const upgraded = await client.managedClusters.createOrUpdate(group, cluster, {
      ...now,
      kubernetesVersion: '1.35',
      agentPoolProfiles: now.agentPoolProfiles!.map((pool) => ({
        ...pool,
        orchestratorVersion: '1.35',
        upgradeSettings: { maxSurge: '1' },
      })),
    })
    assert.deepEqual([upgraded.provisioningState, upgraded.currentKubernetesVersion], ['Succeeded', '1.35.7'])
    assert.equal(await versions(), 'v1.35.7 v1.35.7')
    assert.equal(await aksel.kubectl('get configmap shop -o jsonpath={.metadata.uid}'), before)
    const upgrade = { asked: customers.asked, failures: [...customers.failures] }
    const pool = await client.agentPools.get(group, cluster, 'nodepool1')
    const { latestNodeImageVersion } = await client.agentPools.getUpgradeProfile(group, cluster, 'nodepool1')
    assert.equal(pool.nodeImageVersion, latestNodeImageVersion, 'a version upgrade brings the newest image along')
    const older = imageOfWeekBefore(latestNodeImageVersion!)
    await client.agentPools.createOrUpdate(group, cluster, 'nodepool1', { ...pool, nodeImageVersion: older })
    const rolled = { asked: customers.asked, failures: customers.failures.length }
    const names = await aksel.kubectl('get nodes -o jsonpath={.items[*].metadata.name}')
    const place = ['-g', group, '--cluster-name', cluster, '-n', 'nodepool1']
    const soaks = ['--drain-batch-size', '50%', '--batch-soak-duration', '0', '--final-soak-duration', '0']
    const strategy = ['--upgrade-strategy', 'bluegreen', ...soaks]
    await aksel.ok(['az', 'aks', 'nodepool', 'upgrade', ...place, '-k', '1.35', ...strategy], { timeoutMs: 60_000 })
    await client.agentPools.upgradeNodeImageVersion(group, cluster, 'nodepool1')
    const green = await aksel.kubectl('get nodes -o jsonpath={.items[*].metadata.name}')
    assert.equal(green.split(' ').length, 2)
    for (const name of names.split(' ')) assert.ok(!green.includes(name), `${name} is still there: ${green}`)
    const renewed = await client.agentPools.get(group, cluster, 'nodepool1')
    assert.equal(renewed.nodeImageVersion, latestNodeImageVersion)
    await customers.stop()
    assert.ok(upgrade.asked > 100 && customers.asked > upgrade.asked)
    assert.ok(
      customers.failures.length <= Math.ceil(customers.asked / 1000),
      `${customers.failures.length} of ${customers.asked} failed, ${upgrade.failures.length} of ${upgrade.asked} during the version upgrade, ${rolled.failures} of ${rolled.asked} before the blue-green one:\n${customers.failures.slice(0, 40).join('\n')}`,
    )
    assert.match(await aksel.kubectl('get events -A --field-selector involvedObject.kind=Node'), /Draining node: aks-/)
  },
)

/** `…-202611.23.0` becomes `…-202611.16.0`. */
function imageOfWeekBefore(image: string): string {
  const [, family, year, month, day] = /^(.*)-(\d{4})(\d\d)\.(\d\d)\.0$/.exec(image)!
  const before = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day) - 7)).toISOString()
  return `${family}-${before.slice(0, 4)}${before.slice(5, 7)}.${before.slice(8, 10)}.0`
}

test('a stopped cluster has nothing that runs, and comes back with all it had', { timeout: 240_000 }, async () => {
  await client.managedClusters.stop(group, cluster)
  const stopped = await client.managedClusters.get(group, cluster)
  assert.deepEqual([stopped.powerState?.code, stopped.provisioningState], ['Stopped', 'Succeeded'])
  assert.match(await refusal(client.managedClusters.stop(group, cluster)), /^409 OperationNotAllowed/)
  assert.match(
    await refusal(client.managedClusters.createOrUpdate(group, cluster, stopped)),
    /^409 OperationNotAllowed: .*only start and delete are allowed/,
  )
  await client.managedClusters.start(group, cluster)
  assert.equal((await client.managedClusters.get(group, cluster)).powerState?.code, 'Running')
  for (const one of ['deployment/shop-front', 'statefulset/shop-store'])
    await aksel.kubectl(`rollout status ${one} --timeout=120s`)
  assert.match(await aksel.kubectl('get nodes'), /aks-nodepool1-\d{8}-vmss\w{6} +Ready/)
})
