// A static pod's manifest as the pod that the node runs: named after the node, known by the hash of what it says, with
// what the API server would have filled in. Pure.

import { createHash } from 'node:crypto'
import { setPodDefaults } from '@aksel/api/kinds/pod-defaults'
import type { Pod } from '@aksel/api/types/core-v1'
import { draftOf } from '@aksel/base/draft'
import type { Draft } from '@aksel/base/draft'
import { parse } from 'yaml'
import { configSourceAnnotation } from '../pod/critical.ts'

/** The hash of the manifest, which is also the pod's uid on the node. */
export const configHashAnnotation = 'kubernetes.io/config.hash'
export const configSeenAnnotation = 'kubernetes.io/config.seen'

export interface ManifestFile {
  readonly path: string
  /** YAML or JSON. */
  readonly text: string
  readonly nodeName: string
  readonly seenAt: string
}

/** Throws an error that names the file. */
export function parseManifest({ path, text, nodeName, seenAt }: ManifestFile): Pod {
  const refuse = (why: string): Error => new Error(`Cannot use ${path} as a static pod: ${why}`)
  let value: unknown
  try {
    // Aliases would let a small file become a large one.
    value = parse(text, { maxAliasCount: 0 })
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause })
  }
  if (!isPod(value)) throw refuse('it is no Pod of apiVersion v1 with a name and containers')
  const forbidden = forbiddenReference(value)
  if (forbidden !== undefined) throw refuse(`static pods may not reference ${forbidden}`)
  const pod = draftOf(value)
  const uid =
    value.metadata.uid ??
    createHash('md5').update(`host:${nodeName}file:${path}`).update(JSON.stringify(value)).digest('hex')
  pod.metadata = {
    ...pod.metadata,
    name: `${value.metadata.name}-${nodeName.toLowerCase()}`,
    namespace: value.metadata.namespace ?? 'default',
    uid,
    annotations: {
      ...value.metadata.annotations,
      [configHashAnnotation]: uid,
      [configSeenAnnotation]: seenAt,
      [configSourceAnnotation]: 'file',
    },
  }
  pod.spec.nodeName = nodeName
  pod.spec.tolerations = [...(pod.spec.tolerations ?? []), { operator: 'Exists', effect: 'NoExecute' }]
  setPodDefaults(pod as Draft<Pod>)
  pod.status = { phase: 'Pending' }
  return pod as Pod
}

function isPod(value: unknown): value is Pod {
  if (typeof value !== 'object' || value === null) return false
  const { apiVersion, kind, metadata, spec } = value as Partial<Pod> & { apiVersion?: unknown; kind?: unknown }
  return (
    apiVersion === 'v1' &&
    kind === 'Pod' &&
    typeof metadata?.name === 'string' &&
    metadata.name !== '' &&
    Array.isArray(spec?.containers) &&
    spec.containers.length > 0
  )
}

/** What only the API has: a static pod starts without it. */
function forbiddenReference({ spec }: Pod): string | undefined {
  if ((spec.serviceAccountName ?? spec.serviceAccount ?? '') !== '') return 'a service account'
  for (const volume of spec.volumes ?? []) {
    const { configMap, secret, persistentVolumeClaim, projected, ephemeral } = volume
    if ((configMap ?? secret ?? persistentVolumeClaim ?? projected ?? ephemeral) !== undefined) {
      return `objects of the API by volume "${volume.name}"`
    }
  }
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    const fromKeys = (container.env ?? []).some(
      ({ valueFrom }) => (valueFrom?.configMapKeyRef ?? valueFrom?.secretKeyRef) !== undefined,
    )
    if (fromKeys || (container.envFrom ?? []).length > 0) {
      return `config maps or secrets by the environment of container "${container.name}"`
    }
  }
  return undefined
}
