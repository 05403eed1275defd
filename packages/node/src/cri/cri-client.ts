// The container runtime behind a CRI socket.

import type { Scope } from '@aksel/base/scope'
import { createGrpcClient, isGrpcCode } from '../containerd/grpc.ts'
import type { GrpcClient } from '../containerd/grpc.ts'
import { criProto } from './proto.ts'
import { namespaceIn, networkIn } from './verbose-info.ts'
import type { Info } from './verbose-info.ts'
import type * as Cri from './types.ts'

/** Long enough for a sandbox on a machine that is busy starting a hundred. */
const TIMEOUT_MS = 2 * 60_000
const PULL_TIMEOUT_MS = 30 * 60_000

/** Made without connecting; a runtime that is away makes calls reject as `Unavailable`. */
export async function createCriClient(
  scope: Scope,
  options: { readonly socketPath: string },
): Promise<Cri.ContainerRuntime & Disposable> {
  const common = { socketPath: options.socketPath, timeoutMs: TIMEOUT_MS }
  const runtime = await createGrpcClient(scope, { ...common, proto: [criProto], service: 'runtime.v1.RuntimeService' })
  const images = await createGrpcClient(scope, { ...common, proto: runtime.root, service: 'runtime.v1.ImageService' })
  return new CriClient(runtime, images)
}

class CriClient implements Cri.ContainerRuntime {
  readonly #runtime: GrpcClient
  readonly #images: GrpcClient

  constructor(runtime: GrpcClient, images: GrpcClient) {
    this.#runtime = runtime
    this.#images = images
  }

  version(): Promise<Cri.RuntimeVersion> {
    return this.#runtime.unary('Version', {}, { timeoutMs: 10_000 })
  }

  async conditions(): Promise<readonly Cri.RuntimeCondition[]> {
    const answer = await this.#runtime.unary<{ status: { conditions: Cri.RuntimeCondition[] } }>('Status', {})
    return answer.status.conditions
  }

  async runPodSandbox(config: Cri.PodSandboxConfig, runtimeHandler: string): Promise<string> {
    const request = { config, runtimeHandler }
    return (await this.#runtime.unary<{ podSandboxId: string }>('RunPodSandbox', request)).podSandboxId
  }

  async stopPodSandbox(id: string): Promise<void> {
    await this.#runtime.unary('StopPodSandbox', { podSandboxId: id })
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.#runtime.unary('RemovePodSandbox', { podSandboxId: id })
  }

  async podSandboxStatus(id: string): Promise<Cri.SandboxStatus> {
    return (await this.#runtime.unary<{ status: Cri.SandboxStatus }>('PodSandboxStatus', { podSandboxId: id })).status
  }

  async sandboxNamespace(id: string): Promise<string | undefined> {
    const asked = this.#runtime.unary<{ info: Info }>('PodSandboxStatus', { podSandboxId: id, verbose: true })
    const answer = await asked.catch((error: unknown) => {
      if (isGrpcCode(error, 'NotFound')) return undefined
      throw error
    })
    return answer === undefined ? undefined : namespaceIn(answer.info)
  }

  async network(): Promise<Cri.RuntimeNetwork | undefined> {
    return networkIn((await this.#runtime.unary<{ info: Info }>('Status', { verbose: true })).info)
  }

  async listPodSandboxes(labels?: Cri.Labels): Promise<readonly Cri.Sandbox[]> {
    return (await this.#runtime.unary<{ items: Cri.Sandbox[] }>('ListPodSandbox', filtered(labels))).items
  }

  async createContainer(
    sandboxId: string,
    config: Cri.ContainerConfig,
    sandboxConfig: Cri.PodSandboxConfig,
  ): Promise<string> {
    const request = { podSandboxId: sandboxId, config, sandboxConfig }
    return (await this.#runtime.unary<{ containerId: string }>('CreateContainer', request)).containerId
  }

  async startContainer(id: string): Promise<void> {
    await this.#runtime.unary('StartContainer', { containerId: id })
  }

  async updateContainerResources(id: string, resources: Cri.LinuxResources): Promise<void> {
    await this.#runtime.unary('UpdateContainerResources', { containerId: id, linux: resources })
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const timeoutMs = TIMEOUT_MS + graceSeconds * 1000
    await this.#runtime.unary('StopContainer', { containerId: id, timeout: graceSeconds }, { timeoutMs })
  }

  async removeContainer(id: string): Promise<void> {
    await this.#runtime.unary('RemoveContainer', { containerId: id })
  }

  async listContainers(labels?: Cri.Labels): Promise<readonly Cri.ContainerEntry[]> {
    return (await this.#runtime.unary<{ containers: Cri.ContainerEntry[] }>('ListContainers', filtered(labels)))
      .containers
  }

  async containerStatus(id: string): Promise<Cri.ContainerStatusEntry> {
    return (await this.#runtime.unary<{ status: Cri.ContainerStatusEntry }>('ContainerStatus', { containerId: id }))
      .status
  }

  async listContainerStats(labels?: Cri.Labels): Promise<readonly Cri.ContainerStats[]> {
    return (await this.#runtime.unary<{ stats: Cri.ContainerStats[] }>('ListContainerStats', filtered(labels))).stats
  }

  async reopenContainerLog(id: string): Promise<void> {
    await this.#runtime.unary('ReopenContainerLog', { containerId: id })
  }

  execSync(id: string, command: readonly string[], timeoutSeconds: number): Promise<Cri.ExecResult> {
    // The runtime ends the command after its timeout; ours is only for a runtime that does not answer.
    const timeoutMs = timeoutSeconds * 1000 + 10_000
    return this.#runtime.unary(
      'ExecSync',
      { containerId: id, cmd: command, timeout: timeoutSeconds },
      timeoutSeconds > 0 ? { timeoutMs } : {},
    )
  }

  async listImages(): Promise<readonly Cri.ImageEntry[]> {
    return (await this.#images.unary<{ images: Cri.ImageEntry[] }>('ListImages', {})).images
  }

  async imageStatus(image: string): Promise<Cri.ImageEntry | undefined> {
    const answer = await this.#images.unary<{ image: Cri.ImageEntry | null }>('ImageStatus', { image: { image } })
    return answer.image ?? undefined
  }

  async imageChain(image: string): Promise<string | undefined> {
    const request = { image: { image }, verbose: true }
    const { image: found, info } = await this.#images.unary<{
      image: Cri.ImageEntry | null
      info: Readonly<Record<string, string>>
    }>('ImageStatus', request)
    if (found === null) return undefined
    const { chainID } = JSON.parse(info['info'] ?? '{}') as { readonly chainID?: string }
    if (chainID === undefined) throw new Error(`the container runtime does not tell the layers of image "${image}"`)
    return chainID
  }

  async pullImage(image: string, auth: Cri.ImageAuth | undefined, signal?: AbortSignal): Promise<string> {
    const request = { image: { image }, ...(auth === undefined ? {} : { auth }) }
    const options = { timeoutMs: PULL_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) }
    return (await this.#images.unary<{ imageRef: string }>('PullImage', request, options)).imageRef
  }

  async removeImage(image: string): Promise<void> {
    await this.#images.unary('RemoveImage', { image: { image } })
  }

  async imageFileSystem(): Promise<string | undefined> {
    const answer = await this.#images.unary<{ imageFilesystems: { fsId: { mountpoint: string } | null }[] }>(
      'ImageFsInfo',
      {},
    )
    return answer.imageFilesystems[0]?.fsId?.mountpoint
  }

  [Symbol.dispose](): void {
    this.#runtime[Symbol.dispose]()
    this.#images[Symbol.dispose]()
  }
}

function filtered(labels: Cri.Labels | undefined): object {
  return labels === undefined ? {} : { filter: { labelSelector: labels } }
}
