// The server's own view of its objects, for parts that are made before the pipeline they read through.

import type { Client } from '@aksel/client/client'

export class OwnClient {
  #client: Client | undefined

  /** From now on, calls go through. */
  open(client: Client): void {
    this.#client = client
  }

  /** Throws until the pipeline is there. */
  get opened(): Client {
    if (this.#client === undefined) throw new Error('the API server is still starting')
    return this.#client
  }

  /** For who only reads; each call looks for the client anew. */
  readonly reader: Pick<Client, 'get' | 'list'> = {
    get: (...request) => this.opened.get(...request),
    list: (...request) => this.opened.list(...request),
  }
}
