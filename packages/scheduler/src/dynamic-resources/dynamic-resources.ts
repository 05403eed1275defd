// The plug-in DynamicResources: pods with claims go where their devices are, and get them before they are bound.

import { keyOf } from '@aksel/api/resource'
import { nodes, resourceClaims } from '@aksel/api/resources'
import type { Pod } from '@aksel/api/types/core-v1'
import type { DeviceClass, ResourceClaim } from '@aksel/api/types/resource-v1'
import { uuid } from '@aksel/base/ids'
import { isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Caches } from '@aksel/runtime/controller'
import { matchesNode } from '@aksel/runtime/node-selectors'
import type { Extension } from '../extensions.ts'
import { NO_NODE, filterEach, scaleToHundred, type Blocked, type Plugin, type Prepared, type World } from '../plugin.ts'
import { allocationOf } from './allocation-result.ts'
import { bindClaim, conditionsMet, deallocateClaim, unreserveClaim } from './bind-claims.ts'
import { DeviceLedger, type DeviceObjects } from './device-ledger.ts'
import { canShare, claimsOf } from './pod-claims.ts'
import { isFreeBut } from './reservation.ts'
import { AllocationProblem } from './selection.ts'
import { wishesOf } from './wishes.ts'

export const DYNAMIC_RESOURCES = 'DynamicResources'

const CANNOT_ALLOCATE = 'cannot allocate all claims'
/** Upstream's bindingTimeout of the plug-in. */
const CONDITIONS_TIMEOUT_MS = 600_000
/** Sentences that name claims are kept apart up to here: the table of refusals has an end. */
const PROBLEMS_MAX = 1000
/** Upstream's FirstAvailableDeviceRequestMaxSize: the score of a request's first choice. */
const ALTERNATIVES_MAX = 8

export interface DynamicResourcesOptions {
  readonly client: Client
  readonly caches: Caches
  readonly objects: DeviceObjects
  /** The claim's devices are free again, though no change of an object says so. */
  readonly onFreed: (claim: ResourceClaim) => void
}

export class DynamicResources implements Extension {
  readonly name = DYNAMIC_RESOURCES
  readonly isBuiltIn = true
  readonly ledger: DeviceLedger
  readonly #scope: Scope
  readonly #options: DynamicResourcesOptions
  readonly #problems = new Set<string>()

  constructor(scope: Scope, options: DynamicResourcesOptions) {
    this.#scope = scope
    this.#options = options
    this.ledger = new DeviceLedger(options.objects)
  }

  plugin(world: World): Plugin {
    return {
      names: [this.name],
      prepare: (pod) => ((pod.spec.resourceClaims ?? []).length === 0 ? undefined : this.#prepare(world, pod)),
    }
  }

  /** A loop is about to make its claims: nothing is said, and nothing tried, until then. */
  holds(pod: Pod): boolean {
    return (pod.spec.resourceClaims ?? []).length > 0 && this.#claimsOf(pod).kind === 'not-created'
  }

  reserve(pod: Pod, nodeName: string): string | undefined {
    const { open } = this.#claims(pod)
    if (open.length === 0) return undefined
    const node = this.#options.caches.of(nodes).get(nodeName)
    if (node === undefined) return `node "${nodeName}" not found`
    let chosen: ReturnType<DeviceLedger['choose']>
    try {
      chosen = this.ledger.choose(open, node)
    } catch (error) {
      if (error instanceof AllocationProblem) return error.message
      throw error
    }
    if (chosen === undefined) return CANNOT_ALLOCATE
    const deviceClass = (name: string): DeviceClass | undefined => this.#options.objects.deviceClass(name)
    for (const [index, claim] of open.entries()) {
      const shareId = (): string => uuid(this.#scope.random)
      const allocation = allocationOf({ claim, choices: chosen[index]!, nodeName, deviceClass, shareId })
      this.ledger.promise(claim, allocation, pod.metadata.uid!)
    }
    return undefined
  }

  permit(scope: Scope, pod: Pod): Promise<void> | undefined {
    const { all } = this.#claims(pod)
    return all.length === 0 ? undefined : this.#bind(scope, pod, all)
  }

  unreserve(pod: Pod): void {
    for (const claim of this.#claims(pod).all)
      void this.#giveBack(pod, claim).catch((error: unknown) => {
        if (!this.#scope.signal.aborted)
          this.#scope.log.warn('a claim was not given back', { pod: keyOf(pod), claim: keyOf(claim), error })
      })
  }

  /** Devices that were allocated somewhere else than where the pod could be are given back, one claim at a time. */
  refused(pod: Pod): void {
    const { all } = this.#claims(pod)
    const far = all.find((claim) => claim.status?.allocation?.nodeSelector !== undefined && isFreeBut(claim, pod))
    if (far === undefined) return
    void deallocateClaim(this.#options.client, far, pod).catch((error: unknown) => {
      if (!this.#scope.signal.aborted)
        this.#scope.log.warn('a claim was not deallocated', { pod: keyOf(pod), claim: keyOf(far), error })
    })
  }

  #claimsOf(pod: Pod): ReturnType<typeof claimsOf> {
    return claimsOf(pod, (key) => this.#options.objects.claim(key))
  }

  #claims(pod: Pod): { readonly all: readonly ResourceClaim[]; readonly open: readonly ResourceClaim[] } {
    if ((pod.spec.resourceClaims ?? []).length === 0) return { all: [], open: [] }
    const found = this.#claimsOf(pod)
    const all = found.kind === 'claims' ? found.claims : []
    return { all, open: all.filter(({ status }) => status?.allocation === undefined) }
  }

  #prepare(world: World, pod: Pod): Prepared | Blocked | undefined {
    const { namespace, name } = pod.metadata
    const blocked = (words: string): Blocked => ({ plugin: this.name, blocked: words })
    const found = this.#claimsOf(pod)
    if (found.kind === 'not-created') return blocked(`pod "${namespace}/${name}": ResourceClaim not created yet`)
    if (found.kind === 'problem') return blocked(found.message)
    if (found.claims.length === 0) return undefined
    for (const claim of found.claims) {
      const why = this.#whyNot(pod, claim)
      if (why !== undefined) return blocked(why)
    }
    return this.#verdicts(world, found.claims)
  }

  /** What stands in the way on every node. */
  #whyNot(pod: Pod, claim: ResourceClaim): string | undefined {
    if (claim.status?.allocation !== undefined) return canShare(claim, pod) ? undefined : 'resourceclaim in use'
    if (this.ledger.promisedTo(claim) !== undefined)
      return `resource claim ${keyOf(claim)} is in the process of being allocated`
    for (const request of claim.spec.devices.requests)
      for (const { reference, className } of wishesOf(request))
        if (this.#options.objects.deviceClass(className) === undefined)
          return `request ${reference}: device class ${className} does not exist`
    return undefined
  }

  #verdicts({ state, refusals }: World, claims: readonly ResourceClaim[]): Prepared {
    const open = claims.filter(({ status }) => status?.allocation === undefined)
    const selectors = claims.flatMap(({ status }) => status?.allocation?.nodeSelector ?? [])
    const elsewhere = refusals.code(this.name, 'resourceclaim not available on the node', false)
    const lacking = refusals.code(this.name, CANNOT_ALLOCATE, true)
    const known = new Map<number, { readonly code: number; readonly score: number }>()
    // Pods that come and go do not change it: it is worked out once for a decision.
    const judge = (slot: number): { readonly code: number; readonly score: number } => {
      const entry = state.nodes[slot]
      if (entry === undefined) return { code: NO_NODE, score: 0 }
      if (!selectors.every((selector) => matchesNode(selector, entry.node))) return { code: elsewhere, score: 0 }
      if (open.length === 0) return { code: 0, score: 0 }
      try {
        const chosen = this.ledger.choose(open, entry.node)
        if (chosen === undefined) return { code: lacking, score: 0 }
        const wishes = new Set(chosen.flat().map(({ wish }) => wish))
        return { code: 0, score: [...wishes].reduce((sum, { rank }) => sum + ALTERNATIVES_MAX - rank, 0) }
      } catch (error) {
        if (!(error instanceof AllocationProblem)) throw error
        return { code: refusals.code(this.name, this.#problem(error.message), true), score: 0 }
      }
    }
    const of = (slot: number): { readonly code: number; readonly score: number } => {
      let verdict = known.get(slot)
      if (verdict === undefined) known.set(slot, (verdict = judge(slot)))
      return verdict
    }
    const one = (slot: number): number => of(slot).code
    const chooses = open.some(({ spec }) =>
      spec.devices.requests.some(({ firstAvailable }) => firstAvailable !== undefined),
    )
    return {
      filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) },
      ...(chooses
        ? {
            scores: [
              {
                plugin: this.name,
                fill: (slots, scores) => {
                  slots.forEach((slot, index) => (scores[index] = of(slot).score))
                  scaleToHundred(scores, slots.length, { reverse: false })
                },
              },
            ],
          }
        : {}),
    }
  }

  #problem(message: string): string {
    if (this.#problems.has(message)) return message
    if (this.#problems.size >= PROBLEMS_MAX) return 'devices could not be chosen'
    this.#problems.add(message)
    return message
  }

  async #bind(scope: Scope, pod: Pod, claims: readonly ResourceClaim[]): Promise<void> {
    const { client, caches } = this.#options
    const bound: ResourceClaim[] = []
    for (const claim of claims) {
      const promised = this.ledger.promisedTo(claim)
      bound.push(await bindClaim(scope, client, { known: claim, allocation: promised?.allocation, pod }))
      if (promised !== undefined) promised.isWritten = true
    }
    for (const known of bound) {
      try {
        const claimCache = caches.of(resourceClaims)
        await conditionsMet(scope, { claims: claimCache, known, timeoutMs: CONDITIONS_TIMEOUT_MS })
      } catch (error) {
        if (!scope.signal.aborted) await deallocateClaim(client, known, pod)
        throw error
      }
    }
  }

  async #giveBack(pod: Pod, claim: ResourceClaim): Promise<void> {
    const { client, onFreed } = this.#options
    const promised = this.ledger.promisedTo(claim)
    // The cache may be behind; and whether a write failed, or only its answer, the server alone knows.
    const now = await this.#live(claim)
    if (
      promised?.podUid === pod.metadata.uid &&
      promised?.isWritten === false &&
      now?.status?.allocation === undefined &&
      this.ledger.promisedTo(claim) === promised
    ) {
      this.ledger.takeBack(claim)
      onFreed(claim)
    }
    if (now !== undefined) await unreserveClaim(client, now, pod)
  }

  async #live({ metadata }: ResourceClaim): Promise<ResourceClaim | undefined> {
    try {
      const { namespace, name } = metadata
      const found = await this.#options.client.get(resourceClaims, { namespace: namespace!, name })
      return found.metadata.uid === metadata.uid ? found : undefined
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }
}
