// `aksel node`: other hosts as nodes of a cluster; the verbs and flags of kubeadm where it has them.

import { InvalidArgumentError, type Command } from 'commander'
import { configMaps, secrets } from '@aksel/api/resources'
import { readOptions, type CliOptions } from '../options.ts'
import { terminalProgress } from '../progress.ts'
import type { JoinRequest } from '../node/join.ts'

type Environment = Readonly<Record<string, string | undefined>>

export function addNode(program: Command, environment: Environment): void {
  const node = program.command('node').description('Other hosts as nodes of a cluster: tokens, join, leave.')
  addTokens(node.command('token').description('Bootstrap tokens, by which hosts join.'), environment)
  addJoin(node, environment)
  node
    .command('start')
    .description('Run this host’s node again, after a restart of the host or "down".')
    .option('--data <folder>', 'where the node lives')
    .action(async (flags: { readonly data?: string }) => {
      const { startJoined } = await import('../node/join.ts')
      const { record, said } = await startJoined(readOptions(environment, flags.data))
      const { machine, server } = record
      for (const line of said) process.stderr.write(`${line}\n`)
      process.stdout.write(`The node "${machine.spec.name}" of ${server} runs.\n`)
    })
  node
    .command('leave')
    .alias('reset')
    .description('End this host’s node, and remove everything that was made for it here.')
    .option('--data <folder>', 'where the node lives')
    .action(async (flags: { readonly data?: string }) => {
      const { leaveCluster } = await import('../node/leave.ts')
      using progress = terminalProgress(process.stderr)
      const left = await leaveCluster(readOptions(environment, flags.data), progress)
      progress.done()
      process.stdout.write(
        left === undefined
          ? 'This host had joined no cluster.\n'
          : `This host has left ${left.server}. The cluster still lists its node: on the server's host, ./aksel kubectl delete node ${left.machine.spec.name}\n`,
      )
    })
}

function addJoin(node: Command, environment: Environment): void {
  node
    .command('join <server>')
    .description('Give this host’s containers to a cluster, as "node token create" on the server’s host says it.')
    .requiredOption('--token <token>', 'of the form abcdef.0123456789abcdef')
    .option('--discovery-token-ca-cert-hash <hash...>', 'of the authority’s public key: sha256:…')
    .option('--discovery-token-unsafe-skip-ca-verification', 'believe whoever knows the token')
    .option('--node-name <name>', 'the host’s name when absent')
    .option('--node-labels <list>', 'labels of the node: a=b,c=d', parseLabels)
    .option('--max-pods <count>', 'pods on this host (110)', parsePods)
    .option('--via <address>', 'the server’s host, where no route leads to the API server')
    .option('--data <folder>', 'where the node will live')
    .action(async (server: string, flags: Omit<JoinRequest, 'server'> & { readonly data?: string }) => {
      await join(readOptions(environment, flags.data), { ...flags, server })
    })
}

async function join(options: CliOptions, request: JoinRequest): Promise<void> {
  const { joinNode, judgeHost } = await import('../node/join.ts')
  judgeHost(options)
  using progress = terminalProgress(process.stderr)
  try {
    const { record, said } = await joinNode(options, request, progress)
    const { machine, server } = record
    progress.done()
    for (const line of said) process.stderr.write(`${line}\n`)
    process.stdout.write(`This host is the node "${machine.spec.name}" of ${server}.\n`)
  } catch (error) {
    // Nothing stays of a host that did not join.
    const { leaveCluster } = await import('../node/leave.ts')
    await leaveCluster(options, progress).catch((failure: Error) => process.stderr.write(`${failure.message}\n`))
    throw error
  }
}

function addTokens(token: Command, environment: Environment): void {
  token
    .command('create', { isDefault: true })
    .description('Make one, and print the command for the other host.')
    .option('--ttl <time>', 'how long it holds: 30m, 24h', '24h')
    .option('--description <text>', 'for whom it is')
    .option('--via <address>', 'this host’s address as the other host knows it (that of its default route)')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(
      async (flags: {
        readonly ttl: string
        readonly description?: string
        readonly via?: string
        readonly data?: string
      }) => {
        const { withClient } = await import('./machine.ts')
        const { createToken, joinCommand } = await import('../node/tokens.ts')
        const { hostScope } = await import('../node/join.ts')
        await withClient(readOptions(environment, flags.data), async (client) => {
          const info = await client.get(configMaps, { namespace: 'kube-public', name: 'cluster-info' })
          const made = await createToken(hostScope(), client, flags)
          const via = flags.via ?? (await ownAddress())
          process.stdout.write(`${await joinCommand(info.data ?? {}, made.token, via)}\n`)
        })
      },
    )
  token
    .command('list')
    .description('Those that there are.')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (flags: { readonly data?: string }) => {
      const { withClient } = await import('./machine.ts')
      const { renderTokens } = await import('../node/tokens.ts')
      await withClient(readOptions(environment, flags.data), async (client) => {
        const { items } = await client.list(secrets, { namespace: 'kube-system' })
        process.stdout.write(renderTokens(items, Date.now()))
      })
    })
  token
    .command('delete <token>')
    .description('Nobody joins by it any more.')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (text: string, flags: { readonly data?: string }) => {
      const { withClient } = await import('./machine.ts')
      const { deleteToken } = await import('../node/tokens.ts')
      await withClient(readOptions(environment, flags.data), async (client) => {
        process.stdout.write(`bootstrap token "${await deleteToken(client, text)}" deleted\n`)
      })
    })
}

/** Of the default route: what others most likely know this host by. */
async function ownAddress(): Promise<string | undefined> {
  const { run } = await import('@aksel/host/command')
  const { hostScope } = await import('../node/join.ts')
  const shown = await run(hostScope(), ['ip', '-4', '-o', 'route', 'get', '192.0.2.1']).catch(() => undefined)
  return / src (\S+)/.exec(shown?.stdout ?? '')?.[1]
}

function parseLabels(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((pair) => pair.split('='))
  if (pairs.some((pair) => pair.length !== 2 || pair[0] === ''))
    throw new InvalidArgumentError('labels look like "a=b,c=d".')
  return Object.fromEntries(pairs) as Record<string, string>
}

function parsePods(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 10 || count > 250) throw new InvalidArgumentError('10 to 250 are possible.')
  return count
}
