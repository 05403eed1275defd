// Volumes that not every pod may use beside another: claims for one pod alone, disks that attach once, drivers with limits.

import type { Pod, Volume } from '@aksel/api/types/core-v1'
import { filterEach, NO_NODE, type Plugin, type World } from '../plugin.ts'
import { claimKeysOf } from '../volumes.ts'

export function volumeRestrictions({ state, volumes, objects, refusals }: World): Plugin {
  const PLUGIN = 'VolumeRestrictions'
  const inUse = refusals.code(
    PLUGIN,
    'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
    true,
  )
  const attached = refusals.code(PLUGIN, 'node(s) had no available disk', true)
  return {
    names: [PLUGIN],
    prepare(pod) {
      const single = claimKeysOf(pod).filter(
        (key) => objects.claim(key)?.spec.accessModes?.includes('ReadWriteOncePod') === true,
      )
      const disks = (pod.spec.volumes ?? []).filter((volume) => diskOf(volume) !== undefined)
      if (single.length === 0 && disks.length === 0) return undefined
      const one = (slot: number): number => {
        const entry = state.nodes[slot]
        if (entry === undefined) return NO_NODE
        if (disks.length > 0 && [...entry.pods.values()].some((other) => conflicts(disks, other.pod))) return attached
        return single.some((key) => volumes.podsOf(key) > 0) ? inUse : 0
      }
      return { filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) } }
    },
  }
}

/** What a volume attaches, for the kinds that attach to one node for writing; read-only users share some of them. */
function diskOf(
  volume: Volume,
): { readonly id: string; readonly readOnly: boolean; readonly shares: boolean } | undefined {
  const { gcePersistentDisk: gce, awsElasticBlockStore: ebs, iscsi, rbd } = volume
  if (gce !== undefined) return { id: `gce ${gce.pdName}`, readOnly: gce.readOnly === true, shares: true }
  if (ebs !== undefined) return { id: `ebs ${ebs.volumeID}`, readOnly: ebs.readOnly === true, shares: false }
  if (iscsi !== undefined) return { id: `iscsi ${iscsi.iqn}`, readOnly: iscsi.readOnly === true, shares: true }
  if (rbd === undefined) return undefined
  const id = `rbd ${[...(rbd.monitors ?? [])].sort().join()} ${rbd.pool ?? 'rbd'} ${rbd.image}`
  return { id, readOnly: rbd.readOnly === true, shares: true }
}

function conflicts(disks: readonly Volume[], other: Pod): boolean {
  return (other.spec.volumes ?? []).some((volume) => {
    const theirs = diskOf(volume)
    if (theirs === undefined) return false
    return disks.some((each) => {
      const ours = diskOf(each)!
      return ours.id === theirs.id && !(ours.shares && ours.readOnly && theirs.readOnly)
    })
  })
}

export function nodeVolumeLimits(world: World): Plugin {
  const { state, volumes, refusals } = world
  const exceeded = refusals.code('NodeVolumeLimits', 'node(s) exceed max volume count', true)
  return {
    names: ['NodeVolumeLimits'],
    prepare(pod) {
      const wanted = volumes.volumesOf(claimKeysOf(pod))
      if (wanted.length === 0) return undefined
      const byDriver = new Map<string, Set<string>>()
      for (const { driver, id } of wanted) {
        const ids = byDriver.get(driver)
        if (ids === undefined) byDriver.set(driver, new Set([id]))
        else ids.add(id)
      }
      const drivers = [...byDriver].map(([driver, ids]) => ({ use: volumes.driver(driver), ids }))
      const one = (slot: number): number => {
        if (state.nodes[slot] === undefined) return NO_NODE
        for (const { use, ids } of drivers) if (use.isExceeded(slot, ids)) return exceeded
        return 0
      }
      return { filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) } }
    },
  }
}
