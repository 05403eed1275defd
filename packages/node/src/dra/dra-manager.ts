// Has the drivers make ready what the claims of pods stand for, once per claim and node, and take it back with the last pod.
// What was made ready stands on disk: an agent that restarts asks for nothing twice, and gives back what pods left meanwhile.

import { join } from 'node:path'
import { readFile } from 'node:fs/promises'
import { resourceClaims } from '@aksel/api/resources'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { ResourceClaim } from '@aksel/api/types/resource-v1'
import type { Client } from '@aksel/client/client'
import { writeDurableFile } from '@aksel/host/durable-file'
import { cdiDevicesOf, checkClaim, claimNames, driversOf } from './claims.ts'
import type { NodeClaim } from './claims.ts'
import type { DraDrivers } from './dra-drivers.ts'
import type { PreparedDevice } from './dra-proto.ts'

export interface DraManagerOptions {
  readonly client: Pick<Client, 'get'>
  readonly drivers: Pick<DraDrivers, 'get'>
  readonly rootDirectory: string
}

interface Answers<T> {
  readonly claims: Readonly<Record<string, T>>
}

export class DraManager {
  readonly #options: DraManagerOptions
  #claims: readonly NodeClaim[] = []
  /** Claims are prepared and given back one after the other: two pods may share one. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: DraManagerOptions) {
    this.#options = options
  }

  get claims(): readonly NodeClaim[] {
    return this.#claims
  }

  /** Takes up what an earlier agent had made ready. To be called first. */
  async load(): Promise<void> {
    try {
      this.#claims = JSON.parse(await readFile(this.#checkpoint, 'utf8')) as readonly NodeClaim[]
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  /** Idempotent. Rejects in upstream's words; to be tried again. */
  prepare(pod: Pod): Promise<void> {
    if ((pod.spec.resourceClaims ?? []).length === 0) return Promise.resolve()
    return this.#inTurn(() => this.#prepare(pod))
  }

  /** The pod's containers are down for good. Rejects where a driver does not take back what it made; idempotent. */
  release(podUid: string): Promise<void> {
    if (!this.#claims.some(({ podUids }) => podUids.includes(podUid))) return Promise.resolve()
    return this.#inTurn(() => this.#release(podUid))
  }

  /** Uids of all pods that have something here. */
  get holders(): ReadonlySet<string> {
    return new Set(this.#claims.flatMap(({ podUids }) => podUids))
  }

  cdiDevices(pod: Pod, container: Container): readonly string[] {
    return cdiDevicesOf(pod, container, this.#claims)
  }

  async #prepare(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? ''
    const wanted: NodeClaim[] = []
    for (const [podClaim, name] of claimNames(pod)) {
      const known = this.#claims.find((each) => each.namespace === pod.metadata.namespace && each.name === name)
      if (known?.isPrepared === true && known.podUids.includes(uid)) continue
      wanted.push(this.#joined(uid, await this.#allowed(pod, podClaim, name)))
    }
    if (wanted.length === 0) return
    const open = wanted.filter(({ isPrepared }) => !isPrepared)
    const drivers = new Set(open.flatMap((claim) => Object.keys(claim.drivers)))
    // Nothing is asked of one while another is not there: who was asked must be asked again as the pod goes.
    for (const driver of drivers) this.#options.drivers.get(driver)
    // Written before the drivers are asked, so that what they make is given back whatever happens next.
    await this.#keep(wanted)
    for (const driver of drivers) await this.#ask(driver, open)
    const uids = new Set(open.map((claim) => claim.uid))
    await this.#keep(this.#claims.filter((each) => uids.has(each.uid)).map((each) => ({ ...each, isPrepared: true })))
  }

  async #allowed(pod: Pod, podClaim: string, name: string): Promise<ResourceClaim> {
    const { namespace = 'default' } = pod.metadata
    const claim = await this.#options.client.get(resourceClaims, { namespace, name }).catch((cause: Error) => {
      throw new Error(`fetch ResourceClaim ${name}: ${cause.message}`, { cause })
    })
    checkClaim(pod, podClaim, claim)
    return claim
  }

  /** The claim with the pod among its own; one of the same name that has gone is another. */
  #joined(podUid: string, claim: ResourceClaim): NodeClaim {
    const { namespace = 'default', name, uid = '' } = claim.metadata
    const known = this.#claims.find((each) => each.uid === uid)
    if (known !== undefined) return { ...known, podUids: [...new Set([...known.podUids, podUid])] }
    const drivers = Object.fromEntries(driversOf(claim).map((driver) => [driver, []]))
    return { namespace, name, uid, podUids: [podUid], drivers, isPrepared: false }
  }

  async #ask(driver: string, claims: readonly NodeClaim[]): Promise<void> {
    const own = claims.filter(({ drivers }) => driver in drivers)
    const answer = await this.#call<{ readonly devices: readonly PreparedDevice[]; readonly error: string }>(
      driver,
      'NodePrepareResources',
      own,
    )
    const kept: NodeClaim[] = []
    for (const { uid } of own) {
      const result = answer.claims[uid]!
      const current = this.#claims.find((each) => each.uid === uid)!
      kept.push({ ...current, drivers: { ...current.drivers, [driver]: result.devices } })
    }
    await this.#keep(kept)
  }

  async #release(podUid: string): Promise<void> {
    const held = this.#claims.filter(({ podUids }) => podUids.includes(podUid))
    const last = held.filter(({ podUids }) => podUids.length === 1)
    for (const driver of new Set(last.flatMap(({ drivers }) => Object.keys(drivers)))) {
      const own = last.filter(({ drivers }) => driver in drivers)
      await this.#call(driver, 'NodeUnprepareResources', own)
    }
    const uids = new Set(last.map(({ uid }) => uid))
    this.#claims = this.#claims
      .filter(({ uid }) => !uids.has(uid))
      .map((claim) => ({ ...claim, podUids: claim.podUids.filter((uid) => uid !== podUid) }))
    await this.#save()
  }

  /** Rejects where the driver says nothing of a claim, or that it failed. */
  async #call<T extends { readonly error: string }>(
    driver: string,
    method: 'NodePrepareResources' | 'NodeUnprepareResources',
    claims: readonly NodeClaim[],
  ): Promise<Answers<T>> {
    const request = { claims: claims.map(({ namespace, name, uid }) => ({ namespace, name, uid })) }
    const answer = await this.#options.drivers
      .get(driver)
      .unary<Answers<T>>(method, request)
      .catch((cause: Error) => {
        throw new Error(`${method} failed: ${cause.message}`, { cause })
      })
    for (const { uid, name } of claims) {
      const result = answer.claims[uid]
      if (result === undefined) throw new Error(`${method} returned no result for ResourceClaim ${name}`)
      if (result.error !== '') throw new Error(`${method} failed for ResourceClaim ${name}: ${result.error}`)
    }
    return answer
  }

  /** These in place of what was known of them, on disk before it counts. */
  async #keep(claims: readonly NodeClaim[]): Promise<void> {
    const uids = new Set(claims.map(({ uid }) => uid))
    this.#claims = [...this.#claims.filter(({ uid }) => !uids.has(uid)), ...claims]
    await this.#save()
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => {})
    return turn
  }

  get #checkpoint(): string {
    return join(this.#options.rootDirectory, 'dra_manager_state')
  }

  #save(): Promise<void> {
    return writeDurableFile(this.#checkpoint, `${JSON.stringify(this.#claims)}\n`, 0o600)
  }
}
