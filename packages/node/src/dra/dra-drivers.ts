// The drivers of dynamic resources that have registered with this node, and what becomes of the devices that they showed
// when they go: slices of a driver that is not there would draw pods to a node where they cannot start.

import { resourceSlices } from '@aksel/api/resources'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import { createGrpcClient } from '../containerd/grpc.ts'
import type { GrpcClient } from '../containerd/grpc.ts'
import { socketAddress } from '../plugins/socket-address.ts'
import type { SocketAddress } from '../plugins/socket-address.ts'
import type { Plugin, PluginHandler } from '../plugins/plugin-watcher.ts'
import { draProto, draServices } from './dra-proto.ts'

export interface DraDriversOptions {
  readonly client: Pick<Client, 'deleteCollection'>
  readonly nodeName: string
  /** A driver has come: pods may have waited for it. */
  readonly onChange: () => void
}

interface Driver {
  readonly endpoint: string
  readonly grpc: GrpcClient
  readonly address: SocketAddress
}

/** A driver that is updated comes back within this time. */
const AWAY_MS_MAX = 30_000
const CALL_TIMEOUT_MS = 45_000

export class DraDrivers implements PluginHandler, AsyncDisposable {
  readonly #scope: Scope
  readonly #options: DraDriversOptions
  /** By name; the last one registered is used. */
  readonly #drivers = new Map<string, Driver[]>()
  readonly #away = new Map<string, Timer>()

  constructor(scope: Scope, options: DraDriversOptions) {
    this.#scope = scope
    this.#options = options
  }

  /** None has registered yet: what drivers showed before is not to be had until they come back and show it again. */
  async start(): Promise<void> {
    await this.#wipe(`spec.nodeName=${this.#options.nodeName}`)
  }

  /** Throws where no such driver has registered. */
  get(name: string): GrpcClient {
    const found = this.#drivers.get(name)?.at(-1)
    if (found === undefined) throw new Error(`DRA driver ${name} is not registered`)
    return found.grpc
  }

  async register({ name, endpoint, versions }: Plugin): Promise<void> {
    if (name === '') throw new Error('DRA plugin name is empty')
    const service = draServices.find(({ version }) => versions.includes(version))
    if (service === undefined) {
      throw new Error(
        `version check of plugin ${name} failed: none of the DRA gRPC API versions are supported by both the node and the plugin: ${versions.join(', ')}`,
      )
    }
    this.#away.get(name)?.[Symbol.dispose]()
    this.#away.delete(name)
    const address = await socketAddress(endpoint)
    const grpc = await createGrpcClient(this.#scope, {
      socketPath: address.path,
      proto: [draProto(service.package)],
      service: `${service.package}.DRAPlugin`,
      timeoutMs: CALL_TIMEOUT_MS,
    })
    this.#drivers.set(name, [...(this.#drivers.get(name) ?? []), { endpoint, grpc, address }])
    this.#options.onChange()
  }

  async deregister({ name, endpoint }: Plugin): Promise<void> {
    const all = this.#drivers.get(name) ?? []
    const gone = all.find((driver) => driver.endpoint === endpoint)
    if (gone === undefined) return
    const left = all.filter((driver) => driver !== gone)
    await end(gone)
    if (left.length > 0) {
      this.#drivers.set(name, left)
      return
    }
    this.#drivers.delete(name)
    const wipe = (): void => void this.#wipe(`spec.nodeName=${this.#options.nodeName},spec.driver=${name}`)
    this.#away.set(name, this.#scope.clock.after(AWAY_MS_MAX, wipe))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#away.values()) timer[Symbol.dispose]()
    for (const driver of [...this.#drivers.values()].flat()) await end(driver)
  }

  async #wipe(fieldSelector: string): Promise<void> {
    await this.#options.client.deleteCollection(resourceSlices, { fieldSelector }).catch((error: unknown) => {
      if (!this.#scope.signal.aborted)
        this.#scope.log.warn('resource slices of this node were not removed', { error, fieldSelector })
    })
  }
}

async function end({ grpc, address }: Driver): Promise<void> {
  grpc[Symbol.dispose]()
  await address[Symbol.asyncDispose]()
}
