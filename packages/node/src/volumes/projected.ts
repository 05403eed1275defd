// Several sources in one folder; every pod's service account token comes this way.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  Pod,
  PodCertificateProjection,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { writeAtomically } from './atomic-files.ts'
import type { ProjectedFile } from './atomic-files.ts'
import { configMapFiles, defaultMode, downwardFiles, secretFiles } from './projections.ts'
import { parseCredential } from './pod-certificate.ts'
import type { Credential } from './pod-certificate.ts'
import { trustAnchors } from './trust-bundle.ts'
import { requestPodToken } from './service-account-token.ts'
import type { MountVolume, VolumeHost, VolumeRequest } from './volume.ts'

export const mountProjected: MountVolume = async (scope, host, request) => {
  const { pod, volume, memoryDirectory } = request
  const { sources, defaultMode: mode = defaultMode } = volume.projected!
  const files = new Map<string, ProjectedFile>()
  let refreshAtMs: number | undefined
  for (const [index, source] of (sources ?? []).entries()) {
    if (source.podCertificate !== undefined) {
      const given = await certificateFiles(scope, host, request, { projection: source.podCertificate, index, mode })
      for (const [path, file] of given.files) files.set(path, file)
      refreshAtMs = Math.min(refreshAtMs ?? Infinity, given.refreshAtMs)
      continue
    }
    if (source.serviceAccountToken === undefined) {
      for (const [path, file] of plainFiles(host, request, source, mode)) files.set(path, file)
      continue
    }
    const token = await currentToken(scope, host, request, source.serviceAccountToken)
    files.set(source.serviceAccountToken.path, { data: Buffer.from(token.token), ...tokenRights(pod, mode) })
    refreshAtMs = Math.min(refreshAtMs ?? Infinity, token.refreshAtMs)
  }
  await writeAtomically(scope, memoryDirectory, files, pod.spec.securityContext?.fsGroup)
  const refresh = refreshAtMs === undefined ? {} : { refreshAtMs }
  return { hostPath: memoryDirectory, ownedByGroup: false, readOnly: true, ...refresh }
}

function plainFiles(
  host: VolumeHost,
  { pod, objects, addresses }: VolumeRequest,
  source: VolumeProjection,
  mode: number,
): ReadonlyMap<string, ProjectedFile> {
  const { configMap, secret, downwardAPI, clusterTrustBundle } = source
  if (configMap !== undefined) {
    return configMapFiles(configMap.name ?? '', objects.configMap(configMap.name ?? ''), configMap, mode)
  }
  if (secret !== undefined) return secretFiles(secret.name ?? '', objects.secret(secret.name ?? ''), secret, mode)
  if (downwardAPI !== undefined) {
    const facts = { addresses: addresses(), allocatable: host.allocatable }
    return downwardFiles(pod, downwardAPI.items ?? [], facts, mode)
  }
  if (clusterTrustBundle !== undefined) {
    const data = Buffer.from(trustAnchors(objects.trustBundles(), clusterTrustBundle))
    return new Map([[clusterTrustBundle.path, { data, ...tokenRights(pod, mode) }]])
  }
  throw new Error(`this node does not know the projected source "${Object.keys(source).join(', ')}"`)
}

/** Key and certificates, in one file or two. */
async function certificateFiles(
  scope: Scope,
  host: VolumeHost,
  { pod, volume, memoryDirectory, objects }: VolumeRequest,
  about: { readonly projection: PodCertificateProjection; readonly index: number; readonly mode: number },
): Promise<{ readonly files: ReadonlyMap<string, ProjectedFile>; readonly refreshAtMs: number }> {
  const { projection, index, mode } = about
  const paths = [projection.credentialBundlePath, projection.keyPath, projection.certificateChainPath]
  const written = async (): Promise<Credential | undefined> => {
    const named = paths.filter((path) => path !== undefined && path !== '')
    const texts = await Promise.all(named.map((path) => readFile(join(memoryDirectory, path!), 'utf8').catch(() => '')))
    return parseCredential(texts)
  }
  const { keyPem, chainPem, refreshAtMs } = await objects.certificates.credential(scope, host.certificates, {
    pod,
    projection,
    key: `${volume.name}/${index}`,
    requests: objects.certificateRequests(),
    written,
  })
  const contents = [keyPem + chainPem, keyPem, chainPem]
  const files = paths.flatMap((path, which) =>
    path === undefined || path === ''
      ? []
      : [[path, { data: Buffer.from(contents[which]!), ...tokenRights(pod, mode) }] as const],
  )
  return { files: new Map(files), refreshAtMs }
}

/** The token in the folder as long as it has a while to live, else a new one. Survives the agent. */
async function currentToken(
  scope: Scope,
  host: VolumeHost,
  { pod, memoryDirectory }: VolumeRequest,
  projection: ServiceAccountTokenProjection,
): Promise<{ readonly token: string; readonly refreshAtMs: number }> {
  const text = await readFile(join(memoryDirectory, projection.path), 'utf8').catch(() => undefined)
  const life = text === undefined ? undefined : lifeOf(text)
  if (text !== undefined && life !== undefined) {
    const refreshAtMs = life.issuedMs + Math.min((life.expiresMs - life.issuedMs) * 0.8, 24 * 60 * 60_000)
    if (scope.clock.now() < refreshAtMs) return { token: text, refreshAtMs }
  }
  return requestPodToken(scope, host.client, pod, projection)
}

/** From the claims; undefined where it is no token that we know. */
function lifeOf(token: string): { readonly issuedMs: number; readonly expiresMs: number } | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      readonly iat?: unknown
      readonly exp?: unknown
    }
    if (typeof claims.iat !== 'number' || typeof claims.exp !== 'number') return undefined
    return { issuedMs: claims.iat * 1000, expiresMs: claims.exp * 1000 }
  } catch {
    return undefined
  }
}

/** Where all containers run as one user the token is that user's alone; else anyone's in the pod, as upstream. */
function tokenRights(pod: Pod, mode: number): { readonly mode: number; readonly uid?: number } {
  const ofPod = pod.spec.securityContext
  if (ofPod?.fsGroup !== undefined) return { mode: 0o600 }
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const users = new Set(containers.map((container) => container.securityContext?.runAsUser ?? ofPod?.runAsUser))
  const [user] = users
  return users.size === 1 && user !== undefined ? { mode: 0o600, uid: user } : { mode }
}
