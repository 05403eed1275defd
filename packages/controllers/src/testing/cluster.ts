// A cluster in memory for tests of loops: a fake server, loops of the test's choice, and nodes that run pods when asked.

import { pods } from '@aksel/api/resources'
import { keyOf } from '@aksel/api/resource'
import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import { formatTime } from '@aksel/base/clock'
import { seededRandom } from '@aksel/base/ids'
import { createCaches } from '@aksel/runtime/caches'
import type { Controller } from '@aksel/runtime/controller'
import { runControllers } from '@aksel/runtime/runner'
import { FakeClient } from '@aksel/testing/fake-client'
import type { FakeClientOptions } from '@aksel/testing/fake-client'
import { FakeObjects } from '@aksel/testing/fake-objects'
import { SimulatedClock, settled } from '@aksel/testing/simulated-clock'
import { testScope } from '@aksel/testing/test-scope'
import type { TestScope } from '@aksel/testing/test-scope'
import type { LoopParts } from '../parts.ts'

export type MakeLoops = (parts: LoopParts) => readonly Controller[]

/** One run of the loops: what a process does until it is stopped or killed. */
interface Process {
  readonly scope: TestScope
  readonly ended: Promise<void>
}

export class TestCluster {
  readonly clock: SimulatedClock
  readonly objects = new FakeObjects()
  /** The user's client, and the nodes'. */
  readonly client: FakeClient
  readonly #random = seededRandom(7)
  readonly #make: MakeLoops
  #process: Process | undefined

  /** `startMs` is the wall time at which it begins. */
  constructor(make: MakeLoops, startMs?: number) {
    this.#make = make
    this.clock = new SimulatedClock(startMs)
    this.client = new FakeClient({ clock: this.clock, random: this.#random, objects: this.objects })
    // Kinds that are served from the start, whether or not there is one.
    this.objects.kind(pods)
  }

  /** Starts the loops with caches of their own. */
  start(hooks: Pick<FakeClientOptions, 'before' | 'after' | 'respond'> = {}): FakeClient {
    const scope = testScope({ clock: this.clock })
    const client = new FakeClient({ clock: this.clock, random: this.#random, objects: this.objects, ...hooks })
    const caches = createCaches(scope, client)
    const controllers = this.#make({ client, caches })
    const ended = runControllers(scope, { controllers, caches }).then(() => caches[Symbol.asyncDispose]())
    this.#process = { scope, ended }
    return client
  }

  get lines(): readonly { readonly level: string; readonly message: string; readonly fields: unknown }[] {
    return this.#process?.scope.lines ?? []
  }

  async stop(): Promise<void> {
    this.#process?.scope.abort()
    await this.#process?.ended
    this.#process = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Lets the loops and the nodes work until nothing changes any more; time moves a second at each step. */
  async still(nodes: NodeRules = {}): Promise<void> {
    let quiet = 0
    for (let step = 0; step < 400; step += 1) {
      const before = this.objects.revision
      await this.clock.run(1000)
      this.runPods(nodes)
      await settled()
      quiet = this.objects.revision === before ? quiet + 1 : 0
      if (quiet >= 3) return
    }
    throw new Error(`The cluster does not come to rest: revision ${this.objects.revision}`)
  }

  /** One look of every node at its pods: assigns, starts and ends them. */
  runPods({ starts = () => true, node = () => 'node-1', ready = () => true }: NodeRules = {}): void {
    for (const pod of this.client.peekAll(pods)) {
      const { nodeName } = pod.spec
      if (pod.metadata.deletionTimestamp !== undefined && nodeName !== undefined) this.end(pod)
      else if (nodeName === undefined && starts(pod)) this.#assign(pod, node(pod))
      else if (nodeName !== undefined && pod.status?.phase === 'Pending' && starts(pod)) this.run(pod, ready(pod))
    }
  }

  #assign(pod: Pod, nodeName: string): void {
    this.client.change(pods, keyOf(pod), (draft) => {
      draft.spec.nodeName = nodeName
    })
  }

  /** Reports a pod as running, ready or not. */
  run(pod: Pod, ready: boolean): void {
    this.client.change(pods, keyOf(pod), (draft) => {
      const lastTransitionTime = formatTime(this.clock.now())
      draft.status = {
        ...draft.status,
        phase: 'Running',
        podIP: draft.status?.podIP ?? `10.244.0.${this.client.peekAll(pods).length + 10}`,
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime }],
      }
    })
  }

  /** The node reports how a pod ended: each container with this exit code. */
  finish(pod: Pod, exitCode: number): void {
    this.client.change(pods, keyOf(pod), (draft) => {
      const finishedAt = formatTime(this.clock.now())
      draft.spec.nodeName ??= 'node-1'
      draft.status = {
        ...draft.status,
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: finishedAt }],
        containerStatuses: draft.spec.containers.map(({ name }) => ({
          name,
          image: '',
          imageID: '',
          ready: false,
          restartCount: 0,
          state: { terminated: { exitCode, finishedAt } },
        })),
      }
    })
  }

  /** The node reports that a terminating pod has ended: it vanishes. */
  end(pod: Pod): void {
    const isHeld = (pod.metadata.finalizers ?? []).length > 0
    if (isHeld && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded') this.finish(pod, 143)
    void this.client.delete(pods, pod.metadata, { gracePeriodSeconds: 0 })
  }

  all<T extends KubernetesObject>(type: ResourceType<T>): readonly T[] {
    return this.client.peekAll(type)
  }
}

export interface NodeRules {
  /** Whether a pod is taken up by a node. */
  readonly starts?: (pod: Pod) => boolean
  readonly node?: (pod: Pod) => string
  readonly ready?: (pod: Pod) => boolean
}

/**
 * Runs `story` again and again, each time killing the loops after their nth write took effect, n = 1, 2, …, until one run makes
 * fewer writes; after each kill new loops begin with empty memory. `check` then looks at what came out.
 */
export async function killEverywhere(
  make: MakeLoops,
  story: (cluster: TestCluster) => Promise<void>,
  check: (cluster: TestCluster, killedAfter: number) => void,
  nodes: NodeRules = {},
  settle: (cluster: TestCluster) => Promise<void> = (cluster) => cluster.still(nodes),
): Promise<number> {
  for (let kill = 1; ; kill += 1) {
    await using cluster = new TestCluster(make)
    let writes = 0
    const dead = (): boolean => writes >= kill
    cluster.start({
      before: () => {
        if (dead()) throw new Error('The process was killed')
      },
      after: () => {
        writes += 1
        if (dead()) throw new Error('The process was killed')
      },
    })
    await story(cluster)
    const wasKilled = dead()
    await cluster.stop()
    cluster.start()
    await settle(cluster)
    check(cluster, kill)
    if (!wasKilled) return kill - 1
  }
}
