// Rules on where a container mounts volumes, and on the block devices it is given.

import { forbidden, invalid, notFound, required, type FieldError } from '../field-errors.ts'
import type { Container, EphemeralContainer, Volume, VolumeMount } from '../types/core-v1.ts'
import { localPath, noBacksteps } from './paths.ts'
import { oneOf } from './values.ts'

const propagations = ['Bidirectional', 'HostToContainer', 'None']

/** Mounts and block devices of one container. `volumes` are the pod's. */
export function validateMounts(
  container: Container | EphemeralContainer,
  volumes: readonly Volume[],
  path: string,
): readonly FieldError[] {
  return [
    ...validateMountList(container, volumes, `${path}.volumeMounts`),
    ...validateDevices(container, volumes, path),
  ]
}

function validateMountList(
  container: Container | EphemeralContainer,
  volumes: readonly Volume[],
  path: string,
): readonly FieldError[] {
  const devices = container.volumeDevices ?? []
  const taken = new Set<string>()
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`
    const { name, mountPath } = mount
    const errors: FieldError[] = name === '' ? [required(`${at}.name`)] : []
    if (!volumes.some((volume) => volume.name === name)) errors.push(notFound(`${at}.name`, name))
    if (mountPath === '') errors.push(required(`${at}.mountPath`))
    if (taken.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, 'must be unique'))
    taken.add(mountPath)
    if (devices.some((device) => device.name === name))
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeDevices'))
    if (devices.some((device) => device.devicePath === mountPath))
      errors.push(invalid(`${at}.mountPath`, mountPath, 'must not already exist as a path in volumeDevices'))
    return [...errors, ...validateMount(mount, container, path, at)]
  })
}

/** Upstream names the list, not the mount, in complaints about sub-paths and modes of mounting. */
function validateMount(
  mount: VolumeMount,
  container: Container | EphemeralContainer,
  list: string,
  at: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const { subPath = '', subPathExpr = '', mountPropagation, recursiveReadOnly } = mount
  if (subPath !== '') errors.push(...localPath(subPath, `${list}.subPath`))
  if (subPathExpr !== '') {
    if (subPath !== '')
      errors.push(invalid(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
    errors.push(...localPath(subPathExpr, `${list}.subPathExpr`))
  }
  errors.push(...oneOf(mountPropagation, propagations, `${list}.mountPropagation`))
  if (mountPropagation === 'Bidirectional' && container.securityContext?.privileged !== true) {
    const words = 'Bidirectional mount propagation is available only to privileged containers'
    errors.push(forbidden(`${list}.mountPropagation`, words))
  }
  return [...errors, ...validateRecursive(recursiveReadOnly, mount, `${list}.recursiveReadOnly`)]
}

function validateRecursive(mode: string | undefined, mount: VolumeMount, path: string): readonly FieldError[] {
  if (mode === undefined || mode === 'Disabled') return []
  if (mode !== 'Enabled' && mode !== 'IfPossible') return oneOf(mode, ['Disabled', 'Enabled', 'IfPossible'], path)
  const errors: FieldError[] =
    mount.readOnly === true ? [] : [forbidden(path, 'may only be specified when readOnly is true')]
  if (mount.mountPropagation !== undefined && mount.mountPropagation !== 'None')
    errors.push(forbidden(path, 'may only be specified when mountPropagation is None or not specified'))
  return errors
}

function validateDevices(
  container: Container | EphemeralContainer,
  volumes: readonly Volume[],
  path: string,
): readonly FieldError[] {
  const mounts = container.volumeMounts ?? []
  const [names, paths] = [new Set<string>(), new Set<string>()]
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }, index) => {
    const at = `${path}.volumeDevices[${index}]`
    const volume = volumes.find((one) => one.name === name)
    const errors: FieldError[] = name === '' ? [required(`${at}.name`)] : []
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, 'must be unique'))
    const isBlock = volume?.persistentVolumeClaim !== undefined || volume?.ephemeral !== undefined
    if (volume === undefined) errors.push(notFound(`${at}.name`, name))
    else if (!isBlock) {
      const words = 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'
      errors.push(invalid(`${at}.name`, name, words))
    }
    if (devicePath === '') errors.push(required(`${at}.devicePath`))
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, 'must be unique'))
    if (noBacksteps(devicePath, '').length > 0)
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"))
    else paths.add(devicePath)
    if (mounts.some((mount) => mount.name === name))
      errors.push(invalid(`${at}.name`, name, 'must not already exist in volumeMounts'))
    if (mounts.some((mount) => mount.mountPath === devicePath))
      errors.push(invalid(`${at}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts'))
    if (name !== '') names.add(name)
    return errors
  })
}
