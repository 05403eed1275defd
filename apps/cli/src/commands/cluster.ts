// `aksel cluster`: a whole cluster into one file, a cluster out of such a file, and a copy of one that runs.

import { resolve } from 'node:path'
import { ArmError } from '@aksel/base/errors'
import { ArmClient, type ArmAnswer } from '../arm-client.ts'
import { CommandError } from '../command-error.ts'
import {
  connectionFile,
  currentFile,
  readJsonFile,
  runningServer,
  type ConnectionFile,
  type CurrentFile,
} from '../files.ts'
import type { CliOptions } from '../options.ts'
import { terminalProgress } from '../progress.ts'

export interface ClusterChoice {
  readonly resourceGroup?: string
  readonly name?: string
  readonly output?: string
}

interface Written {
  readonly file: string
  readonly objects: number
  readonly revision: number
  readonly sizeBytes: number
}

interface Made {
  readonly name: string
  readonly properties: {
    readonly currentKubernetesVersion: string
    readonly agentPoolProfiles: readonly { readonly count: number }[]
  }
}

const DEFAULT_GROUP = 'aksel'

/** Rejects where the file exists and `force` is not set. */
export async function snapshotCluster(
  options: CliOptions,
  file: string,
  flags: ClusterChoice & { readonly force?: boolean },
): Promise<void> {
  const { arm, path, name } = open(options, flags)
  const startedMs = performance.now()
  using progress = terminalProgress(process.stderr)
  const { body } = await telling(progress, `Writing cluster ${name} to ${file}`, () =>
    arm.send<Written>({
      method: 'POST',
      path: `${path}/akselSnapshot`,
      body: { file: resolve(file), ...(flags.force === true ? { replace: true } : {}) },
    }),
  )
  const seconds = (performance.now() - startedMs) / 1000
  const told = `Cluster "${name}" stands in ${file}: ${body.objects} objects at resource version ${body.revision}, ${body.sizeBytes} bytes, in ${seconds.toFixed(2)} s. Contents of disks are not in it.`
  print(flags, { cluster: name, ...body, seconds }, told)
}

export interface RestoreFlags extends ClusterChoice {
  readonly nodes?: number
  readonly simulated?: boolean
}

export async function restoreCluster(options: CliOptions, file: string, flags: RestoreFlags): Promise<void> {
  const { arm, group, path, name } = open(options, flags)
  await arm.send({ method: 'PUT', path: group, body: { location: await locationOf(arm, group) } })
  await make(flags, { arm, path, name, verb: 'Restoring', made: 'was restored' }, () =>
    arm.send({
      method: 'POST',
      path: `${path}/akselRestore`,
      body: {
        file: resolve(file),
        identity: { type: 'SystemAssigned' },
        ...(flags.simulated === true ? { tags: { 'aksel.simulated': 'true' } } : {}),
        properties: {
          dnsPrefix: name.toLowerCase(),
          agentPoolProfiles: [
            {
              name: 'nodepool1',
              mode: 'System',
              count: flags.nodes ?? 1,
              vmSize: 'Standard_D2s_v5',
              osType: 'Linux',
            },
          ],
        },
      },
    }),
  )
}

export interface ForkFlags extends ClusterChoice {
  /** The new cluster's name. */
  readonly to: string
  readonly clockAhead?: number
}

export async function forkCluster(options: CliOptions, flags: ForkFlags): Promise<void> {
  const { arm, group, path, name } = open(options, flags)
  const target = `${group}/providers/Microsoft.ContainerService/managedClusters/${flags.to}`
  const making = { arm, path: target, name: flags.to, verb: `Copying ${name} to`, made: `is a fork of "${name}"` }
  await make(flags, making, () =>
    arm.send({
      method: 'POST',
      path: `${path}/akselFork`,
      body: {
        name: flags.to,
        ...(flags.clockAhead === undefined ? {} : { clockAheadSeconds: flags.clockAhead }),
      },
    }),
  )
}

/** `90m`, `36h`, `30d` in seconds. Throws a CommandError for anything else. */
export function parseAhead(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  if (match === null) throw new CommandError(`"${text}" is no length of time: 90m, 36h or 30d is wanted.`, 2)
  return Number(match[1]) * { s: 1, m: 60, h: 3_600, d: 86_400 }[match[2] as 's' | 'm' | 'h' | 'd']
}

interface Opened {
  readonly arm: ArmClient
  readonly group: string
  readonly path: string
  readonly name: string
}

/** The cluster that is meant: the current one where the flags name none. */
function open(options: CliOptions, flags: ClusterChoice): Opened {
  if (runningServer(options.dataDir) === undefined)
    throw new CommandError('The server does not run. Start it with "./aksel up" first.')
  const connection = readJsonFile<ConnectionFile>(connectionFile(options.dataDir))
  if (connection === undefined) throw new CommandError('The server has not written how to reach it: it still starts.')
  const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
  const name = flags.name ?? current?.cluster
  if (name === undefined) throw new CommandError('Which cluster? Give --name NAME.', 2)
  const group = `/subscriptions/${connection.subscriptionId}/resourceGroups/${flags.resourceGroup ?? current?.resourceGroup ?? DEFAULT_GROUP}`
  const path = `${group}/providers/Microsoft.ContainerService/managedClusters/${name}`
  return { arm: new ArmClient(connection), group, path, name }
}

async function locationOf(arm: ArmClient, group: string): Promise<string> {
  try {
    return (await arm.send<{ readonly location: string }>({ method: 'GET', path: group })).body.location
  } catch (error) {
    if (error instanceof ArmError && error.status === 404) return 'westeurope'
    throw error
  }
}

async function make(
  flags: ClusterChoice,
  making: Omit<Opened, 'group'> & { readonly verb: string; readonly made: string },
  start: () => Promise<ArmAnswer<unknown>>,
): Promise<void> {
  const { arm, path, name, verb, made } = making
  const startedMs = performance.now()
  using progress = terminalProgress(process.stderr)
  await telling(progress, `${verb} ${name}`, async () => {
    await arm.wait(await start(), (state) =>
      state.properties?.step === undefined ? undefined : progress.step(state.properties.step),
    )
  })
  const { body } = await arm.send<Made>({ method: 'GET', path })
  const seconds = (performance.now() - startedMs) / 1000
  const nodes = body.properties.agentPoolProfiles.reduce((sum, { count }) => sum + count, 0)
  const group = /\/resourceGroups\/([^/]+)/.exec(path)![1]
  const version = body.properties.currentKubernetesVersion
  const told = `Cluster "${name}" ${made}: Kubernetes ${version}, ${nodes} nodes, in ${seconds.toFixed(2)} s.\nReach it with: ./aksel az aks get-credentials -g ${group} -n ${name}`
  print(flags, { cluster: name, resourceGroup: group, kubernetesVersion: version, nodes, seconds }, told)
}

async function telling<T>(
  progress: ReturnType<typeof terminalProgress>,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  progress.step(step)
  try {
    const result = await work()
    progress.done()
    return result
  } catch (error) {
    if (error instanceof ArmError) throw new CommandError(`${error.message} (${error.code})`)
    throw error
  }
}

function print({ output }: ClusterChoice, value: object, text: string): void {
  process.stdout.write(output === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : `${text}\n`)
}
