// What the autoscaler tells people: events on pods and nodes, and its status in a ConfigMap.

import { configMaps, nodes as nodeType, pods as podType } from '@aksel/api/resources'
import type { Node, Pod } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { recordEvent, referenceTo } from '@aksel/runtime/event-recorder'
import { countedWords } from '../explanation.ts'
import type { NodeGroup } from '@aksel/provider/node-groups'
import type { ScaleUp, UnplacedPod } from './scale-up.ts'
import { isDaemon } from './scale-down.ts'
import { isNodeReady } from './view.ts'
import { statusText } from './status.ts'

const source = 'cluster-autoscaler'
const statusName = { namespace: 'kube-system', name: 'cluster-autoscaler-status' }
/** A status that says nothing new is written so often only: upstream writes at every look. */
const refreshMs = 60_000

export interface StatusNews {
  readonly nowMs: number
  readonly healthy: boolean
  readonly nodes: readonly Node[]
  /** Names of nodes that are not needed. */
  readonly candidates: ReadonlySet<string>
  readonly backedOff: (group: string) => boolean
}

export class AutoscalerNews {
  readonly #scope: Scope
  readonly #client: Client
  readonly #changed = new Map<string, { readonly status: string; readonly atMs: number }>()
  #written: { readonly essence: string; readonly atMs: number } | undefined

  constructor(scope: Scope, client: Client) {
    this.#scope = scope
    this.#client = client
  }

  async triggered(pod: Pod, ups: readonly ScaleUp[]): Promise<void> {
    const list = ups.map(({ group, to }) => `{${group.name} ${group.target}->${to} (max: ${group.maxCount})}`).join(' ')
    await this.#onPod(pod, 'Normal', 'TriggeredScaleUp', `pod triggered scale-up: [${list}]`)
  }

  async notTriggered({ pod, reasons }: UnplacedPod): Promise<void> {
    const counts = new Map<string, number>()
    for (const reason of reasons)
      for (const part of reason.split(', ')) {
        const [, count = '1', words = part] = /^(\d+) (.*)$/.exec(part) ?? []
        counts.set(words, (counts.get(words) ?? 0) + Number(count))
      }
    const text = countedWords(counts, (words) => [words])
    await this.#onPod(pod, 'Normal', 'NotTriggerScaleUp', `pod didn't trigger scale-up: ${text}`)
  }

  async scaledDown(node: Node | undefined, pods: readonly Pod[], empty: boolean): Promise<void> {
    if (node === undefined) return
    const message = empty ? 'removing empty node' : 'marked the node as toBeDeleted/unschedulable'
    const about = referenceTo(nodeType, node)
    await recordEvent(this.#scope, this.#client, { about, type: 'Normal', reason: 'ScaleDown', message, source })
    for (const pod of pods)
      if (!isDaemon(pod)) await this.#onPod(pod, 'Normal', 'ScaleDown', 'deleting pod for node scale down')
  }

  async onStatus(reason: string, message: string): Promise<void> {
    const about = { apiVersion: 'v1', kind: 'ConfigMap', ...statusName }
    await recordEvent(this.#scope, this.#client, { about, type: 'Normal', reason, message, source })
  }

  async #onPod(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): Promise<void> {
    await recordEvent(this.#scope, this.#client, { about: referenceTo(podType, pod), type, reason, message, source })
  }

  async status(groups: readonly NodeGroup[], news: StatusNews): Promise<void> {
    const known = new Map(news.nodes.map((node) => [node.metadata.name, node]))
    const ready = (names: readonly string[]): number =>
      names.filter((name) => known.has(name) && isNodeReady(known.get(name)!)).length
    const text = statusText({
      nowMs: news.nowMs,
      healthy: news.healthy,
      registered: news.nodes.length,
      ready: news.nodes.filter(isNodeReady).length,
      groups: groups.map((group) => ({
        ...group,
        registered: group.nodeNames.filter((name) => known.has(name)).length,
        ready: ready(group.nodeNames),
        scaleUp: news.backedOff(group.name)
          ? 'Backoff'
          : ready(group.nodeNames) < group.target
            ? 'InProgress'
            : 'NoActivity',
        candidates: group.nodeNames.filter((name) => news.candidates.has(name)).length,
      })),
      changedAt: (path, status) => this.#changedAt(path, status, news.nowMs),
    })
    const essence = text.replaceAll(/^.*(time|Time): .*$/gm, '')
    const isOld = this.#written === undefined || news.nowMs - this.#written.atMs >= refreshMs
    if (this.#written?.essence === essence && !isOld) return
    await this.#write(text, news.nowMs)
    this.#written = { essence, atMs: news.nowMs }
  }

  #changedAt(path: string, status: string, nowMs: number): number {
    const before = this.#changed.get(path)
    if (before?.status === status) return before.atMs
    this.#changed.set(path, { status, atMs: nowMs })
    return nowMs
  }

  async #write(status: string, nowMs: number): Promise<void> {
    const annotations = { 'cluster-autoscaler.kubernetes.io/last-updated': new Date(nowMs).toISOString() }
    try {
      await this.#client.patch(configMaps, statusName, {
        kind: 'merge',
        body: { metadata: { annotations }, data: { status } },
      })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      await this.#client.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { ...statusName, annotations },
        data: { status },
      })
    }
  }
}
