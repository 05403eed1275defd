// A containerd of one's own for tests on a real host: a network namespace, a bridge for pods, a cgroup, the images.
// All of it stands in a ledger and is undone from it, also after a failed test.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sleep } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { makeCgroup } from '@aksel/host/cgroups'
import { renderCniConfig } from '@aksel/host/cni-config'
import { run } from '@aksel/host/command'
import { renderContainerdConfig } from '@aksel/host/containerd-config'
import { openFileLedger } from '@aksel/host/file-ledger'
import type { Ledger } from '@aksel/host/ledger'
import { startProcess } from '@aksel/host/process-start'
import { undoAll } from '@aksel/host/undo'
import { createCriClient } from '../cri/cri-client.ts'
import type { ContainerRuntime } from '../cri/types.ts'
import { buildImages, pauseReference } from '../images/builder.ts'

export interface ContainerdHarness extends AsyncDisposable {
  readonly directory: string
  readonly socketPath: string
  /** Enter it with `nsenter --net=/run/netns/NAME`. */
  readonly networkNamespace: string
  /** Pods' cgroups belong below it. */
  readonly cgroupRoot: string
  readonly podCidr: string
  readonly ledger: Ledger
  readonly runtime: ContainerRuntime
}

const READY_MS = 10_000

/** Resolves when CRI answers and knows pause, busybox and the shop's images. With `diskBytes` all of it lies on a small disk of its own. */
export async function startContainerd(
  scope: Scope,
  options: { readonly registries?: boolean; readonly diskBytes?: number } = {},
): Promise<ContainerdHarness> {
  const directory = await mkdtemp(join(tmpdir(), 'aksel-cri-'))
  const ledger = await openFileLedger(scope, { directory: join(directory, 'ledger') })
  const name = `ak-test-${process.pid}-${directory.slice(-6)}`
  const machine = join(directory, 'm')
  const owner = 'test'
  const dispose = async (): Promise<void> => {
    await undoAll(scope, { ledger })
    await ledger[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  }
  try {
    await mkdir(machine)
    if (options.diskBytes !== undefined) await mountDisk(scope, ledger, { machine, sizeBytes: options.diskBytes })
    await ledger.record(owner, { kind: 'mounts', path: machine })
    await mkdir(join(machine, 'cni'))
    await makeNamespace(scope, ledger, name)
    const cgroupRoot = `/${name}`
    await makeCgroup({ ledger, owner, path: cgroupRoot })
    await makeCgroup({ ledger, owner, path: `${cgroupRoot}/system` })
    const podCidr = '10.99.0.0/24'
    await writeFile(
      join(machine, 'cni', '10-test.conflist'),
      renderCniConfig({ pods: podCidr, dataDirectory: join(machine, 'addresses') }),
    )
    const socketPath = join(machine, 'c.sock')
    await writeFile(join(machine, 'containerd.toml'), configOf(machine, socketPath, options.registries === true))
    await startProcess({
      ledger,
      owner,
      argv: ['nsenter', `--net=/run/netns/${name}`, 'containerd', '--config', join(machine, 'containerd.toml')],
      cgroup: `${cgroupRoot}/system`,
      logFile: join(directory, 'containerd.log'),
    })
    const runtime = await createCriClient(scope, { socketPath })
    await ready(scope, runtime, join(directory, 'containerd.log'))
    await importImages(scope, runtime, join(directory, 'images'), socketPath)
    return {
      directory: machine,
      socketPath,
      networkNamespace: name,
      cgroupRoot,
      podCidr,
      ledger,
      runtime,
      async [Symbol.asyncDispose]() {
        await removeSandboxes(runtime)
        runtime[Symbol.dispose]()
        await dispose()
      },
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function mountDisk(
  scope: Scope,
  ledger: Ledger,
  { machine, sizeBytes }: { readonly machine: string; readonly sizeBytes: number },
): Promise<void> {
  const image = `${machine}.img`
  await ledger.record('test', { kind: 'loop-devices', path: image })
  // Few inodes: they are to run out as well.
  await run(scope, ['mke2fs', '-q', '-F', '-t', 'ext4', '-m', '0', '-i', '32768', image, `${sizeBytes / 1024}k`])
  await ledger.record('test', { kind: 'mounts', path: machine })
  await run(scope, ['mount', '-o', 'loop,discard', image, machine])
}

async function makeNamespace(scope: Scope, ledger: Ledger, name: string): Promise<void> {
  await ledger.record('test', { kind: 'network-namespace', name })
  await run(scope, ['ip', 'netns', 'add', name])
  await run(scope, ['ip', '-n', name, 'link', 'set', 'lo', 'up'])
}

/** With `registries`, mirrors are read from `registries` in the machine's folder. */
function configOf(machine: string, socketPath: string, registries: boolean): string {
  return renderContainerdConfig({
    rootDirectory: join(machine, 'containerd'),
    stateDirectory: join(machine, 'run'),
    socketPath,
    runcRoot: join(machine, 'runc'),
    cniConfigDirectory: join(machine, 'cni'),
    sandboxImage: pauseReference,
    ...(registries ? { registryDirectory: join(machine, 'registries') } : {}),
  })
}

/** containerd says nothing when it begins to listen; its socket is tried until it answers. */
async function ready(scope: Scope, runtime: ContainerRuntime, logFile: string): Promise<void> {
  const until = scope.clock.monotonicMs() + READY_MS
  while (true) {
    try {
      await runtime.version()
      return
    } catch (error) {
      if (scope.clock.monotonicMs() > until) {
        const log = (await readFile(logFile, 'utf8')).split('\n').filter((line) => /level=(warn|err|fatal)/.test(line))
        throw new Error(`containerd does not answer: ${log.join('\n')}`, { cause: error })
      }
      await sleep(scope.clock, 20, scope.signal)
    }
  }
}

async function importImages(
  scope: Scope,
  runtime: ContainerRuntime,
  folder: string,
  socketPath: string,
): Promise<void> {
  const archives = await buildImages(scope, { outDir: folder, busyboxPath: '/bin/busybox' })
  for (const { path } of archives) {
    await run(scope, ['ctr', '--address', socketPath, '--namespace', 'k8s.io', 'images', 'import', path])
  }
  // CRI learns of images through events, a moment after the import.
  const until = scope.clock.monotonicMs() + READY_MS
  for (const reference of archives.flatMap((archive) => archive.references)) {
    while ((await runtime.imageStatus(reference)) === undefined) {
      if (scope.clock.monotonicMs() > until) throw new Error(`containerd does not show the image "${reference}"`)
      await sleep(scope.clock, 10, scope.signal)
    }
  }
}

async function removeSandboxes(runtime: ContainerRuntime): Promise<void> {
  for (const { id } of await runtime.listPodSandboxes()) {
    await runtime.stopPodSandbox(id)
    await runtime.removePodSandbox(id)
  }
}
