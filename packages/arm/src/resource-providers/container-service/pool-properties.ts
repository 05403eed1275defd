// An agent pool's properties: defaults as the service fills them in, and what may be.

import { badRequest, changeNotAllowed, invalidParameter, missingParameter, AksError } from '../../azure-errors.ts'
import { isSandboxed, sandboxedRuntimes } from './pod-sandboxing.ts'
import { readShape } from './shape.ts'
import { poolShape } from './pool-shape.ts'
import { judgeKubeletConfig } from './kubelet-config.ts'
import { judgeUpgradeSettings } from './upgrade-settings.ts'
import { judgeLocalDns } from './local-dns.ts'
import { minorOf, resolveVersion } from './kubernetes-versions.ts'
import { judgeSpot, spotDefaults } from './spot-properties.ts'
import { isOfVirtualMachines, judgeProfiles, withProfiles } from './virtual-machines-pool.ts'
import { defaultVmSize, findVmSize, isBurstable, vmSizes } from './vm-sizes.ts'
import type { Json, PoolProperties } from '../../records.ts'

const GIB = 1024 ** 3
const immutable = [
  'vmSize',
  'osType',
  'osSKU',
  'maxPods',
  'osDiskSizeGB',
  'osDiskType',
  'kubeletDiskType',
  'kubeletConfig',
  'availabilityZones',
  'scaleSetPriority',
  'scaleSetEvictionPolicy',
  'spotMaxPrice',
  'vnetSubnetID',
  'podSubnetID',
  'podIPAllocationMode',
  'type',
] as const

/** Told by the service, never set by a caller. */
const readOnly = [
  'provisioningState',
  'virtualMachineNodesStatus',
  'currentOrchestratorVersion',
  'eTag',
  'status',
  'aksel',
]

export interface PoolContext {
  /** Full version of the cluster. */
  readonly clusterVersion: string
  readonly maxPodsDefault: number
  readonly location: string
}

/** Properties as a caller gave them, of the right types, without what only the service says. */
export function readPool(value: unknown, path: string): Json {
  const given = readShape(value, poolShape, path) as Json
  return Object.fromEntries(Object.entries(given).filter(([name]) => !readOnly.includes(name) && name !== 'name'))
}

export function poolDefaults(context: PoolContext): Json {
  return {
    count: 1,
    vmSize: defaultVmSize,
    osDiskSizeGB: 128,
    osDiskType: 'Managed',
    kubeletDiskType: 'OS',
    maxPods: context.maxPodsDefault,
    type: 'VirtualMachineScaleSets',
    mode: 'User',
    orchestratorVersion: context.clusterVersion,
    osType: 'Linux',
    osSKU: 'Ubuntu',
    scaleDownMode: 'Delete',
    enableAutoScaling: false,
    enableNodePublicIP: false,
    enableFIPS: false,
    upgradeSettings: { maxSurge: '10%', maxUnavailable: '0' },
    securityProfile: { enableVTPM: false, enableSecureBoot: false },
  }
}

/** The pool's properties after a write: what was given, else what stood there, else the default. Throws what Azure would refuse. */
export function nextPool(given: Json, existing: PoolProperties | undefined, context: PoolContext): PoolProperties {
  const defaults = poolDefaults(context)
  const asked = Object.fromEntries(Object.entries(given).filter(([name, value]) => !meansDefault(name, value)))
  const windows = asked['osType'] === 'Windows' ? { osSKU: 'Windows2022' } : {}
  const spot = (asked['scaleSetPriority'] ?? existing?.['scaleSetPriority']) === 'Spot' ? spotDefaults : {}
  const merged = { ...defaults, ...windows, ...spot, ...existing, ...asked } as unknown as PoolProperties
  const next = withProfiles(merged, asked)
  if (existing !== undefined) judgeChange(existing, next)
  judgePool(next, context, existing)
  return next
}

/** Older clients send empty text or 0 for "the default". */
function meansDefault(name: string, value: unknown): boolean {
  return (name === 'orchestratorVersion' && value === '') || (['osDiskSizeGB', 'maxPods'].includes(name) && value === 0)
}

function judgeChange(existing: PoolProperties, next: PoolProperties): void {
  const same = (left: unknown, right: unknown): boolean =>
    JSON.stringify(left ?? null).toLowerCase() === JSON.stringify(right ?? null).toLowerCase()
  const kept = isOfVirtualMachines(existing) ? immutable.filter((name) => name !== 'vmSize') : immutable
  const changed = kept.find((name) => !same(existing[name], next[name]))
  if (changed !== undefined) throw changeNotAllowed(`properties.${changed}`)
}

export function judgePoolName(name: unknown): string {
  if (typeof name !== 'string' || name === '') throw missingParameter('agentPoolProfile.name')
  if (/^[a-z][a-z0-9]{0,11}$/.test(name)) return name
  throw invalidParameter(
    'agentPoolProfile.name',
    `Invalid agentpool name '${name}'. Agentpool name must start with a lowercase letter, have max length of 12, and only have characters a-z0-9`,
  )
}

/** What the system's own pods need. */
const PODS_OF_POOL_MIN = 30

function judgePool(pool: PoolProperties, context: PoolContext, existing: PoolProperties | undefined): void {
  oneOf('mode', pool.mode, ['System', 'User', 'Gateway'])
  oneOf('osType', pool.osType, ['Linux', 'Windows'])
  judgeSystemOfWindows(pool)
  oneOf('osSKU', pool.osSKU, pool.osType === 'Windows' ? windowsSkus : linuxSkus)
  oneOf('type', pool['type'], ['VirtualMachineScaleSets', 'VirtualMachines'])
  oneOf('scaleSetPriority', pool['scaleSetPriority'] ?? 'Regular', ['Regular', 'Spot'])
  judgeSpot(pool)
  judgeProfiles(pool)
  judgeSandboxing(pool)
  judgeUpgradeSettings(pool)
  judgeCount(pool)
  if (pool.maxPods < 10 || pool.maxPods > 250) {
    throw invalidParameter(
      'agentPoolProfile.maxPods',
      `maxPods ${pool.maxPods} is out of range, it must be in the range [10, 250]`,
    )
  }
  // As a pool is made: one that shrinks later is let, as Azure does.
  if (existing === undefined && pool.count > 0 && pool.count * pool.maxPods < PODS_OF_POOL_MIN) {
    throw invalidParameter(
      'agentPoolProfile.maxPods',
      `${pool.count} nodes of ${pool.maxPods} pods hold ${pool.count * pool.maxPods} pods, and a pool has to hold at least ${PODS_OF_POOL_MIN}`,
    )
  }
  if (existing?.vmSize !== pool.vmSize) judgeVmSize(pool, context.location)
  judgeDisk(pool)
  judgeKubeletConfig(pool['kubeletConfig'])
  judgeLocalDns(pool)
  judgeVersion(pool, context)
  judgeLabels(pool)
  judgeTaints(pool.nodeTaints ?? [])
  judgeZones(pool)
}

const linuxSkus = [
  'Ubuntu',
  'Ubuntu2204',
  'Ubuntu2404',
  'AzureLinux',
  'AzureLinux3',
  'AzureContainerLinux',
  'CBLMariner',
] as const
const windowsSkus = ['Windows2022', 'Windows2025'] as const

function judgeSystemOfWindows({ osType, mode }: PoolProperties): void {
  if (osType !== 'Windows' || mode === 'User') return
  throw invalidParameter('agentPoolProfile.osType', `Windows agent pools must be of mode User, not ${mode}`)
}

function judgeCount(pool: PoolProperties): void {
  const least = pool.mode === 'System' ? 1 : 0
  if (pool.count < least || pool.count > 1000) {
    throw invalidParameter(
      'agentPoolProfile.count',
      `Agent pool count ${pool.count} is out of range, it must be in the range [${least}, 1000] for pools of mode ${pool.mode}`,
    )
  }
  if (pool['enableAutoScaling'] !== true) return
  const [least2, most] = [pool['minCount'], pool['maxCount']]
  if (typeof least2 !== 'number' || typeof most !== 'number') throw missingParameter('agentPoolProfile.minCount')
  if (least2 > most)
    throw invalidParameter('agentPoolProfile.minCount', `minCount ${least2} is greater than maxCount ${most}`)
}

function judgeVmSize(pool: PoolProperties, location: string): void {
  const size = findVmSize(pool.vmSize)
  if (size === undefined) {
    const known = vmSizes.map(({ name }) => name.toLowerCase()).toSorted()
    throw badRequest(
      `The VM size of ${pool.vmSize} is not allowed in your subscription in location '${location}'. The available VM sizes are '${known.join(',')}'. For more information, please visit https://aka.ms/aks/quotas-skus-regions`,
      'agentPoolProfile.vmSize',
    )
  }
  const tooSmall = size.vcpus < 2 || size.memoryBytes < 4 * GIB
  if (pool.mode === 'System' && (tooSmall || isBurstable(pool.vmSize))) {
    throw new AksError(
      400,
      'InvalidSystemPoolVMSize',
      `The VM size ${pool.vmSize} cannot be used for a system agent pool: it needs at least 2 vCPUs and 4GB of memory, and may not be of the B series. See https://aka.ms/aks/system-pool`,
      { target: 'agentPoolProfile.vmSize' },
    )
  }
}

function judgeDisk(pool: PoolProperties): void {
  const size = pool['osDiskSizeGB']
  if (typeof size === 'number' && (size < 30 || size > 2048)) {
    throw invalidParameter(
      'agentPoolProfile.osDiskSizeGB',
      `OS disk size ${size} is out of range, it must be in the range [30, 2048]`,
    )
  }
  oneOf('osDiskType', pool['osDiskType'] ?? 'Managed', ['Managed', 'Ephemeral'])
}

function judgeVersion(pool: PoolProperties, context: PoolContext): void {
  const version = resolveVersion(pool.orchestratorVersion)
  if (version === undefined) throw versionNotSupported('AgentPoolK8sVersionNotSupported', pool.orchestratorVersion)
  const [pools, clusters] = [version, context.clusterVersion].map((text) => text.split('.').map(Number)) as [
    number[],
    number[],
  ]
  const ahead = pools[1]! > clusters[1]! || (pools[1] === clusters[1] && pools[2]! > clusters[2]!)
  if (ahead || clusters[1]! - pools[1]! > 3) {
    throw new AksError(
      400,
      'NodePoolMcVersionIncompatible',
      `Node pool version ${version} and control plane version ${context.clusterVersion} are incompatible. Minor version of node pool version ${minorOf(version)} is ${ahead ? 'bigger than control plane version' : 'more than 3 versions older than control plane version'} ${context.clusterVersion}. For more information, please check https://aka.ms/aks/UpgradeVersionRules`,
    )
  }
}

export function versionNotSupported(code: string, version: string): AksError {
  return new AksError(
    400,
    code,
    `Version ${version} is not supported in this region. Please use [az aks get-versions] command to get the supported version list in this region. For more information, please check https://aka.ms/supported-version-list`,
    { target: code.startsWith('Agent') ? 'agentPoolProfile.orchestratorVersion' : 'kubernetesVersion' },
  )
}

const reservedPrefixes = ['kubernetes.azure.com/', 'kubernetes.io/']
const qualifiedName = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/

function judgeLabels(pool: PoolProperties): void {
  for (const [name, value] of Object.entries(pool.nodeLabels ?? {})) {
    const spotOurs = name === 'kubernetes.azure.com/scalesetpriority' && pool['scaleSetPriority'] === 'Spot'
    if (!spotOurs && reservedPrefixes.some((prefix) => name.startsWith(prefix))) {
      throw invalidParameter(
        'agentPoolProfile.nodeLabels',
        `Label key '${name}' uses a reserved prefix. Prefixes ${reservedPrefixes.join(', ')} are reserved`,
      )
    }
    if (!qualifiedName.test(name))
      throw invalidParameter('agentPoolProfile.nodeLabels', `Label key '${name}' is not a valid Kubernetes label key`)
    if (!labelValue.test(value))
      throw invalidParameter(
        'agentPoolProfile.nodeLabels',
        `Label value '${value}' of key '${name}' is not a valid Kubernetes label value`,
      )
  }
}

function judgeSandboxing(pool: PoolProperties): void {
  const runtime = pool.workloadRuntime ?? 'OCIContainer'
  oneOf('workloadRuntime', runtime, ['OCIContainer', 'WasmWasi', ...sandboxedRuntimes])
  if (!isSandboxed(pool)) return
  const name = 'agentPoolProfile.workloadRuntime'
  if (!pool.osSKU.startsWith('AzureLinux')) {
    throw invalidParameter(name, `workloadRuntime '${runtime}' needs osSKU AzureLinux, found '${pool.osSKU}'`)
  }
  if (pool['enableFIPS'] === true) throw invalidParameter(name, `workloadRuntime '${runtime}' cannot be used with FIPS`)
  const { enableVTPM, enableSecureBoot } = (pool['securityProfile'] ?? {}) as Readonly<Record<string, unknown>>
  if (enableVTPM === true || enableSecureBoot === true) {
    throw invalidParameter(name, `workloadRuntime '${runtime}' cannot be used with Trusted Launch`)
  }
}

function judgeTaints(taints: readonly string[]): void {
  for (const taint of taints) {
    const match = /^([^=:]+)(?:=([^:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$/.exec(taint)
    if (match === null || !qualifiedName.test(match[1]!) || !labelValue.test(match[2] ?? '')) {
      throw invalidParameter(
        'agentPoolProfile.nodeTaints',
        `Taint '${taint}' is invalid, it must have the form key=value:effect with effect NoSchedule, PreferNoSchedule or NoExecute`,
      )
    }
  }
}

function judgeZones(pool: PoolProperties): void {
  const wrong = (pool.availabilityZones ?? []).find((zone) => !['1', '2', '3'].includes(zone))
  if (wrong !== undefined) {
    throw new AksError(
      400,
      'AvailabilityZoneNotSupported',
      `The zone(s) '${wrong}' for resource 'agentPoolProfile' is not supported. The supported zones for location are '1,2,3'`,
    )
  }
}

function oneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value === 'string' && allowed.includes(value)) return
  throw invalidParameter(
    `agentPoolProfile.${name}`,
    `'${String(value)}' is not one of the allowed values: ${allowed.join(', ')}`,
  )
}
