// Rules on environment variables and on what they may be taken from.

import { faultsOfEach, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  FileKeySelector,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from '../types/core-v1.ts'
import { configMapKey, dnsLabel, dnsSubdomain, envVarName, qualifiedName } from './names.ts'
import { localPath } from './paths.ts'
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
  return faultsOfEach(env, (variable, index) => {
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
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source
  const errors: FieldError[] = []
  if (fieldRef !== undefined) errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, envFieldPaths))
  if (resourceFieldRef !== undefined)
    errors.push(...validateResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, false))
  if (configMapKeyRef !== undefined) errors.push(...validateKeyRef(configMapKeyRef, `${path}.configMapKeyRef`))
  if (secretKeyRef !== undefined) errors.push(...validateKeyRef(secretKeyRef, `${path}.secretKeyRef`))
  if (fileKeyRef !== undefined) errors.push(...validateFileKey(fileKeyRef, `${path}.fileKeyRef`))
  const given = Object.values(source).filter((one) => one !== undefined).length
  const words = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'
  if (given === 0) errors.push(invalid(path, '', words))
  else if ((variable.value ?? '') !== '')
    errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (given > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
  return errors
}

function validateKeyRef(
  { name = '', key }: { readonly name?: string; readonly key: string },
  path: string,
): readonly FieldError[] {
  const errors: readonly FieldError[] = complain(`${path}.name`, name, dnsSubdomain(name))
  return key === ''
    ? [...errors, required(`${path}.key`)]
    : [...errors, ...complain(`${path}.key`, key, configMapKey(key))]
}

/** A variable that stands in a file of a volume. */
function validateFileKey({ key, volumeName, path: filePath }: FileKeySelector, path: string): readonly FieldError[] {
  return [
    ...(key === '' ? [required(`${path}.key`)] : complain(`${path}.key`, key, envVarName(key))),
    ...(volumeName === ''
      ? [required(`${path}.volumeName`)]
      : complain(`${path}.volumeName`, volumeName, dnsLabel(volumeName))),
    ...(filePath === '' ? [required(`${path}.path`)] : localPath(filePath, `${path}.path`)),
  ]
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
  const base = /^(.*)\['.*'\]$/.exec(fieldPath)?.[1]
  if (base !== undefined && /^(metadata|spec|status)\./.test(base))
    return [invalid(path, base, 'does not support subscript')]
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
  const errors: FieldError[] = []
  const isKnown = resourcePaths.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)
  if (needsContainer && containerName === '') errors.push(required(`${path}.containerName`))
  else if (resource === '') errors.push(required(`${path}.resource`))
  else if (!isKnown) errors.push(notSupported(`${path}.resource`, resource, resourcePaths))
  const name = divisorNames.find(([part]) => resource.includes(`.${part}`))
  const text = String(divisor ?? '0')
  if (name === undefined || text === '0') return errors
  const isCpu = name[0] === 'cpu'
  const allowed = isCpu ? ['1m', '1'] : sizes
  if (allowed.includes(text)) return errors
  const words = isCpu
    ? "only divisor's values 1m and 1 are supported with the cpu resource"
    : `only divisor's values ${sizes.join(', ')} are supported with the ${name[1]} resource`
  return [...errors, invalid(`${path}.divisor`, resource, words)]
}

const sizes = ['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']
const divisorNames = [
  ['cpu', 'cpu'],
  ['memory', 'memory'],
  ['ephemeral-storage', 'local ephemeral storage'],
  ['hugepages-', 'hugepages'],
] as const

/** Upstream names the list, not its entry, where an entry has no source or several. */
export function validateEnvFrom(sources: readonly EnvFromSource[], path: string): readonly FieldError[] {
  return sources.flatMap(({ prefix = '', configMapRef, secretRef }, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = prefix === '' ? [] : [...complain(`${at}.prefix`, prefix, envVarName(prefix))]
    for (const [field, ref] of [
      ['configMapRef', configMapRef],
      ['secretRef', secretRef],
    ] as const) {
      if (ref === undefined) continue
      const name = ref.name ?? ''
      if (name === '') errors.push(required(`${at}.${field}.name`))
      else errors.push(...complain(`${at}.${field}.name`, name, dnsSubdomain(name)))
    }
    if (configMapRef !== undefined && secretRef !== undefined)
      errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
    if (configMapRef === undefined && secretRef === undefined)
      errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    return errors
  })
}
