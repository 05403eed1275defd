// `az aks update`: what of a cluster can be changed by flags.

import { Option, type Command } from 'commander'
import { accessProfile, accessUpdateFlags, type AccessFlags } from './access-flags.ts'
import { AzError } from './az-error.ts'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { addLeaf } from './command.ts'
import { identityProperties, identityUpdateFlags, type IdentityFlags } from './identity-flags.ts'
import { flatten, parsePairs, present, type ArmResource } from './resources.ts'
import { follow, get, type Session } from './session.ts'

interface UpdateFlags extends ClusterFlags, IdentityFlags, AccessFlags {
  readonly sku?: string
  readonly tier?: string
  readonly k8sSupportPlan?: string
  readonly disableRunCommand?: boolean
  readonly enableRunCommand?: boolean
  readonly nrgLockdownRestrictionLevel?: string
  readonly clusterAutoscalerProfile?: readonly string[]
  readonly autoUpgradeChannel?: string
  readonly nodeOsUpgradeChannel?: string
  readonly tags?: readonly string[]
}

export function addUpdate(aks: Command, session: Session): void {
  addLeaf<UpdateFlags>(aks, session, 'update', {
    description: 'Update a managed Kubernetes cluster.',
    flags: (command) =>
      accessUpdateFlags(identityUpdateFlags(named(command)))
        .addOption(new Option('--sku <sku>', 'base or automatic').choices(['base', 'automatic']))
        .addOption(new Option('--tier <tier>', 'free, standard or premium').choices(['free', 'standard', 'premium']))
        .option('--k8s-support-plan <plan>', 'KubernetesOfficial or AKSLongTermSupport')
        .option('--disable-run-command', 'no `az aks command invoke`')
        .option('--enable-run-command', 'allow it again')
        .option('--nrg-lockdown-restriction-level <level>', 'ReadOnly or Unrestricted')
        .option(
          '--cluster-autoscaler-profile <key=value...>',
          'settings of the cluster autoscaler; an empty text resets them',
        )
        .option('--auto-upgrade-channel <channel>', 'none, patch, stable, rapid or node-image')
        .option('--node-os-upgrade-channel <channel>', 'None, Unmanaged, SecurityPatch or NodeImage')
        .option('--tags <key=value...>', 'tags of the cluster')
        .option('--no-wait', 'do not wait for the end'),
    run: async (_, flags) => {
      const path = clusterPath(session, flags)
      const cluster = await get<ArmResource & { readonly sku: object }>(session, path)
      const changed = changesOf(flags, cluster.properties)
      const sku = skuOf(flags)
      const tags = parsePairs(flags.tags)
      if (Object.keys(changed).length === 0 && sku === undefined && tags === undefined) {
        throw new AzError('Please specify one or more of the flags of this command to change something.', 2)
      }
      const { agentPoolProfiles: _pools, ...standing } = cluster.properties
      const body = {
        ...cluster,
        sku: { ...cluster.sku, ...sku },
        ...(tags === undefined ? {} : { tags }),
        properties: { ...standing, ...changed },
      }
      const started = await session.arm().send<ArmResource>({ method: 'PUT', path, body })
      if (flags.wait === false) return undefined
      await follow(session, started, flags)
      return flatten(await get<ArmResource>(session, path))
    },
  })
}

/** Automatic clusters are of the tier Standard; whoever moves one to it need not say so. */
function skuOf({ sku, tier }: UpdateFlags): object | undefined {
  if (sku === undefined && tier === undefined) return undefined
  const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
  const implied = sku === 'automatic' ? 'standard' : undefined
  const chosen = tier ?? implied
  return present({
    name: sku === undefined ? undefined : capital(sku),
    tier: chosen === undefined ? undefined : capital(chosen),
  })
}

function changesOf(
  flags: UpdateFlags,
  properties: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const section = (name: string, changes: Readonly<Record<string, unknown>>): unknown => {
    const given = present(changes)
    return Object.keys(given).length === 0 ? undefined : { ...(properties[name] as object | undefined), ...given }
  }
  const standing = properties['apiServerAccessProfile'] as Readonly<Record<string, unknown>> | undefined
  const access = accessProfile(flags, standing)
  const isDisabled = flags.disableRunCommand === true ? true : flags.enableRunCommand === true ? false : undefined
  return present({
    ...identityProperties(flags, properties),
    supportPlan: flags.k8sSupportPlan,
    apiServerAccessProfile:
      access === undefined && isDisabled === undefined
        ? undefined
        : present({ ...standing, ...access, disableRunCommand: isDisabled ?? standing?.['disableRunCommand'] }),
    nodeResourceGroupProfile: section('nodeResourceGroupProfile', {
      restrictionLevel: flags.nrgLockdownRestrictionLevel,
    }),
    autoScalerProfile: autoscalerProfile(flags.clusterAutoscalerProfile, properties['autoScalerProfile']),
    autoUpgradeProfile: section('autoUpgradeProfile', {
      upgradeChannel: flags.autoUpgradeChannel,
      nodeOSUpgradeChannel: flags.nodeOsUpgradeChannel,
    }),
  })
}

const booleans = [
  'daemonset-eviction-for-empty-nodes',
  'daemonset-eviction-for-occupied-nodes',
  'ignore-daemonsets-utilization',
]

/** Words as az takes them, `key=value` joined by spaces or commas, over what stands. */
function autoscalerProfile(words: readonly string[] | undefined, standing: unknown): unknown {
  if (words === undefined) return undefined
  const pairs = parsePairs(words.flatMap((word) => word.split(','))) ?? {}
  const typed = Object.entries(pairs).map(([key, value]) => [key, booleans.includes(key) ? value === 'true' : value])
  return typed.length === 0 ? {} : { ...(standing as object | undefined), ...Object.fromEntries(typed) }
}
