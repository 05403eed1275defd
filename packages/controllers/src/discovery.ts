// What the server serves, asked of discovery: the kinds that can be listed, followed and deleted.

import type { ResourceType } from '@aksel/api/resource'
import { ApiError } from '@aksel/base/errors'
import { encodeJson, parseJson } from '@aksel/base/json'
import type { Client } from '@aksel/client/client'
import { readBody } from '@aksel/client/response-body'

interface ApiResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
}

/** What a resource must allow to be emptied and followed. */
const needed = ['list', 'watch', 'delete'] as const

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
  const groups = (await getJson(client, '/apis')) as GroupList
  const versions = ['v1', ...groups.groups.map(({ preferredVersion }) => preferredVersion.groupVersion)]
  const types: ResourceType[] = []
  const failures: string[] = []
  const answers = await Promise.allSettled(versions.map((version) => getJson(client, pathOfVersion(version))))
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

/** The resource that serves a kind; undefined where none does. */
export async function resourceOf(
  client: Client,
  groupVersion: string,
  kind: string,
): Promise<ResourceType | undefined> {
  const { resources } = (await getJson(client, pathOfVersion(groupVersion))) as ResourceList
  const found = resources.find((each) => each.kind === kind && !each.name.includes('/'))
  if (found === undefined) return undefined
  const slash = groupVersion.indexOf('/')
  const group = slash < 0 ? '' : groupVersion.slice(0, slash)
  return { group, version: groupVersion.slice(slash + 1), kind, plural: found.name, namespaced: found.namespaced }
}

/** Rejects with the server's refusal. */
export async function getJson(client: Client, path: string): Promise<unknown> {
  const response = await client.send({ path, headers: { accept: 'application/json' } })
  const body = parseJson(await readBody(response.body))
  if (response.status >= 300) throw ApiError.fromStatus(body as { code: number })
  return body
}

/** For kinds that are asked and never stored: reviews. Rejects with the server's refusal. */
export async function postJson(client: Client, path: string, asked: unknown): Promise<unknown> {
  const headers = { accept: 'application/json', 'content-type': 'application/json' }
  const response = await client.send({ method: 'POST', path, headers, body: encodeJson(asked) })
  const body = parseJson(await readBody(response.body))
  if (response.status >= 300) throw ApiError.fromStatus(body as { code: number })
  return body
}

function typesOf(groupVersion: string, { resources }: ResourceList, namespaced: boolean): readonly ResourceType[] {
  const slash = groupVersion.indexOf('/')
  return resources
    .filter(({ name, verbs }) => !name.includes('/') && needed.every((verb) => verbs.includes(verb)))
    .filter((resource) => resource.namespaced === namespaced)
    .map(({ name, kind }) => ({
      group: slash < 0 ? '' : groupVersion.slice(0, slash),
      version: groupVersion.slice(slash + 1),
      kind,
      plural: name,
      namespaced,
    }))
}
