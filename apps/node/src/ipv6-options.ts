// What a node of both address families is told of the second one.

/** Ranges and the node's own address, all of IPv6. */
export interface Ipv6Options {
  readonly nodeAddress: string
  readonly podCidr: string
  readonly serviceCidr: string
  /** Where pods keep their own address. */
  readonly nonMasqueradeCidrs: readonly string[]
}

/** Throws an error that names the field. */
export function readIpv6(read: {
  text(name: string): string
  texts(name: string): readonly string[] | undefined
}): Ipv6Options {
  const podCidr = read.text('podCidr')
  return {
    nodeAddress: read.text('nodeAddress'),
    podCidr,
    serviceCidr: read.text('serviceCidr'),
    nonMasqueradeCidrs: read.texts('nonMasqueradeCidrs') ?? [podCidr],
  }
}
