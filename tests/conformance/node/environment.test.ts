// What a container finds in its environment and on its command line: ConfigMaps, Secrets, the downward API, expansion.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Container, V1EnvVar, V1Pod } from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('environment of containers', { concurrency: 4 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'environment')
  })
  after(() => cluster[Symbol.asyncDispose]())

  /** Every line must stand in what `env` prints. */
  const envHolds = async (container: Partial<V1Container>, ...lines: readonly (string | RegExp)[]): Promise<void> => {
    const output = await pods.output(fresh('pod-env'), { command: ['env'], ...container })
    const printed = output.split('\n')
    for (const line of lines) {
      const found = printed.some((each) => (typeof line === 'string' ? each === line : line.test(each)))
      assert.ok(found, `no line ${String(line)} in:\n${output}`)
    }
  }

  const configMap = async (data: Record<string, string>): Promise<string> => {
    const name = fresh('config')
    await cluster.core.createNamespacedConfigMap({ namespace: pods.namespace, body: { metadata: { name }, data } })
    return name
  }
  const secret = async (stringData: Record<string, string>): Promise<string> => {
    const name = fresh('secret')
    await cluster.core.createNamespacedSecret({ namespace: pods.namespace, body: { metadata: { name }, stringData } })
    return name
  }
  const values = { data_1: 'value-1', data_2: 'value-2', data_3: 'value-3' }

  void test(
    '[sig-node] ConfigMap should be consumable via environment variable [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await configMap({ 'data-1': 'value-1' })
      const env = [{ name: 'CONFIG_DATA_1', valueFrom: { configMapKeyRef: { name, key: 'data-1' } } }]
      await envHolds({ env }, 'CONFIG_DATA_1=value-1')
    },
  )
  void test(
    '[sig-node] ConfigMap should be consumable via the environment [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await configMap(values)
      const envFrom = [{ configMapRef: { name } }, { prefix: 'p_', configMapRef: { name } }]
      await envHolds({ envFrom }, 'data_1=value-1', 'data_3=value-3', 'p_data_1=value-1', 'p_data_3=value-3')
    },
  )
  void test(
    '[sig-node] ConfigMap should be consumable as environment variable names with various prefixes [Conformance]',
    deadline,
    async () => {
      const name = await configMap(values)
      const envFrom = ['p-', 'p_', 'p.', '1-'].map((prefix) => ({ prefix, configMapRef: { name } }))
      const held = ['p-data_1=value-1', 'p_data_2=value-2', 'p.data_3=value-3', '1-data_1=value-1']
      await envHolds({ envFrom: [{ configMapRef: { name } }, ...envFrom] }, 'data_1=value-1', ...held)
    },
  )
  void test(
    '[sig-node] Secrets should be consumable from pods in env vars [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await secret({ 'data-1': 'value-1' })
      const env = [{ name: 'SECRET_DATA', valueFrom: { secretKeyRef: { name, key: 'data-1' } } }]
      await envHolds({ env }, 'SECRET_DATA=value-1')
    },
  )
  void test(
    '[sig-node] Secrets should be consumable via the environment [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await secret(values)
      const envFrom = [{ secretRef: { name } }, { prefix: 'p_', secretRef: { name } }]
      await envHolds({ envFrom }, 'data_1=value-1', 'data_3=value-3', 'p_data_1=value-1', 'p_data_3=value-3')
    },
  )
  void test(
    '[sig-node] Secrets should be consumable as environment variable names variable names with various prefixes [Conformance]',
    deadline,
    async () => {
      const name = await secret(values)
      const envFrom = ['p-', 'p_', 'p.', '1-'].map((prefix) => ({ prefix, secretRef: { name } }))
      const held = ['p-data_1=value-1', 'p_data_2=value-2', 'p.data_3=value-3', '1-data_1=value-1']
      await envHolds({ envFrom: [{ secretRef: { name } }, ...envFrom] }, 'data_1=value-1', ...held)
    },
  )

  const field = (name: string, fieldPath: string): V1EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })
  const resource = (name: string, what: string): V1EnvVar => ({
    name,
    valueFrom: { resourceFieldRef: { resource: what } },
  })
  const resources = { requests: { cpu: '250m', memory: '32Mi' }, limits: { cpu: '1250m', memory: '64Mi' } }
  const resourceNames: readonly V1EnvVar[] = [
    resource('CPU_LIMIT', 'limits.cpu'),
    resource('MEMORY_LIMIT', 'limits.memory'),
    resource('CPU_REQUEST', 'requests.cpu'),
    resource('MEMORY_REQUEST', 'requests.memory'),
  ]

  void test(
    '[sig-node] Downward API should provide pod name, namespace and IP address as env vars [NodeConformance] [Conformance]',
    deadline,
    () =>
      envHolds(
        {
          env: [
            field('POD_NAME', 'metadata.name'),
            field('POD_NAMESPACE', 'metadata.namespace'),
            field('POD_IP', 'status.podIP'),
          ],
        },
        /^POD_NAME=pod-env-\d+$/,
        `POD_NAMESPACE=${pods.namespace}`,
        /^POD_IP=\d+\.\d+\.\d+\.\d+$/,
      ),
  )
  void test(
    '[sig-node] Downward API should provide host IP as an env var [NodeConformance] [Conformance]',
    deadline,
    () => envHolds({ env: [field('HOST_IP', 'status.hostIP')] }, /^HOST_IP=\d+\.\d+\.\d+\.\d+$/),
  )
  void test(
    '[sig-node] Downward API should provide hostIPs as an env var [NodeConformance] [Conformance]',
    deadline,
    () => envHolds({ env: [field('HOST_IPS', 'status.hostIPs')] }, /^HOST_IPS=\d+\.\d+\.\d+\.\d+(,[\da-f.:]+)*$/),
  )
  void test(
    "[sig-node] Downward API should provide container's limits.cpu/memory and requests.cpu/memory as env vars [NodeConformance] [Conformance]",
    deadline,
    () =>
      envHolds(
        { env: [...resourceNames], resources },
        'CPU_LIMIT=2',
        'MEMORY_LIMIT=67108864',
        'CPU_REQUEST=1',
        'MEMORY_REQUEST=33554432',
      ),
  )
  void test(
    '[sig-node] Downward API should provide default limits.cpu/memory from node allocatable [NodeConformance] [Conformance]',
    deadline,
    () => envHolds({ env: resourceNames.slice(0, 2) as V1EnvVar[] }, /^CPU_LIMIT=[1-9]\d*$/, /^MEMORY_LIMIT=[1-9]\d*$/),
  )
  void test(
    '[sig-node] Downward API should provide pod UID as env vars [NodeConformance] [Conformance]',
    deadline,
    () => envHolds({ env: [field('POD_UID', 'metadata.uid')] }, /^POD_UID=[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/),
  )

  void test(
    '[sig-node] Variable Expansion should allow composing env vars into new env vars [NodeConformance] [Conformance]',
    deadline,
    () =>
      envHolds(
        {
          env: [
            { name: 'FOO', value: 'foo-value' },
            { name: 'BAR', value: 'bar-value' },
            { name: 'FOOBAR', value: '$(FOO);;$(BAR)' },
          ],
        },
        'FOO=foo-value',
        'BAR=bar-value',
        'FOOBAR=foo-value;;bar-value',
      ),
  )
  void test(
    "[sig-node] Variable Expansion should allow substituting values in a container's command [NodeConformance] [Conformance]",
    deadline,
    async () => {
      const output = await pods.output(fresh('var-expansion'), {
        command: ['sh', '-c', 'TEST_VAR=wrong echo "$(TEST_VAR)"'],
        env: [{ name: 'TEST_VAR', value: 'test-value' }],
      })
      assert.equal(output, 'test-value\n')
    },
  )
  void test(
    "[sig-node] Variable Expansion should allow substituting values in a container's args [NodeConformance] [Conformance]",
    deadline,
    async () => {
      const output = await pods.output(fresh('var-expansion'), {
        command: ['sh', '-c'],
        args: ['TEST_VAR=wrong echo "$(TEST_VAR)"'],
        env: [{ name: 'TEST_VAR', value: 'test-value' }],
      })
      assert.equal(output, 'test-value\n')
    },
  )

  const workdir = { volumes: [{ name: 'workdir1', emptyDir: {} }] }
  const subPathPod = async (env: V1EnvVar[], subPathExpr: string, annotations: Record<string, string> = {}) => {
    const name = fresh('var-expansion')
    const container: V1Container = {
      name: 'test',
      image: busybox,
      command: ['sleep', '3600'],
      env: [field('POD_NAME', 'metadata.name'), ...env],
      volumeMounts: [
        { name: 'workdir1', mountPath: '/subpath_mount', subPathExpr },
        { name: 'workdir1', mountPath: '/volume_mount' },
      ],
    }
    await pods.create(name, { ...workdir, containers: [container] }, { annotations })
    return name
  }
  const cannotStart = (name: string): Promise<V1Pod> =>
    pods.until(
      name,
      ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
    )
  const annotate = async (name: string, value: string): Promise<void> => {
    await cluster.aksel.kubectl(['-n', pods.namespace, 'annotate', '--overwrite', 'pod', name, `mysubpath=${value}`])
  }
  const annotation = field('ANNOTATION', "metadata.annotations['mysubpath']")

  void test(
    '[sig-node] Variable Expansion should allow substituting values in a volume subpath [Conformance]',
    deadline,
    async () => {
      const name = fresh('var-expansion')
      const output = await pods.output(
        name,
        {
          command: ['sh', '-c', `test -d /testcontainer/${name} && echo found`],
          env: [field('POD_NAME', 'metadata.name')],
          volumeMounts: [
            { name: 'workdir1', mountPath: '/logscontainer', subPathExpr: '$(POD_NAME)' },
            { name: 'workdir1', mountPath: '/testcontainer' },
          ],
        },
        workdir,
      )
      assert.equal(output, 'found\n')
    },
  )
  void test(
    '[sig-node] Variable Expansion should fail substituting values in a volume subpath with backticks [Conformance]',
    deadline,
    async () => {
      const name = await subPathPod([{ name: 'WHERE', value: '..' }], '$(WHERE)')
      await cannotStart(name)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Variable Expansion should fail substituting values in a volume subpath with absolute path [Conformance]',
    deadline,
    async () => {
      const name = await subPathPod([{ name: 'WHERE', value: '/tmp' }], '$(WHERE)')
      await cannotStart(name)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Variable Expansion should verify that a failing subpath expansion can be modified during the lifecycle of a container [Slow] [Conformance]',
    deadline,
    async () => {
      const name = await subPathPod([annotation], '$(ANNOTATION)/$(POD_NAME)', { notmysubpath: 'mypath' })
      await cannotStart(name)
      await annotate(name, 'mypath')
      await pods.running(name)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Variable Expansion should succeed in writing subpaths in container [Conformance]',
    deadline,
    async () => {
      const name = await subPathPod([annotation], '$(ANNOTATION)/$(POD_NAME)', { mysubpath: 'mypath' })
      await pods.running(name)
      await pods.exec(name, ['touch', `/volume_mount/mypath/${name}/test.log`])
      await pods.exec(name, ['test', '-f', '/subpath_mount/test.log'])
      await annotate(name, 'mynewpath')
      const after = await pods.running(name)
      assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0)
      await pods.delete(name, 1)
      await pods.gone(name)
    },
  )

  const entry = (container: Partial<V1Container>): Promise<string> =>
    pods.output(fresh('client-containers'), { image: agnhost, command: [], ...container })

  void test(
    '[sig-node] Containers should use the image defaults if command and args are blank [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('client-containers')
      await pods.create(name, { containers: [{ name: 'test', image: agnhost }] })
      await pods.running(name)
      await pods.logHolds(name, /Paused/)
      await pods.delete(name)
    },
  )
  void test(
    "[sig-node] Containers should be able to override the image's default arguments (container cmd) [NodeConformance] [Conformance]",
    deadline,
    async () => {
      assert.equal(
        await entry({ args: ['entrypoint-tester', 'override', 'arguments'] }),
        '[/agnhost entrypoint-tester override arguments]\n',
      )
    },
  )
  void test(
    "[sig-node] Containers should be able to override the image's default command (container entrypoint) [NodeConformance] [Conformance]",
    deadline,
    async () => {
      assert.equal(await entry({ command: ['/agnhost-2', 'entrypoint-tester'] }), '[/agnhost-2 entrypoint-tester]\n')
    },
  )
  void test(
    "[sig-node] Containers should be able to override the image's default command and arguments [NodeConformance] [Conformance]",
    deadline,
    async () => {
      const container = { command: ['/agnhost-2'], args: ['entrypoint-tester', 'override', 'arguments'] }
      assert.equal(await entry(container), '[/agnhost-2 entrypoint-tester override arguments]\n')
    },
  )
})
