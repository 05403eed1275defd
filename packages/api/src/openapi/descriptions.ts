// What `kubectl explain` says: a sentence of our own for every type and every field, looked up in the tables in `words/`.

type Words = Readonly<Record<string, string>>
export type WordTable = Readonly<Record<string, Words>>

/** The type of an object, as schemas show it. */
export const typeMetaWords: Readonly<Record<string, { readonly type: string; readonly description: string }>> = {
  apiVersion: {
    type: 'string',
    description:
      'APIVersion defines in which group and version this object is written. A server may convert it to the version it stores, and refuses one that it does not know.',
  },
  kind: {
    type: 'string',
    description: 'Kind names the resource that this object stands for, in upper camel case. It cannot be changed.',
  },
}

/** Where a type's entry names another whose fields it shares: `"like": "meta.Condition"`. No field of the API is called so. */
const LIKE = 'like'

/** What every object and every list of objects has, unless its own entry says more. */
const common: Words = {
  metadata: 'Name, namespace, labels, annotations and what else the server keeps with every object.',
  spec: 'The wanted state, as users and controllers declare it.',
  status: 'The observed state, written by the system; a write of the object itself leaves it as it is.',
}
const metadataOfLists = 'The version of the store that the list shows, and where it goes on if it was cut short.'

export class Descriptions {
  readonly #words: WordTable

  constructor(words: WordTable) {
    this.#words = words
  }

  /** Of a message reference such as `core/v1.Pod`. Undefined where no one has written a sentence. */
  type(reference: string): string | undefined {
    const listed = listedBy(reference)
    return this.#entry(reference)?.[''] ?? (listed === undefined ? undefined : `A list of ${listed} objects.`)
  }

  field(reference: string, field: string): string | undefined {
    if (field === LIKE) return undefined
    const entry = this.#entry(reference)
    const shared = entry?.[LIKE] === undefined ? undefined : this.#words[entry[LIKE]]
    return entry?.[field] ?? shared?.[field] ?? fallback(reference, field)
  }

  /** A version that means something else has an entry of its own: `resource/v1beta1.Device` goes before `resource.Device`. */
  #entry(reference: string): Words | undefined {
    const [, group = '', version = '', type = ''] = /^(.+)\/(\w+)\.(\w+)$/.exec(reference) ?? []
    return this.#words[`${group}/${version}.${type}`] ?? this.#words[`${group}.${type}`]
  }
}

function fallback(reference: string, field: string): string | undefined {
  const listed = listedBy(reference)
  if (listed === undefined) return common[field]
  if (field === 'items') return `The ${listed} objects of the list.`
  return field === 'metadata' ? metadataOfLists : undefined
}

/** `Pod` for `core/v1.PodList`. */
function listedBy(reference: string): string | undefined {
  return /\.(\w+)List$/.exec(reference)?.[1]
}

/** Reads the tables once per process (the module cache keeps them), whatever the number of clusters. */
export async function loadDescriptions(): Promise<Descriptions> {
  const { words } = await import('./words/all.ts')
  return new Descriptions(words)
}
