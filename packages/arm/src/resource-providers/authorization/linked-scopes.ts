// Resources that a body names, and what its caller must be permitted to do with each: using a subnet is more than reading it.

import { isObject } from '../body.ts'

export interface LinkedScope {
  readonly scope: string
  readonly action: string
}

const group = String.raw`/subscriptions/[^/]+/resourcegroups/[^/]+/providers`

/** Types that are joined rather than only named, with Azure's action for it. */
const joined: readonly (readonly [RegExp, string])[] = [
  [
    new RegExp(`^${group}/microsoft\\.network/virtualnetworks/[^/]+/subnets/[^/]+$`, 'i'),
    'Microsoft.Network/virtualNetworks/subnets/join/action',
  ],
  [
    new RegExp(`^${group}/microsoft\\.network/virtualnetworks/[^/]+$`, 'i'),
    'Microsoft.Network/virtualNetworks/peer/action',
  ],
  [
    new RegExp(`^${group}/microsoft\\.network/networksecuritygroups/[^/]+$`, 'i'),
    'Microsoft.Network/networkSecurityGroups/join/action',
  ],
  [new RegExp(`^${group}/microsoft\\.network/routetables/[^/]+$`, 'i'), 'Microsoft.Network/routeTables/join/action'],
  [new RegExp(`^${group}/microsoft\\.network/natgateways/[^/]+$`, 'i'), 'Microsoft.Network/natGateways/join/action'],
  [
    new RegExp(`^${group}/microsoft\\.network/publicipaddresses/[^/]+$`, 'i'),
    'Microsoft.Network/publicIPAddresses/join/action',
  ],
  [
    new RegExp(`^${group}/microsoft\\.network/publicipprefixes/[^/]+$`, 'i'),
    'Microsoft.Network/publicIPPrefixes/join/action',
  ],
  [
    new RegExp(`^${group}/microsoft\\.managedidentity/userassignedidentities/[^/]+$`, 'i'),
    'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
  ],
]

/** Each once. Ids at or below the resource that is written are its own parts. */
export function linkedScopes(body: unknown, written: string): readonly LinkedScope[] {
  const found = new Map<string, LinkedScope>()
  const own = written.toLowerCase()
  const visit = (value: unknown, depth: number): void => {
    if (typeof value === 'string') return note(value)
    if (depth > 24) return
    if (Array.isArray(value)) return value.forEach((item) => visit(item, depth + 1))
    if (!isObject(value)) return
    for (const [name, item] of Object.entries(value)) {
      // Identities stand as names of members.
      if (name.startsWith('/')) note(name)
      visit(item, depth + 1)
    }
  }
  const note = (text: string): void => {
    const id = text.toLowerCase().replace(/\/$/, '')
    if (!id.startsWith('/subscriptions/') || id === own || id.startsWith(`${own}/`)) return
    const action = joined.find(([form]) => form.test(id))?.[1]
    if (action !== undefined && !found.has(id)) found.set(id, { scope: text, action })
  }
  visit(body, 0)
  return [...found.values()]
}
