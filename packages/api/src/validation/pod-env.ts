// Rules on environment variables and on what they may be taken from.

import { invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../types/core-v1.ts'
import { configMapKey, dnsSubdomain, envVarName, qualifiedName } from './names.ts'
import { complain } from './values.ts'

const envFieldPaths = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
const resourcePaths = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]

export function validateEnv(env: readonly EnvVar[], path: string): readonly FieldError[] {
  return env.flatMap((variable, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] =
      variable.name === ''
        ? [required(`${at}.name`)]
        : [...complain(`${at}.name`, variable.name, envVarName(variable.name))]
    return variable.valueFrom === undefined
      ? errors
      : [...errors, ...validateSource(variable, variable.valueFrom, `${at}.valueFrom`)]
  })
}

function validateSource(variable: EnvVar, source: EnvVarSource, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const given = Object.values(source).filter((one) => one !== undefined).length
  if (given === 0)
    errors.push(
      invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'),
    )
  else if ((variable.value ?? '') !== '')
    errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (given > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
  if (source.fieldRef !== undefined)
    errors.push(...validateFieldRef(source.fieldRef, `${path}.fieldRef`, envFieldPaths))
  if (source.resourceFieldRef !== undefined)
    errors.push(...validateResourceRef(source.resourceFieldRef, `${path}.resourceFieldRef`, false))
  if (source.configMapKeyRef !== undefined)
    errors.push(...validateKeyRef(source.configMapKeyRef, `${path}.configMapKeyRef`))
  if (source.secretKeyRef !== undefined) errors.push(...validateKeyRef(source.secretKeyRef, `${path}.secretKeyRef`))
  return errors
}

function validateKeyRef(
  { name = '', key }: { readonly name?: string; readonly key: string },
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = name === '' ? [required(`${path}.name`)] : []
  return key === ''
    ? [...errors, required(`${path}.key`)]
    : [...errors, ...complain(`${path}.key`, key, configMapKey(key))]
}

/** `paths` are the plain paths that are allowed; one label or annotation is always. */
export function validateFieldRef(
  { apiVersion = '', fieldPath }: ObjectFieldSelector,
  path: string,
  paths: readonly string[],
): readonly FieldError[] {
  if (apiVersion === '') return [required(`${path}.apiVersion`)]
  if (fieldPath === '') return [required(`${path}.fieldPath`)]
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath)
  if (subscript !== null) {
    const key = subscript[1] === 'metadata.annotations' ? subscript[2]!.toLowerCase() : subscript[2]!
    return complain(path, subscript[2], qualifiedName(key))
  }
  if (/\['.*'\]$/.test(fieldPath)) return [invalid(`${path}.fieldPath`, fieldPath, 'does not support subscript')]
  if (apiVersion !== 'v1' || !/^(metadata|spec|status)\./.test(fieldPath)) {
    return [
      invalid(`${path}.fieldPath`, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`),
    ]
  }
  return paths.includes(fieldPath) ? [] : [notSupported(`${path}.fieldPath`, fieldPath, paths.toSorted())]
}

/** `needsContainer`: in a volume, where no container is meant by itself. */
export function validateResourceRef(
  { containerName = '', resource, divisor }: ResourceFieldSelector,
  path: string,
  needsContainer: boolean,
): readonly FieldError[] {
  const errors: FieldError[] = needsContainer && containerName === '' ? [required(`${path}.containerName`)] : []
  if (resource === '') return [...errors, required(`${path}.resource`)]
  const isHuge = /^(limits|requests)\.hugepages-/.test(resource)
  if (!resourcePaths.includes(resource) && !isHuge)
    return [...errors, notSupported(`${path}.resource`, resource, resourcePaths)]
  const allowed = resource.endsWith('.cpu')
    ? ['1m', '1']
    : ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
  const text = String(divisor ?? '0')
  if (text === '0' || allowed.includes(text)) return errors
  const words = resource.endsWith('.cpu')
    ? "only divisor's values 1m and 1 are supported with the cpu resource"
    : "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource"
  return [...errors, invalid(`${path}.divisor`, resource, words)]
}

export function validateEnvFrom(sources: readonly EnvFromSource[], path: string): readonly FieldError[] {
  return sources.flatMap(({ prefix = '', configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = prefix === '' ? [] : [...complain(`${at}.prefix`, prefix, envVarName(prefix))]
    if (configMapRef !== undefined && secretRef !== undefined)
      errors.push(invalid(at, '', 'may not have more than one field specified at a time'))
    if (configMapRef === undefined && secretRef === undefined)
      errors.push(invalid(at, '', 'must specify one of: `configMapRef` or `secretRef`'))
    for (const [field, ref] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (ref === undefined) continue
      const name = ref.name ?? ''
      if (name === '') errors.push(required(`${at}.${field}.name`))
      else errors.push(...complain(`${at}.${field}.name`, name, dnsSubdomain(name)))
    }
    return errors
  })
}
