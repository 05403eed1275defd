// The nftables tables that a node keeps in its own network: whoever lends it a network has to know what to take away afterwards.

export const PROXY_TABLE = 'ip aksel-proxy'
export const POLICY_TABLE = 'ip aksel-policy'
