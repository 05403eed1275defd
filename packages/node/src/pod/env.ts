// A container's environment: services first, then envFrom, then env, each able to refer to what came before.

import type { ConfigMap, Container, EnvVar, EnvVarSource, Pod, Secret, Service } from '@aksel/api/types/core-v1'
import { fieldValue, resourceValue } from './downward.ts'
import type { Allocatable, PodAddresses } from './downward.ts'
import { fileValue } from './env-files.ts'
import type { EnvFiles } from './env-files.ts'
import { expand } from './expand.ts'
import { serviceEnv } from './service-env.ts'

/** What the agent has at hand; undefined where the object does not exist. */
export interface EnvSources {
  readonly services: readonly Service[]
  readonly configMap: (name: string) => ConfigMap | undefined
  readonly secret: (name: string) => Secret | undefined
  readonly addresses: PodAddresses
  readonly allocatable: Allocatable
  /** Those that the container's variables refer to. */
  readonly files: EnvFiles
}

/** A specification that cannot become a container until something else changes; the message goes to the status. */
export class ContainerConfigError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ContainerConfigError'
  }
}

/** Names and values in order. Throws a ContainerConfigError for a missing object or key. */
export function environmentOf(pod: Pod, container: Container, sources: EnvSources): ReadonlyMap<string, string> {
  const services = serviceEnv(sources.services, {
    namespace: pod.metadata.namespace ?? 'default',
    enableServiceLinks: pod.spec.enableServiceLinks !== false,
  })
  const result = new Map<string, string>()
  for (const [name, value] of fromObjects(container, sources)) result.set(name, value)
  // Services may be referred to, but give way to the container's own variables.
  const known = new Map([...services, ...result])
  for (const variable of container.env ?? []) {
    const value = valueOf(pod, container, variable, sources, known)
    if (value === undefined) continue
    known.set(variable.name, value)
    result.set(variable.name, value)
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value)
  return result
}

function* fromObjects(container: Container, sources: EnvSources): Generator<readonly [string, string]> {
  for (const { prefix = '', configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined) {
      const found = sources.configMap(configMapRef.name ?? '')
      if (found === undefined && configMapRef.optional !== true) throw missing('configmap', configMapRef.name)
      for (const [key, value] of Object.entries(found?.data ?? {})) yield [prefix + key, value]
    }
    if (secretRef !== undefined) {
      const found = sources.secret(secretRef.name ?? '')
      if (found === undefined && secretRef.optional !== true) throw missing('secret', secretRef.name)
      for (const [key, value] of Object.entries(found?.data ?? {})) yield [prefix + key, decode(value)]
    }
  }
}

function valueOf(
  pod: Pod,
  container: Container,
  { value, valueFrom }: EnvVar,
  sources: EnvSources,
  known: ReadonlyMap<string, string>,
): string | undefined {
  if (valueFrom === undefined) return expand(value ?? '', known)
  const { fieldRef, resourceFieldRef } = valueFrom
  if (fieldRef !== undefined) return fieldValue(pod, fieldRef, sources.addresses)
  if (resourceFieldRef !== undefined) return resourceValue(pod, container, resourceFieldRef, sources.allocatable)
  return keyValue(pod, valueFrom, sources)
}

function keyValue(
  pod: Pod,
  { configMapKeyRef, secretKeyRef, fileKeyRef }: EnvVarSource,
  sources: EnvSources,
): string | undefined {
  const namespace = pod.metadata.namespace ?? 'default'
  if (configMapKeyRef !== undefined) {
    const { name, key, optional } = configMapKeyRef
    const found = sources.configMap(name ?? '')
    if (found === undefined && optional !== true) throw missing('configmap', name)
    const value = found?.data?.[key]
    if (value === undefined && optional !== true) {
      throw new ContainerConfigError(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`)
    }
    return value
  }
  if (secretKeyRef !== undefined) {
    const { name, key, optional } = secretKeyRef
    const found = sources.secret(name ?? '')
    if (found === undefined && optional !== true) throw missing('secret', name)
    const value = found?.data?.[key]
    if (value === undefined && optional !== true) {
      throw new ContainerConfigError(`couldn't find key ${key} in Secret ${namespace}/${name}`)
    }
    return value === undefined ? undefined : decode(value)
  }
  if (fileKeyRef !== undefined) {
    try {
      return fileValue(sources.files, fileKeyRef)
    } catch (cause) {
      throw new ContainerConfigError((cause as Error).message)
    }
  }
  throw new ContainerConfigError('invalid environment variable: valueFrom names no source that this node knows')
}

function missing(kind: 'configmap' | 'secret', name: string | undefined): ContainerConfigError {
  return new ContainerConfigError(`${kind} "${name ?? ''}" not found`)
}

function decode(base64: string): string {
  return Buffer.from(base64, 'base64').toString()
}
