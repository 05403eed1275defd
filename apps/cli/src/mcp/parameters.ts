// Parameters that many tools share, and what clients are told of tools that only look.

import { z } from 'zod'

export const looking = { readOnlyHint: true, destructiveHint: false, openWorldHint: false } as const

export const clusterParameters = {
  subscription_id: z.string().optional().describe('Of this server when absent'),
  resource_group: z.string().optional().describe('Of the current cluster when absent'),
  cluster_name: z.string().optional().describe('The current cluster when absent'),
  aks_resource_id: z.string().optional().describe('The whole id, instead of the three'),
} as const
