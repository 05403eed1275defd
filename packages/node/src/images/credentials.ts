// Finds, among a pod's pull secrets, the credentials for the registry of an image.

import type { Secret } from '@aksel/api/types/core-v1'
import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { ImageAuth } from '../cri/types.ts'

interface DockerAuth {
  readonly auth?: string
  readonly username?: string
  readonly password?: string
  readonly identitytoken?: string
}

/** The entry that names most of the image's path; undefined where none fits. Secrets that cannot be read count as absent. */
export function authFor(image: string, secrets: readonly Secret[]): ImageAuth | undefined {
  const target = fullName(image)
  const fitting = secrets
    .flatMap(entriesOf)
    .map(([registry, auth]) => ({ place: placeOf(registry), auth }))
    .filter(({ place }) => target === place || target.startsWith(`${place}/`) || target.split('/')[0] === place)
    .toSorted((left, right) => right.place.length - left.place.length)
  const found = fitting[0]?.auth
  if (found === undefined) return undefined
  const pair = found.auth === undefined ? undefined : Buffer.from(found.auth, 'base64').toString()
  const colon = pair?.indexOf(':') ?? -1
  return {
    username: found.username ?? (pair === undefined ? '' : pair.slice(0, colon)),
    password: found.password ?? (pair === undefined ? '' : pair.slice(colon + 1)),
    ...(found.identitytoken === undefined ? {} : { identityToken: found.identitytoken }),
  }
}

function entriesOf(secret: Secret): readonly (readonly [string, DockerAuth])[] {
  const config = secret.data?.['.dockerconfigjson']
  const legacy = secret.data?.['.dockercfg']
  try {
    if (config !== undefined) {
      const parsed = JSON.parse(Buffer.from(config, 'base64').toString()) as { auths?: Record<string, DockerAuth> }
      return Object.entries(parsed.auths ?? {})
    }
    if (legacy !== undefined)
      return Object.entries(JSON.parse(Buffer.from(legacy, 'base64').toString()) as Record<string, DockerAuth>)
  } catch {
    return []
  }
  return []
}

/** `https://index.docker.io/v1/` is `docker.io`. */
function placeOf(registry: string): string {
  const bare = withoutTrailingSlashes(registry.replace(/^https?:\/\//, '')).replace(/\/v[12]$/, '')
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare
}

/** With its registry: `busybox` is `docker.io/library/busybox`. */
export function fullName(image: string): string {
  const [first = '', ...rest] = image.split('/')
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  if (hasRegistry) return image
  return rest.length === 0 ? `docker.io/library/${image}` : `docker.io/${image}`
}
