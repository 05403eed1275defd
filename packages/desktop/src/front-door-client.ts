// The front door as the desktop's sessions use it: over TLS and with a client's own token, like any other client of Azure.

import type { IncomingMessage } from 'node:http'
import type { Clock } from '@aksel/base/clock'
import { Upstream, type UpstreamCall } from './upstream.ts'

export interface FrontDoorPlace {
  readonly url: string
  readonly caPem: string
  readonly tenantId: string
  readonly subscriptionId: string
}

export interface ArmClientCredential {
  readonly clientId: string
  readonly clientSecret: string
}

const AKS_API_VERSION = '2026-05-01'
const NETWORK_API_VERSION = '2025-05-01'
const RENEW_BEFORE_MS = 120_000

export class FrontDoorClient implements Disposable {
  readonly #upstream: Upstream
  readonly #place: FrontDoorPlace
  readonly #clock: Clock
  readonly #tokens = new Map<string, { readonly token: Promise<string>; readonly untilMs: number }>()

  constructor(place: FrontDoorPlace, clock: Clock) {
    this.#place = place
    this.#clock = clock
    this.#upstream = new Upstream({
      name: 'front door',
      server: place.url,
      caPem: place.caPem,
      credential: () => Promise.resolve({}),
    })
  }

  get subscriptionId(): string {
    return this.#place.subscriptionId
  }

  /** Rejects with the sign-in service's own words where the secret is wrong. */
  async check(client: ArmClientCredential): Promise<void> {
    await this.#tokenOf(client)
  }

  async send(client: ArmClientCredential, call: UpstreamCall): Promise<IncomingMessage> {
    const token = await this.#tokenOf(client)
    return this.#upstream.send({ ...call, headers: { ...call.headers, authorization: `Bearer ${token}` } })
  }

  /** The kubeconfig that Azure gives a cluster's users. Rejects with the front door's words. */
  async userKubeconfig(client: ArmClientCredential, group: string, name: string): Promise<string> {
    const path = `/subscriptions/${this.subscriptionId}/resourceGroups/${encodeURIComponent(group)}/providers/Microsoft.ContainerService/managedClusters/${encodeURIComponent(name)}/listClusterUserCredential?api-version=${AKS_API_VERSION}`
    const answer = await this.send(client, { method: 'POST', path, headers: { 'content-length': '0' } })
    const body = JSON.parse(await textOf(answer)) as {
      readonly kubeconfigs?: readonly { readonly value: string }[]
      readonly message?: string
      readonly error?: { readonly message: string }
    }
    const value = body.kubeconfigs?.[0]?.value
    if (value === undefined)
      throw new Error(body.error?.message ?? body.message ?? `the front door answered ${answer.statusCode}`)
    return Buffer.from(value, 'base64').toString()
  }

  /** The body of one call of Resource Manager. Rejects with its words where it refuses. */
  async ask(
    client: ArmClientCredential,
    call: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown },
  ): Promise<unknown> {
    const body = Buffer.from(call.body === undefined ? '' : JSON.stringify(call.body))
    const version = /\/Microsoft\.ContainerService\//i.test(call.path) ? AKS_API_VERSION : NETWORK_API_VERSION
    const answer = await this.send(client, {
      method: call.method,
      path: `${call.path}?api-version=${version}`,
      headers:
        call.method === 'GET' ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) },
      ...(call.method === 'GET' ? {} : { body }),
    })
    const said = JSON.parse(await textOf(answer)) as { readonly error?: { readonly message: string } }
    if ((answer.statusCode ?? 0) >= 300) throw new Error(said.error?.message ?? `answered ${answer.statusCode}`)
    return said
  }

  #tokenOf(client: ArmClientCredential): Promise<string> {
    const key = `${client.clientId}\n${client.clientSecret}`
    const known = this.#tokens.get(key)
    if (known !== undefined && known.untilMs > this.#clock.now()) return known.token
    const token = this.#issue(client)
    this.#tokens.set(key, { token, untilMs: this.#clock.now() + 3_600_000 - RENEW_BEFORE_MS })
    token.catch(() => this.#tokens.delete(key))
    return token
  }

  async #issue({ clientId, clientSecret }: ArmClientCredential): Promise<string> {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${this.#place.url}/.default`,
    })
    const body = Buffer.from(form.toString())
    const answer = await this.#upstream.send({
      method: 'POST',
      path: `/${this.#place.tenantId}/oauth2/v2.0/token`,
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) },
      body,
    })
    const { access_token: token, error_description: why } = JSON.parse(await textOf(answer)) as {
      readonly access_token?: string
      readonly error_description?: string
    }
    if (token === undefined) throw new Error(why ?? `the front door answered ${answer.statusCode}`)
    return token
  }

  [Symbol.dispose](): void {
    this.#upstream[Symbol.dispose]()
  }
}

export async function textOf(answer: AsyncIterable<unknown>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}
