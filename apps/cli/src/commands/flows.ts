// `aksel flows`: what passes between pods and what does not, as every node of the current cluster sees it, while it happens.

import { readFileSync } from 'node:fs'
import { nodes } from '@aksel/api/resources'
import { ApiError } from '@aksel/base/errors'
import type { Transport } from '@aksel/client/transport'
import { createClient } from '@aksel/client/typed-client'
import type { Endpoint, Flow } from '@aksel/network/flows/hubble'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { CommandError } from '../command-error.ts'
import { currentFile, readJsonFile, type CurrentFile } from '../files.ts'
import type { CliOptions } from '../options.ts'

export interface FlowsFlags {
  readonly follow?: boolean
  /** Seconds after which it ends by itself. */
  readonly for?: number
  readonly namespace?: string
  readonly pod?: string
  readonly verdict?: string
  readonly port?: number
  readonly output?: string
}

const SIMULATED = 'aksel.dev/simulated'

/** Until the user ends it. Rejects where no node shows flows. */
export async function flows(options: CliOptions, flags: FlowsFlags, signal: AbortSignal): Promise<void> {
  if (flags.follow !== true) {
    throw new CommandError(
      'Flows are shown as they come: say --follow. What a ContainerNetworkLog chose is in the nodes’ files.',
    )
  }
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  if (current === undefined) throw new CommandError('There is no current cluster. Run "./aksel up" first.')
  await using transport = createHttpsTransport(await parseKubeconfig(readFileSync(current.kubeconfig, 'utf8')))
  const { items } = await createClient(transport).list(nodes)
  const real = items.filter(({ metadata }) => metadata.labels?.[SIMULATED] !== 'true')
  if (real.length === 0) throw new CommandError('Simulated nodes have no packets: there are no flows to show.')
  const show = (line: string): void => void process.stdout.write(`${flags.output === 'json' ? line : describe(line)}\n`)
  await Promise.all(real.map(({ metadata }) => followNode(transport, metadata.name, { flags, signal, show })))
}

async function followNode(
  transport: Transport,
  name: string,
  {
    flags,
    signal,
    show,
  }: { readonly flags: FlowsFlags; readonly signal: AbortSignal; readonly show: (line: string) => void },
): Promise<void> {
  const query = new URLSearchParams()
  for (const key of ['namespace', 'pod', 'verdict', 'port'] as const) {
    if (flags[key] !== undefined) query.set(key, String(flags[key]))
  }
  const path = `/api/v1/nodes/${name}/proxy/flows?${query.toString()}`
  try {
    const response = await transport.send({ method: 'GET', path, headers: {}, signal })
    if (response.status !== 200) throw await refusal(name, response.status, response.body)
    // The node says something only when there is a flow; whoever waits for the stream wants to know that it stands.
    process.stderr.write(`following ${name}\n`)
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      lines.forEach(show)
    }
    if (!signal.aborted) throw new CommandError(`Node ${name} shows no more flows: its agent has ended`)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

async function refusal(name: string, status: number, body: AsyncIterable<Uint8Array>): Promise<Error> {
  for await (const _ of body);
  if (status !== 404) return new ApiError('InternalError', `Node ${name} answered ${status}`)
  return new CommandError(
    `Node ${name} shows no flows: the cluster was made without Advanced Container Networking Services. Make it with "./aksel up --enable-acns" or "./aksel az aks create --enable-acns".`,
  )
}

/** As `hubble observe` prints a flow. */
export function describe(line: string): string {
  const { flow } = JSON.parse(line) as { readonly flow: Flow }
  const [l4] = Object.values(flow.l4 ?? {}) as { readonly source_port?: number; readonly destination_port?: number }[]
  const from = side(flow.source, flow.IP.source, l4?.source_port)
  const to = side(flow.destination, flow.IP.destination, l4?.destination_port)
  const arrow = flow.is_reply ? '<-' : '->'
  const [left, right] = flow.is_reply ? [to, from] : [from, to]
  return `${flow.time}: ${left} ${arrow} ${right} ${what(flow)} (${flow.Summary})`
}

function side({ namespace, pod_name: pod, workloads, labels }: Endpoint, address: string, port?: number): string {
  const name = pod ?? workloads?.[0]?.name
  const who = namespace === undefined || name === undefined ? `${address} (${labels.join()})` : `${namespace}/${name}`
  return port === undefined ? who : `${who}:${port}`
}

function what(flow: Flow): string {
  if (flow.verdict === 'FORWARDED') return `${flow.traffic_direction.toLowerCase()} FORWARDED`
  if (flow.drop_reason_desc === 'SERVICE_BACKEND_NOT_FOUND') return 'Service backend not found DROPPED'
  const policies = [...(flow.egress_denied_by ?? []), ...(flow.ingress_denied_by ?? [])]
  const names = policies.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`).join(', ')
  return `Policy denied ${flow.traffic_direction.toLowerCase()}${names === '' ? '' : ` by ${names}`} DROPPED`
}
