// The CSI drivers of this node: who is registered, and what the API is told about it (CSINode, the node's annotation and
// its topology labels).

import { csiNodes, nodes } from '@aksel/api/resources'
import type { CSINode, CSINodeDriver } from '@aksel/api/types/storage-v1'
import type { Node } from '@aksel/api/types/core-v1'
import { ignoreReason, isReason } from '@aksel/base/errors'
import type { Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'
import type { Plugin, PluginHandler } from '../plugins/plugin-watcher.ts'
import { connectDriver } from './driver.ts'
import type { CsiDriver, NodeInfo } from './driver.ts'

const nodeIdAnnotation = 'csi.volume.kubernetes.io/nodeid'
const CONFLICTS_MAX = 10

export class CsiDrivers implements PluginHandler {
  readonly #scope: Scope
  readonly #client: Client
  readonly #nodeName: string
  readonly #drivers = new Map<string, { readonly driver: CsiDriver; readonly endpoint: string }>()
  readonly #onChange: () => void

  /** `onChange` is called when a driver has come: someone may have waited for it. */
  constructor(
    scope: Scope,
    options: { readonly client: Client; readonly nodeName: string; readonly onChange: () => void },
  ) {
    this.#scope = scope
    this.#client = options.client
    this.#nodeName = options.nodeName
    this.#onChange = options.onChange
  }

  /** Throws in upstream's words where no such driver is registered. */
  get(name: string): CsiDriver {
    const found = this.#drivers.get(name)
    if (found === undefined) throw new Error(`driver name ${name} not found in the list of registered CSI drivers`)
    return found.driver
  }

  async register({ name, endpoint, versions }: Plugin): Promise<void> {
    if (!versions.some((version) => /^v?1\./.test(version))) {
      throw new Error(
        `failed to get highest supported version: none of the CSI versions reported by this driver are supported: ${versions.join(', ')}`,
      )
    }
    const driver = await connectDriver(this.#scope, name, endpoint)
    try {
      const info = await driver.info()
      if (info.nodeId === '') throw new Error(`driver ${name} returned an empty node ID`)
      await this.#announce(name, info)
    } catch (error) {
      await driver[Symbol.asyncDispose]()
      throw error
    }
    const before = this.#drivers.get(name)
    this.#drivers.set(name, { driver, endpoint })
    await before?.driver[Symbol.asyncDispose]()
    this.#onChange()
  }

  async deregister({ name, endpoint }: Plugin): Promise<void> {
    const found = this.#drivers.get(name)
    // A newer start of the driver may have taken its place already.
    if (found === undefined || found.endpoint !== endpoint) return
    this.#drivers.delete(name)
    await found.driver[Symbol.asyncDispose]()
    await this.#changeCsiNode((drivers) => drivers.filter((entry) => entry.name !== name))
    await this.#changeNode((node) => withNodeId(node, name, undefined))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { driver } of this.#drivers.values()) await driver[Symbol.asyncDispose]()
  }

  async #announce(name: string, { nodeId, maxVolumesPerNode, accessibleTopology }: NodeInfo): Promise<void> {
    const segments = accessibleTopology?.segments ?? {}
    await this.#changeNode((node) => withNodeId(withTopology(node, segments), name, nodeId))
    const entry: CSINodeDriver = {
      name,
      nodeID: nodeId,
      topologyKeys: Object.keys(segments).toSorted(),
      ...(maxVolumesPerNode > 0 ? { allocatable: { count: maxVolumesPerNode } } : {}),
    }
    await this.#changeCsiNode((drivers) => [...drivers.filter((other) => other.name !== name), entry])
  }

  async #changeNode(change: (node: Node) => Node): Promise<void> {
    await again(async () => {
      const node = await this.#client.get(nodes, { name: this.#nodeName })
      const changed = change(node)
      if (changed !== node) await this.#client.update(nodes, changed)
    })
  }

  async #changeCsiNode(change: (drivers: readonly CSINodeDriver[]) => readonly CSINodeDriver[]): Promise<void> {
    await again(async () => {
      const found = await ignoreReason('NotFound', this.#client.get(csiNodes, { name: this.#nodeName }))
      if (found !== undefined) {
        const drivers = change(found.spec.drivers ?? [])
        if (JSON.stringify(drivers) === JSON.stringify(found.spec.drivers)) return
        await this.#client.update(csiNodes, { ...found, spec: { ...found.spec, drivers } })
        return
      }
      const { name, uid = '' } = (await this.#client.get(nodes, { name: this.#nodeName })).metadata
      const made: CSINode = {
        metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
        spec: { drivers: change([]) },
      }
      await this.#client.create(csiNodes, made)
    })
  }
}

/** Others write these objects too. */
async function again(work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (tries === CONFLICTS_MAX || !isReason(error, 'Conflict', 'AlreadyExists')) throw error
    }
  }
}

function withNodeId(node: Node, driver: string, nodeId: string | undefined): Node {
  const text = node.metadata.annotations?.[nodeIdAnnotation]
  const ids = JSON.parse(text ?? '{}') as Record<string, string>
  if (ids[driver] === nodeId) return node
  const { [driver]: _, ...others } = ids
  const now = nodeId === undefined ? others : { ...others, [driver]: nodeId }
  const { [nodeIdAnnotation]: __, ...rest } = node.metadata.annotations ?? {}
  const annotations = Object.keys(now).length === 0 ? rest : { ...rest, [nodeIdAnnotation]: JSON.stringify(now) }
  return { ...node, metadata: { ...node.metadata, annotations } }
}

function withTopology(node: Node, segments: Readonly<Record<string, string>>): Node {
  const labels = node.metadata.labels ?? {}
  for (const [key, value] of Object.entries(segments)) {
    const present = labels[key]
    if (present !== undefined && present !== value) {
      throw new Error(
        `detected topology value collision: driver reported "${key}":"${value}" but existing label is "${key}":"${present}"`,
      )
    }
  }
  if (Object.keys(segments).every((key) => key in labels)) return node
  return { ...node, metadata: { ...node.metadata, labels: { ...labels, ...segments } } }
}
