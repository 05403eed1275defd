// What a deployment's body only points to: templates and parameters at an address or in a template spec, and secrets of key
// vaults. All of it is fetched once, when the deployment is accepted, and kept with it.

import JSON5 from 'json5'
import { anySignal } from '@aksel/base/any-signal'
import { ArmError } from '@aksel/base/errors'
import type { Ask } from '../../front-door/dispatcher.ts'
import { callerOf, type ArmRequest } from '../../front-door/route.ts'
import type { Hub } from '../../hub.ts'
import type { Json } from '../../records.ts'
import { accessOf } from '../authorization/role-assignments.ts'
import { isObject, objectAt, textAt } from '../body.ts'
import { readSecret, secretKey } from '../neighbours/vault-secrets.ts'

/** Of Azure, for templates. */
const contentMaxBytes = 4 * 1024 * 1024
const FETCH_TIMEOUT_MS = 30_000
/** What a vault answers for a secret that it does not have. */
const notFound = 'NotFound'
const specApiVersion = '2022-02-01'

export interface LinkParts {
  readonly hub: Hub
  readonly ask: Ask
}

export interface Linked {
  readonly content: Json
  /** The address or the id, as the deployment shows it. */
  readonly link: Json
}

/** The template that the link leads to. Throws InvalidContentLink, or what reading a template spec is refused with. */
export async function linkedTemplate(parts: LinkParts, request: ArmRequest, link: Json): Promise<Linked> {
  const id = textAt(link, 'id')
  if (id === undefined) {
    const linked = await linkedContent(parts, request, link, 'template')
    return { ...linked, content: withRelativeLinks(linked) }
  }
  const { caller, origin, correlationId } = { ...request, caller: callerOf(request) }
  const url = `${id}?api-version=${specApiVersion}`
  const answer = await parts.ask({ method: 'GET', url, caller, origin, correlationId })
  const body = isObject(answer.body) ? answer.body : {}
  if (answer.status >= 400) {
    const error = isObject(body['error']) ? body['error'] : body
    const code = textAt(error, 'code') ?? ''
    throw new ArmError(answer.status, code, textAt(error, 'message') ?? url)
  }
  const properties = objectAt(body, 'properties')
  const content = properties['mainTemplate']
  if (!isObject(content))
    throw invalidLink(request, `The resource '${id}' of the template link is no version of a template spec.`)
  return { content: withSpecLinks(content, properties['linkedTemplates']), link: { id } }
}

/** The document at the link's `uri`. */
export async function linkedContent(
  { hub }: LinkParts,
  request: ArmRequest,
  link: Json,
  what: 'template' | 'parameters',
): Promise<Linked> {
  const uri = textAt(link, 'uri') ?? ''
  if (!URL.canParse(uri) || !/^https?:$/.test(new URL(uri).protocol))
    throw invalidLink(request, `The ${what} link '${uri}' is not an absolute http or https URI.`)
  const query = textAt(link, 'queryString')
  const where = query === undefined ? uri : `${uri}${uri.includes('?') ? '&' : '?'}${query.replace(/^\?/, '')}`
  const text = await download(hub, request, where)
  let content: unknown
  try {
    content = JSON5.parse(text)
  } catch {
    throw invalidLink(request, `The content at '${uri}' is not valid JSON.`)
  }
  if (!isObject(content)) throw invalidLink(request, `The content at '${uri}' is not a JSON object.`)
  const [wanted, found] = [textAt(link, 'contentVersion'), textAt(content, 'contentVersion')]
  if (wanted !== undefined && wanted !== found)
    throw invalidLink(
      request,
      `The content version '${found ?? ''}' at '${uri}' does not match the version '${wanted}' of the link.`,
    )
  return { content, link: { uri, ...(found === undefined ? {} : { contentVersion: found }) } }
}

function invalidLink(request: ArmRequest, message: string): ArmError {
  return new ArmError(
    400,
    'InvalidContentLink',
    `${message} The tracking Id is '${request.correlationId}'. Please see https://aka.ms/arm-deployment-download for usage details.`,
  )
}

async function download(hub: Hub, request: ArmRequest, uri: string): Promise<string> {
  const failed = (why: string): ArmError =>
    invalidLink(request, `Unable to download deployment content from '${uri.split('?')[0]}': ${why}.`)
  const signal = anySignal([request.scope.signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)])
  let answer: Response
  try {
    answer = await hub.fetch(uri, { signal })
  } catch (error) {
    throw failed(error instanceof Error ? error.message : String(error))
  }
  if (!answer.ok) throw failed(`the server answered ${answer.status}`)
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += piece.length
    if (bytes > contentMaxBytes) throw failed(`it has more than ${contentMaxBytes} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** Nested deployments name templates of the same spec by their path: these are put in their place. */
function withSpecLinks(template: Json, linked: unknown): Json {
  const known = new Map<string, unknown>()
  for (const each of Array.isArray(linked) ? linked : [])
    if (isObject(each)) known.set(normalized(textAt(each, 'path') ?? ''), each['template'])
  return eachNested(template, (properties) => {
    const path = textAt(objectAt(properties, 'templateLink'), 'relativePath')
    const found = path === undefined ? undefined : known.get(normalized(path))
    if (!isObject(found)) return properties
    const { templateLink: _, ...rest } = properties
    return {
      ...rest,
      expressionEvaluationOptions: { scope: 'inner' },
      template: withSpecLinks(found, linked),
    }
  })
}

/** Nested deployments name templates beside the one that is linked: their addresses are completed. */
function withRelativeLinks({ content, link }: Linked): Json {
  const base = textAt(link, 'uri')
  if (base === undefined) return content
  return eachNested(content, (properties) => {
    const { relativePath, ...own } = objectAt(properties, 'templateLink') as Json & { readonly relativePath?: unknown }
    if (typeof relativePath !== 'string' || relativePath.startsWith('[')) return properties
    return { ...properties, templateLink: { ...own, uri: new URL(relativePath, base).href } }
  })
}

function eachNested(template: Json, change: (properties: Json) => Json): Json {
  const { resources } = template
  const changed = (one: unknown): unknown =>
    isObject(one) && /^microsoft\.resources\/deployments$/i.test(textAt(one, 'type') ?? '')
      ? { ...one, properties: change(objectAt(one, 'properties')) }
      : one
  if (Array.isArray(resources)) return { ...template, resources: resources.map(changed) }
  if (!isObject(resources)) return template
  return {
    ...template,
    resources: Object.fromEntries(Object.entries(resources).map(([name, one]) => [name, changed(one)])),
  }
}

const normalized = (path: string): string =>
  path
    .replaceAll('\\', '/')
    .replace(/^\.?\//, '')
    .toLowerCase()

/** The parameters with secrets in the place of references to them. Throws what Azure says of vaults that do not tell. */
export async function resolvedParameters(hub: Hub, request: ArmRequest, parameters: Json): Promise<Json> {
  const entries = Object.entries(parameters).map(async ([name, given]): Promise<readonly [string, unknown]> => {
    if (!isObject(given) || given['value'] !== undefined || !isObject(given['reference'])) return [name, given]
    return [name, { value: await secretOf(hub, request, name, given['reference']) }]
  })
  return Object.fromEntries(await Promise.all(entries))
}

async function secretOf(hub: Hub, request: ArmRequest, name: string, reference: Json): Promise<string> {
  const vaultId = textAt(objectAt(reference, 'keyVault'), 'id') ?? ''
  const secretName = textAt(reference, 'secretName') ?? ''
  const parts =
    /^\/subscriptions\/([^/]+)\/resourcegroups\/[^/]+\/providers\/microsoft\.keyvault\/vaults\/[^/]+$/i.exec(vaultId)
  if (parts === null || secretName === '')
    throw new ArmError(
      400,
      'KeyVaultParameterReferenceInvalid',
      `The reference of the parameter '${name}' is not valid: it names the id of a key vault and a secret. Please see https://aka.ms/arm-keyvault for usage details.`,
    )
  const caller = callerOf(request)
  const access = await accessOf(hub.store, parts[1]!, caller.objectId)
  if (caller.isService !== true && !access.may({ action: 'Microsoft.KeyVault/vaults/deploy/action' }, vaultId))
    throw new ArmError(
      403,
      'KeyVaultParameterReferenceAuthorizationFailed',
      `The client '${caller.clientId}' with object id '${caller.objectId}' does not have permission to perform action 'Microsoft.KeyVault/vaults/deploy/action' on the key vault '${vaultId}' that the parameter '${name}' refers to. Please see https://aka.ms/arm-keyvault for usage details.`,
    )
  const found = await readSecret(hub.store, { vaultId, secretName, version: textAt(reference, 'secretVersion') })
  switch (found.kind) {
    case 'found':
      return found.value
    case 'no vault':
      throw new ArmError(
        400,
        'KeyVaultParameterReferenceNotFound',
        `The specified KeyVault '${vaultId}' could not be found. Please see https://aka.ms/arm-keyvault for usage details.`,
      )
    case 'not for deployments':
      throw new ArmError(
        400,
        'KeyVaultParameterReferenceNotAllowed',
        `The specified KeyVault '${vaultId}' is not enabled for template deployment: set enabledForTemplateDeployment. Please see https://aka.ms/arm-keyvault for usage details.`,
      )
    case 'no secret':
      throw new ArmError(
        400,
        'KeyVaultParameterReferenceSecretRetrieveFailed',
        `The secret of KeyVault parameter '${name}' cannot be retrieved. Http status code: '${notFound}'. Error message: 'A secret with (name/id) ${secretKey({ secretName, version: textAt(reference, 'secretVersion') })} was not found in this key vault.'. Please see https://aka.ms/arm-keyvault for usage details.`,
      )
    default:
      return found satisfies never
  }
}
