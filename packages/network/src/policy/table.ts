// The node's nftables table for network policies: who is restricted is a row in a map, what may pass is a chain.

import { localDnsAddresses } from '@aksel/provider/local-dns'
import type { IpFamily } from '@aksel/base/ip-range'
import { POLICY_TABLE, POLICY_TABLE_6 } from '@aksel/provider/node-tables'
import { wordsOf } from '../nft/family.ts'
import type { TableShape } from '../nft/table.ts'

/** Before the service proxy's filters, after the translation of service addresses: policies judge pods, not services. */
const EGRESS_PRIORITY = -20
const INGRESS_PRIORITY = -19

export interface PolicyTableOptions {
  /** Where the node itself answers for cluster DNS, beside the addresses of LocalDNS; judged like the DNS pods that stand behind it elsewhere. */
  readonly clusterDns: string
}

export function policyTableName(family: IpFamily): string {
  return family === 4 ? POLICY_TABLE : POLICY_TABLE_6
}

/**
 * Two hooks in turn, because a connection between two pods of one node has to pass both sides. What a pod exchanges with
 * its own node, and with itself, always passes; what has begun goes on.
 */
export function policyTable({ clusterDns }: PolicyTableOptions, family: IpFamily = 4): TableShape {
  const { ip, address } = wordsOf(family)
  return {
    name: policyTableName(family),
    body: `
  map ingress { type ${address} : verdict; }
  map egress { type ${address} : verdict; }
  set self { type ${address} . ${address}; }
  set nodes { type ${address}; }
  counter ingress-denied { }
  counter egress-denied { }

  chain deny-ingress {
    counter name "ingress-denied" drop
  }
  chain deny-egress {
    counter name "egress-denied" drop
  }
  chain forward-egress {
    type filter hook forward priority ${EGRESS_PRIORITY};
    ct state established,related accept
    ${ip} saddr . ${ip} daddr @self accept
    ${ip} saddr vmap @egress
  }
  chain forward-ingress {
    type filter hook forward priority ${INGRESS_PRIORITY};
    ct state established,related accept
    ${ip} saddr . ${ip} daddr @self accept
    ${ip} daddr vmap @ingress
  }${family === 4 ? inputOfDns(clusterDns) : ''}`,
  }
}

/** DNS is answered at addresses of IPv4 alone. */
function inputOfDns(clusterDns: string): string {
  return `
  chain input-dns {
    type filter hook input priority ${EGRESS_PRIORITY};
    ip daddr ${clusterDns} ct state new ip saddr vmap @egress
    ip daddr { ${Object.values(localDnsAddresses).join(', ')} } ip saddr vmap @egress
  }`
}
