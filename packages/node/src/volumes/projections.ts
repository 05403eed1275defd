// The files that ConfigMaps, Secrets and the pod's own fields give: pure, used by their own volumes and by projected ones.

import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from '@aksel/api/types/core-v1'
import { fieldValue, resourceValue } from '../pod/downward.ts'
import type { Allocatable, PodAddresses } from '../pod/downward.ts'
import type { ProjectedFile } from './atomic-files.ts'

export const defaultMode = 0o644

export interface KeysSource {
  readonly items?: readonly KeyToPath[]
  readonly optional?: boolean
}

/** Throws in upstream's words where the object or a key that is named is missing and not optional. */
export function configMapFiles(
  name: string,
  found: ConfigMap | undefined,
  source: KeysSource,
  mode: number,
): ReadonlyMap<string, ProjectedFile> {
  if (found === undefined && source.optional !== true) throw new Error(`configmap "${name}" not found`)
  const text = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const)
  const binary = Object.entries(found?.binaryData ?? {}).map(
    ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
  )
  return selected(new Map([...text, ...binary]), source, mode)
}

export function secretFiles(
  name: string,
  found: Secret | undefined,
  source: KeysSource,
  mode: number,
): ReadonlyMap<string, ProjectedFile> {
  if (found === undefined && source.optional !== true) throw new Error(`secret "${name}" not found`)
  const data = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const)
  return selected(new Map(data), source, mode)
}

export function downwardFiles(
  pod: Pod,
  items: readonly DownwardAPIVolumeFile[],
  facts: { readonly addresses: PodAddresses; readonly allocatable: Allocatable },
  mode: number,
): ReadonlyMap<string, ProjectedFile> {
  return new Map(
    items.map(({ path, fieldRef, resourceFieldRef, mode: own }) => {
      const value =
        fieldRef === undefined
          ? resourceValue(pod, undefined, resourceFieldRef!, facts.allocatable)
          : fieldValue(pod, fieldRef, facts.addresses)
      return [path, { data: Buffer.from(value), mode: own ?? mode }]
    }),
  )
}

function selected(
  data: ReadonlyMap<string, Uint8Array>,
  { items, optional }: KeysSource,
  mode: number,
): ReadonlyMap<string, ProjectedFile> {
  if (items === undefined || items.length === 0)
    return new Map([...data].map(([key, value]) => [key, { data: value, mode }]))
  return new Map(
    items.flatMap(({ key, path, mode: own }) => {
      const value = data.get(key)
      if (value !== undefined) return [[path, { data: value, mode: own ?? mode }] as const]
      if (optional === true) return []
      throw new Error(`references non-existent config key: ${key}`)
    }),
  )
}
