// Policies in CEL that change what is written: served from Kubernetes 1.36 on.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { assertHolds, isDiscovered, Objects, supportsOperations, type AnyObject } from '../objects.ts'
import { fresh } from '../pods.ts'

const deadline = { timeout: 120_000 }
const registration = 'admissionregistration.k8s.io/v1'
/** A policy takes hold a moment after it was written; upstream asks every 100 ms, without end. */
const TRIES_MAX = 300

void suite('mutating policies', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'simulated', count: 1, version: '1.36.3' })
  })
  after(() => cluster[Symbol.asyncDispose]())

  const mutation = (expression: string): object => ({
    reinvocationPolicy: 'Never',
    matchConstraints: {
      resourceRules: [{ operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }],
    },
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
  })
  const marker = (): object => ({
    metadata: { name: 'marker-deployment' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'nginx' } },
      template: { metadata: { labels: { app: 'nginx' } }, spec: { containers: [{ name: 'nginx', image: pause }] } },
    },
  })

  /** Binds the policy to a namespace of its own, and creates markers until one comes back as wanted. */
  const mutates = async (expression: string, isWanted: (created: AnyObject) => boolean): Promise<void> => {
    const namespace = await cluster.namespace('mutating-admission-policy')
    await cluster.aksel.kubectl(['label', 'namespace', namespace, `${namespace}=true`])
    const name = `${namespace}.policy.example.com`
    const policies = new Objects(cluster, registration, 'mutatingadmissionpolicies')
    const bindings = new Objects(cluster, registration, 'mutatingadmissionpolicybindings')
    const namespaceSelector = { matchLabels: { [namespace]: 'true' } }
    await policies.create({ metadata: { name }, spec: mutation(expression) })
    await bindings.create({ metadata: { name }, spec: { policyName: name, matchResources: { namespaceSelector } } })
    const deployments = new Objects(cluster, 'apps/v1', 'deployments', namespace)
    let created: AnyObject | undefined
    for (let tries = 0; tries < TRIES_MAX && (created === undefined || !isWanted(created)); tries += 1) {
      created = await deployments.create(marker())
      await deployments.delete('marker-deployment')
    }
    assert.ok(created !== undefined && isWanted(created), JSON.stringify(created))
    await bindings.delete(name)
    await policies.delete(name)
  }

  void test(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment [Conformance]',
    deadline,
    () => mutates('Object{spec: Object.spec{replicas: 1337}}', (created) => created['spec'].replicas === 1337),
  )
  void test(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should mutate a Deployment with annotations [Conformance]',
    deadline,
    () =>
      mutates(
        'Object{metadata: Object.metadata{annotations: {"mutated-by": "admission-policy"}}}',
        ({ metadata }) => metadata.annotations?.['mutated-by'] === 'admission-policy',
      ),
  )

  const special = (key: string): { labels: Record<string, string>; query: { labelSelector: string } } => {
    const value = fresh('operations')
    return { labels: { [key]: value }, query: { labelSelector: `${key}=${value}` } }
  }
  void test(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicy API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, registration, 'mutatingadmissionpolicies')
      await isDiscovered(objects)
      const { labels, query } = special('example-e2e-map-label')
      await supportsOperations({
        objects,
        query,
        template: {
          metadata: { generateName: 'e2e-example-map-', labels },
          spec: mutation('Object{spec: Object.spec{replicas: 100}}'),
        },
        async beforeDelete({ metadata: { name } }) {
          const patched = await objects.patch(name, { spec: { reinvocationPolicy: 'IfNeeded' } }, 'merge')
          assertHolds(patched, { spec: { reinvocationPolicy: 'IfNeeded' } })
          const change = (object: AnyObject): object => ({
            ...object,
            spec: { ...object['spec'], reinvocationPolicy: 'Never' },
          })
          assertHolds(await objects.update(name, change), { spec: { reinvocationPolicy: 'Never' } })
        },
      })
    },
  )
  void test(
    '[sig-api-machinery] MutatingAdmissionPolicy [Privileged:ClusterAdmin] should support MutatingAdmissionPolicyBinding API operations [Conformance]',
    deadline,
    async () => {
      const objects = new Objects(cluster, registration, 'mutatingadmissionpolicybindings')
      await isDiscovered(objects)
      const { labels, query } = special('example-e2e-mapb-label')
      const template = {
        metadata: { generateName: 'e2e-example-mapb-', labels },
        spec: { policyName: 'replicalimit-policy.example.com' },
      }
      await supportsOperations({ objects, query, template })
    },
  )
})
