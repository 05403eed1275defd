// Gives every node its pod ranges, one of each family that the cluster has; what a node brings along is taken note of.

import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import { isReason } from '@aksel/base/errors'
import { parseRange } from '@aksel/base/ip-range'
import type { Scope } from '@aksel/base/scope'
import { again, done } from '@aksel/runtime/controller'
import type { Cache, Controller, Outcome, Source } from '@aksel/runtime/controller'
import type { LoopParts } from '../parts.ts'
import { tell } from '../pod-control.ts'
import { CidrPool } from './cidr-pool.ts'

export interface NodeIpamParts extends LoopParts {
  /** The cluster's pod ranges, one of each family at most. */
  readonly clusterCidrs: readonly string[]
  /** Service ranges: no node gets a part of them. */
  readonly serviceCidrs?: readonly string[]
  /** Prefix of a node's range by family. Default 24 and 64, upstream's. */
  readonly masks?: { readonly 4?: number; readonly 6?: number }
}

/** A full cluster is looked at again this often, beside whenever a node goes. */
const FULL_AGAIN_MS = 30_000

/** Throws for ranges that no node could get a part of. */
export function nodeIpamController(parts: NodeIpamParts): Controller {
  const loop = new NodeIpamLoop(parts)
  const own: Source<Node> = {
    type: nodes,
    keysOf: (now, before) => {
      const isKnown = before !== undefined && now !== undefined && now.metadata.uid === before.metadata.uid
      return isKnown && cidrsOf(now).length > 0 && cidrsOf(before).length > 0 ? [] : [(now ?? before)!.metadata.name]
    },
  }
  return {
    name: 'node-ipam',
    sources: [own],
    start: (scope) => loop.noteAll(scope),
    reconcile: (scope, key) => loop.reconcile(scope, key),
  }
}

function cidrsOf({ spec }: Node): readonly string[] {
  return spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR])
}

class NodeIpamLoop {
  readonly #parts: NodeIpamParts
  readonly #nodes: Cache<Node>
  readonly #pools: readonly CidrPool[]
  /** Ranges by node, those that are on their way into its object too. */
  readonly #given = new Map<string, readonly string[]>()

  constructor(parts: NodeIpamParts) {
    this.#parts = parts
    this.#nodes = parts.caches.of(nodes)
    this.#pools = parts.clusterCidrs.map((cidr) => {
      const family = parseRange(cidr)?.family ?? 4
      return new CidrPool(cidr, parts.masks?.[family] ?? (family === 4 ? 24 : 64))
    })
    for (const pool of this.#pools) for (const cidr of parts.serviceCidrs ?? []) pool.exclude(cidr)
  }

  /** Before anything is given: what nodes have is theirs. */
  noteAll(scope: Scope): void {
    for (const node of this.#nodes.list()) if (cidrsOf(node).length > 0) this.#note(scope, node)
  }

  async reconcile(scope: Scope, name: string): Promise<Outcome> {
    const node = this.#nodes.get(name)
    if (node === undefined) {
      this.#release(name)
      return done
    }
    if (cidrsOf(node).length > 0) {
      this.#note(scope, node)
      return done
    }
    const cidrs = this.#given.get(name) ?? this.#take(name)
    if (cidrs === undefined) {
      this.#tell(scope, node, 'CIDRNotAvailable')
      return again(FULL_AGAIN_MS)
    }
    return this.#give(scope, node, cidrs)
  }

  async #give(scope: Scope, node: Node, cidrs: readonly string[]): Promise<Outcome> {
    const { name, uid } = node.metadata
    const body = { metadata: { uid }, spec: { podCIDR: cidrs[0], podCIDRs: cidrs } }
    try {
      await this.#parts.client.patch(nodes, { name }, { kind: 'merge', body })
    } catch (error) {
      // Gone, made anew under its name, or somebody else gave it ranges: the watch will tell.
      if (isReason(error, 'NotFound', 'Conflict', 'Invalid')) {
        this.#release(name)
        if (!isReason(error, 'NotFound')) throw error
        return done
      }
      this.#tell(scope, node, 'CIDRAssignmentFailed')
      throw error
    }
    return done
  }

  #take(name: string): readonly string[] | undefined {
    const taken: string[] = []
    for (const pool of this.#pools) {
      const cidr = pool.take()
      if (cidr === undefined) {
        this.#free(taken)
        return undefined
      }
      taken.push(cidr)
    }
    this.#given.set(name, taken)
    return taken
  }

  #note(scope: Scope, node: Node): void {
    const { name } = node.metadata
    const [has, known] = [cidrsOf(node), this.#given.get(name)]
    if (known !== undefined && has.length === known.length && has.every((cidr, at) => cidr === known[at])) return
    this.#release(name)
    const ours = has.filter((cidr) => {
      const range = parseRange(cidr)
      const pool = this.#pools.find(({ family }) => family === range?.family)
      const isFree = pool === undefined || pool.occupy(cidr)
      if (!isFree) scope.log.warn('a node has a pod range that is not free', { node: name, range: cidr })
      return isFree
    })
    this.#given.set(name, ours)
  }

  #release(name: string): void {
    this.#free(this.#given.get(name) ?? [])
    this.#given.delete(name)
  }

  #free(cidrs: readonly string[]): void {
    for (const cidr of cidrs) for (const pool of this.#pools) pool.release(cidr)
  }

  #tell(scope: Scope, object: Node, reason: string): void {
    const owner = { type: nodes, object, source: 'cidrAllocator' }
    const message = `Node ${object.metadata.name} status is now: ${reason}`
    tell(scope, this.#parts.client, owner, 'Normal', reason, message)
  }
}
