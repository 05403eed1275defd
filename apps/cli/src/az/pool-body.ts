// From flags to an agent pool's properties, shared by `az aks create` and `az aks nodepool add`.

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { AzError } from './az-error.ts'
import { parseCount } from './command.ts'
import { parsePairs, present } from './resources.ts'

export interface PoolFlags {
  readonly nodeCount?: number
  readonly nodeVmSize?: string
  readonly maxPods?: number
  readonly zones?: readonly string[]
  readonly osSku?: string
  readonly workloadRuntime?: string
  readonly enableClusterAutoscaler?: boolean
  readonly minCount?: number
  readonly maxCount?: number
  readonly nodeOsdiskSize?: number
  readonly priority?: string
  readonly evictionPolicy?: string
  readonly spotMaxPrice?: number
  readonly vmSetType?: string
  readonly vmSizes?: string
  readonly gpuDriver?: string
  readonly localdnsConfig?: Readonly<Record<string, unknown>>
  readonly simulated?: boolean
}

export function poolFlags(command: Command): Command {
  return command
    .option('-c, --node-count <count>', 'number of nodes', parseCount)
    .option('-s, --node-vm-size <size>', 'size of the virtual machines')
    .option('-m, --max-pods <count>', 'pods a node may run', parseCount)
    .option('-z, --zones <zone...>', 'availability zones')
    .option('--os-sku <sku>', 'OS SKU: Ubuntu, AzureLinux')
    .option('--workload-runtime <runtime>', 'OCIContainer, or KataVmIsolation for sandboxed pods')
    .option('--node-osdisk-size <gb>', 'size of the OS disk in GB', parseCount)
    .option('--priority <priority>', 'Regular or Spot')
    .option('--eviction-policy <policy>', 'of spot machines: Delete or Deallocate')
    .option('--spot-max-price <usd>', 'the most a spot machine may cost an hour; -1: whatever it costs', Number)
    .option('--vm-set-type <type>', 'VirtualMachineScaleSets or VirtualMachines')
    .option('--vm-sizes <sizes>', 'sizes of a VirtualMachines pool, with commas between')
    .option('--gpu-driver <driver>', 'Install or None')
    .option('--enable-cluster-autoscaler', 'enable the cluster autoscaler')
    .option('--min-count <count>', 'least number of nodes for the autoscaler', parseCount)
    .option('--max-count <count>', 'greatest number of nodes for the autoscaler', parseCount)
    .option(...localDnsFlag)
    .option('--simulated', 'hollow nodes: no container runs')
}

/** Shared by `add` and `update`. */
export const localDnsFlag = ['--localdns-config <path>', 'JSON file with the LocalDNS profile', readJsonFile] as const

export const simulatedTag = 'aksel.simulated'

/** Properties that the flags ask for; what no flag names is left to the service. */
export function poolProperties(
  flags: PoolFlags,
  more: {
    readonly tags: readonly string[] | undefined
    readonly labels: readonly string[] | undefined
    readonly taints: string | undefined
  },
): Readonly<Record<string, unknown>> {
  const autoscaled = flags.enableClusterAutoscaler === true
  if (autoscaled && (flags.minCount === undefined || flags.maxCount === undefined)) {
    throw new AzError('Please specify both min-count and max-count when --enable-cluster-autoscaler is set', 2)
  }
  if (!autoscaled && (flags.minCount !== undefined || flags.maxCount !== undefined)) {
    throw new AzError('min-count and max-count are required for --enable-cluster-autoscaler, please use the flag', 2)
  }
  const tags = parsePairs(more.tags)
  return present({
    count: flags.vmSizes === undefined ? flags.nodeCount : undefined,
    vmSize: flags.nodeVmSize,
    maxPods: flags.maxPods,
    availabilityZones: flags.zones,
    osSKU: flags.osSku,
    workloadRuntime: flags.workloadRuntime,
    osDiskSizeGB: flags.nodeOsdiskSize,
    scaleSetPriority: flags.priority,
    scaleSetEvictionPolicy: flags.evictionPolicy,
    spotMaxPrice: flags.spotMaxPrice,
    type: flags.vmSetType,
    virtualMachinesProfile: flags.vmSizes === undefined ? undefined : manualScale(flags.vmSizes, flags.nodeCount ?? 3),
    gpuProfile: flags.gpuDriver === undefined ? undefined : { driver: flags.gpuDriver },
    localDNSProfile: flags.localdnsConfig,
    nodeLabels: parsePairs(more.labels),
    nodeTaints: more.taints === undefined ? undefined : splitTaints(more.taints),
    tags: flags.simulated === true ? { ...tags, [simulatedTag]: 'true' } : tags,
    ...(autoscaled ? { enableAutoScaling: true, minCount: flags.minCount, maxCount: flags.maxCount } : {}),
  })
}

/** So many machines of each size, as az understands it. */
export function manualScale(sizes: string, count: number): Readonly<Record<string, unknown>> {
  return { scale: { manual: splitTaints(sizes).map((size) => ({ size, count })) } }
}

function readJsonFile(path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
    throw new Error('expected a JSON object')
  } catch (error) {
    throw new AzError(`${path} is not a valid file, or not valid JSON: ${(error as Error).message}`, 2)
  }
}

/** Taints stand in one word, joined by commas. */
export function splitTaints(text: string): readonly string[] {
  return text
    .split(',')
    .map((taint) => taint.trim())
    .filter((taint) => taint !== '')
}
