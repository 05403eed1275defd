// What carries a request to an API server: TLS, or a call inside the process. Both run the server's whole pipeline.

export interface ApiRequest {
  readonly method: string
  /** Path and query, as they stand on the request line. */
  readonly path: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

export interface ApiResponse {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** The body in pieces as they come; a watch ends only with the signal, the server or its timeout. */
  readonly body: AsyncIterable<Uint8Array>
  /**
   * What the body is the JSON of, where the server is in this process: then nothing need be parsed, and what one has parsed
   * is shared by all. Never change it.
   */
  readonly value?: () => unknown
  /** The events of a watch, likewise. Read these or the body, not both. */
  readonly events?: AsyncIterable<{ readonly type: string; readonly object: unknown }>
}

export interface Transport {
  send(request: ApiRequest): Promise<ApiResponse>
}
