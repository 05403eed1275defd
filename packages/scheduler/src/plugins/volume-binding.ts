// Volumes decide too: a bound volume may stand in one zone only, an unbound claim may wait for the pod's node.

import type { PersistentVolumeClaim } from '@aksel/api/types/core-v1'
import { filterEach, NO_NODE, type Plugin, type World } from '../plugin.ts'
import { matchesNode } from '@aksel/runtime/node-selectors'
import { claimKeysOf, isBound, waitsForConsumer } from '../volumes.ts'
import { volumePlan } from '../volume-plan.ts'

const PLUGIN = 'VolumeBinding'

export function volumeBinding(world: World): Plugin {
  const { state, objects, refusals } = world
  const codes = {
    lost: refusals.code(PLUGIN, 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)', false),
    elsewhere: refusals.code(PLUGIN, "node(s) didn't match PersistentVolume's node affinity", false),
    'no-volume': refusals.code(PLUGIN, "node(s) didn't find available persistent volumes to bind", false),
    'no-space': refusals.code(PLUGIN, 'node(s) did not have enough free storage', false),
  }
  const blocked = (why: string) => ({ plugin: PLUGIN, blocked: why })
  return {
    names: [PLUGIN],
    prepare(pod) {
      const keys = claimKeysOf(pod)
      if (keys.length === 0) return undefined
      const claims: PersistentVolumeClaim[] = []
      for (const key of keys) {
        const claim = objects.claim(key)
        const name = key.slice(key.indexOf('/') + 1)
        if (claim === undefined) return blocked(`persistentvolumeclaim "${name}" not found`)
        if (claim.metadata.deletionTimestamp !== undefined)
          return blocked(`persistentvolumeclaim "${name}" is being deleted`)
        if (claim.status?.phase === 'Lost')
          return blocked(
            `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName}"`,
          )
        if (!isBound(claim) && !waitsForConsumer(claim, objects))
          return blocked('pod has unbound immediate PersistentVolumeClaims')
        claims.push(claim)
      }
      const boundJudges = claims.filter(isBound).flatMap((claim) => boundJudge(world, claim, codes) ?? [])
      const unbound = claims.filter((claim) => !isBound(claim))
      // Volumes that can be reached from anywhere have no say.
      if (boundJudges.length + unbound.length === 0) return undefined
      const one = (slot: number): number => {
        const entry = state.nodes[slot]
        if (entry === undefined) return NO_NODE
        for (const judge of boundJudges) {
          const code = judge(slot)
          if (code !== 0) return code
        }
        if (unbound.length === 0) return 0
        const plan = volumePlan(objects, unbound, entry.node)
        return plan.kind === 'possible' ? 0 : codes[plan.why]
      }
      return { filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) } }
    },
  }
}

/** Many volumes have the same affinity: that of their zone. */
function boundJudge(
  { state, objects }: World,
  claim: PersistentVolumeClaim,
  codes: { readonly lost: number; readonly elsewhere: number },
): ((slot: number) => number) | undefined {
  const volume = objects.volume(claim.spec.volumeName!)
  if (volume === undefined) return () => codes.lost
  const required = volume.spec.nodeAffinity?.required
  if (required === undefined) return undefined
  const { nodes, topology } = state
  const mask = topology.mask(JSON.stringify(required), (slot) => matchesNode(required, nodes[slot]!.node))
  return (slot) => (mask.bits[slot] === 1 ? 0 : codes.elsewhere)
}

/** Labels of older volumes, which carry no node affinity. */
const zoneLabels = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
] as const

export function volumeZone(world: World): Plugin {
  const { state, objects, refusals } = world
  const elsewhere = refusals.code('VolumeZone', 'node(s) had no available volume zone', false)
  return {
    names: ['VolumeZone'],
    prepare(pod) {
      const wanted: { readonly key: string; readonly values: readonly string[] }[] = []
      for (const key of claimKeysOf(pod)) {
        const labels = objects.volume(objects.claim(key)?.spec.volumeName ?? '')?.metadata.labels
        if (labels === undefined) continue
        for (const label of zoneLabels)
          if (labels[label] !== undefined) wanted.push({ key: label, values: labels[label].split('__') })
      }
      if (wanted.length === 0) return undefined
      const one = (slot: number): number => {
        const node = state.nodes[slot]?.node
        if (node === undefined) return NO_NODE
        const labels = node.metadata.labels ?? {}
        // A node that knows of no zones is in all of them.
        if (zoneLabels.every((label) => labels[label] === undefined)) return 0
        return wanted.every(({ key, values }) => values.includes(labels[key] ?? labels[translated(key)] ?? ''))
          ? 0
          : elsewhere
      }
      return { filter: { one, all: (verdicts) => filterEach(verdicts, state.high, one) } }
    },
  }
}

function translated(label: string): string {
  return label.replace('failure-domain.beta.kubernetes.io/', 'topology.kubernetes.io/')
}
