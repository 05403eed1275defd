// Taints that drive pods away from a real node, and the life of a node's object.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'
import { watched } from '../watched.ts'

const deadline = { timeout: 180_000 }
const key = 'kubernetes.io/e2e-evict-taint-key'

void suite('taints of nodes', () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1 })
    pods = await podsIn(cluster, 'taint')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const tolerates = async (tolerationSeconds: number): Promise<string> => {
    const name = fresh('taint-eviction')
    const tolerations = [{ key, value: 'evictTaintVal', effect: 'NoExecute', tolerationSeconds }]
    await pods.create(name, { tolerations, containers: [{ name: 'pause', image: pause }] })
    await pods.running(name)
    return name
  }
  const taint = async (): Promise<string> => {
    const { items } = await cluster.core.listNode()
    const node = items[0]!.metadata!.name!
    await cluster.aksel.kubectl(['taint', 'node', node, `${key}=evictTaintVal:NoExecute`])
    return node
  }

  void test(
    '[sig-node] NoExecuteTaintManager Single Pod [Serial] removing taint cancels eviction [Disruptive] [Conformance]',
    deadline,
    async () => {
      const name = await tolerates(10)
      const node = await taint()
      await cluster.aksel.kubectl(['taint', 'node', node, `${key}-`])
      // Upstream waits as long as the pod would have been tolerated, and some more.
      await assert.rejects(pods.gone(name, 15_000), /is not as wanted after/)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] NoExecuteTaintManager Multiple Pods [Serial] evicts pods with minTolerationSeconds [Disruptive] [Conformance]',
    deadline,
    async () => {
      const [soon, later] = [await tolerates(5), await tolerates(15)]
      const node = await taint()
      const gone: string[] = []
      await Promise.all([soon, later].map((name) => pods.gone(name).then(() => gone.push(name))))
      assert.deepEqual(gone, [soon, later])
      await cluster.aksel.kubectl(['taint', 'node', node, `${key}-`])
    },
  )
  void test(
    '[sig-node] Node Lifecycle should run through the lifecycle of a node [Conformance]',
    deadline,
    async () => {
      const name = 'e2e-fake-node'
      const labels = { [name]: 'created' }
      const made = await cluster.core.createNode({
        body: { metadata: { name, labels }, status: { phase: 'Running', conditions: [] } },
      })
      assert.equal(made.metadata?.name, name)
      assert.equal((await cluster.core.readNode({ name })).metadata?.name, name)
      const kubectl = (...args: readonly string[]): Promise<string> => cluster.aksel.kubectl(args)
      await kubectl(
        'patch',
        'node',
        name,
        '--type=strategic',
        '-p',
        JSON.stringify({ metadata: { labels: { [name]: 'patched' } } }),
      )
      const listed = await cluster.core.listNode({ labelSelector: `${name}=patched` })
      assert.deepEqual(
        listed.items.map(({ metadata }) => metadata?.name),
        [name],
      )
      const present = await cluster.core.readNode({ name })
      present.metadata!.labels![name] = 'updated'
      const updated = await cluster.core.replaceNode({ name, body: present })
      assert.equal(updated.metadata?.labels?.[name], 'updated')
      const condition = { type: 'StatusPatched', status: 'True', reason: 'E2E', message: 'Set by the test' }
      await kubectl(
        'patch',
        'node',
        name,
        '--subresource=status',
        '--type=strategic',
        '-p',
        JSON.stringify({ status: { conditions: [condition] } }),
      )
      const patched = await cluster.core.readNodeStatus({ name })
      assert.equal(patched.status?.conditions?.find(({ type }) => type === 'StatusPatched')?.status, 'True')
      patched.status!.conditions!.push({
        type: 'StatusUpdated',
        status: 'True',
        reason: 'E2E',
        message: 'Set by the test',
      })
      const replaced = await cluster.core.replaceNodeStatus({ name, body: patched })
      assert.ok(replaced.status?.conditions?.some(({ type }) => type === 'StatusUpdated'))
      await cluster.core.deleteCollectionNode({ labelSelector: `${name}=updated` })
      await watched(cluster.config, {
        path: '/api/v1/nodes',
        name,
        isWanted: (node) => node === undefined,
        waitMs: 30_000,
      })
    },
  )
})
