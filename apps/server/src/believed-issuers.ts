// Who is believed by the API server of one cluster: the issuers of the file that holds for every cluster, and those of its own.

import { isDeepStrictEqual } from 'node:util'
import type { AuthenticationConfiguration } from '@aksel/api/authentication-configuration'
import type { Log } from '@aksel/base/log'

/** The file's issuers come first; where anonymous requests may go a cluster says for itself, if it says anything. */
export function together(
  file: AuthenticationConfiguration,
  cluster: AuthenticationConfiguration,
): AuthenticationConfiguration {
  const anonymous = cluster.anonymous ?? file.anonymous
  return {
    jwt: [...(file.jwt ?? []), ...(cluster.jwt ?? [])],
    ...(anonymous === undefined ? {} : { anonymous }),
  }
}

interface Parts {
  readonly log: Log
  readonly file: AuthenticationConfiguration
  readonly cluster: AuthenticationConfiguration
  /** Throws where they do not go together. */
  readonly configure: (configuration: AuthenticationConfiguration) => void
}

export class BelievedIssuers {
  readonly #parts: Parts
  #file: AuthenticationConfiguration
  #cluster: AuthenticationConfiguration
  #inForce: AuthenticationConfiguration | undefined

  /** From then on. Where the two do not go together, those of the cluster are believed alone. */
  constructor(parts: Parts) {
    this.#parts = parts
    this.#file = parts.file
    this.#cluster = parts.cluster
    this.#change('the issuers of the file are not believed in this cluster', () => this.#configure())
    if (this.#inForce === undefined) {
      this.#file = {}
      this.#configure()
    }
  }

  /** What does not go together with the cluster's own changes nothing, and the log says why. */
  fileChanged(file: AuthenticationConfiguration): void {
    const before = this.#file
    this.#file = file
    const isUsed = this.#change('the changed issuers of the file are not believed in this cluster', () =>
      this.#configure(),
    )
    if (!isUsed) this.#file = before
  }

  /** Throws where they do not go together, and changes nothing. */
  clusterChanged(cluster: AuthenticationConfiguration): void {
    const before = this.#cluster
    this.#cluster = cluster
    try {
      this.#configure()
    } catch (error) {
      this.#cluster = before
      throw error
    }
  }

  #change(complaint: string, change: () => void): boolean {
    try {
      change()
      return true
    } catch (error) {
      this.#parts.log.error(complaint, { error })
      return false
    }
  }

  /** Keys that are known are not fetched again where nothing changed. */
  #configure(): void {
    const wanted = together(this.#file, this.#cluster)
    if (isDeepStrictEqual(wanted, this.#inForce)) return
    this.#parts.configure(wanted)
    this.#inForce = wanted
  }
}
