// What a template is told of the place where it is deployed, from what is kept of the deployment.

import { createHash } from 'node:crypto'
import type { FrameOptions } from '../../templates/template-frame.ts'
import type { ObjectValue } from '../../templates/values.ts'
import { suffixes } from '../../front-door/suffixes.ts'
import type { Hub } from '../../hub.ts'
import type { DeploymentRecord, Json } from '../../records.ts'
import { groupOfId } from '../../resource-id.ts'
import { groupBody, readGroup } from '../resources/groups.ts'

export type DeploymentWish = Pick<
  DeploymentRecord,
  'id' | 'name' | 'scopeId' | 'mode' | 'template' | 'parameters' | 'correlationId' | 'origin' | 'caller' | 'startedMs'
> & { readonly location?: string; readonly templateLink?: Json }

/** Throws ResourceGroupNotFound. */
export async function frameOptions(hub: Hub, wish: DeploymentWish): Promise<FrameOptions> {
  const subscriptionId = wish.scopeId.split('/')[2]!
  const group = groupOfId(wish.scopeId)
  const found = hub.subscriptions.find((one) => one.subscriptionId.toLowerCase() === subscriptionId.toLowerCase())
  const subscription = {
    id: `/subscriptions/${subscriptionId}`,
    subscriptionId,
    tenantId: hub.tenantId,
    displayName: found?.displayName ?? subscriptionId,
  }
  const resourceGroup =
    group === undefined ? undefined : (groupBody((await readGroup(hub.store, group)).value) as ObjectValue)
  return {
    facts: {
      tenantId: hub.tenantId,
      subscription,
      ...(resourceGroup === undefined
        ? {}
        : { resourceGroup: resourceGroup as ObjectValue & { readonly name: string; readonly id: string } }),
      deployment: deploymentFacts(wish),
      environment: environmentFacts(wish.origin),
      deployer: { objectId: wish.caller.objectId, tenantId: wish.caller.tenantId },
      nowMs: wish.startedMs,
    },
    parameters: wish.parameters as ObjectValue,
    newGuid: guidsOf(wish.correlationId),
  }
}

/** Ids that are the same when a deployment is taken up again. */
function guidsOf(seed: string): () => string {
  let count = 0
  return () => {
    count += 1
    const bytes = createHash('sha256').update(`${seed}/${count}`).digest().subarray(0, 16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
}

function deploymentFacts({ name, location, mode, template, templateLink }: DeploymentWish): ObjectValue {
  return {
    name,
    ...(location === undefined ? {} : { location }),
    properties: {
      mode,
      template: template as ObjectValue,
      ...(templateLink === undefined ? {} : { templateLink: templateLink as ObjectValue }),
      provisioningState: 'Accepted',
    },
  }
}

function environmentFacts(origin: string): ObjectValue {
  return {
    name: 'Aksel',
    portal: origin,
    resourceManager: origin,
    authentication: { loginEndpoint: origin, audiences: [origin], tenant: 'common', identityProvider: 'AAD' },
    suffixes: {
      keyvaultDns: `.${suffixes.keyVault}`,
      storage: suffixes.storage,
      acrLoginServer: `.${suffixes.registry}`,
    },
  }
}

/** The same number for the same template, however it is laid out. */
export function templateHash(template: unknown): string {
  const bytes = createHash('sha256').update(JSON.stringify(template)).digest()
  return bytes.readBigUInt64BE(0).toString()
}

/** What is kept of a body's parameters once nobody needs their secrets. */
export function withoutSecrets(parameters: Json, shown: Json): Json {
  const types = shown['parameters'] as Readonly<Record<string, { readonly type: string }>> | undefined
  const isSecret = (name: string): boolean => {
    const found = Object.entries(types ?? {}).find(([known]) => known.toLowerCase() === name.toLowerCase())
    return found !== undefined && /^secure/i.test(found[1].type)
  }
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !isSecret(name)))
}
