// Gives a container the devices that its pod was given: environment, mounts, device nodes, and devices by name.

import { join } from 'node:path'
import type { Container, Pod } from '@aksel/api/types/core-v1'
import type { ContainerConfig } from '../cri/types.ts'
import { hostPathOf } from '../plugins/kubelet-directory.ts'
import type { DraManager } from '../dra/dra-manager.ts'
import { cdiGrants } from './cdi.ts'
import type { DeviceGrant } from './device-proto.ts'
import type { DeviceManager } from './device-manager.ts'

export interface ContainerDevices {
  readonly manager: DeviceManager
  /** The configuration with what the devices add. Rejects where a device is not there. */
  give(pod: Pod, container: Container, config: ContainerConfig): Promise<ContainerConfig>
}

export function containerDevices(rootDirectory: string, manager: DeviceManager, dra: DraManager): ContainerDevices {
  const cdiDirectories = ['/etc/cdi', '/var/run/cdi', join(rootDirectory, 'cdi')]
  return {
    manager,
    async give(pod, container, config) {
      // A pod that was let in by an agent that ended at once may have none yet.
      await manager.allocate(pod)
      const uid = pod.metadata.uid ?? ''
      await dra.prepare(pod)
      const own = manager.grants(uid, container.name)
      const claimed = dra.cdiDevices(pod, container)
      if (own.length === 0 && claimed.length === 0) return config
      const named = [...own.flatMap(({ cdiDevices }) => cdiDevices.map(({ name }) => name)), ...claimed]
      const grants = [...own, ...(await cdiGrants(cdiDirectories, named))]
      await manager.preStart(uid, container.name)
      return withGrants(rootDirectory, config, grants)
    },
  }
}

/** What the pod says itself wins over what a plug-in says. */
export function withGrants(
  rootDirectory: string,
  config: ContainerConfig,
  grants: readonly DeviceGrant[],
): ContainerConfig {
  const envs = new Map(grants.flatMap((grant) => Object.entries(grant.envs)))
  for (const { key, value } of config.envs) envs.set(key, value)
  const taken = new Set(config.mounts.map(({ containerPath }) => containerPath))
  const mounts = grants
    .flatMap((grant) => grant.mounts)
    .filter(({ containerPath }) => !taken.has(containerPath))
    .map(({ containerPath, hostPath, readOnly }) => ({
      containerPath,
      hostPath: hostPathOf(rootDirectory, hostPath),
      readonly: readOnly,
      propagation: 'PROPAGATION_PRIVATE' as const,
    }))
  return {
    ...config,
    envs: [...envs].map(([key, value]) => ({ key, value })),
    mounts: [...config.mounts, ...mounts],
    devices: [...config.devices, ...grants.flatMap((grant) => grant.devices)],
    annotations: Object.assign({}, ...grants.map((grant) => grant.annotations), config.annotations) as Readonly<
      Record<string, string>
    >,
  }
}
