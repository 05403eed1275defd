// `az aks start`, `stop` and `operation-abort`, and the same of a node pool: orders that have an operation and no body.

import type { Command } from 'commander'
import { clusterPath, named, type ClusterFlags } from './cluster-path.ts'
import { addLeaf, required } from './command.ts'
import { namedPool, poolPath, putPool, waiting, type NameFlags } from './nodepool.ts'
import type { ArmResource } from './resources.ts'
import { confirm, follow, get, type CommonFlags, type Session } from './session.ts'

/** Sends it and waits, unless nobody wants to. */
export async function send(
  session: Session,
  flags: CommonFlags & { readonly wait?: boolean },
  path: string,
  body?: unknown,
): Promise<void> {
  const started = await session.arm().send({ method: 'POST', path, ...(body === undefined ? {} : { body }) })
  if (flags.wait !== false) await follow(session, started, flags)
}

export function addClusterOrders(aks: Command, session: Session): void {
  const orders = {
    start: ['start', 'Start a stopped managed cluster.'],
    stop: ['stop', 'Stop a running managed cluster.'],
    'operation-abort': ['abort', 'Abort the operation that runs on a managed cluster.'],
  } as const
  for (const [name, [action, description]] of Object.entries(orders)) {
    addLeaf<ClusterFlags>(aks, session, name, {
      description,
      flags: (command) => waiting(named(command)),
      run: async (_, flags) => send(session, flags, `${clusterPath(session, flags)}/${action}`),
    })
  }
}

/** `az aks rotate-certs` and `az aks oidc-issuer rotate-signing-keys`. */
export function addRotations(aks: Command, session: Session): void {
  const rotation = (parent: Command, name: string, of: Rotation): void =>
    addLeaf<ClusterFlags & { readonly yes?: boolean }>(parent, session, name, {
      description: of.description,
      flags: (command) => waiting(named(command)).option('-y, --yes', 'do not prompt for confirmation'),
      run: async (_, flags) => {
        await confirm(session, flags.yes, of.question)
        return send(session, flags, `${clusterPath(session, flags)}/${of.action}`)
      },
    })
  rotation(aks, 'rotate-certs', {
    action: 'rotateClusterCertificates',
    description: 'Rotate certificates and keys on a managed Kubernetes cluster.',
    question:
      'Kubernetes will be unavailable during certificate rotation process.\nAre you sure you want to perform this operation?',
  })
  const issuer = aks.command('oidc-issuer').description('Oidc issuer related commands.')
  rotation(issuer, 'rotate-signing-keys', {
    action: 'rotateServiceAccountSigningKeys',
    description: 'Rotate oidc issuer service account signing keys.',
    question:
      'Rotating the signing keys twice within a day invalidates the service account tokens of before at once.\nAre you sure you want to perform this operation?',
  })
}

interface Rotation {
  readonly action: string
  readonly description: string
  readonly question: string
}

export function addPoolOrders(nodepool: Command, session: Session): void {
  for (const [name, code] of [
    ['start', 'Running'],
    ['stop', 'Stopped'],
  ] as const) {
    addLeaf<NameFlags>(nodepool, session, name, {
      description: `${name === 'start' ? 'Start a stopped' : 'Stop a running'} node pool.`,
      flags: (command) => waiting(namedPool(command)),
      run: async (_, flags) => {
        const { properties } = await get<ArmResource>(session, poolPath(session, flags, flags.name))
        return putPool(session, flags, { ...properties, powerState: { code } })
      },
    })
  }
  addLeaf<NameFlags>(nodepool, session, 'operation-abort', {
    description: 'Abort the operation that runs on a node pool.',
    flags: (command) => waiting(namedPool(command)),
    run: async (_, flags) => send(session, flags, `${poolPath(session, flags, flags.name)}/abort`),
  })
  addLeaf<NameFlags & { readonly machineNames: readonly string[] }>(nodepool, session, 'delete-machines', {
    description: 'Delete machines of a node pool by name, without a drain.',
    flags: (command) =>
      waiting(namedPool(command)).addOption(required('--machine-names <name...>', 'names of the machines')),
    run: async (_, flags) =>
      send(session, flags, `${poolPath(session, flags, flags.name)}/deleteMachines`, {
        machineNames: flags.machineNames,
      }),
  })
}
