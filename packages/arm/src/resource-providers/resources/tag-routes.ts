// Tags of a scope through `tags/default`: read, replaced, merged, taken away, without knowing the resource.

import { ArmError } from '@aksel/base/errors'
import { newestVersion } from '../../front-door/api-versions.ts'
import type { Ask } from '../../front-door/dispatcher.ts'
import { callerOf, ok, type ArmRequest, type ArmResponse, type Route } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json, Tags } from '../../records.ts'
import { readScope, scopePaths } from '../authorization/scopes.ts'
import { isObject, objectAt, readObject, textAt } from '../body.ts'
import { readTags } from './names.ts'

const operations = ['Merge', 'Replace', 'Delete'] as const

/** Resources' tags are changed by a PATCH of their own, so that each keeps its rules. Subscriptions keep no tags. */
export function tagRoutes(hub: Hub, ask: Ask): readonly Route[] {
  return scopePaths.slice(1).flatMap((scope): readonly Route[] => {
    const path = `${scope}/providers/Microsoft.Resources/tags/default`
    const replace = async (request: ArmRequest, next: (current: Tags) => Tags): Promise<ArmResponse> => {
      const id = await readScope(hub, request)
      const current = await tagsAt(ask, request, id)
      return ok(body(id, await patchTags(ask, request, id, next(current))))
    }
    return [
      {
        method: 'GET',
        path,
        handle: async (request) => {
          const id = await readScope(hub, request)
          return ok(body(id, await tagsAt(ask, request, id)))
        },
      },
      { method: 'PUT', path, handle: (request) => replace(request, () => given(request)) },
      { method: 'PATCH', path, handle: (request) => replace(request, (current) => merged(request, current)) },
      { method: 'DELETE', path, handle: (request) => replace(request, () => ({})) },
    ]
  })
}

function given(request: ArmRequest): Tags {
  return readTags(objectAt(readObject(request.body), 'properties')['tags']) ?? {}
}

/** Names compare without regard to case, as Azure's do. */
function merged(request: ArmRequest, current: Tags): Tags {
  const word = textAt(readObject(request.body), 'operation') ?? ''
  const operation = operations.find((one) => one.toLowerCase() === word.toLowerCase())
  const wanted = given(request)
  const isIn = (tags: Tags, name: string): boolean =>
    Object.keys(tags).some((known) => known.toLowerCase() === name.toLowerCase())
  const others = Object.fromEntries(Object.entries(current).filter(([name]) => !isIn(wanted, name)))
  switch (operation) {
    case 'Merge':
      return { ...others, ...wanted }
    case 'Replace':
      return wanted
    case 'Delete':
      return others
    case undefined:
      throw new ArmError(400, 'InvalidTagsOperation', `The operation '${word}' is not one of ${operations.join(', ')}.`)
    default:
      return operation satisfies never
  }
}

async function tagsAt(ask: Ask, request: ArmRequest, id: string): Promise<Tags> {
  const tags = (await forwarded(ask, request, 'GET', id))['tags']
  return (isObject(tags) ? tags : {}) as Tags
}

async function patchTags(ask: Ask, request: ArmRequest, id: string, tags: Tags): Promise<Tags> {
  const changed = (await forwarded(ask, request, 'PATCH', id, { tags }))['tags']
  return (isObject(changed) ? changed : {}) as Tags
}

async function forwarded(
  ask: Ask,
  request: ArmRequest,
  method: 'GET' | 'PATCH',
  id: string,
  given?: Json,
): Promise<Json> {
  const answer = await ask({
    method,
    url: `${encodeURI(id)}?api-version=${newestVersion(id)}`,
    ...(given === undefined ? {} : { body: given }),
    caller: callerOf(request),
    origin: request.origin,
    correlationId: request.correlationId,
  })
  if (answer.status < 300) return isObject(answer.body) ? answer.body : {}
  if (method === 'PATCH' && answer.status === 404)
    throw new ArmError(400, 'TagsNotSupported', `The resource '${id}' has no tags that could be changed.`)
  const { error = answer.body } = answer.body as { readonly error?: unknown }
  const { code, message } = error as { readonly code: string; readonly message: string }
  throw new ArmError(answer.status, code, message)
}

function body(id: string, tags: Tags): Json {
  return {
    id: `${id}/providers/Microsoft.Resources/tags/default`,
    name: 'default',
    type: 'Microsoft.Resources/tags',
    properties: { tags },
  }
}
