// What the tests of admission webhooks share: a cluster, a webhook server in this process, and the making of objects.

import { conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { Pods } from '../pods.ts'
import { watched } from '../watched.ts'
import { startWebhookServer, type WebhookServer } from './agnhost-webhook.ts'
import { Objects, type Loose } from './objects.ts'

export const registration = 'admissionregistration.k8s.io/v1'

/** What the test suite's webhooks refuse. */
export const unwanted = { 'webhook-e2e-test': 'webhook-disallow' }

export const configMaps = (...operations: readonly string[]): object => ({ operations, resources: ['configmaps'] })

export type Kind = 'Validating' | 'Mutating'

export interface CustomKind {
  readonly crd: Loose
  readonly plural: string
  readonly make: (apiVersion: string, namespace: string, name: string, data: Record<string, string>) => Loose
}

export class WebhookFixture {
  readonly cluster: ConformanceCluster
  readonly server: WebhookServer
  readonly objects: Objects
  readonly #stop: AbortController
  #count = 0

  constructor(cluster: ConformanceCluster, server: WebhookServer, stop: AbortController) {
    this.cluster = cluster
    this.server = server
    this.objects = new Objects(cluster.config)
    this.#stop = stop
  }

  static async start(): Promise<WebhookFixture> {
    const stop = new AbortController()
    const server = await startWebhookServer(stop.signal)
    return new WebhookFixture(await conformanceCluster({ nodes: 'simulated', count: 1 }), server, stop)
  }

  async stop(): Promise<void> {
    await this.cluster[Symbol.asyncDispose]()
    await this.server[Symbol.asyncDispose]()
    this.#stop.abort()
  }

  pods(namespace: string): Pods {
    return new Pods(this.cluster, namespace)
  }

  /** A namespace whose objects alone are shown to the test's webhooks. */
  async labelled(): Promise<{ readonly namespace: string; readonly label: Record<string, string> }> {
    const namespace = await this.cluster.namespace('webhook')
    const label = { [namespace]: 'true' }
    await this.objects.merge({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels: label } })
    return { namespace, label }
  }

  webhook(path: string, rule: object, more: object = {}): Record<string, unknown> {
    this.#count += 1
    return {
      name: `hook-${this.#count}.k8s.io`,
      clientConfig: this.server.clientConfig(path),
      rules: [{ apiVersions: ['v1'], apiGroups: [''], ...rule }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1', 'v1beta1'],
      ...more,
    }
  }

  configuration(kind: Kind, name: string, webhooks: readonly object[], labels: Record<string, string> = {}): Loose {
    return { apiVersion: registration, kind: `${kind}WebhookConfiguration`, metadata: { name, labels }, webhooks }
  }

  /** Taken away when it is disposed. */
  async register(
    kind: Kind,
    name: string,
    webhooks: readonly object[],
  ): Promise<AsyncDisposable & { readonly object: Loose }> {
    const object = await this.objects.create(this.configuration(kind, name, webhooks))
    const own = { apiVersion: registration, kind: `${kind}WebhookConfiguration`, metadata: { name } }
    return { object, [Symbol.asyncDispose]: () => this.objects.delete(own) }
  }

  /** The client's own way of patching objects of any kind knows no list. */
  async jsonPatch(resource: string, name: string, operations: readonly unknown[]): Promise<void> {
    await this.cluster.aksel.kubectl(['patch', resource, name, '--type=json', '-p', JSON.stringify(operations)])
  }

  configMap(namespace: string, name: string, data: Record<string, string> = {}): Loose {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data }
  }

  definition(versions: readonly object[], labels: Record<string, string> = {}): Loose {
    this.#count += 1
    const plural = `hooked${this.#count}s`
    return {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `${plural}.example.com`, labels },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: {
          plural,
          singular: `hooked${this.#count}`,
          kind: `Hooked${this.#count}`,
          listKind: `Hooked${this.#count}List`,
        },
        versions,
      },
    }
  }

  /** Established. */
  async customKind(versions: readonly object[]): Promise<CustomKind> {
    const crd = this.definition(versions)
    await this.objects.create(crd)
    const { plural, kind } = (crd['spec'] as { names: { plural: string; kind: string } }).names
    await watched<Loose>(this.cluster.config, {
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      name: crd.metadata!.name!,
      isWanted: isEstablished,
      waitMs: 30_000,
    })
    return {
      crd,
      plural,
      make: (apiVersion, namespace, name, data) => ({
        apiVersion: `example.com/${apiVersion}`,
        kind,
        metadata: { namespace, name },
        data,
      }),
    }
  }
}

function isEstablished(crd: Loose | undefined): boolean {
  const { conditions = [] } = (crd?.['status'] ?? {}) as { conditions?: { type: string; status: string }[] }
  return conditions.some(({ type, status }) => type === 'Established' && status === 'True')
}

/** Spelled as the client spells it. */
const anyData = { type: 'object', x_kubernetes_preserve_unknown_fields: true }

export function version(name: string, storage: boolean, schema: object = anyData): object {
  return { name, served: true, storage, schema: { openAPIV3Schema: schema } }
}
