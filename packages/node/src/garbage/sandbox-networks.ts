// What a containerd that was killed leaves of sandboxes it had only begun: a network namespace, a link and an address that
// no sandbox names. It remembers a sandbox once its container exists, and its network is made before that.

import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import type { ContainerRuntime, RuntimeNetwork } from '../cri/types.ts'

export interface SandboxNetworksOptions {
  readonly runtime: Pick<ContainerRuntime, 'network' | 'listPodSandboxes' | 'sandboxNamespace'>
  /** Requests for sandboxes under way, this agent's own. */
  readonly pending: ReadonlySet<Promise<unknown>>
  /** 10 s when absent. */
  readonly settleMs?: number
}

interface Leftovers {
  readonly namespaces: ReadonlySet<string>
  /** By path: the sandbox that the address was given to. */
  readonly addresses: ReadonlyMap<string, string>
}

/** A request of an agent that was killed ends with its connection; this is how long containerd may take to notice. */
const SETTLE_MS = 10_000
const HOST_LOCAL_DIRECTORY = '/var/lib/cni/networks'
const RESULTS_DIRECTORY = '/var/lib/cni/results'

/** To be called when the runtime has begun to answer. What is unowned now, and still is when all requests are over, goes. */
export async function removeUnownedNetworks(scope: Scope, options: SandboxNetworksOptions): Promise<void> {
  const network = await options.runtime.network()
  if (network === undefined) return
  const first = await unowned(options, network)
  if (first.namespaces.size + first.addresses.size === 0) return
  await Promise.allSettled(options.pending)
  await sleep(scope.clock, options.settleMs ?? SETTLE_MS, scope.signal)
  const { namespaces, addresses } = await unowned(options, network)
  for (const [path, sandbox] of addresses) {
    if (first.addresses.get(path) !== sandbox) continue
    scope.log.info('an address that no sandbox has is given back', { path, sandbox })
    await releaseAddress(scope, network, sandbox)
    await rm(path, { force: true })
  }
  for (const path of namespaces) {
    if (!first.namespaces.has(path)) continue
    scope.log.info('a network namespace that no sandbox has is removed', { path })
    // Its links go with it.
    await run(scope, ['umount', path]).catch((error: Error) => {
      if (!/not mounted|no mount point/.test(error.message)) throw error
    })
    await rm(path, { force: true })
  }
}

async function unowned({ runtime }: SandboxNetworksOptions, network: RuntimeNetwork): Promise<Leftovers> {
  // Before the sandboxes: what is made in between has one by then, or is looked at once more.
  const [paths, leases] = await Promise.all([namespacesOf(network), addressesOf(network)])
  const sandboxes = await runtime.listPodSandboxes()
  const ids = new Set(sandboxes.map(({ id }) => id))
  const owned = new Set(await Promise.all(sandboxes.map(({ id }) => runtime.sandboxNamespace(id))))
  return {
    namespaces: new Set(paths.filter((path) => !owned.has(path))),
    addresses: new Map([...leases].filter(([, sandbox]) => !ids.has(sandbox))),
  }
}

async function namespacesOf({ namespacesDirectory }: RuntimeNetwork): Promise<readonly string[]> {
  if (namespacesDirectory === undefined) return []
  return (await namesIn(namespacesDirectory)).map((name) => join(namespacesDirectory, name))
}

/** The files of the plug-in `host-local`: an address each, with the sandbox and its interface in it. */
async function addressesOf({
  namespacesDirectory,
  name,
  plugins,
}: RuntimeNetwork): Promise<ReadonlyMap<string, string>> {
  const ipam = plugins.find((plugin) => plugin.ipam?.type === 'host-local')?.ipam
  const leases = new Map<string, string>()
  if (ipam === undefined || namespacesDirectory === undefined) return leases
  const directory = join(ipam.dataDir ?? HOST_LOCAL_DIRECTORY, name)
  for (const address of (await namesIn(directory)).filter((file) => /^[\da-f:.]+$/.test(file))) {
    const path = join(directory, address)
    const sandbox = (await readFile(path, 'utf8').catch(() => '')).split(/\r?\n/)[0]!
    if (/^[\da-f]{64}$/.test(sandbox)) leases.set(path, sandbox)
  }
  return leases
}

/** As the runtime would have done: every plug-in, the last first. They know the sandbox by its id, without its namespace. */
async function releaseAddress(scope: Scope, network: RuntimeNetwork, sandbox: string): Promise<void> {
  const { name, cniVersion, plugins, pluginsDirectory } = network
  const environment = [
    'CNI_COMMAND=DEL',
    `CNI_CONTAINERID=${sandbox}`,
    'CNI_NETNS=',
    'CNI_IFNAME=eth0',
    `CNI_PATH=${pluginsDirectory}`,
  ]
  for (const plugin of plugins.toReversed()) {
    const input = JSON.stringify({ ...plugin, name, cniVersion })
    await run(scope, ['env', ...environment, join(pluginsDirectory, plugin.type)], { input })
  }
  await rm(join(RESULTS_DIRECTORY, `${name}-${sandbox}-eth0`), { force: true })
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
