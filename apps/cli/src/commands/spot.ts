// `aksel spot` and `aksel machine evict`: price and capacity of spot machines by order, and who has to go for it.

import { InvalidArgumentError, type Command } from 'commander'
import { ArmClient } from '../arm-client.ts'
import { CommandError } from '../command-error.ts'
import { connectionFile, currentFile, readJsonFile, type ConnectionFile, type CurrentFile } from '../files.ts'
import { readOptions, type CliOptions } from '../options.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface Market {
  readonly vmSize: string
  readonly location: string
  readonly pricePerHour?: number
  readonly capacity?: number
  readonly evicted?: readonly string[]
}

interface SpotFlags {
  readonly data?: string
  readonly location: string
  readonly price?: number
  readonly capacity?: number
}

export function addSpot(program: Command, environment: Environment): void {
  program
    .command('spot [size]')
    .description('What spot machines of a size cost and how many there are; without a size, what was ordered.')
    .option('--price <usd>', 'US dollars an hour; pools that pay less lose their machines', parseAmount)
    .option('--capacity <count>', 'machines of all clusters; the youngest beyond are evicted', parseAmount)
    .option('--location <region>', 'the region', 'westeurope')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (size: string | undefined, flags: SpotFlags) => {
      const lines = await orderMarket(armOf(readOptions(environment, flags.data)), size, flags)
      process.stdout.write(lines.map((line) => `${line}\n`).join(''))
    })
}

export function addEvict(machine: Command, environment: Environment): void {
  machine
    .command('evict')
    .description('Evict a machine of a spot pool: thirty seconds of notice, then it is gone or stands still.')
    .requiredOption('--node <name...>', 'these nodes')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (flags: { readonly node: readonly string[]; readonly data?: string }) => {
      const options = readOptions(environment, flags.data)
      const current = readJsonFile<CurrentFile>(currentFile(options.dataDir))
      if (current === undefined) throw new CommandError('There is no current cluster. Run "./aksel up" first.')
      const arm = armOf(options)
      const group = `/subscriptions/${arm.connection.subscriptionId}/resourceGroups/${current.resourceGroup}`
      const cluster = `${group}/providers/Microsoft.ContainerService/managedClusters/${current.cluster}`
      for (const name of flags.node) {
        await arm.send({ method: 'POST', path: `${cluster}/machines/${name}/evict` })
        process.stdout.write(`${name}: evicted in 30 s\n`)
      }
    })
}

/** Orders what the flags say and tells what came of it. Without a size it tells what was ordered before. */
export async function orderMarket(
  arm: Pick<ArmClient, 'send' | 'connection'>,
  size: string | undefined,
  { location, price, capacity }: Omit<SpotFlags, 'data'>,
): Promise<readonly string[]> {
  const path = `/subscriptions/${arm.connection.subscriptionId}/providers/Microsoft.ContainerService/locations/${location}/spotMarket`
  if (size === undefined) {
    const { body } = await arm.send<{ readonly value: readonly Market[] }>({ method: 'GET', path })
    return body.value.length === 0 ? [`nothing was ordered in ${location}`] : body.value.map(lineOf)
  }
  const body = {
    ...(price === undefined ? {} : { pricePerHour: price }),
    ...(capacity === undefined ? {} : { capacity }),
  }
  const answer = await arm.send<Market>({ method: 'PUT', path: `${path}/${encodeURIComponent(size)}`, body })
  return [lineOf(answer.body), ...(answer.body.evicted ?? []).map((name) => `${name}: evicted in 30 s`)]
}

function lineOf({ vmSize, location, pricePerHour, capacity }: Market): string {
  const price = pricePerHour === undefined ? 'at any price' : `at ${pricePerHour} USD an hour`
  return `${vmSize} in ${location}: ${price}, ${capacity === undefined ? 'as many as are wanted' : `${capacity} at most`}`
}

function armOf({ dataDir }: CliOptions): ArmClient {
  const connection = readJsonFile<ConnectionFile>(connectionFile(dataDir))
  if (connection === undefined) throw new CommandError('No server was ever started here. Run "./aksel up" first.')
  return new ArmClient(connection)
}

function parseAmount(text: string): number {
  const amount = Number(text)
  if (text.trim() === '' || !Number.isFinite(amount) || amount < 0)
    throw new InvalidArgumentError('is to be a number that is not negative')
  return amount
}
