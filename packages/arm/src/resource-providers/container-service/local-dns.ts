// `localDNSProfile` of an agent pool: what may be asked, what AKS fills in, and how the nodes are told. Pure.

import { localDnsChoices, type LocalDnsConfig, type LocalDnsZone } from '@aksel/provider/local-dns'
import { invalidParameter } from '../../azure-errors.ts'
import { isObject } from '../body.ts'
import { minorOf } from './kubernetes-versions.ts'
import { findVmSize } from './vm-sizes.ts'
import type { Json, PoolProperties } from '../../records.ts'

const modes = ['Preferred', 'Required', 'Disabled'] as const
const maps = ['vnetDNSOverrides', 'kubeDNSOverrides'] as const
type MapName = (typeof maps)[number]

const VCPUS_MIN = 4
const usual = {
  queryLogging: 'Error',
  protocol: 'PreferUDP',
  forwardPolicy: 'Sequential',
  maxConcurrent: 1000,
  cacheDurationInSeconds: 3600,
  serveStaleDurationInSeconds: 3600,
  serveStale: 'Immediate',
} as const

/** Throws InvalidParameter for what AKS refuses. What a change does to the nodes it does by making them anew, as a pool's upgrade does. */
export function judgeLocalDns(pool: PoolProperties): void {
  const profile = profileOf(pool)
  if (profile === undefined) return
  oneOf('mode', profile['mode'] ?? 'Preferred', modes)
  const unknown = Object.keys(profile).find((name) => !['mode', 'state', ...maps].includes(name))
  if (unknown !== undefined) refuse(unknown, `'${unknown}' is not a field of the LocalDNS profile`)
  for (const map of maps) {
    for (const [zone, override] of Object.entries((profile[map] ?? {}) as Json)) {
      judgeOverride(map, zone, isObject(override) ? override : {})
    }
  }
  if (isRequired(pool)) judgeNodes(pool)
}

/** What nodes run; undefined where they run no LocalDNS: `Preferred` is checked and not installed, as on AKS today. */
export function localDnsOf(pool: PoolProperties): LocalDnsConfig | undefined {
  if (!isRequired(pool)) return undefined
  return { vnetDns: zonesOf(pool, 'vnetDNSOverrides'), kubeDns: zonesOf(pool, 'kubeDNSOverrides') }
}

/** With what only the service says. */
export function shownLocalDns(pool: PoolProperties): Json {
  const profile = profileOf(pool)
  if (profile === undefined) return {}
  const state = isRequired(pool) ? 'Enabled' : 'Disabled'
  return { localDNSProfile: { ...profile, mode: profile['mode'] ?? 'Preferred', state } }
}

function profileOf(pool: PoolProperties): Json | undefined {
  const profile = pool['localDNSProfile']
  return isObject(profile) ? profile : undefined
}

function isRequired(pool: PoolProperties): boolean {
  return profileOf(pool)?.['mode'] === 'Required'
}

function zonesOf(pool: PoolProperties, map: MapName): readonly LocalDnsZone[] {
  const overrides = (profileOf(pool)?.[map] ?? {}) as Readonly<Record<string, Json>>
  const zones = new Set(['.', 'cluster.local', ...Object.keys(overrides)])
  return [...zones].map((zone) => zoneOf(map, zone, overrides[zone] ?? {}))
}

function zoneOf(map: MapName, zone: string, override: Json): LocalDnsZone {
  const forwardDestination = map === 'vnetDNSOverrides' && !isClusterZone(zone) ? 'VnetDNS' : 'ClusterCoreDNS'
  const protocol = isClusterZone(zone) ? 'ForceTCP' : 'PreferUDP'
  return { zone, ...usual, protocol, forwardDestination, ...override } as LocalDnsZone
}

function isClusterZone(zone: string): boolean {
  return /^(?:.*\.)?cluster\.local\.?$/i.test(zone)
}

function judgeOverride(map: MapName, zone: string, override: Json): void {
  const at = (name: string): string => `${map}['${zone}'].${name}`
  if (zone !== '.' && !/^(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\.?)+$/i.test(zone)) {
    refuse(map, `'${zone}' is not a valid DNS zone name`)
  }
  const unknown = Object.keys(override).find((name) => !(name in usual) && name !== 'forwardDestination')
  if (unknown !== undefined) refuse(at(unknown), `'${unknown}' is not a field of a LocalDNS override`)
  for (const [name, allowed] of Object.entries(localDnsChoices)) {
    if (override[name] !== undefined) oneOf(at(name), override[name], allowed)
  }
  for (const name of ['maxConcurrent', 'cacheDurationInSeconds', 'serveStaleDurationInSeconds'] as const) {
    const given = override[name]
    if (typeof given === 'number' && given < 0) refuse(at(name), `${given} is out of range, it must be 0 or more`)
  }
  const rules = zoneOf(map, zone, override)
  if (map === 'vnetDNSOverrides' && !isClusterZone(zone) && rules.forwardDestination === 'ClusterCoreDNS') {
    const what = zone === '.' ? 'the root zone' : `the external zone '${zone}'`
    refuse(at('forwardDestination'), `${what} in vnetDNSOverrides cannot be forwarded to ClusterCoreDNS`)
  }
  if (isClusterZone(zone) && rules.forwardDestination === 'VnetDNS') {
    refuse(at('forwardDestination'), `zone '${zone}' cannot be forwarded to VnetDNS`)
  }
  if (rules.protocol === 'ForceTCP' && rules.serveStale === 'Verify') {
    refuse(at('serveStale'), 'serveStale Verify cannot be used with protocol ForceTCP')
  }
}

function judgeNodes(pool: PoolProperties): void {
  const vcpus = findVmSize(pool.vmSize)?.vcpus ?? 0
  const needs = (what: string): never => refuse('mode', `LocalDNS mode Required needs ${what}`)
  if (vcpus < VCPUS_MIN) needs(`a VM size with at least ${VCPUS_MIN} vCPUs, '${pool.vmSize}' has ${vcpus}`)
  if (pool.osType !== 'Linux' || pool.osSKU === 'CBLMariner')
    needs(`Ubuntu 22.04 or later, or Azure Linux, found '${pool.osSKU}'`)
  if (Number(minorOf(pool.orchestratorVersion).split('.')[1]) < 31) {
    needs(`Kubernetes 1.31 or later, found ${pool.orchestratorVersion}`)
  }
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return
  refuse(name, `'${String(value)}' is not one of the allowed values: ${allowed.join(', ')}`)
}

function refuse(name: string, why: string): never {
  throw invalidParameter(`agentPoolProfile.localDNSProfile.${name}`, why)
}
