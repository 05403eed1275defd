// A cluster for the conformance tests: the real launcher and server, its controllers and scheduler, reached over TLS with
// the Kubernetes project's own JavaScript client and the bundled kubectl. One cluster a file, one namespace a test.

import type { RequestOptions } from 'node:https'
import { join } from 'node:path'
import { mkdir } from 'node:fs/promises'
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node'
import { testMinor } from '@aksel/testing/test-size'
import { watched } from './watched.ts'
import { Aksel, repositoryRoot, runProgram } from '../e2e/aksel.ts'

export interface ConformanceCluster extends AsyncDisposable {
  readonly aksel: Aksel
  /** The administrator's credentials; `config.makeApiClient(CoreV1Api)` gives a typed client. */
  readonly config: KubeConfig
  readonly core: CoreV1Api
  /** The JSON of a path of the API; rejects with the status and the body where it is no 2xx. */
  get<T>(path: string, headers?: Readonly<Record<string, string>>): Promise<T>
  /** Makes a namespace `NAME-xxxxx` and answers its name; it goes with the cluster. */
  namespace(name: string): Promise<string>
}

export interface ClusterWish {
  /** `simulated`: no container runs, so only tests of the API and of the loops may use it. */
  readonly nodes: 'simulated' | 'real'
  readonly count?: number
  /** Of Kubernetes, for who needs this very one; else `AKSEL_TEST_MINOR` says, and the product's default without it. */
  readonly version?: string
  /** More flags of `aksel up`. */
  readonly flags?: readonly string[]
  /** Real nodes have the test suite's image, `agnhost` below. */
  readonly agnhost?: boolean
  /** Real nodes have `nautilus` and `kitten` below. */
  readonly demo?: boolean
  /** Real nodes have Debian's curl and dig as `docker.io/library/network-tools:1`. */
  readonly networkTools?: boolean
}

/** The test suite's image, as nodes know it when it was wished for. */
export const agnhost = 'registry.k8s.io/e2e-test-images/agnhost:2.53'
/** The update demo's images: each serves its own `data.json`. */
export const nautilus = 'registry.k8s.io/e2e-test-images/nautilus:1.7'
export const kitten = 'registry.k8s.io/e2e-test-images/kitten:1.7'
export const busybox = 'docker.io/library/busybox:1.36'
export const pause = 'registry.k8s.io/pause:3.6'

export async function conformanceCluster(wish: ClusterWish): Promise<ConformanceCluster> {
  const { nodes, count = 2, version = testMinor() } = wish
  const aksel = await Aksel.inNewFolder()
  const images = [
    ...(wish.agnhost === true ? ['--agnhost'] : []),
    ...(wish.demo === true ? ['--demo'] : []),
    ...(wish.networkTools === true ? ['--network-tools'] : []),
  ]
  if (images.length > 0) await buildImages(join(aksel.dataDir, 'images', 'extra'), images)
  await aksel.ok([
    'up',
    ...(nodes === 'simulated' ? ['--simulated'] : []),
    ...(version === undefined ? [] : ['--kubernetes-version', version]),
    ...(wish.flags ?? []),
    '--nodes',
    String(count),
  ])
  const config = new KubeConfig()
  config.loadFromFile(join(aksel.dataDir, 'kubeconfig'))
  const core = config.makeApiClient(CoreV1Api)
  return {
    aksel,
    config,
    core,
    async get<T>(path: string, headers: Readonly<Record<string, string>> = {}) {
      const args = Object.entries(headers)
      // kubectl cannot set headers; who needs some goes through the client's own transport.
      if (args.length > 0) return getWithHeaders<T>(config, path, headers)
      return JSON.parse(await aksel.kubectl(['get', '--raw', path])) as T
    },
    async namespace(name) {
      const made = await core.createNamespace({ body: { metadata: { generateName: `${name}-` } } })
      const namespace = made.metadata!.name!
      // Pods are refused until the namespace has its account.
      await watched(config, {
        path: `/api/v1/namespaces/${namespace}/serviceaccounts`,
        name: 'default',
        isWanted: (account) => account !== undefined,
        waitMs: 30_000,
      })
      return namespace
    },
    [Symbol.asyncDispose]: () => aksel[Symbol.asyncDispose](),
  }
}

async function buildImages(folder: string, which: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  const built = await runProgram([
    process.execPath,
    join(repositoryRoot, 'tools/images/build.ts'),
    ...which,
    '--out',
    folder,
  ])
  if (built.code !== 0) throw new Error(`building images failed: ${built.stderr}`)
}

async function getWithHeaders<T>(
  config: KubeConfig,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<T> {
  const { request } = await import('node:https')
  const url = new URL(path, config.getCurrentCluster()!.server)
  const options: RequestOptions = { headers }
  await config.applyToHTTPSOptions(options)
  return new Promise((resolve, reject) => {
    const call = request(url, { ...options, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (response.statusCode !== 200) reject(new Error(`GET ${path}: ${response.statusCode} ${text}`))
        else resolve(JSON.parse(text) as T)
      })
    })
    call.on('error', reject)
    call.end()
  })
}
