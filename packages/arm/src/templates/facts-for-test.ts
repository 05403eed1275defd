// A place to deploy to, for tests of the template language.

import type { FrameOptions } from './template-frame.ts'

export const testFacts: FrameOptions = {
  facts: {
    tenantId: 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee',
    subscription: { id: '/subscriptions/s1', subscriptionId: 's1', tenantId: 't1', displayName: 'One' },
    resourceGroup: { id: '/subscriptions/s1/resourceGroups/rg', name: 'rg', location: 'eastus', tags: {} },
    deployment: { name: 'd1' },
    environment: { name: 'AzureCloud', suffixes: {} },
    deployer: { objectId: 'o1', tenantId: 't1' },
    nowMs: Date.UTC(2026, 10, 27, 8, 5, 9),
  },
  parameters: {},
  newGuid: () => '11111111-2222-4333-8444-555555555555',
}

/** A template around its resources. */
export function templateWith(parts: object): object {
  return {
    $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
    contentVersion: '1.0.0.0',
    resources: [],
    ...parts,
  }
}
