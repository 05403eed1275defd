// Which address families a service has: asked for, taken from its addresses, or the cluster's, as its policy says.

import type { Draft } from '@aksel/base/draft'
import { invalid, type FieldError } from '../field-errors.ts'
import type { Service } from '../types/core-v1.ts'
import { isIpAddress } from '../validation/addresses.ts'
import { isHeadless } from './service-validation.ts'

export const ipFamilies = ['IPv4', 'IPv6'] as const
export type IpFamilyName = (typeof ipFamilies)[number]

type Spec = Service['spec']

export function familyOfAddress(address: string): IpFamilyName {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}

/** Without a selector nobody but its author knows the addresses behind it: a headless one may be of both families anywhere. */
function takesAnyFamily(spec: Spec): boolean {
  return isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0
}

/** `served`: the families of the cluster's service ranges, the first is its default. */
export function setFamilies(spec: Draft<Spec>, old: Spec | undefined, served: readonly IpFamilyName[]): void {
  if (spec.type === 'ExternalName' || keepsPreferred(spec, old)) return
  spec.ipFamilyPolicy ??= old?.ipFamilyPolicy ?? (takesAnyFamily(spec) ? 'RequireDualStack' : 'SingleStack')
  if (old !== undefined && spec.ipFamilyPolicy === 'SingleStack') dropSecond(spec, old)
  const families = (spec.ipFamilies ??= [])
  for (const [index, address] of (spec.clusterIPs ?? []).entries())
    if (address !== 'None' && isIpAddress(address) && families.length === index) families.push(familyOfAddress(address))
  if (families.length === 0) families.push(served[0] ?? 'IPv4')
  // What was given up must be seen: it is an error unless the policy says so.
  if (spec.ipFamilyPolicy === 'SingleStack' || families.length > 1 || isReduced(spec.ipFamilies, old?.ipFamilies))
    return
  if (takesAnyFamily(spec) || served.length > 1) families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4')
}

/** One that prefers both and is not touched stays as it is, whatever the cluster has become since. */
function keepsPreferred(spec: Spec, old: Spec | undefined): boolean {
  if (spec.ipFamilyPolicy !== 'PreferDualStack' || old?.ipFamilyPolicy !== 'PreferDualStack') return false
  const same = (one: readonly string[] = [], other: readonly string[] = []): boolean => one.join() === other.join()
  return (
    spec.clusterIP === old.clusterIP &&
    same(spec.clusterIPs, old.clusterIPs) &&
    same(spec.ipFamilies, old.ipFamilies) &&
    (old.ipFamilies ?? []).length > 0
  )
}

function dropSecond(spec: Draft<Spec>, old: Spec): void {
  const isSame = (field: 'clusterIPs' | 'ipFamilies'): boolean =>
    (spec[field] ?? []).join() === (old[field] ?? []).join()
  if (isSame('clusterIPs') && (spec.clusterIPs ?? []).length > 1) spec.clusterIPs = spec.clusterIPs!.slice(0, 1)
  if (isSame('ipFamilies') && (spec.ipFamilies ?? []).length > 1) spec.ipFamilies = spec.ipFamilies!.slice(0, 1)
}

function isReduced(now: readonly string[] | undefined, before: readonly string[] | undefined): boolean {
  return (now ?? []).length === 1 && (before ?? []).length === 2
}

/** What is wrong with families, policy and addresses taken together, in upstream's words. */
export function validateFamilies(
  spec: Spec,
  old: Spec | undefined,
  served: readonly IpFamilyName[],
): readonly FieldError[] {
  if (spec.type === 'ExternalName') return []
  const { ipFamilyPolicy: policy, ipFamilies: families = [], clusterIPs: addresses = [] } = spec
  const at = 'spec.ipFamilyPolicy'
  if (keepsPreferred(spec, old)) return []
  const errors: FieldError[] = []
  if (policy !== 'SingleStack' && old !== undefined && old.type !== 'ExternalName') {
    if (isReduced(addresses, old.clusterIPs))
      errors.push(invalid(at, policy, "must be 'SingleStack' to release the secondary cluster IP"))
    if (isReduced(families, old.ipFamilies))
      errors.push(invalid(at, policy, "must be 'SingleStack' to release the secondary IP family"))
  }
  if (policy === 'SingleStack') {
    const many = "must be 'RequireDualStack' or 'PreferDualStack' when multiple"
    if (addresses.length === 2) errors.push(invalid(at, policy, `${many} cluster IPs are specified`))
    if (families.length === 2) errors.push(invalid(at, policy, `${many} IP families are specified`))
  }
  for (const [index, address] of addresses.entries()) {
    const family = families[index]
    if (family === undefined || !isIpAddress(address) || familyOfAddress(address) === family) continue
    const expected = `expected an ${family} value as indicated by \`ipFamilies[${index}]\``
    errors.push(invalid(`spec.clusterIPs[${index}]`, addresses, expected))
  }
  if (
    addresses.length === 2 &&
    addresses.every(isIpAddress) &&
    familyOfAddress(addresses[0]!) === familyOfAddress(addresses[1]!)
  )
    errors.push(invalid('spec.clusterIPs', addresses, 'may specify no more than one IP for each IP family'))
  if (errors.length > 0 || takesAnyFamily(spec)) return errors
  if (policy === 'RequireDualStack' && served.length < 2)
    errors.push(invalid(at, policy, 'this cluster is not configured for dual-stack services'))
  for (const [index, family] of families.entries())
    if ((ipFamilies as readonly string[]).includes(family) && !(served as readonly string[]).includes(family))
      errors.push(invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'))
  return errors
}

/** The second address and family may come and go, but not change. */
export function validateSecondKept(next: Spec, old: Spec): readonly FieldError[] {
  if (next.type === 'ExternalName' || old.type === 'ExternalName') return []
  return (['clusterIPs', 'ipFamilies'] as const).flatMap((field) => {
    const [now, before] = [next[field]?.[1], old[field]?.[1]]
    if (now === undefined || before === undefined || now === before) return []
    return [invalid(`spec.${field}[1]`, next[field], 'may not change once set')]
  })
}
