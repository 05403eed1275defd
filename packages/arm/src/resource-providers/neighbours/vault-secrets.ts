// Secrets of key vaults as Resource Manager writes them: set and listed here, and told to deployments alone.

import { ArmError } from '@aksel/base/errors'
import { uuid } from '@aksel/base/ids'
import { parentNotFound, resourceNotFound } from '../../azure-errors.ts'
import { page } from '../../front-door/pages.ts'
import { ok, param, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { DocumentRecord, Json, Tags } from '../../records.ts'
import { groupId } from '../../resource-id.ts'
import { keys, type ResourceStore } from '../../store-keyspace.ts'
import { objectAt, readObject, textAt } from '../body.ts'
import { readGroup, readLiveGroup } from '../resources/groups.ts'
import { readTags } from '../resources/names.ts'

const vaultType = 'Microsoft.KeyVault/vaults'
const secretType = `${vaultType}/secrets`
const versionsMax = 50

interface SecretRecord {
  readonly kind: 'vaultSecret'
  readonly id: string
  readonly name: string
  readonly location: string
  readonly tags?: Tags
  readonly contentType?: string
  /** The newest comes last. Times are seconds since 1970. */
  readonly versions: readonly { readonly version: string; readonly value: string; readonly created: number }[]
  readonly vaultUri: string
}

export function vaultSecretRoutes(hub: Hub): readonly Route[] {
  const all = `/subscriptions/:subscription/resourcegroups/:group/providers/${vaultType}/:vault/secrets`
  const one = `${all}/:secret`
  return [
    { method: 'GET', path: all, handle: (request) => list(hub, request) },
    { method: 'GET', path: one, handle: (request) => read(hub, request) },
    { method: 'PUT', path: one, handle: (request) => put(hub, request) },
  ]
}

async function vaultOf(hub: Hub, request: ArmRequest, action: 'read' | 'write'): Promise<DocumentRecord> {
  const ref = { subscriptionId: param(request, 'subscription'), resourceGroup: param(request, 'group') }
  await (action === 'read' ? readGroup(hub.store, ref) : readLiveGroup(hub.store, ref))
  const asked = `${groupId(ref)}/providers/${vaultType}/${param(request, 'vault')}`
  const found = await hub.store.get<DocumentRecord>(keys.resource(asked))
  if (found === undefined) throw parentNotFound(action, secretType, asked)
  return found.value
}

async function list(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const vault = await vaultOf(hub, request, 'read')
  const all = await hub.store.list<SecretRecord>(keys.below(`${vault.id}/secrets`))
  return page(
    request,
    all.map(({ value }) => body(value)),
  )
}

async function read(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const vault = await vaultOf(hub, request, 'read')
  const name = param(request, 'secret')
  const found = await hub.store.get<SecretRecord>(keys.resource(`${vault.id}/secrets/${name}`))
  if (found !== undefined) return ok(body(found.value))
  throw resourceNotFound(`${vaultType}/${vault.name}/secrets/${name}`, param(request, 'group'))
}

async function put(hub: Hub, request: ArmRequest): Promise<ArmResponse> {
  const name = param(request, 'secret')
  const refused = (message: string): ArmError => new ArmError(400, 'BadRequest', message)
  if (!/^[a-z0-9-]{1,127}$/i.test(name))
    throw refused(`The name '${name}' of a secret must have 1 to 127 letters, digits and hyphens.`)
  const given = readObject(request.body)
  const properties = objectAt(given, 'properties')
  const value = textAt(properties, 'value')
  const tags = readTags(given['tags'])
  const contentType = textAt(properties, 'contentType')
  return hub.store.decide(async () => {
    const vault = await vaultOf(hub, request, 'write')
    const key = keys.resource(`${vault.id}/secrets/${name}`)
    const before = await hub.store.get<SecretRecord>(key)
    const versions = before?.value.versions ?? []
    if (value === undefined && before === undefined) throw refused(`The secret '${name}' has no value.`)
    const { scope } = request
    const fresh = {
      version: uuid(scope.random).replaceAll('-', ''),
      value: value ?? '',
      created: Math.floor(scope.clock.now() / 1_000),
    }
    // The same value again makes no version, so that a template may be deployed twice.
    const isSame = value === undefined || versions.at(-1)?.value === value
    const secret: SecretRecord = {
      kind: 'vaultSecret',
      id: `${vault.id}/secrets/${before?.value.name ?? name}`,
      name: before?.value.name ?? name,
      location: vault.location,
      ...(tags === undefined ? {} : { tags }),
      ...(contentType === undefined ? {} : { contentType }),
      versions: isSame ? versions : [...versions, fresh].slice(-versionsMax),
      vaultUri: String(vault.properties['vaultUri']),
    }
    return {
      changes: [{ kind: 'put', key, value: secret, expected: before?.modRevision ?? 0 }],
      result: { status: before === undefined ? 201 : 200, body: body(secret) },
    }
  })
}

/** Never with the value. */
function body({ id, name, location, tags, contentType, versions, vaultUri }: SecretRecord): Json {
  const { version, created } = versions.at(-1)!
  const secretUri = `${vaultUri}secrets/${name}`
  return {
    id,
    name,
    type: secretType,
    location,
    ...(tags === undefined ? {} : { tags }),
    properties: {
      ...(contentType === undefined ? {} : { contentType }),
      attributes: { enabled: true, created, updated: created },
      secretUri,
      secretUriWithVersion: `${secretUri}/${version}`,
    },
  }
}

interface SecretRef {
  readonly secretName: string
  readonly version: string | undefined
}

export const secretKey = ({ secretName, version }: SecretRef): string =>
  version === undefined ? secretName : `${secretName}/${version}`

export type FoundSecret =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'no vault' }
  | { readonly kind: 'not for deployments' }
  | { readonly kind: 'no secret' }

/** What a deployment is told; the newest version where none is named. Access is judged before. */
export async function readSecret(
  store: ResourceStore,
  { vaultId, secretName, version }: SecretRef & { readonly vaultId: string },
): Promise<FoundSecret> {
  const vault = await store.get<DocumentRecord>(keys.resource(vaultId))
  if (vault === undefined) return { kind: 'no vault' }
  if (vault.value.properties['enabledForTemplateDeployment'] !== true) return { kind: 'not for deployments' }
  const secret = await store.get<SecretRecord>(keys.resource(`${vault.value.id}/secrets/${secretName}`))
  const all = secret?.value.versions ?? []
  const found = version === undefined ? all.at(-1) : all.find((one) => one.version === version)
  return found === undefined ? { kind: 'no secret' } : { kind: 'found', value: found.value }
}
