// `aksel machine`: orders what goes wrong with simulated nodes, and takes it back. The order is written on the node, where
// everyone sees it; a real node is refused.

import { readFile } from 'node:fs/promises'
import { nodes } from '@aksel/api/resources'
import type { Node } from '@aksel/api/types/core-v1'
import type { Client } from '@aksel/client/client'
import { createClient } from '@aksel/client/typed-client'
import { faultKinds, faultsAnnotation, parseFaults, type Fault, type FaultKind } from '@aksel/compute/simulated/faults'
import { createHttpsTransport } from '@aksel/runtime/https-transport'
import { parseKubeconfig } from '@aksel/runtime/kubeconfig'
import { CommandError } from '../command-error.ts'
import { currentFile, readJsonFile, type CurrentFile } from '../files.ts'
import type { CliOptions } from '../options.ts'

export interface MachineChoice {
  readonly node?: readonly string[]
  readonly zone?: string
  readonly all?: boolean
}

const SIMULATED = 'aksel.dev/simulated'
const ZONE = 'topology.kubernetes.io/zone'

/** Throws a CommandError for a kind that is none, for no node, and for a node that is real. */
export async function orderFault(
  options: CliOptions,
  kind: string,
  choice: MachineChoice & { readonly seconds?: number },
): Promise<void> {
  if (!faultKinds.includes(kind as FaultKind))
    throw new CommandError(`There is no fault "${kind}"; the faults are: ${faultKinds.join(', ')}.`, 2)
  const since = new Date().toISOString()
  const fault: Fault = {
    kind: kind as FaultKind,
    since,
    ...(choice.seconds === undefined ? {} : { seconds: choice.seconds }),
  }
  await onChosen(options, choice, (known) => [...known.filter((each) => each.kind !== kind), fault])
}

export async function healMachines(options: CliOptions, choice: MachineChoice): Promise<void> {
  await onChosen(options, choice, () => [])
}

export async function listMachines(options: CliOptions): Promise<void> {
  await withClient(options, async (client) => {
    process.stdout.write(renderMachines((await client.list(nodes)).items))
  })
}

/** A table as kubectl prints them: columns as wide as their widest cell, three blanks between. */
export function renderMachines(all: readonly Node[]): string {
  const lines = all.map((node) => {
    const faults = faultsOf(node).map(({ kind, seconds }) => (seconds === undefined ? kind : `${kind} (${seconds} s)`))
    const { name, labels } = node.metadata
    return [name, isSimulated(node) ? 'simulated' : 'real', labels?.[ZONE] ?? '-', faults.join(', ') || '-']
  })
  const rows = [['NAME', 'KIND', 'ZONE', 'FAULTS'], ...lines]
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)) + 3)
  return rows.map((row) => `${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('')}\n`).join('')
}

async function onChosen(
  options: CliOptions,
  choice: MachineChoice,
  change: (known: readonly Fault[]) => readonly Fault[],
): Promise<void> {
  await withClient(options, async (client) => {
    const chosen = chooseNodes((await client.list(nodes)).items, choice)
    for (const node of chosen) {
      const faults = change(faultsOf(node))
      const value = faults.length === 0 ? null : JSON.stringify(faults)
      const body = { metadata: { annotations: { [faultsAnnotation]: value } } }
      await client.patch(nodes, { name: node.metadata.name }, { kind: 'merge', body })
      const told = faults.length === 0 ? 'healthy' : faults.map(({ kind }) => kind).join(', ')
      process.stdout.write(`${node.metadata.name} (simulated): ${told}\n`)
    }
  })
}

/** The simulated nodes that are meant. */
export function chooseNodes(
  all: readonly Node[],
  { node: names = [], zone, all: every }: MachineChoice,
): readonly Node[] {
  if (names.length === 0 && zone === undefined && every !== true)
    throw new CommandError('Which machines? Give --node NAME, --zone ZONE or --all.', 2)
  for (const name of names) {
    const found = all.find(({ metadata }) => metadata.name === name)
    if (found === undefined) throw new CommandError(`There is no node "${name}".`)
    if (!isSimulated(found))
      throw new CommandError(
        `Node "${name}" is real: faults can be ordered for simulated nodes only; machines take orders (partition, slow, fill, kill and others).`,
      )
  }
  const chosen = all.filter(
    (node) =>
      isSimulated(node) &&
      (every === true ||
        names.includes(node.metadata.name) ||
        (zone !== undefined && node.metadata.labels?.[ZONE] === zone)),
  )
  if (chosen.length === 0) throw new CommandError('No simulated node is meant by that.')
  return chosen
}

export function isSimulated({ metadata }: Node): boolean {
  return metadata.labels?.[SIMULATED] === 'true'
}

function faultsOf({ metadata }: Node): readonly Fault[] {
  return parseFaults(metadata.annotations?.[faultsAnnotation])
}

export async function withClient(options: CliOptions, work: (client: Client) => Promise<void>): Promise<void> {
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  if (current === undefined)
    throw new CommandError('There is no current cluster. Run "./aksel up" first, or "./aksel az aks get-credentials".')
  await using transport = createHttpsTransport(await parseKubeconfig(await readFile(current.kubeconfig, 'utf8')))
  await work(createClient(transport))
}
