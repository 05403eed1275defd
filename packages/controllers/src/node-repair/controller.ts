// Node auto-repair, as AKS's remediator does it: a node that stays NotReady or silent is rebooted, reimaged, redeployed.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { ignoreReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Controller, Outcome, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { historyAnnotation, historyText, judgeRepair, type Repair, type RepairPeriods } from './judge.ts'

export interface RepairableMachines {
  /** False for a machine that is off by order, goes, is being upgraded, or is none of ours. */
  mayRepair(nodeName: string): Promise<boolean>
  /** Resolves when the machine has been started again. */
  repair(scope: Scope, nodeName: string, repair: Repair): Promise<void>
}

export interface NodeRepairParts extends LoopParts {
  readonly machines: RepairableMachines
  /** AKS's when absent. */
  readonly periods?: RepairPeriods
}

export const remediator = 'aks-remediator'

/** Somebody has the machine in hand: to be looked at again. */
const LEFT_ALONE_MS = 60_000

const names = { reboot: 'Reboot', reimage: 'Reimage', redeploy: 'Redeploy' } as const

export function nodeRepairController(parts: NodeRepairParts): Controller {
  const known = parts.caches.of(nodes)
  const own: Source<Node> = { type: nodes, keysOf: (now) => (now === undefined ? [] : [now.metadata.name]) }
  return {
    name: 'node-repair',
    sources: [own],
    async reconcile(scope, key) {
      const node = known.get(key)
      return node === undefined ? done : reconcile(scope, parts, node)
    },
  }
}

async function reconcile(scope: Scope, parts: NodeRepairParts, node: Node): Promise<Outcome> {
  const { name } = node.metadata
  const verdict = judgeRepair(node, scope.clock.now(), parts.periods)
  switch (verdict.kind) {
    case 'healthy':
      if (verdict.forget) await annotate(parts, node, null)
      return done
    case 'wait':
      return again(verdict.forMs)
    case 'given up':
      return done
    case 'repair':
      if (!(await parts.machines.mayRepair(name))) return again(LEFT_ALONE_MS)
      await repair(scope, parts, node, verdict)
      return done
    default:
      return verdict satisfies never
  }
}

async function repair(
  scope: Scope,
  parts: NodeRepairParts,
  node: Node,
  order: { readonly repair: Repair; readonly done: number },
): Promise<void> {
  const name = names[order.repair]
  const say = (type: 'Normal' | 'Warning', reason: string, message: string): void =>
    tell(scope, parts.client, { type: nodes, object: node, source: remediator }, type, reason, message)
  // Written first: whoever is killed on the way does not do it twice.
  await annotate(parts, node, historyText({ done: order.done, lastMs: scope.clock.now() }))
  say(
    'Normal',
    `Node${name}Start`,
    `Node auto-repair is initiating a ${order.repair} action due to NotReady status persisting for more than 5 minutes.`,
  )
  try {
    await parts.machines.repair(scope, node.metadata.name, order.repair)
    say('Normal', `Node${name}End`, `${name} action from node auto-repair is completed.`)
  } catch (error) {
    if (scope.signal.aborted) return
    const why = error instanceof Error ? error.message : String(error)
    say('Warning', `Node${name}Error`, `Node auto-repair ${order.repair} action failed: ${why}`)
  }
}

async function annotate({ client }: NodeRepairParts, node: Node, text: string | null): Promise<void> {
  const { name, uid, resourceVersion } = node.metadata
  const body = { metadata: { uid, resourceVersion, annotations: { [historyAnnotation]: text } } }
  await ignoreReason('NotFound', client.patch(nodes, { name }, { kind: 'merge', body }))
}
