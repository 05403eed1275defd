// A container's environment: sources, order, references, and what is missing.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Container, Pod, Service } from '@aksel/api/types/core-v1'
import { ContainerConfigError, environmentOf } from './env.ts'
import type { EnvSources } from './env.ts'
import { expand } from './expand.ts'
import { serviceEnv } from './service-env.ts'

const pod: Pod = {
  metadata: { name: 'web-0', namespace: 'shop', uid: 'u', labels: { app: 'web' }, annotations: { 'a/b': 'c' } },
  spec: { containers: [], nodeName: 'n1', serviceAccountName: 'default', enableServiceLinks: false },
}

const sources: EnvSources = {
  services: [],
  configMap: (name) => (name === 'cm' ? { metadata: { name }, data: { COLOR: 'blue', SIZE: '3' } } : undefined),
  secret: (name) => (name === 'sec' ? { metadata: { name }, data: { KEY: btoa('s3cret') } } : undefined),
  addresses: { podIps: ['10.244.0.5'], hostIps: ['10.224.0.4'] },
  allocatable: { cpu: '1900m', memory: 4 * 2 ** 30 },
  files: new Map<string, string | Error>([
    ['config/a.env', "COLOR='red'\nEMPTY=''\n"],
    ['config/bad.env', 'COLOR=red'],
    ['config/gone.env', new Error('ENOENT')],
  ]),
}

const environment = (container: Partial<Container>): Readonly<Record<string, string>> =>
  Object.fromEntries(environmentOf(pod, { name: 'main', ...container }, sources))

test('expand() replaces known names, keeps unknown ones and takes $$ for a dollar', () => {
  const values = new Map([['A', '1']])
  assert.equal(expand('$(A) $(B) $$(A) $A $$$(A) $(', values), '1 $(B) $(A) $A $1 $(')
})

test('envFrom comes first and env overrides it, referring to what came before', () => {
  const result = environment({
    envFrom: [{ configMapRef: { name: 'cm' } }, { prefix: 'S_', secretRef: { name: 'sec' } }],
    env: [
      { name: 'SIZE', value: '4' },
      { name: 'BOTH', value: '$(COLOR)-$(SIZE)-$(S_KEY)' },
    ],
  })
  assert.deepEqual(result, { COLOR: 'blue', SIZE: '4', S_KEY: 's3cret', BOTH: 'blue-4-s3cret' })
})

test('valueFrom reads fields, resources, ConfigMaps and Secrets', () => {
  const result = environment({
    resources: { limits: { memory: '64Mi' }, requests: { cpu: '250m' } },
    env: [
      { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'HOST', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
      { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
      { name: 'ASKED', valueFrom: { resourceFieldRef: { resource: 'requests.cpu', divisor: '1m' } } },
      { name: 'KEY', valueFrom: { secretKeyRef: { name: 'sec', key: 'KEY' } } },
      { name: 'NONE', valueFrom: { configMapKeyRef: { name: 'cm', key: 'none', optional: true } } },
    ],
  })
  assert.deepEqual(result, {
    NAME: 'web-0',
    APP: 'web',
    IP: '10.244.0.5',
    HOST: '10.224.0.4',
    MEMORY: '64',
    CPU: '2',
    ASKED: '250',
    KEY: 's3cret',
  })
})

test('a missing object or key is told in the words of upstream', () => {
  const failure = (container: Partial<Container>): string => {
    try {
      environment(container)
    } catch (error) {
      assert.ok(error instanceof ContainerConfigError)
      return error.message
    }
    return 'no failure'
  }
  assert.equal(failure({ envFrom: [{ configMapRef: { name: 'x' } }] }), 'configmap "x" not found')
  assert.equal(failure({ envFrom: [{ configMapRef: { name: 'x', optional: true } }] }), 'no failure')
  const secret = { name: 'A', valueFrom: { secretKeyRef: { name: 'sec', key: 'x' } } }
  assert.equal(failure({ env: [secret] }), "couldn't find key x in Secret shop/sec")
  const map = { name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'x' } } }
  assert.equal(failure({ env: [map] }), "couldn't find key x in ConfigMap shop/cm")
})

test('serviceEnv() names services of the namespace, and kubernetes in any', () => {
  const service = (namespace: string, name: string, clusterIP: string): Service => ({
    metadata: { name, namespace },
    spec: { clusterIP, ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] },
  })
  const services = [
    service('default', 'kubernetes', '10.0.0.1'),
    service('shop', 'shop-api', '10.0.3.4'),
    service('shop', 'headless', 'None'),
    service('other', 'far', '10.0.9.9'),
  ]
  const all = serviceEnv(services, { namespace: 'shop', enableServiceLinks: true })
  assert.equal(all.get('SHOP_API_SERVICE_HOST'), '10.0.3.4')
  assert.equal(all.get('SHOP_API_SERVICE_PORT_HTTP'), '8080')
  assert.equal(all.get('SHOP_API_PORT_8080_TCP'), 'tcp://10.0.3.4:8080')
  assert.equal(all.get('KUBERNETES_SERVICE_HOST'), '10.0.0.1')
  assert.equal(
    [...all.keys()].some((name) => /FAR|HEADLESS/.test(name)),
    false,
  )
  const few = serviceEnv(services, { namespace: 'shop', enableServiceLinks: false })
  assert.ok([...few.keys()].every((name) => name.startsWith('KUBERNETES_')))
})

test('variables come from files of volumes; what is not there is left out where it is optional', () => {
  const from = (volumeName: string, path: string, key: string, optional?: boolean): Container['env'] => [
    {
      name: 'V',
      valueFrom: { fileKeyRef: { volumeName, path, key, ...(optional === undefined ? {} : { optional }) } },
    },
  ]
  const refused = (env: Container['env'], message: string): void =>
    assert.throws(
      () => environment({ env: env ?? [] }),
      (error) => error instanceof ContainerConfigError && error.message === message,
    )
  const env = from('config', 'a.env', 'COLOR')!
  assert.deepEqual(environment({ env: [...env, { name: 'TOO', value: '$(V)' }] }), { V: 'red', TOO: 'red' })
  assert.deepEqual(environment({ env: from('config', 'a.env', 'SIZE', true)! }), {})
  refused(from('config', 'a.env', 'SIZE'), 'environment variable key "SIZE" not found in file "a.env"')
  refused(from('config', 'a.env', 'EMPTY', false), 'environment variable key "EMPTY" not found in file "a.env"')
  refused(from('config', 'bad.env', 'COLOR', true), "couldn't parse env file")
  refused(from('config', 'gone.env', 'COLOR', true), "couldn't parse env file")
  refused(from('other', 'a.env', 'COLOR', true), 'cannot find the volume "other" referenced by FileKeyRef')
})
