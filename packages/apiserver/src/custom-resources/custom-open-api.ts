// OpenAPI of custom kinds: made from their schemas when first asked for, and kept while their definitions stay.

import { createHash } from 'node:crypto'
import type { Catalog } from '@aksel/api/catalog'
import { customDocument, type CustomDocument } from '@aksel/api/openapi/custom'
import type { OpenApiVersion } from '@aksel/api/openapi/definitions'
import type { OpenApiPart } from '../discovery/api-source.ts'
import type { CustomKinds, ServedDefinition } from './custom-kinds.ts'

type Json = Readonly<Record<string, unknown>>

export interface CustomOpenApiOptions {
  readonly catalog: Catalog
  /** `v1.35.7` */
  readonly gitVersion: string
}

export class CustomOpenApi {
  readonly #kinds: CustomKinds
  readonly #options: CustomOpenApiOptions
  /** By definition as it was served: gone with it. */
  readonly #made = new WeakMap<ServedDefinition, Map<string, CustomDocument>>()

  constructor(kinds: CustomKinds, options: CustomOpenApiOptions) {
    this.#kinds = kinds
    this.#options = options
  }

  parts(): ReadonlyMap<string, OpenApiPart> {
    const byKey = new Map<string, { readonly served: ServedDefinition; readonly version: string }[]>()
    for (const served of this.#kinds.established()) {
      const { group, versions } = served.definition.spec
      for (const { name, served: isServed } of versions) {
        if (!isServed) continue
        const key = `apis/${group}/${name}`
        byKey.set(key, [...(byKey.get(key) ?? []), { served, version: name }])
      }
    }
    return new Map([...byKey].map(([key, members]) => [key, this.#part(key, members)]))
  }

  #part(key: string, members: readonly { readonly served: ServedDefinition; readonly version: string }[]): OpenApiPart {
    const identity = members.map(({ served }) => {
      const { uid, generation } = served.definition.metadata
      return `${uid}/${generation}`
    })
    const { gitVersion } = this.#options
    const hash = createHash('sha512')
      .update(`${gitVersion} ${key} ${identity.join(' ')}`)
      .digest('hex')
      .toUpperCase()
    return {
      hash,
      document: () => {
        const documents = members.map(({ served, version }) => this.#document(served, version, 3))
        return {
          openapi: '3.0.0',
          info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
          paths: Object.assign({}, ...documents.map(({ paths }) => paths)) as Json,
          components: { schemas: Object.assign({}, ...documents.map(({ definitions }) => definitions)) as Json },
        }
      },
    }
  }

  versionTwo(): { readonly paths: Json; readonly definitions: Json } {
    const documents = this.#kinds
      .established()
      .flatMap((served) =>
        served.definition.spec.versions
          .filter((version) => version.served)
          .map(({ name }) => this.#document(served, name, 2)),
      )
    return {
      paths: Object.assign({}, ...documents.map(({ paths }) => paths)) as Json,
      definitions: Object.assign({}, ...documents.map(({ definitions }) => definitions)) as Json,
    }
  }

  #document(served: ServedDefinition, version: string, form: OpenApiVersion): CustomDocument {
    let own = this.#made.get(served)
    if (own === undefined) this.#made.set(served, (own = new Map()))
    const key = `${version}#${form}`
    let document = own.get(key)
    if (document === undefined) {
      document = customDocument({ tables: this.#options.catalog.tables, definition: served.definition, version, form })
      own.set(key, document)
    }
    return document
  }
}
