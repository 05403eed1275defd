// Rules on a pod's volumes: their names, and the sources that are filled from other objects.

import { duplicate, faultsOfEach, forbidden, invalid, required, type FieldError } from '../field-errors.ts'
import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  ServiceAccountTokenProjection,
  Volume,
  VolumeProjection,
} from '../types/core-v1.ts'
import { validateClaimSpec } from './claim-spec.ts'
import { validateAnnotations, validateLabels } from './metadata.ts'
import { dnsLabel, dnsSubdomain } from './names.ts'
import { localNonReservedPath } from './paths.ts'
import { validateFieldRef, validateResourceRef } from './pod-env.ts'
import { complain } from './values.ts'
import { sourceOrder, validatePlainSource } from './volume-sources.ts'

const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]

/** `podName` is absent for templates: the names of claims made for a pod begin with it. */
export function validateVolumes(
  volumes: readonly Volume[],
  path: string,
  podName: string | undefined,
): readonly FieldError[] {
  const names = new Set<string>()
  return faultsOfEach(volumes, (volume, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = [...validateSource(volume, at, podName)]
    if (volume.name === '') errors.push(required(`${at}.name`))
    else errors.push(...complain(`${at}.name`, volume.name, dnsLabel(volume.name)))
    if (names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name))
    names.add(volume.name)
    return errors
  })
}

function validateSource(volume: Volume, path: string, podName: string | undefined): readonly FieldError[] {
  const given = sourceOrder.filter((name) => (volume as unknown as Record<string, unknown>)[name] !== undefined)
  const [first, ...others] = given
  if (first === undefined) return [required(path, 'must specify a volume type')]
  return [
    ...validateFirst(first, volume, `${path}.${first}`, podName),
    ...others.map((name) => forbidden(`${path}.${name}`, 'may not specify more than 1 volume type')),
  ]
}

function validateFirst(name: string, volume: Volume, path: string, podName: string | undefined): readonly FieldError[] {
  const { secret, configMap, downwardAPI, projected } = volume
  switch (name) {
    case 'secret':
      return [
        ...((secret!.secretName ?? '') === '' ? [required(`${path}.secretName`)] : []),
        ...validateMode(secret!.defaultMode, `${path}.defaultMode`),
        ...validateItems(secret!.items ?? [], `${path}.items`),
      ]
    case 'configMap':
      return [
        ...((configMap!.name ?? '') === '' ? [required(`${path}.name`)] : []),
        ...validateMode(configMap!.defaultMode, `${path}.defaultMode`),
        ...validateItems(configMap!.items ?? [], `${path}.items`),
      ]
    case 'downwardAPI':
      return [
        ...validateMode(downwardAPI!.defaultMode, `${path}.defaultMode`),
        ...validateDownward(downwardAPI!.items ?? [], path),
      ]
    case 'projected':
      return [
        ...validateMode(projected!.defaultMode, `${path}.defaultMode`),
        ...validateProjections(projected!.sources ?? [], path),
      ]
    case 'ephemeral':
      return validateEphemeral(volume, path, podName)
    default:
      return validatePlainSource(name, volume, path)
  }
}

/** A claim that is made for the pod alone. */
function validateEphemeral(
  { name, ephemeral }: Volume,
  path: string,
  podName: string | undefined,
): readonly FieldError[] {
  const template = ephemeral?.volumeClaimTemplate
  const at = `${path}.volumeClaimTemplate`
  if (template === undefined) return [required(at)]
  const { metadata = {}, spec } = template
  const errors: FieldError[] = [
    ...validateLabels(metadata.labels, `${at}.metadata.labels`),
    ...validateAnnotations(metadata.annotations, `${at}.metadata.annotations`),
  ]
  for (const field of ['name', 'namespace', 'finalizers', 'ownerReferences'] as const)
    if (metadata[field] !== undefined)
      errors.push(forbidden(`${at}.metadata.${field}`, 'cannot be set for an ephemeral volume'))
  errors.push(...validateClaimSpec(spec, `${at}.spec`))
  if (podName === undefined) return errors
  const claimName = `${podName}-${name}`
  const wrong = dnsSubdomain(claimName).map((one) => `PVC name ${JSON.stringify(claimName)}: ${one}`)
  return [...errors, ...complain(path.replace(/\.ephemeral$/, '.name'), name, wrong)]
}

const modeComplaint = 'must be a number between 0 and 0777 (octal), both inclusive'

function validateMode(mode: number | undefined, path: string): readonly FieldError[] {
  return mode === undefined || (mode >= 0 && mode <= 0o777) ? [] : [invalid(path, mode, modeComplaint)]
}

function validateItems(items: readonly KeyToPath[], path: string): readonly FieldError[] {
  return items.flatMap(({ key, path: filePath, mode }, index) => {
    const at = `${path}[${index}]`
    return [
      ...(key === '' ? [required(`${at}.key`)] : []),
      ...(filePath === '' ? [required(`${at}.path`)] : localNonReservedPath(filePath, `${at}.path`)),
      ...validateMode(mode, `${at}.mode`),
    ]
  })
}

/** Upstream names the source, not the file, in complaints about files of the downward API. */
function validateDownward(items: readonly DownwardAPIVolumeFile[], path: string): readonly FieldError[] {
  return items.flatMap(({ path: filePath, fieldRef, resourceFieldRef, mode }) => {
    const errors: FieldError[] =
      filePath === '' ? [required(`${path}.path`)] : [...localNonReservedPath(filePath, `${path}.path`)]
    if (fieldRef !== undefined) {
      errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, volumeFieldPaths))
      if (resourceFieldRef !== undefined)
        errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    } else if (resourceFieldRef !== undefined)
      errors.push(...validateResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, true))
    else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
    return [...errors, ...validateMode(mode, `${path}.mode`)]
  })
}

function validateProjections(sources: readonly VolumeProjection[], path: string): readonly FieldError[] {
  const taken = new Set<string>()
  const clash = (paths: readonly string[], name: string): readonly FieldError[] =>
    paths.flatMap((filePath) => {
      if (filePath === '') return []
      const errors = taken.has(filePath) ? [invalid(path, name, 'conflicting duplicate paths')] : []
      taken.add(filePath)
      return errors
    })
  return sources.flatMap((source, index) => {
    const at = `${path}.sources[${index}]`
    const { secret, configMap, downwardAPI, serviceAccountToken: token } = source
    const errors: FieldError[] = []
    for (const [field, part] of [
      ['secret', secret],
      ['configMap', configMap],
    ] as const) {
      if (part === undefined) continue
      const items = part.items ?? []
      if ((part.name ?? '') === '') errors.push(required(`${at}.${field}.name`))
      errors.push(...validateItems(items, `${at}.${field}.items`))
      errors.push(
        ...clash(
          items.map((item) => item.path),
          part.name ?? '',
        ),
      )
    }
    if (downwardAPI !== undefined) {
      const items = downwardAPI.items ?? []
      errors.push(...validateDownward(items, `${at}.downwardAPI`))
      errors.push(
        ...clash(
          items.map((item) => item.path),
          '',
        ),
      )
    }
    if (token !== undefined)
      errors.push(...validateToken(token, `${at}.serviceAccountToken`), ...clash([token.path], token.path))
    const given = Object.values(source).filter((one) => one !== undefined).length
    return given > 1 ? [...errors, forbidden(at, 'may not specify more than 1 volume type')] : errors
  })
}

function validateToken(token: ServiceAccountTokenProjection, path: string): readonly FieldError[] {
  const seconds = token.expirationSeconds
  const at = `${path}.expirationSeconds`
  const errors: FieldError[] = []
  if (seconds !== undefined && seconds < 600)
    errors.push(invalid(at, seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds !== undefined && seconds > 2 ** 32)
    errors.push(invalid(at, seconds, 'may not specify a duration larger than 2^32 seconds'))
  return token.path === ''
    ? [...errors, required(`${path}.path`)]
    : [...errors, ...localNonReservedPath(token.path, `${path}.path`)]
}
