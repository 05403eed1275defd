// The loop: looks at the cluster every so often, orders nodes for pods without a place, and sends away those that nobody needs.

import { configMaps } from '@aksel/api/resources'
import type { Random } from '@aksel/base/ids'
import { sleep } from '@aksel/base/clock'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { parse } from 'yaml'
import { isReason } from '@aksel/base/errors'
import { createAutoscalerView, type View } from './view.ts'
import type { NodeGroup, NodeGroups } from '@aksel/provider/node-groups'
import { Picture } from './picture.ts'
import {
  balanced,
  choose,
  isSimilar,
  newNode,
  reasonsFor,
  tryGroup,
  type Option,
  type Priorities,
  type ScaleUp,
} from './scale-up.ts'
import { keptBy, moveAway, movablePods, utilization, type NodeFacts } from './scale-down.ts'
import type { AutoscalerSettings } from './settings.ts'
import { AutoscalerNews } from './news.ts'

export interface AutoscalerParts {
  readonly client: Client
  readonly caches: Caches
  readonly groups: NodeGroups
  /** Read before every look: a profile may change. */
  readonly settings: () => AutoscalerSettings
}

/** How long a group rests whose nodes did not come, doubling up to the second. */
const backoffMs = 5 * 60_000
const backoffMaxMs = 30 * 60_000

interface Backoff {
  readonly untilMs: number
  readonly lengthMs: number
}

/** Runs until the scope's signal. */
export async function runAutoscaler(scope: Scope, parts: AutoscalerParts): Promise<void> {
  const own = childScope(scope, { controller: 'cluster-autoscaler' })
  const autoscaler = new Autoscaler(own, parts)
  await autoscaler.ready()
  while (!own.signal.aborted) {
    try {
      await autoscaler.look()
    } catch (error) {
      if (own.signal.aborted) return
      own.log.warn('the autoscaler could not look', { error })
    }
    await sleep(own.clock, parts.settings().scanIntervalMs, own.signal).catch(() => {})
  }
}

export class Autoscaler {
  readonly #scope: Scope
  readonly #parts: AutoscalerParts
  readonly #view: View
  readonly #news: AutoscalerNews
  readonly #random: Random
  /** Since when a node was found to be unneeded, or was not ready. */
  readonly #unneededSince = new Map<string, number>()
  readonly #unreadySince = new Map<string, number>()
  /** Since when a group waits for nodes that it ordered. */
  readonly #waitingSince = new Map<string, number>()
  readonly #backoffs = new Map<string, Backoff>()
  #lastAddMs = Number.NEGATIVE_INFINITY
  #lastDeleteMs = Number.NEGATIVE_INFINITY
  #lastFailureMs = Number.NEGATIVE_INFINITY

  constructor(scope: Scope, parts: AutoscalerParts) {
    this.#scope = scope
    this.#parts = parts
    this.#random = scope.random
    this.#view = createAutoscalerView(parts.caches)
    this.#news = new AutoscalerNews(scope, parts.client)
  }

  /** Resolves when everything has been read once. */
  ready(): Promise<void> {
    return this.#view.synced(this.#scope.signal)
  }

  /** One look: at most one decision to grow and one to shrink. */
  async look(): Promise<void> {
    const settings = this.#parts.settings()
    const groups = await this.#parts.groups.list()
    const now = this.#scope.clock.now()
    for (const group of groups) await this.#holdMinimum(group)
    this.#noteArrivals(groups, now, settings)
    const picture = this.#picture(groups)
    const healthy = this.#isHealthy(settings)
    const grown = healthy ? await this.#grow(picture, groups, now, settings) : false
    const candidates = healthy && !grown ? await this.#shrink(picture, groups, now, settings) : new Set<string>()
    await this.#news.status(groups, {
      nowMs: now,
      healthy,
      nodes: this.#view.nodes(),
      candidates,
      backedOff: (name) => (this.#backoffs.get(name)?.untilMs ?? 0) > now,
    })
  }

  async #holdMinimum(group: NodeGroup): Promise<void> {
    if (group.target >= group.minCount) return
    if (await this.#parts.groups.resize(group.name, group.minCount))
      await this.#news.onStatus(
        'ScaledUpGroup',
        `Scale-up: setting group ${group.name} size to ${group.minCount} instead of ${group.target} (max: ${group.maxCount})`,
      )
  }

  /** Nodes that were ordered and did not come in time make their group rest. */
  #noteArrivals(groups: readonly NodeGroup[], now: number, settings: AutoscalerSettings): void {
    for (const group of groups) {
      const missing = group.target - group.nodeNames.filter((name) => this.#view.isReady(name)).length
      if (missing <= 0) {
        this.#waitingSince.delete(group.name)
        const rest = this.#backoffs.get(group.name)
        if (rest !== undefined && rest.untilMs <= now) this.#backoffs.delete(group.name)
        continue
      }
      const since = this.#waitingSince.get(group.name) ?? now
      this.#waitingSince.set(group.name, since)
      if (now - since < settings.nodeProvisionMaxMs) continue
      const before = this.#backoffs.get(group.name)
      if (before !== undefined && before.untilMs > now) continue
      const lengthMs = Math.min(backoffMaxMs, (before?.lengthMs ?? backoffMs / 2) * 2)
      this.#backoffs.set(group.name, { untilMs: now + lengthMs, lengthMs })
      this.#lastFailureMs = now
      this.#waitingSince.set(group.name, now)
    }
  }

  /** Nodes that are ready or were ordered, with the pods that count on them. */
  #picture(groups: readonly NodeGroup[]): Picture {
    const picture = new Picture(this.#view.objects)
    for (const node of this.#view.nodes()) if (this.#view.isReady(node.metadata.name)) picture.setNode(node)
    for (const group of groups) {
      const coming = group.target - group.nodeNames.filter((name) => this.#view.isReady(name)).length
      const given = (this.#backoffs.get(group.name)?.untilMs ?? 0) > this.#scope.clock.now() ? 0 : coming
      // Names that no decision to grow uses.
      for (let index = 0; index < given; index += 1) picture.setNode(newNode(group, 100_000 + index))
    }
    for (const pod of this.#view.boundPods()) picture.setPod(pod)
    return picture
  }

  /** Where too many nodes are not ready, something else is wrong: nothing is done. */
  #isHealthy({ okTotalUnready, totalUnreadyMax }: AutoscalerSettings): boolean {
    const nodes = this.#view.nodes()
    const unready = nodes.filter(({ metadata }) => !this.#view.isReady(metadata.name)).length
    return unready <= okTotalUnready || (unready / nodes.length) * 100 <= totalUnreadyMax
  }

  async #grow(
    picture: Picture,
    groups: readonly NodeGroup[],
    now: number,
    settings: AutoscalerSettings,
  ): Promise<boolean> {
    const waiting = this.#view
      .waitingPods(now - settings.newPodDelayMs)
      .filter((pod) => picture.place(pod) === undefined)
    if (waiting.length === 0) return false
    const closed = (group: NodeGroup): string | undefined => {
      if (group.target >= group.maxCount) return 'max node group size reached'
      return (this.#backoffs.get(group.name)?.untilMs ?? 0) > now ? 'in backoff after failed scale-up' : undefined
    }
    const open = groups.filter((group) => closed(group) === undefined)
    const options = open.flatMap((group): readonly Option[] => {
      const option = tryGroup(picture, group, waiting, group.maxCount - group.target)
      return option === undefined ? [] : [option]
    })
    const best = choose(options, {
      expander: settings.expander,
      random: this.#random,
      priorities: await this.#priorities(settings),
    })
    const helped = new Set(options.flatMap(({ pods }) => pods))
    const judged = groups.map((group) => ({ group, ...(closed(group) === undefined ? {} : { why: closed(group)! }) }))
    for (const pod of waiting) if (!helped.has(pod)) await this.#news.notTriggered(reasonsFor(picture, pod, judged))
    if (best === undefined) return false
    const alike = settings.balanceSimilarGroups ? open.filter((group) => isSimilar(group, best.group)) : [best.group]
    const done: ScaleUp[] = []
    for (const up of balanced(best.count, alike)) {
      if (!(await this.#parts.groups.resize(up.group.name, up.to))) continue
      done.push(up)
      const { name, target, maxCount } = up.group
      await this.#news.onStatus(
        'ScaledUpGroup',
        `Scale-up: setting group ${name} size to ${up.to} instead of ${target} (max: ${maxCount})`,
      )
    }
    if (done.length === 0) return false
    this.#lastAddMs = now
    for (const pod of best.pods) await this.#news.triggered(pod, done)
    return true
  }

  async #priorities({ expander }: AutoscalerSettings): Promise<Priorities> {
    if (expander !== 'priority') return new Map()
    try {
      const found = await this.#parts.client.get(configMaps, {
        namespace: 'kube-system',
        name: 'cluster-autoscaler-priority-expander',
      })
      const lists = (parse(found.data?.['priorities'] ?? '') ?? {}) as Readonly<Record<string, readonly string[]>>
      return new Map(Object.entries(lists).map(([priority, patterns]) => [Number(priority), patterns]))
    } catch (error) {
      if (!isReason(error, 'NotFound'))
        this.#scope.log.warn('the priorities of the autoscaler cannot be read', { error })
      return new Map()
    }
  }

  /** Returns the nodes that are not needed at present. */
  async #shrink(
    picture: Picture,
    groups: readonly NodeGroup[],
    now: number,
    settings: AutoscalerSettings,
  ): Promise<ReadonlySet<string>> {
    const unneeded = this.#findUnneeded(picture, groups, now, settings)
    for (const name of this.#unneededSince.keys()) if (!unneeded.has(name)) this.#unneededSince.delete(name)
    for (const name of unneeded) if (!this.#unneededSince.has(name)) this.#unneededSince.set(name, now)
    const rests =
      now - this.#lastAddMs < settings.delayAfterAddMs ||
      now - this.#lastDeleteMs < settings.delayAfterDeleteMs ||
      now - this.#lastFailureMs < settings.delayAfterFailureMs
    if (!rests) await this.#removeSome(groups, unneeded, now, settings)
    return unneeded
  }

  #findUnneeded(
    picture: Picture,
    groups: readonly NodeGroup[],
    now: number,
    settings: AutoscalerSettings,
  ): ReadonlySet<string> {
    const budgets = this.#view.budgets()
    const found = new Set<string>()
    // Nodes that are to take the pods of others stay for now.
    const needed = new Set<string>()
    for (const group of groups) {
      let spare = group.target - group.minCount
      for (const { node, pods } of this.#emptiestFirst(group)) {
        const { name } = node.metadata
        if (spare <= 0 || needed.has(name)) continue
        if (!this.#view.isReady(name)) {
          if (!this.#unreadySince.has(name)) this.#unreadySince.set(name, now)
          found.add(name)
          spare -= 1
          continue
        }
        this.#unreadySince.delete(name)
        if (utilization({ node, pods }, settings) >= settings.utilizationThreshold) continue
        if (keptBy({ node, pods }, budgets, settings) !== undefined) continue
        const destinations = moveAway(picture, { node, pods })
        if (destinations === undefined) continue
        for (const destination of destinations) needed.add(destination)
        found.add(name)
        spare -= 1
      }
    }
    return found
  }

  /** The group's nodes that have registered. */
  #emptiestFirst(group: NodeGroup): readonly NodeFacts[] {
    const all = group.nodeNames.flatMap((name): readonly NodeFacts[] => {
      const node = this.#view.node(name)
      return node === undefined ? [] : [{ node, pods: this.#view.podsOn(name) }]
    })
    const moving = ({ pods }: NodeFacts): number => movablePods(pods).length
    return all.toSorted((left, right) => moving(left) - moving(right))
  }

  /** Empty nodes several at once, others one by one. */
  async #removeSome(
    groups: readonly NodeGroup[],
    unneeded: ReadonlySet<string>,
    now: number,
    settings: AutoscalerSettings,
  ): Promise<void> {
    const isDue = (name: string): boolean =>
      this.#view.isReady(name)
        ? now - this.#unneededSince.get(name)! >= settings.unneededMs
        : now - this.#unreadySince.get(name)! >= settings.unreadyMs
    const due = [...unneeded].filter(isDue)
    const empty = due
      .filter((name) => movablePods(this.#view.podsOn(name)).length === 0)
      .slice(0, settings.emptyBulkDeleteMax)
    const chosen = empty.length > 0 ? empty : due.slice(0, 1)
    for (const group of groups) {
      const names = chosen.filter((name) => group.nodeNames.includes(name)).slice(0, group.target - group.minCount)
      if (names.length === 0 || !(await this.#parts.groups.remove(group.name, names))) continue
      this.#lastDeleteMs = now
      for (const name of names) {
        this.#unneededSince.delete(name)
        this.#unreadySince.delete(name)
        await this.#news.scaledDown(this.#view.node(name), this.#view.podsOn(name), empty.length > 0)
      }
    }
  }
}
