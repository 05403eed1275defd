// Finds plug-ins by the sockets they put into the node's registration folder, asks each who it is, hands it to whoever
// knows its type, and tells it how that went. A socket that goes takes its plug-in with it.

import { watch } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import { createGrpcClient } from '../containerd/grpc.ts'
import { hostPathOf } from './kubelet-directory.ts'
import { registrationProto } from './registration-proto.ts'
import { socketAddress } from './socket-address.ts'

export interface Plugin {
  /** `CSIPlugin`, `DevicePlugin`, `DRAPlugin`. */
  readonly type: string
  readonly name: string
  /** Path of its service's socket, on the host. */
  readonly endpoint: string
  readonly versions: readonly string[]
}

export interface PluginHandler {
  /** Resolves when the plug-in may be used; its error is told to the plug-in, and it is asked again later. */
  register(plugin: Plugin): Promise<void>
  deregister(plugin: Plugin): Promise<void>
}

export interface PluginWatcherOptions {
  /** The agent's own: plug-ins name paths as if it were `/var/lib/kubelet`. */
  readonly rootDirectory: string
  /** By type. */
  readonly handlers: Readonly<Record<string, PluginHandler>>
}

interface Found {
  /** Of the socket's file: another inode is another start of the plug-in. */
  readonly inode: number
  plugin?: Plugin
}

const RETRY_MS_FIRST = 500
const RETRY_MS_MAX = 30_000
const CALL_TIMEOUT_MS = 10_000

export class PluginWatcher {
  readonly #scope: Scope
  readonly #options: PluginWatcherOptions
  readonly #found = new Map<string, Found>()
  #scanning: Promise<void> | undefined
  #dirty = false
  #timer: Timer | undefined
  #failures = 0

  constructor(scope: Scope, options: PluginWatcherOptions) {
    this.#scope = scope
    this.#options = options
  }

  get directory(): string {
    return join(this.#options.rootDirectory, 'plugins_registry')
  }

  /** Until the scope aborts. */
  async run(): Promise<void> {
    const { signal } = this.#scope
    await mkdir(this.directory, { recursive: true })
    const watcher = watch(this.directory, () => this.#wake())
    try {
      this.#wake()
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
    } finally {
      watcher.close()
      this.#timer?.[Symbol.dispose]()
      await this.#scanning
    }
  }

  #wake(): void {
    this.#dirty = true
    this.#scanning ??= this.#scanAll().finally(() => (this.#scanning = undefined))
  }

  async #scanAll(): Promise<void> {
    while (this.#dirty && !this.#scope.signal.aborted) {
      this.#dirty = false
      this.#timer?.[Symbol.dispose]()
      const failed = await this.#scan()
      this.#failures = failed ? this.#failures + 1 : 0
      if (!failed) continue
      const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (this.#failures - 1))
      this.#timer = this.#scope.clock.after(waitMs, () => this.#wake())
    }
  }

  /** True where a plug-in is to be asked again. */
  async #scan(): Promise<boolean> {
    const sockets = await socketsIn(this.directory)
    for (const [name, found] of this.#found) {
      if (sockets.get(name) === found.inode) continue
      this.#found.delete(name)
      if (found.plugin !== undefined) await this.#deregister(found.plugin)
    }
    let failed = false
    for (const [name, inode] of sockets) {
      const found = this.#found.get(name) ?? { inode }
      this.#found.set(name, found)
      if (found.plugin !== undefined) continue
      try {
        found.plugin = await this.#register(join(this.directory, name))
      } catch (error) {
        failed = true
        this.#scope.log.warn('a plug-in was not registered', { error, socket: name })
      }
    }
    return failed
  }

  async #register(socket: string): Promise<Plugin> {
    await using address = await socketAddress(socket)
    using client = await createGrpcClient(this.#scope, {
      socketPath: address.path,
      proto: [registrationProto],
      service: 'pluginregistration.Registration',
      timeoutMs: CALL_TIMEOUT_MS,
    })
    const info = await client.unary<{
      readonly type: string
      readonly name: string
      readonly endpoint: string
      readonly supportedVersions: readonly string[]
    }>('GetInfo', {})
    const plugin: Plugin = {
      type: info.type,
      name: info.name,
      // Without an endpoint of its own a plug-in serves everything where it is registered.
      endpoint: info.endpoint === '' ? socket : hostPathOf(this.#options.rootDirectory, info.endpoint),
      versions: info.supportedVersions,
    }
    const tell = (error: string): Promise<unknown> =>
      client.unary('NotifyRegistrationStatus', { pluginRegistered: error === '', error })
    try {
      const handler = this.#options.handlers[plugin.type]
      if (handler === undefined) throw new Error(`no handler registered for plugin type: ${plugin.type}`)
      await handler.register(plugin)
    } catch (error) {
      await tell(`RegisterPlugin error -- plugin registration failed with err: ${(error as Error).message}`)
      throw error
    }
    await tell('')
    this.#scope.log.info('plug-in registered', { plugin: plugin.name, type: plugin.type })
    return plugin
  }

  async #deregister(plugin: Plugin): Promise<void> {
    this.#scope.log.info('plug-in is gone', { plugin: plugin.name, type: plugin.type })
    await this.#options.handlers[plugin.type]
      ?.deregister(plugin)
      .catch((error: unknown) => this.#scope.log.warn('a plug-in was not deregistered', { error, plugin: plugin.name }))
  }
}

async function socketsIn(directory: string): Promise<ReadonlyMap<string, number>> {
  const sockets = new Map<string, number>()
  for (const name of await readdir(directory)) {
    // As upstream, hidden files are no plug-ins.
    if (name.startsWith('.')) continue
    const found = await stat(join(directory, name)).catch(() => undefined)
    if (found?.isSocket() === true) sockets.set(name, found.ino)
  }
  return sockets
}
