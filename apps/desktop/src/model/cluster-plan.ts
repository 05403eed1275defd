// What a person asks for in the wizard, as the body of Resource Manager's PUT and as the `az` command that does the same.

export interface ClusterPlan {
  readonly resourceGroup: string
  readonly name: string
  readonly location: string
  /** Empty for the default. */
  readonly kubernetesVersion: string
  readonly tier: 'Free' | 'Standard' | 'Premium'
  readonly poolName: string
  readonly nodeCount: number
  readonly vmSize: string
  readonly zones: readonly string[]
  readonly autoscale: { readonly min: number; readonly max: number } | undefined
  readonly networkPolicy: 'none' | 'azure' | 'calico' | 'cilium'
  readonly flows: boolean
  readonly podCidr: string
  readonly oidcIssuer: boolean
  readonly simulated: boolean
  readonly dnsPrefix: string
}

export const firstPlan: ClusterPlan = {
  resourceGroup: 'aksel',
  name: '',
  location: 'westeurope',
  kubernetesVersion: '',
  tier: 'Free',
  poolName: 'nodepool1',
  nodeCount: 3,
  vmSize: 'Standard_D2s_v5',
  zones: [],
  autoscale: undefined,
  networkPolicy: 'none',
  flows: false,
  podCidr: '',
  oidcIssuer: false,
  simulated: false,
  dnsPrefix: '',
}

/** Azure's own rules for names and numbers; a sentence for each field that is wrong. */
export function faults(plan: ClusterPlan): Readonly<Partial<Record<keyof ClusterPlan, string>>> {
  const found: Partial<Record<keyof ClusterPlan, string>> = {}
  if (!/^[a-zA-Z0-9]([\w-]{0,61}[a-zA-Z0-9])?$/.test(plan.name))
    found.name = '1 to 63 letters, digits, hyphens and underscores; the first and the last are a letter or a digit.'
  if (!/^[-\w.()]{0,89}[-\w()]$/.test(plan.resourceGroup))
    found.resourceGroup = '1 to 90 letters, digits, hyphens, underscores, dots and brackets; no dot at the end.'
  if (!/^[a-z][a-z0-9]{0,11}$/.test(plan.poolName)) found.poolName = '1 to 12 small letters and digits, a letter first.'
  if (!Number.isInteger(plan.nodeCount) || plan.nodeCount < 1 || plan.nodeCount > 1000)
    found.nodeCount = 'From 1 to 1000.'
  if (
    plan.autoscale !== undefined &&
    !(
      plan.autoscale.min >= 1 &&
      plan.autoscale.min <= plan.nodeCount &&
      plan.nodeCount <= plan.autoscale.max &&
      plan.autoscale.max <= 1000
    )
  )
    found.autoscale = 'The number of nodes lies between the least and the most.'
  if (plan.podCidr !== '' && !/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/.test(plan.podCidr))
    found.podCidr = 'A range such as 10.244.0.0/16.'
  return found
}

export function armBody(plan: ClusterPlan): Readonly<Record<string, unknown>> {
  const network = {
    ...(plan.networkPolicy === 'none' ? {} : { networkPolicy: plan.networkPolicy }),
    ...(plan.networkPolicy === 'cilium'
      ? { networkPlugin: 'azure', networkPluginMode: 'overlay', networkDataplane: 'cilium' }
      : plan.networkPolicy === 'none'
        ? {}
        : { networkPlugin: 'azure', networkPluginMode: 'overlay' }),
    ...(plan.flows ? { advancedNetworking: { enabled: true } } : {}),
    ...(plan.podCidr === '' ? {} : { podCidr: plan.podCidr }),
  }
  return {
    location: plan.location,
    ...(plan.simulated ? { tags: { 'aksel.simulated': 'true' } } : {}),
    identity: { type: 'SystemAssigned' },
    sku: { name: 'Base', tier: plan.tier },
    properties: {
      kubernetesVersion: plan.kubernetesVersion,
      dnsPrefix: prefixOf(plan),
      enableRBAC: true,
      agentPoolProfiles: [
        {
          name: plan.poolName,
          mode: 'System',
          type: 'VirtualMachineScaleSets',
          osType: 'Linux',
          count: plan.nodeCount,
          vmSize: plan.vmSize,
          ...(plan.zones.length === 0 ? {} : { availabilityZones: plan.zones }),
          ...(plan.autoscale === undefined
            ? {}
            : { enableAutoScaling: true, minCount: plan.autoscale.min, maxCount: plan.autoscale.max }),
        },
      ],
      ...(Object.keys(network).length === 0 ? {} : { networkProfile: network }),
      ...(plan.oidcIssuer ? { oidcIssuerProfile: { enabled: true } } : {}),
    },
  }
}

export function azCommand(plan: ClusterPlan): string {
  const words = [
    `az aks create -g ${shellWord(plan.resourceGroup)} -n ${shellWord(plan.name === '' ? 'NAME' : plan.name)}`,
    `--location ${plan.location}`,
    ...(plan.kubernetesVersion === '' ? [] : [`--kubernetes-version ${plan.kubernetesVersion}`]),
    `--tier ${plan.tier.toLowerCase()}`,
    ...(plan.dnsPrefix === '' ? [] : [`--dns-name-prefix ${plan.dnsPrefix}`]),
    ...(plan.poolName === 'nodepool1' ? [] : [`--nodepool-name ${plan.poolName}`]),
    `--node-count ${plan.nodeCount}`,
    `--node-vm-size ${plan.vmSize}`,
    ...(plan.zones.length === 0 ? [] : [`--zones ${plan.zones.join(' ')}`]),
    ...(plan.autoscale === undefined
      ? []
      : [`--enable-cluster-autoscaler --min-count ${plan.autoscale.min} --max-count ${plan.autoscale.max}`]),
    ...(plan.networkPolicy === 'none'
      ? []
      : [`--network-plugin azure --network-plugin-mode overlay --network-policy ${plan.networkPolicy}`]),
    ...(plan.networkPolicy === 'cilium' ? ['--network-dataplane cilium'] : []),
    ...(plan.flows ? ['--enable-acns'] : []),
    ...(plan.podCidr === '' ? [] : [`--pod-cidr ${plan.podCidr}`]),
    ...(plan.oidcIssuer ? ['--enable-oidc-issuer'] : []),
    ...(plan.simulated ? ['--simulated'] : []),
    '--no-ssh-key',
  ]
  return words.join(' \\\n  ')
}

function shellWord(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text}'`
}

/** As az makes one: of name and group. */
function prefixOf({ dnsPrefix, name, resourceGroup }: ClusterPlan): string {
  if (dnsPrefix !== '') return dnsPrefix
  const plain = (text: string, most: number): string => text.replaceAll(/[^A-Za-z0-9-]/g, '').slice(0, most)
  return `${/^[A-Za-z]/.test(name) ? '' : 'a'}${plain(name, 10)}-${plain(resourceGroup, 16)}`.replace(/-+$/, '')
}
