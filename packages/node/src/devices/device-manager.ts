// The devices of this node: which plug-ins offer them, which container has which, and what the node says it has.

import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { Timer } from '@aksel/base/clock'
import type { Scope } from '@aksel/base/scope'
import type { Refusal } from '../pod/admission.ts'
import type { Plugin, PluginHandler } from '../plugins/plugin-watcher.ts'
import { serveGrpc } from '../plugins/grpc-server.ts'
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import type { Allocation } from './checkpoint.ts'
import { chooseDevices, deviceRequests, needsOf } from './choice.ts'
import { deviceProto } from './device-proto.ts'
import type { DeviceGrant, DeviceOptions } from './device-proto.ts'
import { DevicePlugin } from './device-plugin.ts'

export interface DeviceManagerOptions {
  readonly rootDirectory: string
  /** Uids of pods that hold what they were given: those that are not over. */
  readonly activePods: () => ReadonlySet<string>
  /** What the node has changed. */
  readonly onChange: () => void
}

/** By resource name. */
export interface DeviceAmounts {
  readonly capacity: Readonly<Record<string, number>>
  /** Those that are well. */
  readonly allocatable: Readonly<Record<string, number>>
  /** No longer the node's. */
  readonly removed: readonly string[]
}

/** A resource whose plug-in has been away for this long is the node's no more. */
const AWAY_MS_MAX = 5 * 60_000
const VERSION = 'v1beta1'
const resourceName = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[A-Za-z0-9]([-\w.]*[A-Za-z0-9])?$/

export class DeviceManager implements PluginHandler {
  readonly #scope: Scope
  readonly #options: DeviceManagerOptions
  readonly #plugins = new Map<string, DevicePlugin>()
  readonly #away = new Map<string, Timer>()
  /** Had a plug-in once. */
  #known = new Set<string>()
  readonly #removed = new Set<string>()
  #allocations: readonly Allocation[] = []
  /** Allocations are made one after the other. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(scope: Scope, options: DeviceManagerOptions) {
    this.#scope = scope
    this.#options = options
  }

  get allocations(): readonly Allocation[] {
    return this.#allocations
  }

  get plugins(): ReadonlyMap<string, DevicePlugin> {
    return this.#plugins
  }

  /** Takes up what an earlier agent gave out. To be called before the first allocation. */
  async load(): Promise<void> {
    const { allocations, resources } = await readCheckpoint(this.#checkpoint)
    this.#allocations = allocations
    this.#known = new Set(resources)
    for (const resource of resources) this.#markAway(resource)
  }

  /** Answers plug-ins that register at the node's own socket, until the scope aborts. */
  async run(): Promise<void> {
    const { signal } = this.#scope
    // Plug-ins watch for this socket's return, and register again.
    await using _server = await serveGrpc(join(this.#directory, 'kubelet.sock'), {
      proto: deviceProto,
      service: 'v1beta1.Registration',
      handlers: { Register: (request: RegisterRequest) => this.#onRegister(request) },
    })
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    for (const timer of this.#away.values()) timer[Symbol.dispose]()
    for (const plugin of this.#plugins.values()) await plugin[Symbol.asyncDispose]()
  }

  /** Found in the registration folder. */
  async register({ name, endpoint, versions }: Plugin): Promise<void> {
    if (!versions.includes(VERSION)) {
      throw new Error(`device plugin version ${versions.join(', ')} is not supported by this node: ${VERSION} only`)
    }
    checkName(name)
    await this.#connect(name, endpoint, undefined)
  }

  async deregister({ name }: Plugin): Promise<void> {
    this.#onChange(this.#plugins.get(name))
  }

  get amounts(): DeviceAmounts {
    const capacity: Record<string, number> = {}
    const allocatable: Record<string, number> = {}
    for (const resource of this.#known) {
      const devices = this.#plugins.get(resource)?.devices ?? []
      capacity[resource] = devices.length
      allocatable[resource] = devices.filter(isHealthy).length
    }
    return { capacity, allocatable, removed: [...this.#removed] }
  }

  /** Gives every container of the pod its devices, once. Rejects in upstream's words where there are not enough. */
  allocate(pod: Pod): Promise<void> {
    const wants = needsOf(pod).some(({ container }) => this.#requests(container).size > 0)
    if (!wants) return Promise.resolve()
    const turn = this.#turn.then(() => this.#allocate(pod))
    this.#turn = turn.catch(() => {})
    return turn
  }

  /** As the node takes pods in. */
  async admit(pod: Pod): Promise<Refusal | undefined> {
    try {
      await this.allocate(pod)
      return undefined
    } catch (error) {
      const message = `Allocate failed due to ${(error as Error).message}, which is unexpected`
      return { reason: 'UnexpectedAdmissionError', message }
    }
  }

  grants(podUid: string, container: string): readonly DeviceGrant[] {
    return this.#of(podUid, container).map(({ grant }) => grant)
  }

  /** Before a container of a plug-in that wants it starts. */
  async preStart(podUid: string, container: string): Promise<void> {
    for (const { resource, deviceIds } of this.#of(podUid, container)) {
      const plugin = this.#plugins.get(resource)
      if (plugin?.options.preStartRequired === true) await plugin.preStart(deviceIds)
    }
  }

  get #directory(): string {
    return join(this.#options.rootDirectory, 'device-plugins')
  }

  get #checkpoint(): string {
    return join(this.#directory, 'aksel_checkpoint')
  }

  #of(podUid: string, container: string): readonly Allocation[] {
    return this.#allocations.filter((each) => each.podUid === podUid && each.container === container)
  }

  #requests(container: Container): ReadonlyMap<string, number> {
    return deviceRequests(container, (resource) => this.#known.has(resource))
  }

  async #onRegister({ version, endpoint, resourceName: name, options }: RegisterRequest): Promise<object> {
    if (version !== VERSION)
      throw new Error(
        `requested API version "${version}" is not supported by kubelet. Supported version is ["${VERSION}"]`,
      )
    checkName(name)
    // The socket lies beside the node's own; the plug-in serves it by now.
    if (endpoint === '' || endpoint.includes('/'))
      throw new Error(`the endpoint "${endpoint}" is not the name of a socket`)
    await this.#connect(name, join(this.#directory, endpoint), options ?? undefined)
    return {}
  }

  async #connect(resource: string, endpoint: string, options: DeviceOptions | undefined): Promise<void> {
    const before = this.#plugins.get(resource)
    const plugin = await DevicePlugin.connect(this.#scope, {
      resource,
      endpoint,
      ...(options === undefined ? {} : { options }),
      onChange: (changed) => this.#onChange(changed),
    })
    this.#plugins.set(resource, plugin)
    this.#known.add(resource)
    this.#removed.delete(resource)
    this.#away.get(resource)?.[Symbol.dispose]()
    this.#away.delete(resource)
    await before?.[Symbol.asyncDispose]()
    await this.#save()
    this.#scope.log.info('device plug-in registered', { resource })
  }

  #onChange(plugin: DevicePlugin | undefined): void {
    if (plugin === undefined || this.#plugins.get(plugin.resource) !== plugin) return
    if (plugin.devices.length > 0 && !plugin.devices.some(isHealthy)) this.#markAway(plugin.resource)
    this.#options.onChange()
  }

  #markAway(resource: string): void {
    if (this.#away.has(resource)) return
    const timer = this.#scope.clock.after(AWAY_MS_MAX, () => {
      this.#away.delete(resource)
      if (this.#plugins.get(resource)?.devices.some(isHealthy) === true) return
      this.#plugins.delete(resource)
      this.#known.delete(resource)
      this.#removed.add(resource)
      this.#options.onChange()
      this.#save().catch((error: unknown) => this.#scope.log.warn('the devices were not written down', { error }))
    })
    this.#away.set(resource, timer)
  }

  async #allocate(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? ''
    const active = this.#options.activePods()
    this.#allocations = this.#allocations.filter(({ podUid }) => podUid === uid || active.has(podUid))
    const made: Allocation[] = []
    const passedOn = new Map<string, readonly string[]>()
    for (const { container, passesOn } of needsOf(pod)) {
      for (const [resource, needed] of this.#requests(container)) {
        const present = this.#of(uid, container.name).find((each) => each.resource === resource)
        const reusable = passedOn.get(resource) ?? []
        const given = present ?? (await this.#give(uid, { container, resource, needed, reusable, made }))
        if (present === undefined) made.push(given)
        passedOn.set(
          resource,
          passesOn
            ? [...new Set([...reusable, ...given.deviceIds])]
            : reusable.filter((id) => !given.deviceIds.includes(id)),
        )
      }
    }
    if (made.length === 0) return
    this.#allocations = [...this.#allocations, ...made]
    await this.#save()
  }

  async #give(
    podUid: string,
    wish: {
      readonly container: Container
      readonly resource: string
      readonly needed: number
      readonly reusable: readonly string[]
      readonly made: readonly Allocation[]
    },
  ): Promise<Allocation> {
    const { container, resource, needed, reusable, made } = wish
    const plugin = this.#plugins.get(resource)
    const devices = plugin?.devices ?? []
    const healthy = devices.filter(isHealthy).map(({ id }) => id)
    const taken = [...this.#allocations, ...made].filter((each) => each.resource === resource)
    const { chosen, missing, free } = chooseDevices({
      resource,
      needed,
      healthy,
      unhealthy: devices.length - healthy.length,
      inUse: new Set(taken.flatMap(({ deviceIds }) => deviceIds)),
      reusable,
      isKnown: plugin !== undefined,
    })
    const deviceIds = [...chosen]
    if (missing > 0 && plugin!.options.getPreferredAllocationAvailable) {
      const preferred = await plugin!.preferred(free, chosen, needed)
      deviceIds.push(...preferred.filter((id) => free.includes(id)).slice(0, missing))
    }
    deviceIds.push(...free.filter((id) => !deviceIds.includes(id)).slice(0, needed - deviceIds.length))
    const grant = await plugin!.allocate(deviceIds)
    return { podUid, container: container.name, resource, deviceIds, grant }
  }

  #save(): Promise<void> {
    return writeCheckpoint(this.#checkpoint, { allocations: this.#allocations, resources: [...this.#known] })
  }
}

interface RegisterRequest {
  readonly version: string
  readonly endpoint: string
  readonly resourceName: string
  readonly options: DeviceOptions | null
}

function isHealthy({ health }: { readonly health: string }): boolean {
  return health === 'Healthy'
}

function checkName(name: string): void {
  const isExtended = resourceName.test(name) && !name.startsWith('requests.') && !/(^|\.)kubernetes\.io\//.test(name)
  if (!isExtended) throw new Error(`the ResourceName "${name}" is invalid`)
}
