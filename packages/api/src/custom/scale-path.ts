// The scale subresource of a custom resource: where its definition says that replicas and selector stand.

import type { Draft } from '@aksel/base/draft'
import { ApiError } from '@aksel/base/errors'
import { stringifyJson } from '@aksel/base/json'
import { invalid, type FieldError } from '../field-errors.ts'
import type { ScaleRules } from '../kind-row.ts'
import type { KubernetesObject } from '../resource.ts'
import type { CustomResourceSubresourceScale } from '../types/apiextensions-v1.ts'
import { isObject, type Json } from './schema-node.ts'

const int32Max = 2_147_483_647

/** `.spec.replicas` → spec, replicas. */
export function stepsOf(path: string): readonly string[] {
  return path.replace(/^\./, '').split('.')
}

export function valueAt(object: unknown, path: string): unknown {
  return stepsOf(path).reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), object)
}

export function customScale({
  specReplicasPath,
  statusReplicasPath,
  labelSelectorPath = '',
}: CustomResourceSubresourceScale): ScaleRules<KubernetesObject> {
  return {
    assertReadable(object) {
      if (typeof valueAt(object, specReplicasPath) !== 'number')
        throw new ApiError(
          'InternalError',
          `Internal error occurred: the spec replicas field ${JSON.stringify(specReplicasPath)} does not exist`,
        )
    },
    toScale(object) {
      const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
      const selector = labelSelectorPath === '' ? undefined : valueAt(object, labelSelectorPath)
      return {
        kind: 'Scale',
        apiVersion: 'autoscaling/v1',
        metadata: {
          name,
          ...(namespace === undefined ? {} : { namespace }),
          ...(uid === undefined ? {} : { uid }),
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
          ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        },
        spec: { replicas: numberAt(object, specReplicasPath) },
        status: {
          replicas: numberAt(object, statusReplicasPath),
          ...(typeof selector === 'string' && selector !== '' ? { selector } : {}),
        },
      }
    },
    applyScale(object, scale) {
      setAt(object, specReplicasPath, scale.spec?.replicas ?? 0)
    },
  }
}

function numberAt(object: unknown, path: string): number {
  const value = valueAt(object, path)
  return typeof value === 'number' ? value : 0
}

function setAt(object: Draft<KubernetesObject>, path: string, value: number): void {
  const steps = [...stepsOf(path)]
  const last = steps.pop()!
  let at = object as unknown as Json
  for (const step of steps) {
    if (!isObject(at[step])) at[step] = {}
    at = at[step] as Json
  }
  at[last] = value
}

export function validateScale(
  object: unknown,
  scale: CustomResourceSubresourceScale,
  part: 'all' | 'status',
): readonly FieldError[] {
  const errors: FieldError[] = []
  if (part === 'all') errors.push(...replicaErrors(object, scale.specReplicasPath))
  errors.push(...replicaErrors(object, scale.statusReplicasPath))
  const { labelSelectorPath = '' } = scale
  const selector = labelSelectorPath === '' ? undefined : valueAt(object, labelSelectorPath)
  if (selector !== undefined && typeof selector !== 'string')
    errors.push(invalid(labelSelectorPath, '', accessorError(labelSelectorPath, selector, 'string')))
  return errors
}

function replicaErrors(object: unknown, path: string): readonly FieldError[] {
  const value = valueAt(object, path)
  if (value === undefined) return []
  if (!Number.isInteger(value)) return [invalid(path, 0, accessorError(path, value, 'int64'))]
  const replicas = value as number
  if (replicas < 0) return [invalid(path, replicas, 'should be a non-negative integer')]
  return replicas > int32Max ? [invalid(path, replicas, `should be less than or equal to ${int32Max}`)] : []
}

function accessorError(path: string, value: unknown, wanted: string): string {
  return `${path} accessor error: ${goText(value)} is of the type ${goType(value)}, expected ${wanted}`
}

function goText(value: unknown): string {
  return value === null ? '<nil>' : typeof value === 'string' ? value : stringifyJson(value)
}

function goType(value: unknown): string {
  if (value === null) return '<nil>'
  if (Array.isArray(value)) return '[]interface {}'
  return { object: 'map[string]interface {}', number: 'float64', boolean: 'bool' }[typeof value as string] ?? 'string'
}
