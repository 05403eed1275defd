// Policies for tests: made through the whole server, over config maps and deployments.

import assert from 'node:assert/strict'
import { startTestServer, type Asked, type TestServer } from '../../test-server.ts'

export const group = '/apis/admissionregistration.k8s.io/v1'
export const deployments = {
  operations: ['CREATE', 'UPDATE'],
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  resources: ['deployments'],
}
export const configMaps = { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }

export async function server(kubernetesVersion = '1.35.7'): Promise<TestServer> {
  const api = await startTestServer({ kubernetesVersion })
  await api.ask('/api/v1/namespaces', { body: { metadata: { name: 'web', labels: { env: 'prod' } } } })
  return api
}

export async function make(api: TestServer, path: string, body: unknown): Promise<void> {
  const { status, text } = await api.ask(path, { body })
  assert.equal(status, 201, text)
}

export interface Policy {
  readonly spec: Record<string, unknown>
  readonly binding?: Record<string, unknown>
}

export async function policy(api: TestServer, name: string, { spec, binding }: Policy): Promise<void> {
  const matchConstraints = { resourceRules: [configMaps] }
  await make(api, `${group}/validatingadmissionpolicies`, { metadata: { name }, spec: { matchConstraints, ...spec } })
  await make(api, `${group}/validatingadmissionpolicybindings`, {
    metadata: { name: `${name}-binding` },
    spec: { policyName: name, validationActions: ['Deny'], ...binding },
  })
}

export function deployment(name: string, image: string, replicas = 1): unknown {
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image }] } },
    },
  }
}

export const configMapsPath = '/api/v1/namespaces/web/configmaps'

export function configMap(api: TestServer, name: string, data: Record<string, string> = {}): Promise<Asked> {
  return api.ask(configMapsPath, { body: { metadata: { name }, data } })
}

export const mutating = `${group}/mutatingadmissionpolicies`

export async function mutation(api: TestServer, name: string, spec: Record<string, unknown>): Promise<void> {
  const matchConstraints = { resourceRules: [{ ...configMaps, operations: ['CREATE', 'UPDATE'] }] }
  await make(api, mutating, { metadata: { name }, spec: { matchConstraints, reinvocationPolicy: 'IfNeeded', ...spec } })
  await make(api, `${group}/mutatingadmissionpolicybindings`, { metadata: { name }, spec: { policyName: name } })
}

export const apply = (expression: string): unknown => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
})
export const patch = (expression: string): unknown => ({ patchType: 'JSONPatch', jsonPatch: { expression } })
