// Rules on a pod's volumes and on where its containers mount them.

import { duplicate, forbidden, invalid, notFound, required, type FieldError } from '../field-errors.ts'
import type {
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  Volume,
  VolumeMount,
  VolumeProjection,
} from '../types/core-v1.ts'
import { configMapKey, dnsLabel } from './names.ts'
import { validateFieldRef, validateResourceRef } from './pod-env.ts'
import { complain, inRange, oneOf } from './values.ts'

const modes = { min: 0, max: 0o777 }
const volumeFieldPaths = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
]
const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
]

export function validateVolumes(volumes: readonly Volume[], path: string): readonly FieldError[] {
  const names = new Set<string>()
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = []
    if (volume.name === '') errors.push(required(`${at}.name`))
    else errors.push(...complain(`${at}.name`, volume.name, dnsLabel(volume.name)))
    if (names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name))
    names.add(volume.name)
    return [...errors, ...validateSource(volume, at)]
  })
}

function validateSource(volume: Volume, path: string): readonly FieldError[] {
  const { name: _name, ...sources } = volume
  const given = Object.keys(sources).filter((key) => (sources as Record<string, unknown>)[key] !== undefined)
  const errors: FieldError[] = given
    .slice(1)
    .map((key) => forbidden(`${path}.${key}`, 'may not specify more than 1 volume type'))
  if (given.length === 0) errors.push(required(path, 'must specify a volume type'))
  const { secret, configMap, persistentVolumeClaim, hostPath, downwardAPI, projected, nfs, csi } = volume
  if (secret !== undefined) {
    if ((secret.secretName ?? '') === '') errors.push(required(`${path}.secret.secretName`))
    errors.push(
      ...inRangeMode(secret.defaultMode, `${path}.secret.defaultMode`),
      ...validateItems(secret.items ?? [], `${path}.secret.items`),
    )
  }
  if (configMap !== undefined) {
    if ((configMap.name ?? '') === '') errors.push(required(`${path}.configMap.name`))
    errors.push(
      ...inRangeMode(configMap.defaultMode, `${path}.configMap.defaultMode`),
      ...validateItems(configMap.items ?? [], `${path}.configMap.items`),
    )
  }
  if (persistentVolumeClaim?.claimName === '') errors.push(required(`${path}.persistentVolumeClaim.claimName`))
  if (hostPath !== undefined) {
    if (hostPath.path === '') errors.push(required(`${path}.hostPath.path`))
    else errors.push(...noBacksteps(hostPath.path, `${path}.hostPath.path`))
    errors.push(...oneOf(hostPath.type, hostPathTypes, `${path}.hostPath.type`))
  }
  if (downwardAPI !== undefined) {
    errors.push(
      ...inRangeMode(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`),
      ...validateDownward(downwardAPI.items ?? [], `${path}.downwardAPI`),
    )
  }
  if (projected !== undefined) {
    errors.push(
      ...inRangeMode(projected.defaultMode, `${path}.projected.defaultMode`),
      ...validateProjections(projected.sources ?? [], `${path}.projected`),
    )
  }
  if (nfs !== undefined) {
    if (nfs.server === '') errors.push(required(`${path}.nfs.server`))
    if (nfs.path === '') errors.push(required(`${path}.nfs.path`))
    else if (!nfs.path.startsWith('/')) errors.push(invalid(`${path}.nfs.path`, nfs.path, 'must be an absolute path'))
  }
  if (csi?.driver === '') errors.push(required(`${path}.csi.driver`))
  return errors
}

function inRangeMode(mode: number | undefined, path: string): readonly FieldError[] {
  return inRange(mode, modes, path).map((error) => ({
    ...error,
    message: `Invalid value: ${mode}: must be a number between 0 and 0777 (octal), both inclusive`,
  }))
}

function validateItems(items: readonly KeyToPath[], path: string): readonly FieldError[] {
  return items.flatMap(({ key, path: filePath, mode }, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] =
      key === '' ? [required(`${at}.key`)] : [...complain(`${at}.key`, key, configMapKey(key))]
    if (filePath === '') errors.push(required(`${at}.path`))
    else errors.push(...localPath(filePath, `${at}.path`))
    return [...errors, ...inRangeMode(mode, `${at}.mode`)]
  })
}

function validateDownward(items: readonly DownwardAPIVolumeFile[], path: string): readonly FieldError[] {
  return items.flatMap(({ path: filePath, fieldRef, resourceFieldRef, mode }) => {
    const errors: FieldError[] = filePath === '' ? [required(`${path}.path`)] : [...localPath(filePath, `${path}.path`)]
    if (fieldRef !== undefined && resourceFieldRef !== undefined)
      errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
    else if (fieldRef !== undefined) errors.push(...validateFieldRef(fieldRef, `${path}.fieldRef`, volumeFieldPaths))
    else if (resourceFieldRef !== undefined)
      errors.push(...validateResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, true))
    else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
    return [...errors, ...inRangeMode(mode, `${path}.mode`)]
  })
}

function validateProjections(sources: readonly VolumeProjection[], path: string): readonly FieldError[] {
  const taken = new Set<string>()
  return sources.flatMap((source, index) => {
    const at = `${path}.sources[${index}]`
    const errors: FieldError[] = []
    const given = Object.keys(source).filter((key) => (source as Record<string, unknown>)[key] !== undefined)
    for (const key of given.slice(1)) errors.push(forbidden(`${at}.${key}`, 'may not specify more than 1 volume type'))
    if (given.length === 0) errors.push(required(at, 'must specify a volume projection type'))
    const { secret, configMap, downwardAPI, serviceAccountToken: token } = source
    if (secret !== undefined && (secret.name ?? '') === '') errors.push(required(`${at}.secret.name`))
    if (configMap !== undefined && (configMap.name ?? '') === '') errors.push(required(`${at}.configMap.name`))
    errors.push(
      ...validateItems(secret?.items ?? [], `${at}.secret.items`),
      ...validateItems(configMap?.items ?? [], `${at}.configMap.items`),
    )
    errors.push(...validateDownward(downwardAPI?.items ?? [], `${at}.downwardAPI`))
    if (token !== undefined) errors.push(...validateToken(token, `${at}.serviceAccountToken`))
    const paths = [
      ...(secret?.items ?? []),
      ...(configMap?.items ?? []),
      ...(downwardAPI?.items ?? []),
      ...(token === undefined ? [] : [token]),
    ]
    for (const { path: filePath } of paths) {
      if (taken.has(filePath)) errors.push(invalid(path, filePath, 'conflicting duplicate paths'))
      taken.add(filePath)
    }
    return errors
  })
}

function validateToken(
  token: { readonly path: string; readonly expirationSeconds?: number },
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const seconds = token.expirationSeconds
  if (seconds !== undefined && seconds < 600)
    errors.push(invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'))
  if (seconds !== undefined && seconds > 2 ** 32)
    errors.push(invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'))
  return token.path === ''
    ? [...errors, required(`${path}.path`)]
    : [...errors, ...localPath(token.path, `${path}.path`)]
}

function localPath(text: string, path: string): readonly FieldError[] {
  if (text.startsWith('/')) return [invalid(path, text, 'must be a relative path')]
  return text.startsWith('..') && !noBacksteps(text, path).length
    ? [invalid(path, text, "must not start with '..'")]
    : noBacksteps(text, path)
}

function noBacksteps(text: string, path: string): readonly FieldError[] {
  return text.split('/').includes('..') ? [invalid(path, text, "must not contain '..'")] : []
}

const propagations = ['Bidirectional', 'HostToContainer', 'None']

/** Mounts and block devices of one container. `volumes` are the pod's names. */
export function validateMounts(
  container: Container,
  volumes: ReadonlySet<string>,
  path: string,
): readonly FieldError[] {
  const paths = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}.volumeMounts[${index}]`
    if (mount.name === '') errors.push(required(`${at}.name`))
    else if (!volumes.has(mount.name)) errors.push(notFound(`${at}.name`, mount.name))
    if (mount.mountPath === '') errors.push(required(`${at}.mountPath`))
    else if (paths.has(mount.mountPath)) errors.push(invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'))
    paths.add(mount.mountPath)
    errors.push(...validateMount(mount, container, at))
  }
  for (const [index, device] of (container.volumeDevices ?? []).entries()) {
    const at = `${path}.volumeDevices[${index}]`
    if (device.name === '') errors.push(required(`${at}.name`))
    else if (!volumes.has(device.name)) errors.push(notFound(`${at}.name`, device.name))
    if (device.devicePath === '') errors.push(required(`${at}.devicePath`))
    else if (paths.has(device.devicePath))
      errors.push(invalid(`${at}.devicePath`, device.devicePath, 'must not already exist as a path in volumeMounts'))
    else errors.push(...noBacksteps(device.devicePath, `${at}.devicePath`))
  }
  return errors
}

function validateMount(mount: VolumeMount, container: Container, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { subPath = '', subPathExpr = '', mountPropagation, recursiveReadOnly } = mount
  if (subPath !== '') errors.push(...localPath(subPath, `${path}.subPath`))
  if (subPathExpr !== '') {
    if (subPath !== '')
      errors.push(invalid(`${path}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
    errors.push(...localPath(subPathExpr, `${path}.subPathExpr`))
  }
  errors.push(...oneOf(mountPropagation, propagations, `${path}.mountPropagation`))
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    errors.push(
      forbidden(
        `${path}.mountPropagation`,
        'Bidirectional mount propagation is available only to privileged containers',
      ),
    )
  }
  if (recursiveReadOnly !== undefined && recursiveReadOnly !== 'Disabled' && mount.readOnly !== true) {
    errors.push(forbidden(`${path}.recursiveReadOnly`, 'may only be specified when readOnly is true'))
  }
  return errors
}
