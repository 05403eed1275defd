// An image as a volume: pulled like a container's, its layers mounted read-only from containerd's snapshots. It is made
// when the first container that mounts it starts, so that an image that does not come is told on that container.

import { mkdir, readFile, readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container, Pod, Secret, Volume } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import { run } from '@aksel/host/command'
import { removeWholeFile, writeWholeFile } from '@aksel/host/durable-file'
import { readMounts } from '@aksel/host/mount-table'
import type { SnapshotMount, Snapshots } from '../containerd/snapshots.ts'
import type { ContainerRuntime } from '../cri/types.ts'
import { ImageError } from '../images/pull.ts'
import type { ImageNews, ImagePuller } from '../images/pull.ts'
import type { MountedVolume } from './volume.ts'

export const imageFolder = 'kubernetes.io~image'

export interface ImageVolumeHost {
  readonly runtime: ContainerRuntime
  readonly images: ImagePuller
  readonly volumes: { readonly snapshots: Snapshots }
}

export interface ImageVolumeRequest {
  readonly pod: Pod
  /** The pod's folder. */
  readonly root: string
  readonly pullSecrets: readonly Secret[]
  readonly tell: ImageNews
  readonly signal: AbortSignal
}

/** Written before the view is made, so that whoever finds it can take it back. */
interface ImageVolumeData {
  readonly snapshotKey: string
}

const dataFile = 'vol_data.json'

/** The pod's image volumes that a container mounts, by name. Idempotent. Rejects with an ImageError where an image does not come. */
export async function mountImageVolumes(
  scope: Scope,
  host: ImageVolumeHost,
  container: Container,
  request: ImageVolumeRequest,
): Promise<ReadonlyMap<string, MountedVolume>> {
  const wanted = new Set((container.volumeMounts ?? []).map(({ name }) => name))
  const mounted = new Map<string, MountedVolume>()
  for (const volume of request.pod.spec.volumes ?? []) {
    if (volume.image === undefined || !wanted.has(volume.name)) continue
    mounted.set(volume.name, await mountImageVolume(scope, host, volume, request))
  }
  return mounted
}

async function mountImageVolume(
  scope: Scope,
  host: ImageVolumeHost,
  volume: Volume,
  { pod, root, pullSecrets, tell, signal }: ImageVolumeRequest,
): Promise<MountedVolume> {
  const directory = join(root, 'volumes', imageFolder, volume.name)
  const hostPath = join(directory, 'mount')
  const result: MountedVolume = { hostPath, ownedByGroup: false, readOnly: true }
  if ((await readMounts()).some(({ mountPoint }) => mountPoint === hostPath)) return result
  const { reference = '', pullPolicy } = volume.image!
  const asContainer: Container = {
    name: volume.name,
    image: reference,
    ...(pullPolicy === undefined ? {} : { imagePullPolicy: pullPolicy }),
  }
  const image = await host.images.ensure({ pod, container: asContainer, pullSecrets, tell, signal })
  const chainId = await host.runtime.imageChain(image.id)
  if (chainId === undefined) throw new ImageError('ImageInspectError', `image "${reference}" is gone again`)
  const snapshotKey = `aksel-image-volume/${pod.metadata.uid}/${volume.name}`
  await mkdir(hostPath, { recursive: true })
  const data: ImageVolumeData = { snapshotKey }
  await writeWholeFile(join(directory, dataFile), JSON.stringify(data))
  const [view] = await host.volumes.snapshots.view(snapshotKey, chainId)
  if (view === undefined) throw new Error(`the container runtime does not tell how image "${reference}" is mounted`)
  for (const argv of mountCommands(view, hostPath)) await run(scope, argv)
  return result
}

/** An image of one layer is a folder; one of several is an overlay without an upper layer. */
function mountCommands({ type, source, options }: SnapshotMount, target: string): readonly (readonly string[])[] {
  const flags = [...options.filter((option) => !['bind', 'rbind', 'ro', 'rw'].includes(option)), 'ro', 'nodev']
  if (type !== 'bind') return [['mount', '-t', type, '-o', flags.join(','), source, target]]
  // A bind mount takes options only when it is mounted again; a private folder hides it until then.
  return [
    ['mount', '--bind', source, target],
    ['mount', '-o', 'remount,bind,ro,nodev', target],
  ]
}

/** Unmounts every image below a pod's folder and gives its view back. Idempotent; works without the pod's object. */
export async function unmountImages(scope: Scope, snapshots: Snapshots, root: string): Promise<void> {
  const parent = join(root, 'volumes', imageFolder)
  for (const name of await readdir(parent).catch(() => [])) {
    const directory = join(parent, name)
    const target = join(directory, 'mount')
    const text = await readFile(join(directory, dataFile), 'utf8').catch(() => undefined)
    for (const { mountPoint } of await readMounts()) if (mountPoint === target) await run(scope, ['umount', target])
    if (text !== undefined) await snapshots.remove((JSON.parse(text) as ImageVolumeData).snapshotKey)
    await rmdir(target).catch(ignoreMissing)
    await removeWholeFile(join(directory, dataFile))
    await rmdir(directory).catch(ignoreMissing)
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
