// All simulated nodes of one cluster: one watch on pods and one on nodes for all of them, one timer, bounded writes.

import { keyOf } from '@aksel/api/resource'
import { nodes, pods } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { fraction } from '@aksel/base/ids'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { Informer } from '@aksel/runtime/informer'
import { DueQueue } from './due-queue.ts'
import { HollowNode, type HollowNodeOptions } from './hollow-node.ts'
import { WriteLanes } from './write-lanes.ts'

const LANES = 64

export interface Fleet extends AsyncDisposable {
  readonly size: number
  /** Resolves when the node no longer acts; it is started before this returns. */
  add(options: HollowNodeOptions): { readonly halt: () => void }
}

/** `watching` sees the pods and nodes of the whole cluster; nodes write with clients of their own. */
export function openFleet(scope: Scope, watching: Client): Fleet {
  return new ClusterFleet(scope, watching)
}

class ClusterFleet implements Fleet {
  readonly #scope: Scope
  readonly #stop = new AbortController()
  readonly #due: DueQueue
  readonly #lanes = new WriteLanes(LANES)
  readonly #nodes = new Map<string, HollowNode>()
  readonly #podCache: Informer<Pod>
  readonly #ended: Promise<unknown>
  readonly #nodeCache: Informer<Node>

  constructor(scope: Scope, watching: Client) {
    this.#scope = childScope(scope, {}, this.#stop.signal)
    this.#due = new DueQueue(scope.clock)
    this.#podCache = new Informer(this.#scope, watching, pods, { fieldSelector: 'spec.nodeName!=' })
    this.#nodeCache = new Informer(this.#scope, watching, nodes)
    this.#podCache.addIndex('node', (pod) => [pod.spec.nodeName ?? ''])
    this.#podCache.subscribe((now, before) => this.#onPod(now, before))
    this.#nodeCache.subscribe((now, before) => this.#nodes.get((now ?? before)!.metadata.name)?.observe(now))
    this.#ended = Promise.all([this.#podCache.run(), this.#nodeCache.run()])
  }

  get size(): number {
    return this.#nodes.size
  }

  add(options: HollowNodeOptions): { readonly halt: () => void } {
    const stopping = new AbortController()
    const own = childScope(this.#scope, { node: options.spec.name }, stopping.signal)
    const node = new HollowNode(own, options, { due: this.#due, lanes: this.#lanes })
    this.#nodes.set(node.name, node)
    node.start(fraction(this.#scope.random))
    node.observe(this.#nodeCache.get(node.name))
    for (const pod of this.#podCache.byIndex('node', node.name)) node.pods.observe(keyOf(pod), pod)
    return {
      halt: () => {
        stopping.abort(new Error('the machine was stopped'))
        node.stop()
        if (this.#nodes.get(node.name) === node) this.#nodes.delete(node.name)
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the simulated nodes were stopped'))
    for (const node of this.#nodes.values()) node.stop()
    this.#due[Symbol.dispose]()
    await this.#ended
  }

  #onPod(now: Pod | undefined, before: Pod | undefined): void {
    const pod = (now ?? before)!
    this.#nodes.get(pod.spec.nodeName ?? '')?.pods.observe(keyOf(pod), now)
  }
}
