// The hash by which discovery names the stored form of a kind, so that clients notice when it changes.

/** base64 of the first 8 bytes of SHA-256 of `group/version/kind`. */
export async function storageVersionHash(kind: {
  readonly group: string
  readonly version: string
  readonly kind: string
}): Promise<string> {
  const text = new TextEncoder().encode(`${kind.group}/${kind.version}/${kind.kind}`)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', text))
  return btoa(String.fromCharCode(...digest.slice(0, 8)))
}
