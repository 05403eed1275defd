// The commands that are our own, with their flags.

import { addApiServerFlags } from './api-server-flags.ts'
import { Command, Option, InvalidArgumentError } from 'commander'
import { CommandError } from './command-error.ts'
import type { FlowsFlags } from './commands/flows.ts'
import type { AgentFlags } from './commands/agent.ts'
import type { TourFlags } from './commands/tour.ts'
import type { McpFlags } from './commands/mcp.ts'
import type { DesktopFlags } from './commands/desktop.ts'
import type { DiagnoseFlags } from './commands/diagnose.ts'
import { addKubelogin } from './commands/kubelogin.ts'
import { addNode } from './commands/node.ts'
import { addEvict, addSpot } from './commands/spot.ts'
import { readOptions } from './options.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface UpFlags {
  readonly data?: string
  readonly simulated?: boolean
  readonly nodes?: number
  readonly store: string
  readonly foreground?: boolean
  readonly kubernetesVersion?: string
  readonly output?: string
}

/** `ends`: is told the exit code of a command that ends well with another one than 0. */
export function createProgram(environment: Environment, ends: (code: number) => void): Command {
  const program = new Command('aksel')
  program.description('Azure Kubernetes Service as software that you run yourself.')
  program.addHelpText(
    'after',
    `
Other commands:
  az …       the verbs and flags of \`az aks\` and \`az group\`
  kubectl …  the bundled kubectl, pointed at the current cluster
  helm …     the bundled Helm, pointed at the current cluster
  test …     the whole gate, or one part: check, unit, trust, sim, host, conformance, e2e
  bench …    benchmarks by group`,
  )
  addUp(program, environment)
  addDown(program, environment)
  addStatus(program, environment)
  addStore(program, environment)
  addCluster(program, environment)
  addMachine(program, environment)
  addSpot(program, environment)
  addNode(program, environment)
  addFlows(program, environment)
  addKubelogin(program, environment)
  addDiagnose(program, environment, ends)
  addMcp(program, environment)
  addDesktop(program, environment)
  addTour(program, environment, ends)
  addAgent(program, environment, ends)
  return program
}

function addUp(program: Command, environment: Environment): void {
  const command = program
    .command('up')
    .description('Start the server, and make sure that resource group "aksel" and cluster "demo" exist and are Ready.')
    .option('--simulated', 'simulated nodes: no containers run')
    .option('--nodes <count>', 'nodes of the demo cluster (3, or as many as it has)', parseCount)
    .option('--store <store>', '"log", kept below the data folder, or "etcd://host,host/prefix?ca=…"', 'log')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('--kubernetes-version <version>', 'version of the demo cluster')
    .option('--strict', 'refuse properties of Azure resources that would only be recorded')
    .addOption(new Option('--throttling <limits>', 'requests that a client has').choices(['local', 'azure']))
    .option('--network-policy <engine>', 'of the demo cluster when it is made: "none", "azure", "calico" or "cilium"')
    .option('--enable-acns', 'Advanced Container Networking Services for the demo cluster when it is made')
    .option('--etcd-compaction-interval <duration>', 'how long old revisions can be read, as upstream: "5m"')
    .option(
      '--runtime-config <list>',
      'API versions beside the stable ones, as upstream: "api/beta=true,storage.k8s.io/v1beta1"',
    )
    .option('--feature-gates <list>', 'feature gates of the API server, as upstream: "HPAScaleToZero=true"')
    .option('--foreground', 'run the server in this terminal, and stop it with Ctrl-C')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: UpFlags) => {
      const { up } = await import('./commands/up.ts')
      await up(readOptions(environment, flags.data), flags)
    })
  addApiServerFlags(command)
}

function addFlows(program: Command, environment: Environment): void {
  program
    .command('flows')
    .description("Show the current cluster's flows with verdict, reason, policy and DNS query, as Hubble would.")
    .option('-f, --follow', 'go on until it is ended')
    .option('--for <seconds>', 'end by itself after so long', parseAmount)
    .option('-n, --namespace <namespace>', 'of either side')
    .option('--pod <pod>', 'beginning of a name, or namespace/name; of either side')
    .option('--verdict <verdict>', 'FORWARDED or DROPPED')
    .option('--port <port>', 'of either side', parseCount)
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: FlowsFlags & { readonly data?: string }) => {
      const { flows } = await import('./commands/flows.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      // Counted from when the flows begin to be asked for; the timer holds up nobody who ends sooner.
      if (flags.for !== undefined) setTimeout(() => stop.abort(), flags.for * 1000).unref()
      await flows(readOptions(environment, flags.data), flags, stop.signal)
    })
}

function addDown(program: Command, environment: Environment): void {
  program
    .command('down')
    .description('Stop everything that was started. Data is kept unless --purge is given.')
    .option('--purge', 'remove all data as well')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (flags: { data?: string; purge?: boolean }) => {
      const { down } = await import('./commands/down.ts')
      await down(readOptions(environment, flags.data), { purge: flags.purge === true })
    })
}

function addStatus(program: Command, environment: Environment): void {
  program
    .command('status')
    .description('What runs where: server, clusters, nodes, ports, versions.')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: { data?: string; output?: string }) => {
      const { status } = await import('./commands/status.ts')
      await status(readOptions(environment, flags.data), { json: flags.output === 'json' })
    })
}

function addStore(program: Command, environment: Environment): void {
  const store = program.command('store').description('Look after the store while the server is down.')
  store
    .command('check [archive]')
    .alias('verify')
    .description('Read every byte of the logs, or of a snapshot of a cluster, and say whether it is intact.')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (archive: string | undefined, flags: { data?: string; output?: string }) => {
      const { runStore } = await import('./commands/store.ts')
      const json = flags.output === 'json'
      await runStore(readOptions(environment, flags.data), { command: 'check', json, archive })
    })
  store
    .command('move')
    .description(
      'Take every cluster from the log to an etcd, or back: objects, uids and the order of their versions stay.',
    )
    .requiredOption('--to <store>', '"log" or "etcd://…"')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: { data?: string; to: string; output?: string }) => {
      const { runStore } = await import('./commands/store.ts')
      const json = flags.output === 'json'
      await runStore(readOptions(environment, flags.data), { command: 'move', json, to: flags.to })
    })
}

interface ClusterFlags {
  readonly data?: string
  readonly resourceGroup?: string
  readonly name?: string
  readonly output?: string
}

function addCluster(program: Command, environment: Environment): void {
  const cluster = program.command('cluster').description('A whole cluster in a file, and copies of clusters.')
  const common = (command: Command): Command =>
    command
      .option('-g, --resource-group <group>', 'its resource group (that of the current cluster)')
      .option('--data <folder>', 'where clusters, disks and logs live')
      .option('-o, --output <format>', '"json" for scripts', parseOutput)
  common(cluster.command('snapshot <file>'))
    .description('Write every object of a cluster to one file, as they are at one moment, while it goes on.')
    .option('-n, --name <cluster>', 'the cluster (the current one)')
    .option('--force', 'replace the file where it exists')
    .action(async (file: string, flags: ClusterFlags & { force?: boolean }) => {
      const { snapshotCluster } = await import('./commands/cluster.ts')
      await snapshotCluster(readOptions(environment, flags.data), file, flags)
    })
  common(cluster.command('restore <file>'))
    .description(
      'Make a cluster of such a file: objects, uids and resource versions stay; keys, addresses and nodes are new.',
    )
    .requiredOption('-n, --name <cluster>', 'the new cluster')
    .option('--nodes <count>', 'its nodes (1)', parseCount)
    .option('--simulated', 'simulated nodes: no containers run')
    .action(async (file: string, flags: ClusterFlags & { nodes?: number; simulated?: boolean }) => {
      const { restoreCluster } = await import('./commands/cluster.ts')
      await restoreCluster(readOptions(environment, flags.data), file, flags)
    })
  common(cluster.command('fork <new-cluster>'))
    .description(
      'Copy a running cluster. The copy has simulated nodes, calls no webhook, drives no disk and no load balancer, and has a clock of its own.',
    )
    .option('-n, --name <cluster>', 'the cluster to copy (the current one)')
    .option('--clock-ahead <time>', 'how far its clock is ahead: 90m, 36h or 30d')
    .action(async (to: string, flags: ClusterFlags & { clockAhead?: string }) => {
      const { forkCluster, parseAhead } = await import('./commands/cluster.ts')
      const { clockAhead, ...rest } = flags
      const ahead = clockAhead === undefined ? {} : { clockAhead: parseAhead(clockAhead) }
      await forkCluster(readOptions(environment, flags.data), { ...rest, ...ahead, to })
    })
}

function addDiagnose(program: Command, environment: Environment, ends: (code: number) => void): void {
  program
    .command('diagnose [what]')
    .description(
      'Find what is wrong and say the next command. WHAT is an object (pod/web-1) or a family: pending, containers, workloads, performance, network, storage, access, nodes; security and tidiness are told when they are named.',
    )
    .option('-n, --namespace <namespace>', 'only this namespace (all)')
    .option('--cluster <name>', 'a cluster of this server (the current one)')
    .option('-g, --resource-group <group>', 'its resource group')
    .option('--kubeconfig <file>', 'any other cluster')
    .option('--exit-code', 'end with 3 where something was found')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (what: string | undefined, flags: DiagnoseFlags & { data?: string }) => {
      const { runDiagnose } = await import('./commands/diagnose.ts')
      ends(await runDiagnose(readOptions(environment, flags.data), what, flags))
    })
}

function addAgent(program: Command, environment: Environment, ends: (code: number) => void): void {
  program
    .command('agent [question]')
    .description(
      'Ask in words, or talk when no question is given (/help). Every tool call is shown, nothing is changed without a yes; without a model diagnosis answers.',
    )
    .option('--model <model>', 'openai/NAME or anthropic/NAME; AKSEL_MODEL, and AKSEL_MODEL_KEY for its key')
    .option('--base-url <url>', 'of a server that speaks the same; AKSEL_MODEL_URL')
    .option('-n, --namespace <namespace>', 'only this namespace (all)')
    .option('--max-steps <count>', 'turns of the model', parseAmount, 40)
    .option('--no-interactive', 'never ask: what would change something is not done')
    .option('--show-tool-output', 'what each tool answers')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (question: string | undefined, flags: AgentFlags & { data?: string }) => {
      const { runAgent } = await import('./commands/agent.ts')
      ends(await runAgent(readOptions(environment, flags.data), question, flags))
    })
}

function addTour(program: Command, environment: Environment, ends: (code: number) => void): void {
  program
    .command('tour')
    .description('What Aksel does, chapter by chapter: each command is shown, run for real and checked.')
    .option('--chapter <name>', 'only this one')
    .option('--list', 'the chapters')
    .option('--no-pause', 'do not wait for Enter before each command')
    .option('--keep', 'leave the cluster of the tour running')
    .option('--simulated', 'simulated nodes: no containers run')
    .option('--data <folder>', 'the tour lives beside it, in FOLDER-tour')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: TourFlags & { data?: string }) => {
      const { runTourCommand } = await import('./commands/tour.ts')
      ends(await runTourCommand(readOptions(environment, flags.data), flags))
    })
}

function addDesktop(program: Command, environment: Environment): void {
  program
    .command('desktop')
    .description("The clusters in a browser: on the server's own port, or for any kubeconfig from this process.")
    .option('--kubeconfig <file>', 'the clusters of this file; no server is needed')
    .option('--port <port>', 'of a desktop for a kubeconfig (a free one)', parseAmount)
    .option('--no-browser', 'print the link and open nothing')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .option('-o, --output <format>', '"json" for scripts', parseOutput)
    .action(async (flags: DesktopFlags & { readonly data?: string }) => {
      const { runDesktop } = await import('./commands/desktop.ts')
      const stop = new AbortController()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
      await runDesktop(readOptions(environment, flags.data), flags, stop.signal)
    })
}

function addMcp(program: Command, environment: Environment): void {
  program
    .command('mcp')
    .description('Serve the tools of AKS-MCP to an agent: kubectl, Helm, az and diagnosis.')
    .option('--access-level <level>', 'readonly, readwrite or admin', 'readonly')
    .option('--allow-namespaces <list>', 'only these namespaces, separated by commas (all)')
    .option('--enabled-components <list>', 'az_cli,monitor,fleet,network,compute,detectors,kubectl,helm,hubble (all)')
    .option(
      '--default-aks-resource-id <id>',
      'cluster where a call names none; AZURE_AKS_RESOURCE_ID (the current one)',
    )
    .option('--timeout <seconds>', 'of one command', parseAmount, 600)
    .option('--transport <transport>', 'stdio or streamable-http, on loopback and with a token', 'stdio')
    .option('--port <port>', 'of streamable-http; any free one when 0', Number, 8000)
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (flags: McpFlags & { data?: string }) => {
      const { runMcp } = await import('./commands/mcp.ts')
      await runMcp(readOptions(environment, flags.data), flags)
    })
}

interface MachineFlags {
  readonly data?: string
  readonly node?: readonly string[]
  readonly zone?: string
  readonly all?: boolean
  readonly seconds?: number
  readonly bitsPerSecond?: number
  readonly leaveBytes?: number
  readonly memory?: boolean
}

/** The same for real machines and for simulated ones. */
const machineWords: readonly (readonly [string, string])[] = [
  ['boot', 'Start a machine that stands still.'],
  ['reboot', 'End everything on it in order, and start it again.'],
  ['reimage', 'The same, and it begins with nothing.'],
  ['redeploy', 'Its power is cut, and it starts as if elsewhere.'],
  ['stop', 'Until it is booted.'],
  ['deallocate', 'As stop.'],
  ['kill', 'A power cut: nobody is told. Until it is booted.'],
  ['partition', 'It hears and reaches nobody.'],
  ['slow', 'Its network is slow.'],
  ['fill', 'Its disk is taken, or its memory.'],
  ['heal', 'Take faults, partition, slow and fill back.'],
]

function addMachine(program: Command, environment: Environment): void {
  const machine = program
    .command('machine')
    .description('Machines by order: power and disks, and what goes wrong with them.')
  const chosen = (command: Command): Command =>
    command
      .option('--node <name...>', 'these nodes')
      .option('--zone <zone>', 'all nodes of a zone')
      .option('--all', 'all nodes')
      .option('--data <folder>', 'where clusters, disks and logs live')
  chosen(machine.command('fault <kind>'))
    .description('lost, flapping, slow-start, image-pull, oom or disk-full')
    .option('--seconds <seconds>', 'of flapping and slow-start', parseCount)
    .action(async (kind: string, flags: MachineFlags) => {
      const { orderFault } = await import('./commands/machine.ts')
      await orderFault(readOptions(environment, flags.data), kind, flags)
    })
  for (const [word, description] of machineWords) {
    const command = chosen(machine.command(word)).description(description)
    if (word === 'slow') command.option('--bits-per-second <bits>', 'how slow; a million when absent', parseAmount)
    if (word === 'fill')
      command
        .option('--memory', 'take its memory instead of its disk')
        .option('--leave-bytes <bytes>', 'what stays free; 50 MiB when absent', parseRest)
    command.action(async ({ memory, ...flags }: MachineFlags) => {
      const { orderMachines } = await import('./commands/machine-order.ts')
      await orderMachines(readOptions(environment, flags.data), word, {
        ...flags,
        ...(memory === true ? { resource: 'memory' as const } : {}),
      })
    })
  }
  addEvict(machine, environment)
  machine
    .command('list')
    .description('Nodes, whether they are simulated, and what was ordered for them.')
    .option('--data <folder>', 'where clusters, disks and logs live')
    .action(async (flags: MachineFlags) => {
      const { listMachines } = await import('./commands/machine.ts')
      await listMachines(readOptions(environment, flags.data))
    })
}

/** As an amount, or nothing at all. */
function parseRest(text: string): number {
  return text === '0' ? 0 : parseAmount(text)
}

function parseAmount(text: string): number {
  const amount = Number(text)
  if (!Number.isInteger(amount) || amount < 1) throw new InvalidArgumentError('a whole number above 0 is wanted.')
  return amount
}

function parseCount(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw new InvalidArgumentError('a whole number from 1 to 1000 is wanted.')
  return count
}

function parseOutput(text: string): string {
  if (text !== 'json') throw new CommandError(`Unknown output format "${text}"; only "json" is known.`, 2)
  return text
}
