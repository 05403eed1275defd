// The Debian packages that real nodes need: installed once, as root, each named; elsewhere the lack is told and nodes are simulated.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** A package, and a file by which its presence is known without asking dpkg. */
const packages: readonly { readonly name: string; readonly file: string }[] = [
  { name: 'containerd', file: '/usr/bin/containerd' },
  { name: 'runc', file: '/usr/sbin/runc' },
  { name: 'containernetworking-plugins', file: '/usr/lib/cni/bridge' },
  { name: 'nftables', file: '/usr/sbin/nft' },
  { name: 'iproute2', file: '/usr/sbin/ip' },
  { name: 'busybox-static', file: '/bin/busybox' },
  { name: 'e2fsprogs', file: '/usr/sbin/mkfs.ext4' },
  { name: 'util-linux', file: '/usr/bin/nsenter' },
  { name: 'mount', file: '/usr/sbin/losetup' },
  { name: 'conntrack', file: '/usr/sbin/conntrack' },
  { name: 'haproxy', file: '/usr/sbin/haproxy' },
  { name: 'inotify-tools', file: '/usr/bin/inotifywait' },
  { name: 'jq', file: '/usr/bin/jq' },
  { name: 'tcpdump', file: '/usr/bin/tcpdump' },
  { name: 'perl-base', file: '/usr/bin/perl' },
]

/** What the tests want besides: a real etcd, clients of DNS and HTTP for their images, a registry, a database, a browser, Azure's own command line. */
const testPackages: typeof packages = [
  { name: 'etcd-server', file: '/usr/bin/etcd' },
  { name: 'etcd-client', file: '/usr/bin/etcdctl' },
  { name: 'bind9-dnsutils', file: '/usr/bin/dig' },
  { name: 'dnsperf', file: '/usr/bin/dnsperf' },
  { name: 'curl', file: '/usr/bin/curl' },
  // What the bench of services is measured beside.
  { name: 'iptables', file: '/usr/sbin/iptables-restore' },
  { name: 'docker-registry', file: '/usr/bin/docker-registry' },
  // Sandboxed pods; who wants them installs it, as the refusal says.
  { name: 'runsc', file: '/usr/bin/runsc' },
  { name: 'azure-cli', file: '/usr/bin/az' },
  { name: 'chromium', file: '/usr/bin/chromium' },
  { name: 'postgresql-15', file: '/usr/lib/postgresql/15/bin/postgres' },
  { name: 'postgresql-client-15', file: '/usr/bin/psql' },
]

export interface NodeSupport {
  readonly realNodes: boolean
  /** Why nodes must be simulated, in words for the user. */
  readonly why?: string
}

/** Installs what is missing where it may, and judges whether nodes can be real. */
export function ensureSystemPackages(options: {
  readonly isRoot: boolean
  readonly say: (line: string) => void
}): NodeSupport {
  const missing = packages.filter(({ file }) => !existsSync(file)).map(({ name }) => name)
  if (!options.isRoot) {
    const lack = missing.length === 0 ? '' : `; missing packages: ${missing.join(', ')}`
    return { realNodes: false, why: `real nodes need root${lack}` }
  }
  if (missing.length === 0) return { realNodes: true }
  if (!existsSync('/usr/bin/apt-get')) {
    return {
      realNodes: false,
      why: `these programs are missing and this is no Debian or Ubuntu: ${missing.join(', ')}`,
    }
  }
  options.say(`Installing system packages (once): ${missing.join(', ')}`)
  const failure = install(missing)
  return failure === undefined
    ? { realNodes: true }
    : { realNodes: false, why: `installing ${missing.join(', ')} failed: ${failure}` }
}

/** Returns why a package that tests need is missing; undefined when all are there. */
export function ensureTestPackages(options: {
  readonly isRoot: boolean
  readonly say: (line: string) => void
}): string | undefined {
  const missing = testPackages.filter(({ file }) => !existsSync(file)).map(({ name }) => name)
  if (missing.length === 0) return undefined
  if (!options.isRoot || !existsSync('/usr/bin/apt-get')) return `these packages are missing: ${missing.join(', ')}`
  options.say(`Installing packages for the tests (once): ${missing.join(', ')}`)
  const failure = install(missing)
  return failure === undefined ? undefined : `installing ${missing.join(', ')} failed: ${failure}`
}

function install(names: readonly string[]): string | undefined {
  // In runlevel 1 Debian starts no service that it installs: whoever needs one starts its own.
  const environment = { ...process.env, RUNLEVEL: '1', DEBIAN_FRONTEND: 'noninteractive' }
  for (const args of [
    ['update', '-qq'],
    ['install', '-y', '-qq', '--no-install-recommends', ...names],
  ]) {
    const result = spawnSync('apt-get', args, {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    if (result.status !== 0) return result.stderr.trim().split('\n').slice(-2).join(' ') || `exit code ${result.status}`
  }
  return undefined
}
