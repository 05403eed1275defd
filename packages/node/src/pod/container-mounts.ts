// What a container sees of the host: its volumes, a hosts file, and a file for its last words.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Container, Pod, VolumeMount } from '@aksel/api/types/core-v1'
import type { Scope } from '@aksel/base/scope'
import type { ContainerConfig, Mount } from '../cri/types.ts'
import type { PodFolders } from '../volumes/pod-volumes.ts'
import { mountSubPath } from '../volumes/sub-path.ts'
import type { MountedVolume } from '../volumes/volume.ts'
import { ContainerConfigError } from './env.ts'
import { expand } from './expand.ts'
import { hostNames } from './sandbox-config.ts'

export interface MountFacts {
  readonly folders: PodFolders
  readonly volumes: ReadonlyMap<string, MountedVolume>
  readonly env: ReadonlyMap<string, string>
  readonly podIps: readonly string[]
  readonly clusterDomain: string
  readonly attempt: number
}

/** Makes what must exist before the container, and says what to mount. */
export async function containerMounts(
  scope: Scope,
  pod: Pod,
  container: Container,
  facts: MountFacts,
): Promise<readonly Mount[]> {
  const mounts: Mount[] = []
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    mounts.push(await volumeMount(scope, container, mount, index, facts))
  }
  const has = (path: string): boolean => mounts.some((mount) => mount.containerPath === path)
  if (!has('/etc/hosts')) mounts.push(plain('/etc/hosts', await hostsFile(pod, facts)))
  const messagePath = container.terminationMessagePath ?? '/dev/termination-log'
  if (messagePath !== '') {
    const hostPath = messageFile(facts.folders, container.name, facts.attempt)
    await mkdir(dirname(hostPath), { recursive: true })
    await writeFile(hostPath, '')
    // Whoever the container runs as may write it.
    await chmod(hostPath, 0o666)
    mounts.push(plain(messagePath, hostPath))
  }
  return mounts
}

/** Where a run of a container leaves its last words. */
export function messageFile(folders: PodFolders, container: string, attempt: number): string {
  return join(folders.root, 'containers', container, String(attempt), 'message')
}

/** The volumes that a container gets as devices. */
export function containerDevices(
  container: Container,
  volumes: ReadonlyMap<string, MountedVolume>,
): ContainerConfig['devices'] {
  return (container.volumeDevices ?? []).map(({ name, devicePath }) => {
    const volume = volumes.get(name)
    if (volume === undefined)
      throw new ContainerConfigError(`cannot find volume "${name}" to pass into container "${container.name}"`)
    if (volume.isBlock !== true)
      throw new ContainerConfigError(`volume ${name} has volumeMode Filesystem, but is specified in volumeDevices`)
    return { containerPath: devicePath, hostPath: volume.hostPath, permissions: volume.readOnly ? 'r' : 'mrw' }
  })
}

function plain(containerPath: string, hostPath: string): Mount {
  return { containerPath, hostPath, readonly: false, propagation: 'PROPAGATION_PRIVATE' }
}

const propagations = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
} as const

async function volumeMount(
  scope: Scope,
  container: Container,
  mount: VolumeMount,
  index: number,
  { folders, volumes, env }: MountFacts,
): Promise<Mount> {
  const volume = volumes.get(mount.name)
  if (volume === undefined)
    throw new ContainerConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`)
  if (volume.isBlock === true)
    throw new ContainerConfigError(`volume ${mount.name} has volumeMode Block, but is specified in volumeMounts`)
  // containerd 1.6 knows of no such mounts; `IfPossible` asks for nothing that it has not.
  if (mount.recursiveReadOnly === 'Enabled')
    throw new ContainerConfigError(
      `volume "${mount.name}" requested recursive read-only mode, but it is not supported by the runtime`,
    )
  const subPath = mount.subPathExpr === undefined ? mount.subPath : expandFully(mount.subPathExpr, env)
  let hostPath = volume.hostPath
  if (subPath !== undefined && subPath !== '') {
    hostPath = join(folders.root, 'volume-subpaths', mount.name, container.name, String(index))
    await mountSubPath(scope, { volumePath: volume.hostPath, subPath, targetPath: hostPath }).catch((error: Error) => {
      throw new ContainerConfigError(
        `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.name}": ${error.message}`,
      )
    })
  }
  const path = mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`
  return {
    containerPath: path,
    hostPath,
    readonly: mount.readOnly === true || volume.readOnly,
    propagation: propagations[(mount.mountPropagation ?? 'None') as keyof typeof propagations],
  }
}

function expandFully(text: string, env: ReadonlyMap<string, string>): string {
  const value = expand(text, env)
  if (/\$\([^()]*\)/.test(value)) throw new ContainerConfigError(`missing value for "${text}"`)
  return value
}

async function hostsFile(pod: Pod, { folders, podIps, clusterDomain }: MountFacts): Promise<string> {
  const path = join(folders.root, 'etc-hosts')
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`)
  const extra = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases]
  const lines = pod.spec.hostNetwork === true ? await hostLines() : podLines(pod, podIps, clusterDomain)
  const text = `${[...lines, ...extra].join('\n')}\n`
  // Containers that run see this very file: on a full disk, writing it anew would leave it empty.
  if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) await writeFile(path, text)
  return path
}

async function hostLines(): Promise<readonly string[]> {
  const own = await readFile('/etc/hosts', 'utf8').catch(() => '127.0.0.1\tlocalhost\n')
  return ['# Kubernetes-managed hosts file (host network).', own.trimEnd()]
}

function podLines(pod: Pod, podIps: readonly string[], clusterDomain: string): readonly string[] {
  const { hostname, fqdn } = hostNames(pod, clusterDomain)
  const names = fqdn === undefined || fqdn === hostname ? hostname : `${fqdn}\t${hostname}`
  return [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIps.map((ip) => `${ip}\t${names}`),
  ]
}
