// What a namespace may take, and policies in CEL.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { assertHolds, isDiscovered, Objects, Refusal, supportsOperations, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }
const registration = 'admissionregistration.k8s.io/v1'
const dongle = 'example.com/dongle'

const hard = {
  pods: '5',
  services: '10',
  'services.nodeports': '1',
  'services.loadbalancers': '1',
  replicationcontrollers: '10',
  resourcequotas: '1',
  cpu: '1',
  memory: '500Mi',
  configmaps: '10',
  secrets: '10',
  persistentvolumeclaims: '10',
  'requests.storage': '10Gi',
  'ephemeral-storage': '50Gi',
  'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '10',
  'gold.storageclass.storage.k8s.io/requests.storage': '10Gi',
  'count/replicasets.apps': '5',
  [`requests.${dongle}`]: '3',
}

type Amounts = Readonly<Record<string, string>>

const amounts = (cpu: string, memory: string, storage: string): Amounts =>
  Object.fromEntries(Object.entries({ cpu, memory, 'ephemeral-storage': storage }).filter(([, value]) => value !== ''))

const pod = (name: string, resources: object = {}, more: object = {}): object => ({
  metadata: { name },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'pause', image: pause, resources }], ...more },
})

const template = { metadata: { labels: { app: 'nginx' } }, spec: { containers: [{ name: 'nginx', image: pause }] } }

const workload = (name: string, replicas: number): object => ({
  metadata: { name, labels: template.metadata.labels },
  spec: { replicas, selector: { matchLabels: template.metadata.labels }, template },
})

const isRefused =
  (code: number) =>
  (error: unknown): boolean =>
    error instanceof Refusal && error.code === code

void suite('quotas and policies', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1 })
  })
  after(() => cluster[Symbol.asyncDispose]())

  class Quota {
    readonly namespace: string
    readonly #quotas: Objects

    constructor(namespace: string) {
      this.namespace = namespace
      this.#quotas = new Objects(cluster, 'v1', 'resourcequotas', namespace)
    }

    static async begin(): Promise<Quota> {
      return new Quota(await cluster.namespace('resourcequota'))
    }

    of(resource: string, groupVersion = 'v1'): Objects {
      return new Objects(cluster, groupVersion, resource, this.namespace)
    }

    async create(limits: Amounts, scope?: string): Promise<string> {
      const name = scope === undefined ? 'test-quota' : `quota-${scope.toLowerCase()}`
      const scopes = scope === undefined ? {} : { scopes: [scope] }
      await this.#quotas.create({ metadata: { name }, spec: { hard: limits, ...scopes } })
      return name
    }

    /** Its status has caught up with what is limited, and these are used. */
    async uses(used: Amounts, name = 'test-quota'): Promise<void> {
      const isSo = ({ spec, status }: AnyObject): boolean =>
        isDeepStrictEqual(status?.hard, spec.hard) &&
        Object.entries(used).every(([resource, amount]) => status.used?.[resource] === amount)
      await this.#quotas.listed({ fieldSelector: `metadata.name=${name}` }, (items) => items.some(isSo), 60_000)
    }

    /** Made, counted, taken away, counted. */
    async life(objects: Objects, object: { metadata: { name: string } }, resource: string, before = 0): Promise<void> {
      await this.uses({ resourcequotas: '1', [resource]: String(before) })
      await objects.create(object)
      await this.uses({ [resource]: String(before + 1) })
      await objects.delete(object.metadata.name)
      await this.uses({ [resource]: String(before) })
    }

    /** The amount of objects once it has stayed the same for a while. */
    async settled(resource: string): Promise<number> {
      let found = -1
      for (let unchanged = 0; unchanged < 5;) {
        const { items } = await this.of(resource).list()
        unchanged = items.length === found ? unchanged + 1 : 0
        found = items.length
        await new Promise((resolve) => setTimeout(resolve, 1000))
      }
      return found
    }
  }

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      await quota.create(hard)
      await quota.uses({ resourcequotas: '1' })
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a service. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const services = quota.of('services')
      const service = (name: string, type: string, more: object = {}): object => ({
        metadata: { name },
        spec: { type, ports: [{ port: 80, targetPort: 80 }], ...more },
      })
      await quota.create(hard)
      await quota.uses({ resourcequotas: '1' })
      await services.create(service('test-service', 'ClusterIP'))
      await services.create(service('test-service-np', 'NodePort'))
      const balanced = service('test-service-lb', 'LoadBalancer', { allocateLoadBalancerNodePorts: true })
      await assert.rejects(services.create(balanced), isRefused(403))
      await quota.uses({ resourcequotas: '1', services: '2', 'services.nodeports': '1' })
      await services.delete('test-service')
      await services.delete('test-service-np')
      await quota.uses({ resourcequotas: '1', services: '0', 'services.nodeports': '0' })
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a secret. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const before = await quota.settled('secrets')
      await quota.create({ ...hard, secrets: String(before + 1) })
      const secret = { metadata: { name: 'test-secret' }, data: { 'data-1': 'dmFsdWUtMQo=' } }
      await quota.life(quota.of('secrets'), secret, 'secrets', before)
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a configMap. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const before = await quota.settled('configmaps')
      await quota.create({ ...hard, configmaps: String(before + 1) })
      const configMap = { metadata: { name: 'test-configmap' }, data: { a: 'b' } }
      await quota.life(quota.of('configmaps'), configMap, 'configmaps', before)
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replication controller. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      await quota.create(hard)
      const controller = {
        metadata: { name: 'test-rc' },
        spec: { replicas: 0, selector: template.metadata.labels, template },
      }
      await quota.life(quota.of('replicationcontrollers'), controller, 'replicationcontrollers')
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a replica set. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      await quota.create(hard)
      const set = { ...workload('test-rs', 0), metadata: { name: 'test-rs' } }
      await quota.life(quota.of('replicasets', 'apps/v1'), set, 'count/replicasets.apps')
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should create a ResourceQuota and capture the life of a pod. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const pods = quota.of('pods')
      await quota.create(hard)
      await quota.uses({ resourcequotas: '1' })
      const requests = { ...amounts('500m', '252Mi', '30Gi'), [dongle]: '2' }
      const limits = { [dongle]: '2' }
      const made = await pods.create(pod('test-pod', { requests, limits }))
      const used = {
        resourcequotas: '1',
        pods: '1',
        cpu: '500m',
        memory: '252Mi',
        'ephemeral-storage': '30Gi',
        [`requests.${dongle}`]: '2',
      }
      await quota.uses(used)
      await assert.rejects(pods.create(pod('fail-pod', { requests: amounts('600m', '100Mi', '') })), isRefused(403))
      const extended = { ...amounts('500m', '100Mi', '30Gi'), [dongle]: '2' }
      const tooMany = pods.create(pod('fail-pod-for-extended-resource', { requests: extended, limits }))
      await assert.rejects(tooMany, isRefused(403))
      const [container] = made['spec'].containers
      const resources = { ...container.resources, requests: amounts('100m', '100Mi', '10Gi') }
      const changed = { ...made, spec: { ...made['spec'], containers: [{ ...container, resources }] } }
      await assert.rejects(pods.replace(changed))
      await quota.uses(used)
      await pods.delete('test-pod')
      await quota.uses({
        resourcequotas: '1',
        pods: '0',
        cpu: '0',
        memory: '0',
        'ephemeral-storage': '0',
        [`requests.${dongle}`]: '0',
      })
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should verify ResourceQuota with best effort scope. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const pods = quota.of('pods')
      const bestEffort = await quota.create({ pods: '5' }, 'BestEffort')
      const notBestEffort = await quota.create({ pods: '5' }, 'NotBestEffort')
      await quota.uses({ pods: '0' }, bestEffort)
      await quota.uses({ pods: '0' }, notBestEffort)
      const captures = async (object: object, mine: string, other: string): Promise<void> => {
        const { metadata } = await pods.create(object)
        await quota.uses({ pods: '1' }, mine)
        await quota.uses({ pods: '0' }, other)
        await pods.delete(metadata.name)
        await quota.uses({ pods: '0' }, mine)
      }
      await captures(pod('besteffort-pod'), bestEffort, notBestEffort)
      const resources = { requests: amounts('500m', '200Mi', ''), limits: amounts('1', '400Mi', '') }
      await captures(pod('burstable-pod', resources), notBestEffort, bestEffort)
    },
  )

  void test(
    '[sig-api-machinery] ResourceQuota should verify ResourceQuota with terminating scopes. [Conformance]',
    deadline,
    async () => {
      const quota = await Quota.begin()
      const pods = quota.of('pods')
      const limits = {
        pods: '5',
        'requests.cpu': '1',
        'requests.memory': '500Mi',
        'limits.cpu': '2',
        'limits.memory': '2Gi',
      }
      const terminating = await quota.create(limits, 'Terminating')
      const notTerminating = await quota.create(limits, 'NotTerminating')
      const none = Object.fromEntries(Object.keys(limits).map((key) => [key, '0']))
      const used = {
        pods: '1',
        'requests.cpu': '500m',
        'requests.memory': '200Mi',
        'limits.cpu': '1',
        'limits.memory': '400Mi',
      }
      await quota.uses(none, terminating)
      await quota.uses(none, notTerminating)
      const resources = { requests: amounts('500m', '200Mi', ''), limits: amounts('1', '400Mi', '') }
      const captures = async (object: object, mine: string, other: string): Promise<void> => {
        const { metadata } = await pods.create(object)
        await quota.uses(used, mine)
        await quota.uses(none, other)
        await pods.delete(metadata.name)
        await quota.uses(none, mine)
      }
      await captures(pod('test-pod', resources), notTerminating, terminating)
      const ends = pod('terminating-pod', resources, { activeDeadlineSeconds: 3600 })
      await captures(ends, terminating, notTerminating)
    },
  )

  /** A policy about deployments in the namespace, bound there. */
  const bound = async (namespace: string, more: object): Promise<AsyncDisposable> => {
    await new Objects(cluster, 'v1', 'namespaces').patch(namespace, { metadata: { labels: { [namespace]: 'true' } } })
    const policies = new Objects(cluster, registration, 'validatingadmissionpolicies')
    const bindings = new Objects(cluster, registration, 'validatingadmissionpolicybindings')
    const policy = `${namespace}.policy.example.com`
    const binding = `${namespace}.binding.example.com`
    const namespaceSelector = { matchLabels: { [namespace]: 'true' } }
    const operations = ['CREATE', 'UPDATE']
    const rule = { operations, apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }
    await policies.create({
      metadata: { name: policy },
      spec: { matchConstraints: { namespaceSelector, resourceRules: [rule] }, ...more },
    })
    await bindings.create({
      metadata: { name: binding },
      spec: { policyName: policy, matchResources: { namespaceSelector }, validationActions: ['Deny'] },
    })
    return {
      async [Symbol.asyncDispose]() {
        await policies.delete(policy)
        await bindings.delete(binding)
      },
    }
  }

  /** Waits until a deployment of one replica is refused. */
  const refusesMarker = async (deployments: Objects): Promise<void> => {
    for (;;) {
      try {
        await deployments.create(workload('marker-deployment', 1))
        await deployments.delete('marker-deployment')
      } catch (error) {
        assert.ok(isRefused(422)(error), String(error))
        return
      }
    }
  }

  void test(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should validate against a Deployment [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('validating-admission-policy')
      const deployments = new Objects(cluster, 'apps/v1', 'deployments', namespace)
      await using _policy = await bound(namespace, {
        validations: [
          {
            expression: 'object.spec.replicas > 1',
            messageExpression: `'wants replicas > 1, got ' + object.spec.replicas`,
          },
          {
            expression: `namespaceObject.metadata.name == '${namespace}'`,
            message: 'Internal error! Other namespace should not be allowed.',
          },
        ],
      })
      await refusesMarker(deployments)
      await deployments.create(workload('replicated', 2))
      await deployments.delete('replicated')
      const sets = new Objects(cluster, 'apps/v1', 'replicasets', namespace)
      await sets.create(workload('non-replicated', 1))
      await sets.delete('non-replicated')
    },
  )

  void test(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should allow expressions to refer variables. [Conformance]',
    deadline,
    async () => {
      const namespace = await cluster.namespace('validating-admission-policy')
      const deployments = new Objects(cluster, 'apps/v1', 'deployments', namespace)
      await using _policy = await bound(namespace, {
        variables: [
          { name: 'replicas', expression: 'object.spec.replicas' },
          { name: 'oddReplicas', expression: 'variables.replicas % 2 == 1' },
        ],
        validations: [{ expression: 'variables.replicas > 1' }, { expression: 'variables.oddReplicas' }],
      })
      await refusesMarker(deployments)
      await deployments.create(workload('replicated', 3))
      await deployments.delete('replicated')
      await assert.rejects(deployments.create(workload('replicated', 2)), isRefused(422))
    },
  )

  const special = (): { labels: Record<string, string>; query: { labelSelector: string } } => {
    const value = fresh('operations')
    return { labels: { 'example-e2e-vap-label': value }, query: { labelSelector: `example-e2e-vap-label=${value}` } }
  }

  void test(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicy API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, registration, 'validatingadmissionpolicies')
      await isDiscovered(objects, ['status'])
      const { labels, query } = special()
      await supportsOperations({
        objects,
        query,
        template: {
          metadata: { generateName: 'e2e-example-vap-', labels },
          spec: {
            matchConstraints: {
              namespaceSelector: { matchLabels: labels },
              resourceRules: [
                { operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] },
              ],
            },
            validations: [{ expression: 'object.spec.replicas <= 100' }],
          },
        },
        async beforeDelete({ metadata: { name } }) {
          const condition = { type: 'PatchStatusFailed', status: 'False', reason: 'e2e', message: 'Set by e2e test' }
          const lastTransitionTime = '2024-01-01T00:00:00Z'
          const conditions = [{ ...condition, lastTransitionTime }]
          assertHolds(await objects.patch(name, { status: { conditions } }, 'merge', 'status'), {
            status: { conditions },
          })
          const more = [...conditions, { ...conditions[0], type: 'StatusUpdateFailed' }]
          const change = (object: AnyObject): object => ({
            ...object,
            status: { ...object['status'], conditions: more },
          })
          assertHolds(await objects.update(name, change, 'status'), { status: { conditions: more } })
          assertHolds(await objects.get(name, 'status'), { status: { conditions: more } })
        },
      })
    },
  )

  void test(
    '[sig-api-machinery] ValidatingAdmissionPolicy [Privileged:ClusterAdmin] should support ValidatingAdmissionPolicyBinding API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, registration, 'validatingadmissionpolicybindings')
      await isDiscovered(objects)
      const { labels, query } = special()
      await supportsOperations({
        objects,
        query,
        template: {
          metadata: { generateName: 'e2e-example-vapb-', labels },
          spec: { policyName: 'replicalimit-policy.example.com', validationActions: ['Deny'] },
        },
      })
    },
  )
})
