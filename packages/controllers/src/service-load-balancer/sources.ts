// Who may reach a service through its load balancer: ranges of the service and of annotations, and Azure's service tags.

import type { Service } from '@aksel/api/types/core-v1'
import { standardCidr } from '@aksel/api/validation/addresses'
import { parseRange } from '@aksel/base/ipv4'
import { annotations, isTrue, listOf } from './annotations.ts'

export interface Sources {
  /** Empty: everyone. */
  readonly ranges: readonly string[]
  /** Warnings for the service, each a reason and a message. */
  readonly warnings: readonly { readonly reason: string; readonly message: string }[]
}

/** Nobody: what Azure's rule that denies everything leaves. */
const NOBODY = '255.255.255.255/32'

/** Tags whose addresses are known here. The VNet and its pods are written by whoever knows them. */
const tags: Readonly<Record<string, readonly string[]>> = {
  Internet: ['0.0.0.0/0'],
  AzureLoadBalancer: ['168.63.129.16/32'],
}

/** `vnetRanges`: what Azure's rule AllowVnetInBound lets in. */
export function sourcesOf(service: Service, vnetRanges: readonly string[]): Sources {
  const listed = (service.spec.loadBalancerSourceRanges ?? []).map((range) => range.trim())
  const allowed = listOf(service, annotations.allowedRanges)
  const named = listOf(service, annotations.allowedTags)
  if (listed.length + allowed.length + named.length === 0) return { ranges: [], warnings: [] }
  const warnings: { reason: string; message: string }[] = []
  const bad = (texts: readonly string[], what: string): void => {
    const invalid = texts.filter((text) => cidrOf(text) === undefined)
    if (invalid.length === 0) return
    const shown = `[${invalid.map((text) => JSON.stringify(text)).join(' ')}]`
    const message = `Found invalid ${what} ${shown}, ignoring and adding a default DenyAll rule in security group.`
    warnings.push({ reason: 'InvalidConfiguration', message })
  }
  bad(listed, 'spec.LoadBalancerSourceRanges')
  bad(allowed, annotations.allowedRanges)
  if (listed.length > 0 && named.length > 0) {
    const message = `Please use annotation ${annotations.allowedRanges} instead of spec.loadBalancerSourceRanges while using ${annotations.allowedTags} annotation at the same time.`
    warnings.push({ reason: 'ConflictConfiguration', message })
  }
  const ofTags = named.flatMap((name) => {
    const ranges = name === 'VirtualNetwork' ? vnetRanges : tags[name]
    if (ranges === undefined) {
      const message = `the addresses of service tag ${name} are not known here: annotation ${annotations.allowedTags} lets nobody in by it`
      warnings.push({ reason: 'UnsupportedAnnotation', message })
    }
    return ranges ?? []
  })
  // Neighbours in the VNet come in by a rule of Azure's own, unless everyone else is shut out.
  const neighbours = isTrue(service, annotations.denyOthers) ? [] : vnetRanges
  const own = [...listed, ...allowed].flatMap((text) => cidrOf(text) ?? [])
  const ranges = [...new Set([...own, ...ofTags, ...neighbours])].toSorted()
  return { ranges: ranges.length === 0 ? [NOBODY] : ranges, warnings }
}

/** Undefined for what is no IPv4 range: an invalid one, or one of the other family, which lets nobody in here. */
function cidrOf(text: string): string | undefined {
  try {
    const standard = standardCidr(text)
    return standard.includes(':') || parseRange(standard) === undefined ? undefined : standard
  } catch {
    return undefined
  }
}
