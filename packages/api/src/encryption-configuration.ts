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

/** A key management service: a plug-in that listens on a Unix socket and speaks upstream's KMS v2. */
export interface KmsConfiguration {
  /** `v2`: what upstream still has behind a gate as v1 is refused. */
  readonly apiVersion: 'v2'
  /** Stands in what it sealed: never to be changed. Without colons. */
  readonly name: string
  /** `unix:///run/kms.sock` */
  readonly endpoint: string
  /** Of a call, as Go writes durations; 3 s when absent. */
  readonly timeout?: string
}

/** Exactly one of them is there. */
export interface EncryptionProvider {
  readonly aesgcm?: { readonly keys: readonly EncryptionKey[] }
  readonly aescbc?: { readonly keys: readonly EncryptionKey[] }
  readonly secretbox?: { readonly keys: readonly EncryptionKey[] }
  readonly kms?: KmsConfiguration
  readonly identity?: Readonly<Record<string, never>>
}
