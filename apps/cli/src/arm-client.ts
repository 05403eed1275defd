// The command line as an ordinary client of the Azure front door: a token by client secret, then plain requests.

import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { sleep, systemClock } from '@aksel/base/clock'
import { ArmError, type ArmErrorBody } from '@aksel/base/errors'
import type { ConnectionFile } from './files.ts'

export interface ArmAnswer<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: T
}

export interface ArmRequest {
  readonly method: string
  /** Path below the front door, or a whole URL of it; `api-version` is added where it is missing. */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** How often a request is repeated that was told to come back later. */
const THROTTLED_TRIES_MAX = 5

const API_VERSION = '2026-05-01'
const RESOURCES_API_VERSION = '2021-04-01'

export class ArmClient {
  readonly connection: ConnectionFile
  readonly #ca: string
  #token: Promise<string> | undefined

  constructor(connection: ConnectionFile) {
    this.connection = connection
    this.#ca = readFileSync(connection.caPath, 'utf8')
  }

  /** Rejects with an ArmError that carries Azure's code. */
  async send<T>(request: ArmRequest): Promise<ArmAnswer<T>> {
    this.#token ??= this.#fetchToken()
    const url = new URL(request.path, this.connection.armUrl)
    if (!url.searchParams.has('api-version')) {
      url.searchParams.set(
        'api-version',
        /\/providers\/Microsoft\.ContainerService\//i.test(url.pathname) ? API_VERSION : RESOURCES_API_VERSION,
      )
    }
    const headers = {
      authorization: `Bearer ${await this.#token}`,
      accept: 'application/json',
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...request.headers,
    }
    const body = request.body === undefined ? undefined : JSON.stringify(request.body)
    for (let tries = 0; ; tries += 1) {
      const answer = await this.#exchange<T>(url, { method: request.method, headers, body })
      if (answer.status < 400) return answer
      if (answer.status !== 429 || tries === THROTTLED_TRIES_MAX) throw armError(answer)
      await sleep(systemClock(), Number(header(answer, 'retry-after') ?? '1') * 1_000)
    }
  }

  /** Follows a long-running operation to its end; calls back with each state seen. */
  async wait(started: ArmAnswer<unknown>, seen: (state: OperationState) => void = () => {}): Promise<void> {
    const address = header(started, 'azure-asyncoperation') ?? header(started, 'location')
    if (address === undefined) return
    const clock = systemClock()
    const asynchronous = header(started, 'azure-asyncoperation') !== undefined
    for (;;) {
      const answer = await this.send<OperationState | undefined>({
        method: 'GET',
        path: address,
        headers: { prefer: 'wait=1' },
      })
      const state = answer.body ?? {}
      seen(state)
      if (state.error !== undefined) throw new ArmError(400, state.error.code, state.error.message)
      if (asynchronous ? isTerminal(state.status) : answer.status !== 202) return
      await sleep(clock, pollDelayMs(answer))
    }
  }

  async #fetchToken(): Promise<string> {
    const { armUrl, tenantId, clientId, clientSecret } = this.connection
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      scope: `${armUrl}/.default`,
    })
    const answer = await this.#exchange<{ access_token?: string; error_description?: string }>(
      new URL(`/${tenantId}/oauth2/v2.0/token`, armUrl),
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      },
    )
    if (answer.body.access_token === undefined)
      throw new Error(`The front door issued no token: ${answer.body.error_description ?? answer.status}`)
    return answer.body.access_token
  }

  #exchange<T>(url: URL, request: Exchange, isAgain = false): Promise<ArmAnswer<T>> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        url,
        { method: request.method, headers: { ...request.headers }, ca: this.#ca },
        (response) => {
          const pieces: Buffer[] = []
          response.on('data', (piece: Buffer) => pieces.push(piece))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(pieces).toString()
            const isJson = response.headers['content-type']?.includes('json') === true && text !== ''
            resolve({
              status: response.statusCode!,
              headers: response.headers,
              body: (isJson ? JSON.parse(text) : undefined) as T,
            })
          })
        },
      )
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        // The server ended a connection that was kept: it has not read the request.
        const isStale = outgoing.reusedSocket && error.code === 'ECONNRESET' && request.method !== 'POST'
        if (isStale && !isAgain) resolve(this.#exchange<T>(url, request, true))
        else reject(error)
      })
      outgoing.end(request.body)
    })
  }
}

interface Exchange {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

export interface OperationState {
  readonly status?: string
  readonly error?: { readonly code: string; readonly message: string }
  readonly properties?: { readonly step?: string }
}

function isTerminal(status: string | undefined): boolean {
  return status === 'Succeeded' || status === 'Failed' || status === 'Canceled'
}

/** The server says when to come back; a server on the same host need not be left alone for long. */
function pollDelayMs(answer: ArmAnswer<unknown>): number {
  // Our own server holds the answer back while nothing changes: waiting here as well would only add to it.
  if (header(answer, 'preference-applied') !== undefined) return 0
  const seconds = Number(header(answer, 'retry-after') ?? '1')
  return Math.min(250, (Number.isFinite(seconds) ? seconds : 1) * 1000)
}

function header(answer: ArmAnswer<unknown>, name: string): string | undefined {
  const value = answer.headers[name]
  return typeof value === 'string' ? value : undefined
}

function armError(answer: ArmAnswer<unknown>): ArmError {
  // Resource Manager wraps its errors; AKS answers with the bare error.
  const body = answer.body as (Partial<ArmErrorBody> & { readonly error?: ArmErrorBody }) | undefined
  const error = body?.error ?? body
  return new ArmError(
    answer.status,
    error?.code ?? String(answer.status),
    error?.message ?? `The front door answered ${answer.status}`,
  )
}
