// Which usage a cluster has: what its nodes measure, or what its pods declare.

import type { Pod } from '@aksel/api/types/core-v1'
import type { NodeConnector } from '../connect-handler.ts'
import type { Registry } from '../registry/registry.ts'
import { DeclaredUsage } from './declared-usage.ts'
import { ScrapedUsage } from './scraped-usage.ts'
import type { ResourceUsage } from './usage.ts'

export function usageOf(
  { scope, kinds, records }: Registry,
  nodes: { readonly nodeConnector?: NodeConnector; readonly simulated?: boolean },
): ResourceUsage {
  if (nodes.nodeConnector !== undefined && nodes.simulated !== true) return new ScrapedUsage(scope, nodes.nodeConnector)
  const pods = kinds.find('', 'v1', 'pods')!
  return new DeclaredUsage(scope.clock, async () => (await records.list(pods)).map(({ object }) => object as Pod))
}
