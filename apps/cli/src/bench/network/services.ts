// Services in the kernel: how long the whole table takes to be in force, beside iptables-restore with as many services, and one
// change among them. Each in a network namespace of its own, which ends with the program in it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Service } from '@aksel/api/types/core-v1'
import type { EndpointSlice } from '@aksel/api/types/discovery-v1'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { InteractiveNft } from '@aksel/network/nft/interactive'
import { renderTable, type TableContent } from '@aksel/network/nft/table'
import { compileService, type CompileOptions } from '@aksel/network/service-proxy/compile'
import { RowTable } from '@aksel/network/service-proxy/row-table'
import { proxyTable } from '@aksel/network/service-proxy/table'
import { CommandError } from '../../command-error.ts'

const PER_SERVICE = 2

export interface ServicesReport {
  /** Seconds from objects to the table in force, by run. */
  readonly loads: readonly number[]
  /** The same for iptables-restore, whose input is at hand; one more than loads: before, between and after. */
  readonly peers: readonly number[]
  /** Seconds of each change of one endpoint, compiled and put in force, in order. */
  readonly changes: readonly number[]
  /** Seconds that the same nft takes for a line of one element, in order. */
  readonly bareChanges: readonly number[]
}

const node: CompileOptions = { node: { name: 'n0' }, nodeAddresses: ['10.224.0.4'], servedHere: [] }
const shape = proxyTable({ podCidr: '10.244.0.0/24', nonMasqueradeCidrs: ['10.244.0.0/16'] })

function addressOf(first: number, index: number): string {
  return `10.${first + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`
}

function serviceAt(index: number): Service {
  const clusterIP = addressOf(0, index + 256)
  return {
    metadata: { name: `service-${index}`, namespace: 'default' },
    spec: {
      type: 'ClusterIP',
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    },
  }
}

/** `moved`: how often one of its endpoints has changed. */
function sliceAt(index: number, moved = 0): EndpointSlice {
  const addresses = Array.from({ length: PER_SERVICE }, (_, at) => addressOf(100, index * PER_SERVICE + at))
  if (moved > 0) addresses[0] = addressOf(200, moved)
  return {
    metadata: { name: `service-${index}-a`, namespace: 'default' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  }
}

function tableOf(count: number): RowTable {
  const table = new RowTable()
  const indexes = Array.from({ length: count }, (_, index) => index)
  table.replace(
    new Map(
      indexes.map((index) => [`default/service-${index}`, compileService(serviceAt(index), [sliceAt(index)], node)]),
    ),
  )
  return table
}

export interface KnownService {
  /** Its only port is 80. */
  readonly clusterIP: string
  readonly backend: { readonly address: string; readonly port: number }
}

/** The node's table for so many services of two endpoints, and these besides, over UDP and TCP. */
export function renderServices(count: number, more: readonly KnownService[]): string {
  const table = tableOf(count)
  table.replace(new Map(more.map((known, index) => [`default/known-${index}`, compileKnown(known, index)])))
  return renderTable(shape, table.content())
}

function compileKnown({ clusterIP, backend }: KnownService, index: number): ReturnType<typeof compileService> {
  const metadata = { name: `known-${index}`, namespace: 'default' }
  const both = (port: number): { name: string; port: number; protocol: string }[] =>
    ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), port, protocol }))
  const spec = { type: 'ClusterIP', clusterIP, clusterIPs: [clusterIP], ports: both(80) }
  const endpoints = [{ addresses: [backend.address], conditions: { ready: true } }]
  return compileService(
    { metadata, spec },
    [{ metadata, addressType: 'IPv4', ports: both(backend.port), endpoints }],
    node,
  )
}

/** Needs root. Throws where iptables is not installed, and where the kernel does not hold what it was told. */
export async function measureServices(
  scope: Scope,
  sizes: { readonly services: number; readonly changes: number; readonly runs: number },
): Promise<ServicesReport> {
  const rules = iptablesInput(sizes.services)
  const peers = [await timed(() => peer(scope, rules))]
  const loads: number[] = []
  for (let round = 0; round < sizes.runs; round += 1) {
    loads.push(await timed(() => load(scope, sizes.services)))
    peers.push(await timed(() => peer(scope, rules)))
  }
  return { loads, peers, ...(await change(scope, sizes)) }
}

async function peer(scope: Scope, input: string): Promise<void> {
  await run(scope, ['unshare', '--net', 'iptables-restore', '--noflush'], { input, timeoutMs: 300_000 }).catch(
    (error: unknown) => {
      throw new CommandError(`iptables-restore, which is measured beside, does not work: ${(error as Error).message}`)
    },
  )
}

async function load(scope: Scope, services: number): Promise<void> {
  await run(scope, ['unshare', '--net', 'nft', '-f', '-'], { input: renderTable(shape, tableOf(services).content()) })
}

async function change(
  scope: Scope,
  sizes: { readonly services: number; readonly changes: number },
): Promise<Pick<ServicesReport, 'changes' | 'bareChanges'>> {
  const table = tableOf(sizes.services)
  assertEven(table.content(), sizes.services)
  const directory = await mkdtemp(join(tmpdir(), 'aksel-bench-'))
  try {
    const file = join(directory, 'table')
    await writeFile(file, renderTable(shape, table.content()))
    using nft = new InteractiveNft(['unshare', '--net', 'sh', '-ec', 'nft -f "$0" && exec "$@"', file])
    await nft.apply(scope, ['add set ip aksel-proxy bare { type mark; }'])
    const changes: number[] = []
    const bareChanges: number[] = []
    for (let moved = 1; moved <= sizes.changes; moved += 1) {
      const index = (moved * 7919) % sizes.services
      changes.push(
        await timed(async () => {
          const rows = compileService(serviceAt(index), [sliceAt(index, moved)], node)
          const { lines } = table.replace(new Map([[`default/service-${index}`, rows]]))
          if (lines.length === 0) throw new CommandError(`Change ${moved} changed nothing: nothing was measured.`)
          await nft.apply(scope, lines)
        }),
      )
      bareChanges.push(await timed(() => nft.apply(scope, [`add element ip aksel-proxy bare { ${moved} }`])))
    }
    assertEven(table.content(), sizes.services)
    return { changes, bareChanges }
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Every frontend draws among its endpoints with equal chance: as many backends as its chain counts, each with one number. */
function assertEven({ elements }: TableContent, services: number): void {
  const counts = new Map<string, number>()
  for (const key of elements.get('backends')?.keys() ?? []) {
    const frontend = key.slice(0, key.lastIndexOf(' . '))
    counts.set(frontend, (counts.get(frontend) ?? 0) + 1)
  }
  const wrong = [...(elements.get('frontends') ?? [])].filter(
    ([key, chain]) => chain !== `goto spread-${counts.get(key)}-0`,
  )
  if (counts.size !== services || wrong.length > 0)
    throw new CommandError(`${wrong.length} of ${counts.size} services spread unevenly: nothing was measured.`)
}

/** What kube-proxy's iptables mode writes for as many services: a chain for each and one for each endpoint. */
function iptablesInput(services: number): string {
  const chains: string[] = [':KUBE-SERVICES - [0:0]']
  const rules: string[] = []
  for (let index = 0; index < services; index += 1) {
    const chain = `KUBE-SVC-${String(index).padStart(16, '0')}`
    chains.push(`:${chain} - [0:0]`)
    rules.push(`-A KUBE-SERVICES -d ${addressOf(0, index + 256)}/32 -p tcp -m tcp --dport 80 -j ${chain}`)
    for (let at = 0; at < PER_SERVICE; at += 1) {
      const endpoint = `KUBE-SEP-${String(index * PER_SERVICE + at).padStart(16, '0')}`
      const chance =
        at === PER_SERVICE - 1
          ? ''
          : ` -m statistic --mode random --probability ${(1 / (PER_SERVICE - at)).toFixed(10)}`
      chains.push(`:${endpoint} - [0:0]`)
      rules.push(
        `-A ${chain}${chance} -j ${endpoint}`,
        `-A ${endpoint} -p tcp -m tcp -j DNAT --to-destination ${addressOf(100, index * PER_SERVICE + at)}:8080`,
      )
    }
  }
  return ['*nat', ...chains, ...rules, 'COMMIT', ''].join('\n')
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}
