// The requests of Terraform's azurerm provider (5.2) in its order and by its rules: codes, polling by path, deletes by GET until 404.

import assert from 'node:assert/strict'
import {
  clientId,
  clientSecret,
  subscriptionId,
  tenantId,
  type Answer,
  type OpenedFrontDoor,
} from './opened-front-door.ts'

export type Body = Readonly<Record<string, unknown>>

export const versions = {
  group: '2023-07-01',
  resources: '2023-07-01',
  cluster: '2025-10-01',
  network: '2025-01-01',
  workspace: '2020-08-01',
  identity: '2024-11-30',
  assignment: '2022-04-01',
  definition: '2022-05-01-preview',
} as const

const subscription = `/subscriptions/${subscriptionId}`
const polledMax = 200

export class Azurerm {
  readonly #opened: OpenedFrontDoor
  readonly #token: string

  private constructor(opened: OpenedFrontDoor, token: string) {
    this.#opened = opened
    this.#token = token
  }

  /** What `terraform plan` does before it looks at a resource. */
  static async start(opened: OpenedFrontDoor): Promise<Azurerm> {
    const metadata = await opened.call('GET', '/metadata/endpoints?api-version=2022-09-01', { token: null })
    const cloud = metadata.body as unknown as {
      readonly name: string
      readonly resourceManager: string
      readonly microsoftGraphResourceId: string
      readonly authentication: Readonly<Record<string, unknown>>
      readonly suffixes: Readonly<Record<string, string>>
    }
    const { loginEndpoint, tenant, identityProvider } = cloud.authentication as Readonly<Record<string, string>>
    assert.ok(tenant === 'common' && identityProvider === 'AAD', 'else it takes us for Azure Stack')
    assert.notEqual(cloud.name, 'AzureStackCloud')
    assert.ok(!loginEndpoint!.endsWith('/') && cloud.suffixes['keyVaultDns'] !== '' && cloud.suffixes['storage'] !== '')
    await opened.call('GET', '//metadata/endpoints?api-version=2018-01-01', { token: null })
    const tokens: string[] = []
    for (const resource of [cloud.microsoftGraphResourceId, cloud.resourceManager]) {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
        scope: `${resource}/.default`,
      })
      const path = new URL(`${loginEndpoint}/${tenantId}/oauth2/v2.0/token`).pathname
      const answer = await opened.call('POST', path, { token: null, body })
      tokens.push((answer.body as unknown as { access_token: string }).access_token)
    }
    const claims = JSON.parse(Buffer.from(tokens[0]!.split('.')[1]!, 'base64url').toString()) as Body
    assert.ok(claims['oid'] !== undefined && claims['tid'] === tenantId && claims['appid'] === clientId)
    const azurerm = new Azurerm(opened, tokens[1]!)
    const listed = await azurerm.get(`${subscription}/providers`, '2022-09-01')
    const states = (listed!['value'] as readonly Body[]).map(({ namespace, registrationState }) => [
      namespace,
      registrationState,
    ])
    for (const namespace of [
      'Authorization',
      'Compute',
      'ManagedIdentity',
      'Network',
      'Resources',
      'ContainerService',
      'OperationalInsights',
    ])
      assert.deepEqual(states.find(([name]) => name === `Microsoft.${namespace}`)?.[1], 'Registered', namespace)
    return azurerm
  }

  async send(
    method: string,
    path: string,
    version: string,
    expected: readonly number[],
    body?: unknown,
  ): Promise<Answer> {
    const url = `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`
    const headers = { 'x-ms-correlation-request-id': 'terraform-run', accept: 'application/json; charset=utf-8' }
    const answer = await this.#opened.call(method, url, {
      token: this.#token,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    assert.ok(expected.includes(answer.status), `${method} ${url}: ${answer.status} ${answer.text}`)
    if (answer.text !== '') assert.match(String(answer.headers['content-type']), /^application\/json/)
    return answer
  }

  /** Undefined where there is none: the resource has to be made, or is gone. */
  async get(path: string, version: string): Promise<Body | undefined> {
    const answer = await this.send('GET', path, version, [200, 404])
    return answer.status === 404 ? undefined : (answer.body as unknown as Body)
  }

  /** Create: it must not be there yet. */
  async create(path: string, version: string, body: unknown): Promise<Body> {
    assert.equal(
      await this.get(path, version),
      undefined,
      `${path} is to be created and exists: it would have to be imported`,
    )
    return this.put(path, version, body)
  }

  async put(path: string, version: string, body: unknown): Promise<Body> {
    await this.#follow(await this.send('PUT', path, version, [200, 201, 202], body))
    const read = await this.get(path, version)
    assert.ok(read !== undefined, `${path} was written and is not there`)
    return read
  }

  async post(path: string, version: string, body?: unknown): Promise<Body> {
    return (await this.send('POST', path, version, [200], body)).body as unknown as Body
  }

  /** Headers of a delete are ignored: the resource is asked for until it is gone. */
  async destroy(path: string, version: string): Promise<void> {
    await this.send('DELETE', path, version, [200, 202, 204])
    for (let tries = 0; tries < polledMax; tries += 1) {
      if ((await this.get(path, version)) === undefined) return
      await this.#opened.door.idle()
    }
    assert.fail(`${path} is still there`)
  }

  /** A group is destroyed only when it is empty. */
  async destroyGroup(path: string): Promise<void> {
    const left = await this.get(`${path}/resources?$expand=provisioningState&$top=10`, versions.resources)
    assert.deepEqual(left!['value'], [], 'prevent_deletion_if_contains_resources')
    await this.destroy(path, versions.group)
  }

  async #follow(first: Answer): Promise<void> {
    const address = first.headers['azure-asyncoperation'] ?? first.headers['location']
    if (typeof address !== 'string') return
    assert.match(address, /^https:\/\/[^/]+\//, 'the address must be absolute')
    const { pathname, search } = new URL(address)
    for (let tries = 0; tries < polledMax; tries += 1) {
      const answer = await this.#opened.call('GET', `${pathname}${search}`, { token: this.#token })
      assert.ok([200, 201, 202, 204].includes(answer.status), answer.text)
      if (first.headers['azure-asyncoperation'] === undefined && answer.status !== 202) return
      const { status, error } = (answer.body ?? {}) as { status?: string; error?: unknown }
      assert.ok(status !== 'Failed' && status !== 'Canceled', JSON.stringify(error))
      if (status === 'Succeeded') return
    }
    assert.fail(`${address} never ended`)
  }
}

/** Where what was configured differs from what is read back: each of these would be a change in every plan. */
export function drift(configured: unknown, read: unknown, path = ''): readonly string[] {
  // An empty text asks for the default, whatever that is.
  if (configured === '' || (isNothing(configured) && isNothing(read))) return []
  if (Array.isArray(configured)) {
    // A list without names is read whole; pools that other resources of the configuration made stand beside its own.
    const isShort = !Array.isArray(read) || (read.length !== configured.length && nameOf(configured[0]) === undefined)
    if (isShort) return [`${path}: ${show(configured)} is read as ${show(read)}`]
    return configured.flatMap((item, index) => drift(item, twin(item, read, index), `${path}[${index}]`))
  }
  if (typeof configured === 'object' && configured !== null) {
    const found = (typeof read === 'object' && read !== null ? read : {}) as Body
    return Object.entries(configured).flatMap(([name, value]) =>
      drift(value, found[name], path === '' ? name : `${path}.${name}`),
    )
  }
  return configured === read ? [] : [`${path}: ${show(configured)} is read as ${show(read)}`]
}

/** Pools and subnets are sets: they go by their names. */
function twin(item: unknown, among: readonly unknown[], index: number): unknown {
  const name = nameOf(item)
  return name === undefined ? among[index] : among.find((each) => nameOf(each) === name)
}

const nameOf = (item: unknown): unknown => (item as { readonly name?: unknown } | null | undefined)?.name

const show = (value: unknown): string => JSON.stringify(value) ?? 'nothing'

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true
  return typeof value === 'object' && Object.values(value).every(isNothing)
}
