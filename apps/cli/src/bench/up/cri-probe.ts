// The floor under a pod: sandbox with CNI and one container, asked of a private containerd with nothing of ours between.

import type { Scope } from '@aksel/base/scope'
import type { ContainerConfig, ContainerRuntime, PodSandboxConfig } from '@aksel/node/cri/types'
import { startContainerd, type ContainerdHarness } from '@aksel/node/testing/containerd-harness'
import { median } from '../row.ts'

const PODS = 3

/** Median wall time until a container is started, in seconds. The first pod warms containerd and is not counted. */
export async function probeCriPod(scope: Scope): Promise<number> {
  await using harness = await startContainerd(scope)
  const seconds: number[] = []
  for (let pod = 0; pod <= PODS; pod += 1) {
    const beganMs = performance.now()
    await runPod(harness.runtime, podOf(harness, `p${pod}`))
    if (pod > 0) seconds.push((performance.now() - beganMs) / 1000)
  }
  return median(seconds)
}

interface BarePod {
  readonly sandbox: PodSandboxConfig
  readonly container: ContainerConfig
}

async function runPod(runtime: ContainerRuntime, { sandbox, container }: BarePod): Promise<void> {
  const sandboxId = await runtime.runPodSandbox(sandbox, '')
  await runtime.startContainer(await runtime.createContainer(sandboxId, container, sandbox))
}

const namespaceOptions = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const
const seccomp = { profileType: 'RuntimeDefault' } as const

function podOf(harness: ContainerdHarness, name: string): BarePod {
  return {
    sandbox: {
      metadata: { name, uid: name, namespace: 'bench', attempt: 0 },
      hostname: name,
      logDirectory: `${harness.directory}/logs/bench_${name}`,
      dnsConfig: { servers: ['10.0.0.10'], searches: [], options: [] },
      portMappings: [],
      labels: {},
      annotations: {},
      linux: {
        cgroupParent: `${harness.cgroupRoot}/pod${name}`,
        securityContext: { namespaceOptions, supplementalGroups: [], privileged: false, seccomp },
        sysctls: {},
      },
    },
    container: {
      metadata: { name: 'c', attempt: 0 },
      image: { image: 'docker.io/library/busybox:1.36' },
      command: ['sleep', '3600'],
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
