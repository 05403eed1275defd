// Pods that read files of a volume with the test suite's `mounttest`, and what their output must say.

import assert from 'node:assert/strict'
import type { V1PodSecurityContext, V1PodSpec, V1SecretVolumeSource, V1Volume } from '@kubernetes/client-node'
import { agnhost } from '../cluster.ts'
import { fresh, type Pods } from '../pods.ts'

/** A file's path within the volume, and its mode where the test chooses one. */
export interface Item {
  readonly key: string
  readonly path: string
  readonly mode?: number
}

export interface Choice {
  readonly items?: readonly Item[]
  readonly defaultMode?: number | undefined
  readonly optional?: boolean
}

/** How ConfigMaps and Secrets become volumes: by a volume of their own kind, or within a projected one. */
export type VolumeOf = (name: string, choice?: Choice) => V1Volume

export const configMapVolume: VolumeOf = (name, choice = {}) => ({
  name: 'volume',
  configMap: { name, ...itemsOf(choice) },
})
export const secretVolume: VolumeOf = (name, choice = {}) => ({
  name: 'volume',
  secret: { secretName: name, ...(itemsOf(choice) as Partial<V1SecretVolumeSource>) },
})
export const projectedConfigMap: VolumeOf = (name, choice = {}) =>
  projected({ configMap: { name, ...withoutMode(choice) } }, choice)
export const projectedSecret: VolumeOf = (name, choice = {}) =>
  projected({ secret: { name, ...withoutMode(choice) } }, choice)

function itemsOf({ items, defaultMode, optional }: Choice) {
  return {
    ...(items === undefined ? {} : { items: items.map((item) => ({ ...item })) }),
    ...(defaultMode === undefined ? {} : { defaultMode }),
    ...(optional === undefined ? {} : { optional }),
  }
}

/** In a projected volume the mode is the volume's. */
function withoutMode(choice: Choice) {
  return itemsOf({ ...choice, defaultMode: undefined })
}

function projected(source: object, { defaultMode }: Choice): V1Volume {
  return { name: 'volume', projected: { sources: [source], ...(defaultMode === undefined ? {} : { defaultMode }) } }
}

export interface Reading {
  readonly volumes: readonly V1Volume[]
  /** Flags of mounttest; volumes lie at `/etc/NAME`. */
  readonly flags: readonly string[]
  readonly security?: V1PodSecurityContext
  readonly spec?: Partial<V1PodSpec>
  readonly resources?: NonNullable<V1PodSpec['containers'][number]['resources']>
}

/** Runs mounttest over the volumes to its end; every expected line must stand in its output. */
export async function readVolume(
  pods: Pods,
  reading: Reading,
  ...expected: readonly (string | RegExp)[]
): Promise<void> {
  const output = await pods.output(
    fresh('pod-volumes'),
    {
      image: agnhost,
      args: ['mounttest', ...reading.flags],
      volumeMounts: reading.volumes.map(({ name }) => ({ name, mountPath: `/etc/${name}` })),
      ...(reading.resources === undefined ? {} : { resources: reading.resources }),
    },
    {
      volumes: [...reading.volumes],
      ...(reading.security === undefined ? {} : { securityContext: reading.security }),
      ...reading.spec,
    },
  )
  for (const line of expected) {
    if (typeof line === 'string') assert.ok(output.includes(line), `"${line}" does not stand in:\n${output}`)
    else assert.match(output, line)
  }
}

/** Starts a pod that reads these files again and again, each in a container of its own, named like the file. */
export async function followFiles(
  pods: Pods,
  volumes: readonly V1Volume[],
  files: Readonly<Record<string, string>>,
  metadata: { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> } = {},
): Promise<string> {
  const name = fresh('pod-follows')
  await pods.create(
    name,
    {
      volumes: [...volumes],
      containers: Object.entries(files).map(([container, path]) => ({
        name: container,
        image: agnhost,
        args: ['mounttest', '--retry_time=120', `--file_content_in_loop=${path}`],
        volumeMounts: volumes.map((volume) => ({ name: volume.name, mountPath: `/etc/${volume.name}` })),
      })),
    },
    metadata,
  )
  await pods.running(name)
  return name
}

export const nonRoot: V1PodSecurityContext = { runAsUser: 1000 }
