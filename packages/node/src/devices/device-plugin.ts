// One device plug-in: its devices as it last told them, and what is asked of it.

import type { Scope } from '@aksel/base/scope'
import { childScope } from '@aksel/base/scope'
import { createGrpcClient } from '../containerd/grpc.ts'
import type { GrpcClient } from '../containerd/grpc.ts'
import { socketAddress } from '../plugins/socket-address.ts'
import type { SocketAddress } from '../plugins/socket-address.ts'
import { deviceProto } from './device-proto.ts'
import type { DeviceEntry, DeviceGrant, DeviceOptions } from './device-proto.ts'

const CALL_TIMEOUT_MS = 30_000

export class DevicePlugin implements AsyncDisposable {
  readonly resource: string
  readonly options: DeviceOptions
  readonly #client: GrpcClient
  readonly #address: SocketAddress
  readonly #stop: AbortController
  #devices: readonly DeviceEntry[] = []
  /** Settles when the plug-in has told its devices for the first time. */
  readonly told: Promise<void>
  readonly #ended: Promise<void>

  private constructor(
    resource: string,
    options: DeviceOptions,
    parts: { readonly client: GrpcClient; readonly address: SocketAddress; readonly stop: AbortController },
    onChange: (plugin: DevicePlugin) => void,
  ) {
    this.resource = resource
    this.options = options
    this.#client = parts.client
    this.#address = parts.address
    this.#stop = parts.stop
    const told = Promise.withResolvers<void>()
    this.told = told.promise
    this.told.catch(() => {})
    this.#ended = this.#follow(() => {
      told.resolve()
      onChange(this)
    }).then(
      () => told.reject(new Error(`the plug-in of ${resource} ended before it told its devices`)),
      (error: Error) => told.reject(error),
    )
    void this.#ended.then(() => {
      // A plug-in that is away vouches for no device.
      this.#devices = this.#devices.map(({ id }) => ({ id, health: 'Unhealthy' }))
      if (!this.#stop.signal.aborted) onChange(this)
    })
  }

  /** `onChange` is called whenever its devices or their health change, and when it is gone. */
  static async connect(
    scope: Scope,
    request: {
      readonly resource: string
      readonly endpoint: string
      /** Asked for where absent. */
      readonly options?: DeviceOptions
      readonly onChange: (plugin: DevicePlugin) => void
    },
  ): Promise<DevicePlugin> {
    const stop = new AbortController()
    const own = childScope(scope, { resource: request.resource }, stop.signal)
    const address = await socketAddress(request.endpoint)
    const client = await createGrpcClient(own, {
      socketPath: address.path,
      proto: [deviceProto],
      service: 'v1beta1.DevicePlugin',
    })
    const options =
      request.options ??
      (await client.unary<DeviceOptions>('GetDevicePluginOptions', {}, { timeoutMs: CALL_TIMEOUT_MS }))
    return new DevicePlugin(request.resource, options, { client, address, stop }, request.onChange)
  }

  get devices(): readonly DeviceEntry[] {
    return this.#devices
  }

  async allocate(deviceIds: readonly string[]): Promise<DeviceGrant> {
    const request = { containerRequests: [{ devicesIds: deviceIds }] }
    const answer = await this.#client.unary<{ containerResponses: readonly DeviceGrant[] }>('Allocate', request, {
      timeoutMs: CALL_TIMEOUT_MS,
    })
    const [grant] = answer.containerResponses
    if (grant === undefined) throw new Error(`the plug-in of ${this.resource} answered no allocation`)
    return grant
  }

  /** The plug-in's wish among free devices; fewer than asked for where it has none. */
  async preferred(free: readonly string[], chosen: readonly string[], size: number): Promise<readonly string[]> {
    const request = {
      containerRequests: [
        { availableDeviceIds: [...chosen, ...free], mustIncludeDeviceIds: chosen, allocationSize: size },
      ],
    }
    const answer = await this.#client.unary<{ containerResponses: readonly { deviceIds: readonly string[] }[] }>(
      'GetPreferredAllocation',
      request,
      { timeoutMs: CALL_TIMEOUT_MS },
    )
    return answer.containerResponses[0]?.deviceIds ?? []
  }

  async preStart(deviceIds: readonly string[]): Promise<void> {
    await this.#client.unary('PreStartContainer', { devicesIds: deviceIds }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the plug-in is no longer used'))
    await this.#ended
    this.#client[Symbol.dispose]()
    await this.#address[Symbol.asyncDispose]()
  }

  async #follow(onDevices: () => void): Promise<void> {
    const answers = this.#client.serverStream<{ devices: readonly DeviceEntry[] }>('ListAndWatch', {})
    for await (const { devices } of answers) {
      this.#devices = devices
      onDevices()
    }
  }
}
