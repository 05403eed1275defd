// Users, privileges, kernel settings and runtime classes of real containers, and ephemeral containers beside them.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { ApiException, NodeV1Api, type V1Container, type V1PodSpec, type V1RuntimeClass } from '@kubernetes/client-node'
import { busybox, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: 120_000 }

void suite('security of pods', { concurrency: 5 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods
  let runtimes: NodeV1Api

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1 })
    pods = await podsIn(cluster, 'security')
    runtimes = cluster.config.makeApiClient(NodeV1Api)
  })
  after(() => cluster[Symbol.asyncDispose]())

  const output = (command: string, container: Partial<V1Container>, spec: Partial<V1PodSpec> = {}): Promise<string> =>
    pods.output(fresh('security'), { command: ['sh', '-c', command], ...container }, spec)

  void test(
    '[sig-node] Security Context When creating a container with runAsUser should run the container with uid 65534 [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      assert.equal(await output('id -u', { securityContext: { runAsUser: 65534 } }), '65534\n')
    },
  )
  void test(
    '[sig-node] Security Context should support container.SecurityContext.RunAsUser And container.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]',
    deadline,
    async () => {
      const ids = await output('id', { securityContext: { runAsUser: 1001, runAsGroup: 2002 } })
      assert.match(ids, /uid=1001.* gid=2002/)
    },
  )
  void test(
    '[sig-node] Security Context should support pod.Spec.SecurityContext.RunAsUser And pod.Spec.SecurityContext.RunAsGroup [LinuxOnly] [Conformance]',
    deadline,
    async () => {
      const ids = await output('id', {}, { securityContext: { runAsUser: 1001, runAsGroup: 2002 } })
      assert.match(ids, /uid=1001.* gid=2002/)
    },
  )
  void test(
    '[sig-node] Security Context When creating a pod with privileged should run the container as unprivileged when false [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const said = await output('ip link add dummy0 type dummy || true', { securityContext: { privileged: false } })
      assert.match(said, /Operation not permitted/)
    },
  )
  void test(
    '[sig-node] Security Context When creating a pod with readOnlyRootFilesystem should run the container with writable rootfs when readOnlyRootFilesystem=false [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await output('touch checkfile', { securityContext: { readOnlyRootFilesystem: false } })
    },
  )
  void test(
    '[sig-node] Security Context when creating containers with AllowPrivilegeEscalation should not allow privilege escalation when false [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      // The kernel's own word for it, and a set-uid program that stays who it was.
      const command = 'grep NoNewPrivs /proc/self/status; /suid/id -u'
      const initContainers: V1Container[] = [
        {
          name: 'make',
          image: busybox,
          command: ['sh', '-c', 'cp /bin/busybox /suid/id && chmod 4755 /suid/id'],
          volumeMounts: [{ name: 'suid', mountPath: '/suid' }],
        },
      ]
      const run = (allowPrivilegeEscalation: boolean): Promise<string> =>
        output(
          command,
          {
            securityContext: { runAsUser: 1000, allowPrivilegeEscalation },
            volumeMounts: [{ name: 'suid', mountPath: '/suid' }],
          },
          { initContainers, volumes: [{ name: 'suid', emptyDir: {} }] },
        )
      assert.match(await run(false), /NoNewPrivs:\s+1\n1000\n/)
      assert.match(await run(true), /NoNewPrivs:\s+0\n/)
    },
  )

  void test(
    '[sig-node] Sysctls [LinuxOnly] [NodeConformance] should support sysctls [Environment:NotInUserNS] [Conformance]',
    deadline,
    async () => {
      const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }]
      const said = await output('cat /proc/sys/kernel/shm_rmid_forced', {}, { securityContext: { sysctls } })
      assert.equal(said, '1\n')
    },
  )
  void test(
    '[sig-node] Sysctls [LinuxOnly] [NodeConformance] should reject invalid sysctls [Conformance]',
    deadline,
    async () => {
      const sysctls = ['foo-', 'kernel.shmmax', 'safe-and-unsafe', 'bar..'].map((name) => ({
        name,
        value: '100000000',
      }))
      await assert.rejects(
        pods.create(fresh('sysctls'), { securityContext: { sysctls }, containers: [{ name: 'test', image: busybox }] }),
        (error) => {
          assert.ok(error instanceof ApiException)
          const said = String(error.body)
          assert.match(said, /spec\.securityContext\.sysctls\[0\]\.name: Invalid value: \\"foo-\\"/)
          assert.match(said, /spec\.securityContext\.sysctls\[3\]\.name: Invalid value: \\"bar\.\.\\"/)
          assert.doesNotMatch(said, /safe-and-unsafe|kernel\.shmmax/)
          return true
        },
      )
    },
  )

  /** The handler of real containers here, under a name of the test's own. */
  const runtimeClass = async (overhead?: V1RuntimeClass['overhead']): Promise<string> => {
    const name = fresh('conformance-runtime')
    const body: V1RuntimeClass = {
      metadata: { name },
      handler: 'runc',
      ...(overhead === undefined ? {} : { overhead }),
    }
    await runtimes.createRuntimeClass({ body })
    return name
  }
  const podOf = (runtimeClassName: string): V1PodSpec => ({
    runtimeClassName,
    containers: [{ name: 'test', image: pause }],
  })

  void test(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = fresh('runtime')
      const made = await pods.create(name, podOf(await runtimeClass()))
      assert.equal(made.spec?.overhead, undefined)
      await pods.running(name)
      await pods.delete(name)
    },
  )

  const isForbidden = (making: Promise<unknown>, words: RegExp): Promise<void> =>
    assert.rejects(making, (error) => {
      assert.ok(error instanceof ApiException)
      assert.equal(error.code, 403)
      assert.match(String(error.body), words)
      return true
    })

  void test(
    '[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance] [Conformance]',
    deadline,
    () =>
      isForbidden(
        pods.create(fresh('runtime'), podOf('conformance-nonexistent')),
        /RuntimeClass \\"conformance-nonexistent\\" not found/,
      ),
  )

  void test(
    '[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await runtimeClass()
      await runtimes.deleteRuntimeClass({ name })
      await isForbidden(
        pods.create(fresh('runtime'), podOf(name)),
        new RegExp(`RuntimeClass \\\\"${name}\\\\" not found`),
      )
    },
  )

  void test(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const podFixed = { cpu: '10m', memory: '1Mi' }
      const name = fresh('runtime')
      const made = await pods.create(name, podOf(await runtimeClass({ podFixed })))
      assert.deepEqual(made.spec?.overhead, podFixed)
      await pods.running(name)
      await pods.delete(name)
    },
  )

  const debugger1 = (name: string): object => ({
    name,
    image: busybox,
    command: ['/bin/sh', '-c', 'while true; do echo polo; sleep 2; done'],
    terminationMessagePolicy: 'File',
    imagePullPolicy: 'IfNotPresent',
  })
  const addEphemeral = async (pod: string, containers: readonly object[]): Promise<void> => {
    await cluster.aksel.kubectl([
      '-n',
      pods.namespace,
      'patch',
      'pod',
      pod,
      '--subresource=ephemeralcontainers',
      '--type=strategic',
      '-p',
      JSON.stringify({ spec: { ephemeralContainers: containers } }),
    ])
  }
  const ephemeralRuns = async (pod: string, container: string): Promise<void> => {
    await pods.until(pod, ({ status }) =>
      (status?.ephemeralContainerStatuses ?? []).some(
        ({ name, state }) => name === container && state?.running !== undefined,
      ),
    )
  }

  void test(
    '[sig-node] Ephemeral Containers [NodeConformance] will start an ephemeral container in an existing pod [Conformance]',
    deadline,
    async () => {
      const name = fresh('ephemeral')
      await pods.create(name, { containers: [{ name: 'test', image: pause }] })
      await pods.running(name)
      await addEphemeral(name, [debugger1('debugger')])
      await ephemeralRuns(name, 'debugger')
      assert.match(await pods.exec(name, ['/bin/echo', 'marco'], 'debugger'), /^marco/)
      await cluster.aksel.start(['kubectl', '-n', pods.namespace, 'logs', '-f', name, '-c', 'debugger']).says(/polo/)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Ephemeral Containers [NodeConformance] should update the ephemeral containers in an existing pod [Conformance]',
    deadline,
    async () => {
      const name = fresh('ephemeral')
      await pods.create(name, { containers: [{ name: 'test', image: pause }] })
      await pods.running(name)
      await addEphemeral(name, [debugger1('debugger1')])
      await ephemeralRuns(name, 'debugger1')
      const at = { namespace: pods.namespace, name }
      const present = await cluster.core.readNamespacedPodEphemeralcontainers(at)
      const two = [...(present.spec!.ephemeralContainers ?? []), debugger1('debugger2')] as { name: string }[]
      present.spec!.ephemeralContainers = two
      const updated = await cluster.core.replaceNamespacedPodEphemeralcontainers({ ...at, body: present })
      assert.deepEqual(
        updated.spec?.ephemeralContainers?.map((each) => each.name),
        ['debugger1', 'debugger2'],
      )
      await ephemeralRuns(name, 'debugger2')
      await pods.delete(name)
    },
  )
})
