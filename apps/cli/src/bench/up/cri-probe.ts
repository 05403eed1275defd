// The floor under a pod: sandbox with CNI and one container, asked of a private containerd with nothing of ours between.

import type { Scope } from '@aksel/base/scope'
import type { ContainerConfig, ContainerRuntime, PodSandboxConfig } from '@aksel/node/cri/types'
import { startContainerd } from '@aksel/node/testing/containerd-harness'
import { median } from '../row.ts'

const PODS = 3

/** Median wall time until a container is started, in seconds. The first pod warms containerd and is not counted. */
export async function probeCriPod(scope: Scope): Promise<number> {
  await using harness = await startContainerd(scope)
  const seconds: number[] = []
  for (let pod = 0; pod <= PODS; pod += 1) {
    const beganMs = performance.now()
    const name = `p${pod}`
    const place = {
      logDirectory: `${harness.directory}/logs/bench_${name}`,
      cgroup: `${harness.cgroupRoot}/pod${name}`,
    }
    await startBarePod(harness.runtime, barePod(name, { ...place, image: BUSYBOX, command: ['sleep', '3600'] }))
    if (pod > 0) seconds.push((performance.now() - beganMs) / 1000)
  }
  return median(seconds)
}

const BUSYBOX = 'docker.io/library/busybox:1.36'

export interface BarePod {
  readonly sandbox: PodSandboxConfig
  readonly container: ContainerConfig
}

export interface BarePodWish {
  readonly logDirectory: string
  readonly cgroup: string
  readonly image: string
  /** The image's own where empty. */
  readonly command: readonly string[]
}

/** The sandbox's id, once its container has started. */
export async function startBarePod(runtime: ContainerRuntime, { sandbox, container }: BarePod): Promise<string> {
  const sandboxId = await runtime.runPodSandbox(sandbox, '')
  await runtime.startContainer(await runtime.createContainer(sandboxId, container, sandbox))
  return sandboxId
}

const namespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const
const seccomp = { profileType: 'RuntimeDefault' } as const

export function barePod(name: string, { logDirectory, cgroup, image, command }: BarePodWish): BarePod {
  return {
    sandbox: {
      metadata: { name, uid: name, namespace: 'bench', attempt: 0 },
      hostname: name,
      logDirectory,
      dnsConfig: { servers: ['10.0.0.10'], searches: [], options: [] },
      portMappings: [],
      labels: {},
      annotations: {},
      linux: {
        cgroupParent: cgroup,
        securityContext: { namespaceOptions, supplementalGroups: [], privileged: false, seccomp },
        sysctls: {},
      },
    },
    container: {
      metadata: { name: 'c', attempt: 0 },
      image: { image },
      command,
      args: [],
      workingDir: '/',
      envs: [],
      mounts: [],
      devices: [],
      labels: {},
      annotations: {},
      logPath: 'c/0.log',
      stdin: false,
      stdinOnce: false,
      tty: false,
      linux: {
        resources: {},
        securityContext: {
          capabilities: { addCapabilities: [], dropCapabilities: [] },
          privileged: false,
          namespaceOptions,
          readonlyRootfs: false,
          supplementalGroups: [],
          noNewPrivs: false,
          maskedPaths: [],
          readonlyPaths: [],
          seccomp,
        },
      },
    },
  }
}
