// What a host with root and containerd offers: a ledger, the fabric, local machines and disk images.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Scope } from '@aksel/base/scope'
import { extraArchives } from '@aksel/compute/local/extra-archives'
import { openLocalMachines } from '@aksel/compute/local/local-machines'
import { createMachinePrograms } from '@aksel/compute/local/machine-programs'
import { agentProgram } from '@aksel/compute/local/agent-program'
import { makeCgroup } from '@aksel/host/cgroups'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { Ledger } from '@aksel/host/ledger'
import { undoAll } from '@aksel/host/undo'
import { openFabric, type LocalFabric } from '@aksel/network/fabric/fabric'
import { buildImages, pauseReference } from '@aksel/node/images/builder'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import { fileDiskImages, type DiskImages } from '@aksel/storage/disk-images'
import type { ServerOptions } from './options.ts'

export interface HostParts extends AsyncDisposable {
  readonly ledger: Ledger
  readonly fabric: LocalFabric
  readonly machines: MachineProvider
  readonly diskImages: DiskImages
}

const BUSYBOX = '/bin/busybox'

export async function openHost(scope: Scope, options: ServerOptions): Promise<HostParts> {
  const { dataDir } = options
  const ledger = await openFileLedger(scope, { directory: join(dataDir, 'ledger') })
  // One parent per data folder: undoing it must not touch the machines of another server.
  const cgroup = `/aksel-${createHash('sha256').update(dataDir).digest('hex').slice(0, 8)}`
  await makeCgroup({ ledger, owner: 'host', path: cgroup })
  const disksDirectory = join(dataDir, 'disks')
  // Built while the first control plane starts; a machine waits for them only when it imports them.
  const imagesDirectory = join(dataDir, 'images')
  const images = buildImages(scope, { outDir: imagesDirectory, busyboxPath: BUSYBOX })
  images.catch((error: unknown) => scope.log.error('building the images failed', { error }))
  const fabric = await openFabric(scope, { ledger, stateDir: join(dataDir, 'fabric') })
  const agent = agentProgram(options.repositoryRoot, options.environment)
  const programs = createMachinePrograms({
    ledger,
    agentArgv: agent.argv,
    agentEnvironment: agent.environment,
    sandboxImage: pauseReference,
    imageArchives: async () => [...(await images), ...(await extraArchives(join(imagesDirectory, 'extra')))],
    disksDirectory,
    registriesDirectory: join(dataDir, 'registries'),
    undoAgentLedger: (own, directory) => undoLedger(own, directory),
  })
  const machines = await openLocalMachines({
    scope,
    ledger,
    fabric,
    machinesDirectory: join(dataDir, 'machines'),
    cgroupRoot: cgroup,
    programs,
    virtualNetworkOf: (subnetId) => subnetId.replace(/\/subnets\/[^/]+$/i, ''),
    undo: (own, owner) => undoAll(own, { ledger, owner }),
  })
  return {
    ledger,
    fabric,
    machines,
    diskImages: fileDiskImages({ directory: disksDirectory }),
    async [Symbol.asyncDispose]() {
      fabric[Symbol.dispose]()
      await ledger[Symbol.asyncDispose]()
    },
  }
}

async function undoLedger(scope: Scope, directory: string): Promise<void> {
  await using ledger = await openFileLedger(scope, { directory })
  await undoAll(scope, { ledger })
}
