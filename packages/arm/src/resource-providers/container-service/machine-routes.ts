// Orders to single machines, which Azure gives through its scale sets: `POST …/managedClusters/C/machines/M/ORDER`. A path of our
// own, for the command line and for tests; it answers when the order is carried out.

import { machineOrders, MachineOrderError, type MachineOrder, type OrderOptions } from '@aksel/provider/machine-orders'
import type { MachineProvider } from '@aksel/provider/machine-provider'
import { AksError, badRequest, notAllowed } from '../../azure-errors.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import { isObject } from '../body.ts'
import { clusterPath, clusterRef } from './cluster-routes.ts'
import { readCluster } from './cluster-store.ts'
import { engineId } from './pass.ts'

export function machineRoutes(hub: Hub): readonly Route[] {
  return [
    { method: 'GET', path: `${clusterPath}/machines`, handle: (request) => list(hub, request) },
    { method: 'POST', path: `${clusterPath}/machines/:machine/:order`, handle: (request) => order(hub, request) },
  ]
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const id = engineId((await readCluster(hub.store, clusterRef(request))).value)
  return ok({ value: providers(hub).flatMap((provider) => provider.list(id)) })
}

async function order(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const cluster = (await readCluster(hub.store, clusterRef(request))).value
  const [name, word] = [param(request, 'machine'), param(request, 'order').toLowerCase()]
  if (!machineOrders.includes(word as MachineOrder)) {
    throw badRequest(`There is no order "${word}"; the orders are: ${machineOrders.join(', ')}.`)
  }
  const id = engineId(cluster)
  const provider = providers(hub).find((each) => each.list(id).some((machine) => machine.name === name))
  if (provider === undefined) {
    throw new AksError(404, 'NotFound', `There is no machine "${name}" in managed cluster '${cluster.name}'.`)
  }
  const options = optionsOf(request.body)
  try {
    return ok(await provider.order(request.scope, { clusterId: id, name }, word as MachineOrder, options))
  } catch (error) {
    if (error instanceof MachineOrderError) throw notAllowed(error.message)
    throw error
  }
}

/** Both kinds; one provider where the host has only one. */
function providers({ suppliers }: Hub): readonly MachineProvider[] {
  return [...new Set([suppliers.machines(false), suppliers.machines(true)])]
}

function optionsOf(body: unknown): OrderOptions {
  if (!isObject(body)) return {}
  const number = (name: 'bitsPerSecond' | 'leaveBytes'): OrderOptions => {
    const value = body[name]
    if (value === undefined) return {}
    if (typeof value !== 'number' || value < (name === 'leaveBytes' ? 0 : 1))
      throw badRequest(`"${name}" is to be a positive number.`)
    return { [name]: value }
  }
  const { resource } = body
  if (resource !== undefined && resource !== 'memory' && resource !== 'disk')
    throw badRequest('"resource" is to be "memory" or "disk".')
  return { ...number('bitsPerSecond'), ...number('leaveBytes'), ...(resource === undefined ? {} : { resource }) }
}
