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
}

export interface Transport {
  send(request: ApiRequest): Promise<ApiResponse>
}
