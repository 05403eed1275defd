// The nftables tables that a node keeps in its own network: whoever lends it a network has to know what to take away afterwards.

export const PROXY_TABLE = 'ip aksel-proxy'
export const POLICY_TABLE = 'ip aksel-policy'
/** Beside them on nodes of both families. */
export const PROXY_TABLE_6 = 'ip6 aksel-proxy'
export const POLICY_TABLE_6 = 'ip6 aksel-policy'
