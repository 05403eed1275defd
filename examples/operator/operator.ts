// Installs bakeries, converts them, and keeps a deployment for each.

import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import {
  AppsV1Api,
  CustomObjectsApi,
  KubernetesObjectApi,
  loadYaml,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  Watch,
  type Informer,
  type KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  type V1CustomResourceDefinition,
} from '@kubernetes/client-node'
import { group, plural, type Bakery } from './bakery.ts'
import { deploymentOf, managedBy, manager, statusOf } from './reconcile.ts'
import { startWebhook, type Certificate, type Webhook } from './webhook.ts'

const version = 'v1'

export async function startOperator(config: KubeConfig, certificate: Certificate): Promise<AsyncDisposable> {
  const webhook = await startWebhook(certificate)
  await install(config, webhook)
  const objects = KubernetesObjectApi.makeApiClient(config)
  const custom = config.makeApiClient(CustomObjectsApi)
  const apps = config.makeApiClient(AppsV1Api)

  const bakeries = makeInformer<Bakery>(
    config,
    `/apis/${group}/${version}/${plural}`,
    () =>
      custom.listCustomObjectForAllNamespaces({ group, version, resourcePlural: plural }) as Promise<
        KubernetesListObject<Bakery>
      >,
  )
  const labelSelector = Object.entries(managedBy).join().replace(',', '=')
  const deployments = makeInformer(
    config,
    '/apis/apps/v1/deployments',
    () => apps.listDeploymentForAllNamespaces({ labelSelector }),
    labelSelector,
  )

  async function reconcile(name: string, namespace: string): Promise<void> {
    const bakery = bakeries.get(name, namespace)
    if (bakery === undefined || bakery.metadata?.deletionTimestamp !== undefined) return
    const wanted = deploymentOf(bakery)
    const made = await objects.patch(wanted, undefined, undefined, manager, true, PatchStrategy.ServerSideApply)
    const status = statusOf(made)
    if (isDeepStrictEqual(status, bakery.status)) return
    await custom.patchNamespacedCustomObjectStatus(
      { group, version, plural, namespace, name, body: { status } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    )
  }

  // One after the other: no bakery is ever worked on twice at a time.
  let isStopped = false
  let work = Promise.resolve()
  const enqueue = ({ metadata }: KubernetesObject): void => {
    work = work
      .then(() => (isStopped ? undefined : reconcile(metadata!.name!, metadata!.namespace!)))
      .catch((error: unknown) => {
        console.error(`bakery ${metadata!.namespace}/${metadata!.name}: ${String(error)}`)
        setTimeout(() => enqueue({ metadata: metadata! }), 1000).unref()
      })
  }
  // A bakery and its deployment have one name.
  const follow = async (informer: Informer<KubernetesObject>): Promise<void> => {
    for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, enqueue)
    informer.on('error', () => {
      if (!isStopped) setTimeout(() => void informer.start(), 100).unref()
    })
    await informer.start()
  }
  await follow(bakeries as Informer<KubernetesObject>)
  await follow(deployments as Informer<KubernetesObject>)

  return {
    async [Symbol.asyncDispose]() {
      isStopped = true
      await bakeries.stop()
      await deployments.stop()
      await work
      await webhook[Symbol.asyncDispose]()
    },
  }
}

/** Applies the kind, and waits until it is served. */
async function install(config: KubeConfig, { clientConfig }: Webhook): Promise<void> {
  const text = await readFile(new URL('definition.yaml', import.meta.url), 'utf8')
  const definition = loadYaml<V1CustomResourceDefinition>(text)
  definition.spec.conversion = { strategy: 'Webhook', webhook: { clientConfig, conversionReviewVersions: ['v1'] } }
  const objects = KubernetesObjectApi.makeApiClient(config)
  await objects.patch(definition, undefined, undefined, manager, true, PatchStrategy.ServerSideApply)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const watching = await new Watch(config).watch(
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    { fieldSelector: `metadata.name=${definition.metadata!.name}` },
    (_, { status }: V1CustomResourceDefinition) => {
      if (status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True')) resolve()
    },
    reject,
  )
  await promise
  watching.abort()
}
