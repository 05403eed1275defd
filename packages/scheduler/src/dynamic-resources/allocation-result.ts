// What was chosen, as it is written into a claim: devices, the settings for their drivers, and the nodes that can use them.

import type { NodeSelector, NodeSelectorTerm } from '@aksel/api/types/core-v1'
import type {
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceClass,
  ResourceClaim,
} from '@aksel/api/types/resource-v1'
import { resultOf, type Choice } from './allocator.ts'
import type { Wish } from './wishes.ts'

export interface Chosen {
  readonly claim: ResourceClaim
  readonly choices: readonly Choice[]
  readonly nodeName: string
  readonly deviceClass: (name: string) => DeviceClass | undefined
  readonly shareId: () => string
}

export function allocationOf({ claim, choices, nodeName, deviceClass, shareId }: Chosen): AllocationResult {
  const wishes = [...new Set(choices.map(({ wish }) => wish))]
  const config: DeviceAllocationConfiguration[] = [
    ...wishes.flatMap((wish) =>
      (deviceClass(wish.className)?.spec.config ?? []).map((each) => ({
        source: 'FromClass',
        requests: [wish.reference],
        ...each,
      })),
    ),
    ...(claim.spec.devices.config ?? [])
      .filter(({ requests = [] }) => requests.length === 0 || wishes.some((wish) => isNamed(wish, requests)))
      .map((each) => ({ source: 'FromClaim', ...each })),
  ]
  const nodeSelector = nodesOf(choices, nodeName)
  return {
    devices: {
      results: choices.map((choice) => resultOf(choice, shareId)),
      ...(config.length === 0 ? {} : { config }),
    },
    ...(nodeSelector === undefined ? {} : { nodeSelector }),
  }
}

function isNamed({ reference }: Wish, requests: readonly string[]): boolean {
  return requests.includes(reference) || requests.includes(reference.split('/')[0]!)
}

/** Undefined where every node can. */
function nodesOf(choices: readonly Choice[], nodeName: string): NodeSelector | undefined {
  if (choices.some(({ device }) => device.nodeName !== undefined || device.device.bindsToNode === true))
    return {
      nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] }],
    }
  const terms = choices.flatMap(({ device }) => device.nodeSelector?.nodeSelectorTerms[0] ?? [])
  const all = (
    part: (term: NodeSelectorTerm) => NodeSelectorTerm['matchFields'],
  ): NonNullable<NodeSelectorTerm['matchFields']> => {
    const seen = new Map(terms.flatMap((term) => part(term) ?? []).map((each) => [JSON.stringify(each), each] as const))
    return [...seen.values()]
  }
  const matchExpressions = all((term) => term.matchExpressions)
  const matchFields = all((term) => term.matchFields)
  if (matchExpressions.length + matchFields.length === 0) return undefined
  return {
    nodeSelectorTerms: [
      {
        ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
        ...(matchFields.length === 0 ? {} : { matchFields }),
      },
    ],
  }
}
