// Which versions a pool's nodes are to have after a write: as they are, newer ones, or a pair that they had before. Pure.

import { invalidParameter, notAllowed } from '../../azure-errors.ts'
import type { NodeVersions, PoolProperties, PoolRecord, PoolUpgrade } from '../../records.ts'
import { bootOf, goalOf } from '../../upgrade-plan.ts'
import { compareVersions, resolveVersion } from './kubernetes-versions.ts'
import { isOfferedImage, nodeImageOf } from './node-images.ts'

/** Seven days: how long a pair of versions can be gone back to. */
const ROLLBACK_MS = 7 * 86_400_000

export interface VersionWish {
  readonly properties: PoolProperties
  /** `nodeImageVersion` as it was given; clients send back what they read. */
  readonly asked: unknown
  readonly existing: PoolRecord | undefined
  readonly nowMs: number
}

/** Throws what Azure would refuse. */
export function nextVersions({ properties, asked, existing, nowMs }: VersionWish): NodeVersions {
  const { osSKU, orchestratorVersion } = properties
  if (existing === undefined) {
    const kubernetes = resolveVersion(orchestratorVersion)!
    return { kubernetes, image: imageOf(asked, undefined) ?? nodeImageOf(osSKU, kubernetes, nowMs) }
  }
  // A pool keeps its patch while the alias stands.
  const same = orchestratorVersion === existing.properties.orchestratorVersion
  const kubernetes = same ? existing.version : resolveVersion(orchestratorVersion)!
  const image = imageOf(asked, existing)
  const pair = earlierPair(existing, { kubernetes, image, asked }, nowMs)
  if (pair !== undefined) return pair
  if (compareVersions(kubernetes, existing.version) < 0) {
    throw notAllowed(
      `Downgrading agent pool '${existing.name}' from Kubernetes version ${existing.version} to ${kubernetes} is not allowed. Only the versions that the pool had in the last seven days can be gone back to, with their node image: see its upgrade profile.`,
    )
  }
  if (image !== undefined) {
    judgeImage(image, { osSKU, kubernetes, nowMs })
    return { kubernetes, image }
  }
  return kubernetes === existing.version
    ? goalOf(existing)
    : { kubernetes, image: nodeImageOf(osSKU, kubernetes, nowMs) }
}

/** What the caller chose, other than what stands there. */
function imageOf(asked: unknown, existing: PoolRecord | undefined): string | undefined {
  if (typeof asked !== 'string' || asked === '') return undefined
  return asked === existing?.nodeImageVersion || asked === existing?.upgrade?.from.image ? undefined : asked
}

function judgeImage(
  image: string,
  wish: { readonly osSKU: string; readonly kubernetes: string; readonly nowMs: number },
): void {
  if (isOfferedImage(image, wish.osSKU, wish.kubernetes, wish.nowMs)) return
  throw invalidParameter(
    'agentPoolProfile.nodeImageVersion',
    `node image '${image}' is not offered for osSKU ${wish.osSKU} and Kubernetes ${wish.kubernetes}, or it is older than 90 days`,
  )
}

/** The pair that the pool had, if the wish is one of them: where its upgrade was not finished, or in the last days. */
function earlierPair(
  existing: PoolRecord,
  wish: { readonly kubernetes: string; readonly image: string | undefined; readonly asked: unknown },
  nowMs: number,
): NodeVersions | undefined {
  const recent = (existing.recentlyUsed ?? []).filter(({ atMs }) => nowMs - atMs <= ROLLBACK_MS)
  const from = existing.upgrade === undefined ? [] : [existing.upgrade.from]
  const older = compareVersions(wish.kubernetes, existing.version) < 0
  const found = [...from, ...recent].find(({ kubernetes, image }) => {
    if (kubernetes !== wish.kubernetes) return false
    if (older && image === wish.asked) return true
    return wish.image === undefined ? older && from.length > 0 : image === wish.image
  })
  return found === undefined ? undefined : { kubernetes: found.kubernetes, image: found.image }
}

/** What is left to be done after the write: nothing where every machine is made as it is to be already. */
export function upgradeAfter(
  existing: PoolRecord | undefined,
  goal: NodeVersions,
  properties: PoolProperties,
): PoolUpgrade | undefined {
  if (existing === undefined) return undefined
  const { upgrade } = existing
  const isSamePair = goal.kubernetes === existing.version && goal.image === existing.nodeImageVersion
  if (isSamePair && bootOf(existing) === bootOf({ properties })) return upgrade
  // Gone back half-way: machines of both kinds may be there.
  return { from: upgrade?.from ?? goalOf(existing), fromBoot: upgrade?.fromBoot ?? bootOf(existing) }
}
