// Resources as az shows them: `properties` brought up to the top, the resource group named.

export interface ArmResource {
  readonly id: string
  readonly name: string
  readonly location?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly properties: Readonly<Record<string, unknown>>
}

export type FlatResource = Readonly<Record<string, unknown>> & { readonly name: string }

export function flatten(resource: ArmResource): FlatResource {
  const { properties, ...envelope } = resource
  return { ...properties, ...envelope, resourceGroup: resourceGroupOf(resource.id) }
}

export function resourceGroupOf(id: string): string {
  return /\/resourcegroups\/([^/]+)/i.exec(id)?.[1] ?? ''
}

/** `key=value` words as a map; a word without `=` is a key with an empty value, as az reads it. */
export function parsePairs(words: readonly string[] | undefined): Readonly<Record<string, string>> | undefined {
  if (words === undefined) return undefined
  const pairs = words
    .filter((word) => word !== '')
    .map((word): [string, string] => {
      const at = word.indexOf('=')
      return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
    })
  return Object.fromEntries(pairs)
}

/** Entries whose value is not undefined. */
export function present(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
