// How parts of the server that serve more than the built-in kinds (custom resources, other API servers) have a place in
// discovery and OpenAPI: each is a source, and the documents are made anew whenever one says that it changed.

import type { ServedGroupVersion } from '@aksel/api/discovery'

type Json = Readonly<Record<string, unknown>>

/** The OpenAPI v3 document of one group version. */
export interface OpenApiPart {
  /** Changes with the document: clients keep what they read under it for ever. */
  readonly hash: string
  /** The whole document. Rejects with an ApiError where its server does not answer. */
  document(): Json | Promise<Json>
}

export interface OpenApiV2Part {
  readonly paths: Json
  readonly definitions: Json
  /** Parameters that the paths refer to by name. */
  readonly parameters?: Json
}

export interface ApiSource {
  /** A text that changes whenever anything below does; asked on every request for a document. */
  readonly revision: string
  groupVersions(): readonly ServedGroupVersion[]
  /** By key of the index: `apis/example.com/v1`. */
  openApiV3(): ReadonlyMap<string, OpenApiPart>
  /** What is merged into the one document of version 2. */
  openApiV2(): OpenApiV2Part
}
