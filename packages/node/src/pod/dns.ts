// What stands in a container's resolv.conf, from the pod's DNS policy, the cluster's DNS and the node's own.

import { readFile } from 'node:fs/promises'
import type { Pod } from '@aksel/api/types/core-v1'
import type { DnsConfig } from '../cri/types.ts'

const NAMESERVERS_MAX = 3
const SEARCHES_MAX = 32

export interface DnsFacts {
  readonly clusterDns: string
  readonly clusterDomain: string
  /** The node's own resolv.conf. */
  readonly node: DnsConfig
}

export function dnsConfigOf(pod: Pod, facts: DnsFacts): DnsConfig {
  const base = basis(pod, facts)
  const own = pod.spec.dnsConfig
  const options = own?.options?.map(({ name, value }) => (value === undefined ? name! : `${name}:${value}`)) ?? []
  return {
    servers: unique([...base.servers, ...(own?.nameservers ?? [])]).slice(0, NAMESERVERS_MAX),
    searches: unique([...base.searches, ...(own?.searches ?? [])]).slice(0, SEARCHES_MAX),
    options: mergedOptions(base.options, options),
  }
}

function basis(pod: Pod, { clusterDns, clusterDomain, node }: DnsFacts): DnsConfig {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst'
  const isCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true)
  if (policy === 'None') return { servers: [], searches: [], options: [] }
  if (!isCluster) return node
  const namespace = pod.metadata.namespace ?? 'default'
  const searches = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  return { servers: [clusterDns], searches: [...searches, ...node.searches], options: ['ndots:5'] }
}

/** A pod's own option replaces one of the same name. */
function mergedOptions(base: readonly string[], own: readonly string[]): readonly string[] {
  const byName = new Map([...base, ...own].map((option) => [option.split(':')[0]!, option]))
  return [...byName.values()]
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}

/** The first file whose servers pods can reach: a resolver on the host's loopback is none of them. */
export async function readNodeDns(files: readonly string[]): Promise<DnsConfig> {
  for (const file of files) {
    const found = parseResolvConf(await readFile(file, 'utf8').catch(() => ''))
    const servers = found.servers.filter((server) => !server.startsWith('127.') && server !== '::1')
    if (servers.length > 0) return { ...found, servers }
  }
  return { servers: [], searches: [], options: [] }
}

export function parseResolvConf(text: string): DnsConfig {
  const words = text
    .split('\n')
    .map((line) =>
      line
        .replace(/[#;].*/, '')
        .trim()
        .split(/\s+/),
    )
    .filter((line) => line.length > 1)
  const of = (...names: readonly string[]): readonly string[] =>
    words.filter(([name]) => names.includes(name!)).flatMap(([, ...values]) => values)
  return {
    servers: of('nameserver'),
    searches: of('search', 'domain').filter((name) => name !== '.'),
    options: of('options'),
  }
}
