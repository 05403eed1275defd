// Calls from the page to its own server, which hands them on with the session's credentials. The page holds none.

export interface Problem {
  readonly status: number
  readonly message: string
  readonly reason?: string
}

/** A refusal, in the words of whoever refused. */
export class CallError extends Error {
  readonly status: number
  readonly reason: string | undefined
  readonly causes: readonly { readonly field?: string; readonly message: string }[]
  constructor(status: number, body: unknown) {
    const status_ = (body ?? {}) as {
      readonly message?: string
      readonly reason?: string
      readonly code?: string
      readonly error?: { readonly message?: string; readonly code?: string }
      readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message: string }[] }
    }
    super(status_.message ?? status_.error?.message ?? `The server answered ${status}.`)
    this.status = status
    this.reason = status_.reason ?? status_.code ?? status_.error?.code
    this.causes = status_.details?.causes ?? []
  }
}

export interface CallOptions {
  readonly method?: string
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  readonly signal?: AbortSignal
  readonly headers?: Readonly<Record<string, string>>
}

/** Told when a call finds that nobody is signed in any more. */
export const signedOut = new EventTarget()

export async function call(path: string, options: CallOptions = {}): Promise<Response> {
  const { body } = options
  const response = await fetch(`/desktop/api/${path}`, {
    method: options.method ?? 'GET',
    headers: {
      'x-aksel-desktop': '1',
      accept: options.accept ?? 'application/json',
      ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  if (response.ok) return response
  const text = await response.text()
  const error = new CallError(response.status, parseOr(text, { message: text.slice(0, 500) }))
  if (response.status === 401 && error.message === 'Nobody is signed in.')
    signedOut.dispatchEvent(new Event('signed-out'))
  throw error
}

export async function callJson<T>(path: string, options: CallOptions = {}): Promise<T> {
  return (await (await call(path, options)).json()) as T
}

export const clusterCall = (cluster: string, path: string): string => `clusters/${encodeURIComponent(cluster)}${path}`

export function socketUrl(cluster: string, path: string): string {
  const url = new URL(`/desktop/api/${clusterCall(cluster, path)}`, location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

function parseOr(text: string, otherwise: unknown): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return otherwise
  }
}
