// Upstream's EncryptionConfiguration (apiserver.config.k8s.io/v1): which kinds are sealed in the store, and with which keys. It
// is no object of the API: whoever runs the server hands it over.

export interface EncryptionConfiguration {
  readonly resources: readonly EncryptedResources[]
}

export interface EncryptedResources {
  /** `secrets`, `deployments.apps`, `*.apps`, `*.` for the core group, `*.*` for all; the first entry that matches holds. */
  readonly resources: readonly string[]
  /** The first one seals; all are tried to open. */
  readonly providers: readonly EncryptionProvider[]
}

export interface EncryptionKey {
  readonly name: string
  /** Base64. */
  readonly secret: string
}

/** Exactly one of them is there. */
export interface EncryptionProvider {
  readonly aesgcm?: { readonly keys: readonly EncryptionKey[] }
  readonly aescbc?: { readonly keys: readonly EncryptionKey[] }
  readonly secretbox?: { readonly keys: readonly EncryptionKey[] }
  readonly identity?: Readonly<Record<string, never>>
}
