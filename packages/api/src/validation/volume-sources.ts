// The rules on each in-tree source of a volume, for pods and for persistent volumes alike.

import { parseQuantity } from '@aksel/base/quantity'
import { forbidden, invalid, notSupported, required, type FieldError } from '../field-errors.ts'
import type { HostPathVolumeSource, ISCSIVolumeSource, Volume } from '../types/core-v1.ts'
import { validateDriverName } from './device-names.ts'
import { localPath, noBacksteps } from './paths.ts'
import { oneOf, requiredWithin } from './values.ts'

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

/** Sources in the order that upstream looks at them: only the first that is given is judged. */
export const sourceOrder = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'configMap',
  'azureFile',
  'flexVolume',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'local',
  'ephemeral',
  'image',
] as const

/** What a source of this name must have besides: fields that may not be empty. */
const needed: Readonly<Record<string, readonly string[]>> = {
  gitRepo: ['repository'],
  gcePersistentDisk: ['pdName'],
  awsElasticBlockStore: ['volumeID'],
  nfs: ['server', 'path'],
  glusterfs: ['endpoints', 'path'],
  persistentVolumeClaim: ['claimName'],
  rbd: ['monitors', 'image'],
  cinder: ['volumeID'],
  cephfs: ['monitors'],
  quobyte: ['registry', 'volume'],
  azureFile: ['secretName', 'shareName'],
  flexVolume: ['driver'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  azureDisk: ['diskName', 'diskURI'],
  storageos: ['volumeName'],
  scaleIO: ['gateway', 'system', 'volumeName'],
  local: ['path'],
}

type Sources = Omit<Volume, 'name'>

/** The rules on a source whose text says all; `path` is that of the source itself. */
export function validatePlainSource(name: string, volume: Sources, path: string): readonly FieldError[] {
  const source = (volume as Readonly<Record<string, Readonly<Record<string, unknown>>>>)[name] ?? {}
  const errors: FieldError[] = (needed[name] ?? []).flatMap((field) => {
    const value = source[field]
    const isEmpty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
    return isEmpty ? [required(`${path}.${field}`)] : []
  })
  return [...errors, ...(special[name]?.(volume, path) ?? [])]
}

const between0And255 = 'must be between 0 and 255, inclusive'

function partition(value: number | undefined, path: string): readonly FieldError[] {
  const isFine = value === undefined || (value >= 0 && value <= 255)
  return isFine ? [] : [invalid(`${path}.partition`, value, between0And255)]
}

export function validateHostPath(source: HostPathVolumeSource, path: string): readonly FieldError[] {
  if (source.path === '') return [required(`${path}.path`)]
  return [...noBacksteps(source.path, `${path}.path`), ...oneOf(source.type, hostPathTypes, `${path}.type`)]
}

const special: Readonly<Record<string, (volume: Sources, path: string) => readonly FieldError[]>> = {
  emptyDir({ emptyDir }, path) {
    const limit = emptyDir?.sizeLimit
    return limit !== undefined && parseQuantity(limit).nano < 0n
      ? [forbidden(`${path}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []
  },
  hostPath: ({ hostPath }, path) => validateHostPath(hostPath!, path),
  gitRepo: ({ gitRepo }, path) =>
    (gitRepo?.directory ?? '') === '' ? [] : localPath(gitRepo!.directory!, `${path}.directory`),
  gcePersistentDisk: ({ gcePersistentDisk: disk }, path) => partition(disk?.partition, path),
  awsElasticBlockStore: ({ awsElasticBlockStore: disk }, path) => partition(disk?.partition, path),
  nfs: ({ nfs }, path) =>
    nfs!.path === '' || nfs!.path.startsWith('/')
      ? []
      : [invalid(`${path}.path`, nfs!.path, 'must be an absolute path')],
  iscsi: ({ iscsi }, path) => validateIscsi(iscsi!, path),
  flocker({ flocker }, path) {
    const { datasetName: name = '', datasetUUID: uuid = '' } = flocker ?? {}
    if (name === '' && uuid === '') return [required(path, 'one of datasetName and datasetUUID is required')]
    const errors: FieldError[] = []
    if (name !== '' && uuid !== '')
      errors.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'))
    return name.includes('/') ? [...errors, invalid(`${path}.datasetName`, name, "must not contain '/'")] : errors
  },
  cinder: ({ cinder }, path) =>
    cinder?.secretRef !== undefined && (cinder.secretRef.name ?? '') === '' ? [required(`${path}.secretRef.name`)] : [],
  fc({ fc }, path) {
    const { targetWWNs: names = [], wwids = [], lun } = fc ?? {}
    const at = `${path}.targetWWNs`
    if (names.length === 0 && wwids.length === 0)
      return [required(at, 'must specify either targetWWNs or wwids, but not both')]
    if (names.length > 0 && wwids.length > 0)
      return [invalid(at, names, 'targetWWNs and wwids can not be specified simultaneously')]
    if (names.length === 0) return []
    if (lun === undefined) return [required(`${path}.lun`, 'lun is required if targetWWNs is specified')]
    return lun < 0 || lun > 255 ? [invalid(`${path}.lun`, lun, between0And255)] : []
  },
  azureDisk: ({ azureDisk }, path) => (azureDisk === undefined ? [] : validateAzureDisk(azureDisk, path)),
  csi({ csi }, path) {
    const errors: readonly FieldError[] = validateDriverName(csi!.driver, `${path}.driver`)
    const secret = csi!.nodePublishSecretRef
    return secret !== undefined && (secret.name ?? '') === ''
      ? [...errors, required(`${path}.nodePublishSecretRef.name`)]
      : errors
  },
  image({ image }, path) {
    const errors: FieldError[] = (image?.reference ?? '') === '' ? [required(`${path}.reference`)] : []
    const policies = ['Always', 'IfNotPresent', 'Never']
    return [...errors, ...requiredWithin(image?.pullPolicy, policies, `${path}.pullPolicy`)]
  },
}

function validateIscsi(iscsi: ISCSIVolumeSource, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { iqn } = iscsi
  if (iscsi.targetPortal === '') errors.push(required(`${path}.targetPortal`))
  if (iqn === '') errors.push(required(`${path}.iqn`))
  else if (!/^(iqn|eui|naa)/.test(iqn))
    errors.push(invalid(`${path}.iqn`, iqn, 'must be valid format starting with iqn, eui, or naa'))
  else if (
    !/^(iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(:.*)?|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{32}|naa\.[0-9A-Fa-f]{16})$/.test(iqn)
  )
    errors.push(invalid(`${path}.iqn`, iqn, 'must be valid format'))
  if (iscsi.lun < 0 || iscsi.lun > 255) errors.push(invalid(`${path}.lun`, iscsi.lun, between0And255))
  const wantsSecret = iscsi.chapAuthDiscovery === true || iscsi.chapAuthSession === true
  if (wantsSecret && iscsi.secretRef === undefined) errors.push(required(`${path}.secretRef`))
  return errors
}

const managedDisk = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'
const blobDisk = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'

function validateAzureDisk(
  { cachingMode, kind, diskURI }: NonNullable<Volume['azureDisk']>,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = [
    ...oneOf(cachingMode, ['None', 'ReadOnly', 'ReadWrite'], `${path}.cachingMode`),
    ...oneOf(kind, ['Dedicated', 'Managed', 'Shared'], `${path}.kind`),
  ]
  // The start of the address tells the sorts of disks apart.
  if (kind === 'Managed' && !diskURI.startsWith('/subscriptions'))
    errors.push(notSupported(`${path}.diskURI`, diskURI, [managedDisk]))
  else if (kind !== undefined && kind !== 'Managed' && !diskURI.startsWith('https://'))
    errors.push(notSupported(`${path}.diskURI`, diskURI, [blobDisk]))
  return errors
}
