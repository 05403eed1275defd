// What a namespace can hold, asked of discovery, and emptying it.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import { ApiError, isReason } from '@aksel/base/errors'
import { parseJson } from '@aksel/base/json'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'

interface ApiResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
}

interface ResourceList {
  readonly resources: readonly ApiResource[]
}

interface GroupList {
  readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[]
}

export interface Discovered {
  readonly types: readonly ResourceType[]
  /** One sentence per group that could not be asked. */
  readonly failures: readonly string[]
}

/** Resources of the preferred version of every group that can be listed and deleted. */
export async function discover(client: Client, wanted: { readonly namespaced: boolean }): Promise<Discovered> {
  const groups = (await fetchJson(client, '/apis')) as GroupList
  const versions = ['v1', ...groups.groups.map(({ preferredVersion }) => preferredVersion.groupVersion)]
  const types: ResourceType[] = []
  const failures: string[] = []
  const answers = await Promise.allSettled(versions.map((version) => fetchJson(client, pathOfVersion(version))))
  answers.forEach((answer, index) => {
    const version = versions[index]!
    if (answer.status === 'rejected') failures.push(`${version}: ${(answer.reason as Error).message}`)
    else types.push(...typesOf(version, answer.value as ResourceList, wanted.namespaced))
  })
  return { types, failures }
}

function pathOfVersion(groupVersion: string): string {
  return groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`
}

async function fetchJson(client: Client, path: string): Promise<unknown> {
  const response = await client.send({ path, headers: { accept: 'application/json' } })
  const body = parseJson(await readBody(response.body))
  if (response.status >= 300) throw ApiError.fromStatus(body as { code: number })
  return body
}

function typesOf(groupVersion: string, { resources }: ResourceList, namespaced: boolean): readonly ResourceType[] {
  const slash = groupVersion.indexOf('/')
  return resources
    .filter(({ name, verbs }) => !name.includes('/') && verbs.includes('list') && verbs.includes('delete'))
    .filter((resource) => resource.namespaced === namespaced)
    .map(({ name, kind }) => ({
      group: slash < 0 ? '' : groupVersion.slice(0, slash),
      version: groupVersion.slice(slash + 1),
      kind,
      plural: name,
      namespaced,
    }))
}

/** What is left of one resource after its deletion was asked for. */
export interface Remains {
  readonly type: ResourceType
  readonly objects: readonly KubernetesObject[]
}

/** Asks for the deletion of all there is of one resource, and lists what has not gone at once. */
export async function empty(client: Client, type: ResourceType, namespace: string): Promise<Remains> {
  const before = await client.list(type, { namespace })
  if (before.items.length === 0) return { type, objects: [] }
  await deleteAll(client, type, namespace, before.items)
  const after = await client.list(type, { namespace })
  return { type, objects: after.items }
}

async function deleteAll(
  client: Client,
  type: ResourceType,
  namespace: string,
  items: readonly KubernetesObject[],
): Promise<void> {
  if (items.every(({ metadata }) => metadata.deletionTimestamp !== undefined)) return
  try {
    await client.deleteCollection(type, { namespace, propagationPolicy: 'Background' })
  } catch (error) {
    if (!isReason(error, 'MethodNotAllowed')) throw error
    for (const { metadata } of items) await deleteOne(client, type, namespace, metadata.name)
  }
}

async function deleteOne(client: Client, type: ResourceType, namespace: string, name: string): Promise<void> {
  try {
    await client.delete(type, { namespace, name }, { propagationPolicy: 'Background' })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}

/** `pods.`, `deployments.apps`: how upstream's conditions name a resource. */
export function versionedName(type: ResourceType): string {
  return type.group === '' ? `${type.plural}.` : `${type.plural}.${type.group}`
}
