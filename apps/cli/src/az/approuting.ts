// `az aks approuting`: the application-routing add-on of a cluster.

import type { Command } from 'commander'
import { addLeaf } from './command.ts'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { flatten, type ArmResource } from './resources.ts'
import { follow, get, type Session } from './session.ts'

type Profile = Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>

/** The profile after the command; everything else in it stays. */
type Change = (before: Profile) => Profile

const setEnabled =
  (enabled: boolean): Change =>
  (before) => ({ ...before, webAppRouting: { ...before['webAppRouting'], enabled } })

const setGateway =
  (mode: 'Enabled' | 'Disabled'): Change =>
  (before) => ({
    ...before,
    ...(mode === 'Enabled' ? { gatewayAPI: { installation: 'Standard' } } : {}),
    webAppRouting: { ...before['webAppRouting'], gatewayAPIImplementations: { appRoutingIstio: { mode } } },
  })

export function addApprouting(aks: Command, session: Session): void {
  const approuting = aks.command('approuting').description('Manage the application routing add-on.')
  addChange(approuting, session, 'enable', 'Enable Ingress by application routing.', setEnabled(true))
  addChange(approuting, session, 'disable', 'Disable Ingress by application routing.', setEnabled(false))
  const istio = approuting.command('gateway').command('istio').description('Gateway API by application routing.')
  addChange(istio, session, 'enable', 'Enable Gateway API by application routing.', setGateway('Enabled'))
  addChange(istio, session, 'disable', 'Disable Gateway API by application routing.', setGateway('Disabled'))
}

function addChange(parent: Command, session: Session, name: string, description: string, change: Change): void {
  addLeaf<ClusterFlags>(parent, session, name, {
    description,
    flags: (command) => named(command).option('--no-wait', 'do not wait for the end'),
    run: async (_, flags) => {
      const path = clusterPath(session, flags)
      const cluster = await get<ArmResource>(session, path)
      const ingressProfile = change((cluster.properties['ingressProfile'] ?? {}) as Profile)
      const body = { ...cluster, properties: { ...cluster.properties, ingressProfile } }
      const started = await session.arm().send<ArmResource>({ method: 'PUT', path, body })
      if (flags.wait === false) return undefined
      await follow(session, started, flags)
      return flatten(await get<ArmResource>(session, path))
    },
  })
}
