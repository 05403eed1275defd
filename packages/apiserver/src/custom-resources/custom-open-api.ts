// OpenAPI of custom kinds: made from their schemas when first asked for, and kept while their definitions stay.

import { createHash } from 'node:crypto'
import type { Catalog } from '@aksel/api/catalog'
import { customDocument, type CustomDocument } from '@aksel/api/openapi/custom'
import { loadDescriptions } from '@aksel/api/openapi/descriptions'
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
      document: async () => {
        const documents = await Promise.all(members.map(({ served, version }) => this.#versionThree(served, version)))
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
          .map(({ name }) => this.#versionTwo(served, name)),
      )
    return {
      paths: Object.assign({}, ...documents.map(({ paths }) => paths)) as Json,
      definitions: Object.assign({}, ...documents.map(({ definitions }) => definitions)) as Json,
    }
  }

  #versionTwo(served: ServedDefinition, version: string): CustomDocument {
    const { tables } = this.#options.catalog
    return this.#kept(served, `${version}#2`, () =>
      customDocument({ tables, definition: served.definition, version, form: 2 }),
    )
  }

  async #versionThree(served: ServedDefinition, version: string): Promise<CustomDocument> {
    const { tables } = this.#options.catalog
    const descriptions = await loadDescriptions()
    return this.#kept(served, `${version}#3`, () =>
      customDocument({ tables, descriptions, definition: served.definition, version, form: 3 }),
    )
  }

  #kept(served: ServedDefinition, key: string, make: () => CustomDocument): CustomDocument {
    let own = this.#made.get(served)
    if (own === undefined) this.#made.set(served, (own = new Map()))
    let document = own.get(key)
    if (document === undefined) own.set(key, (document = make()))
    return document
  }
}
