// The life of real containers: init containers, hooks, ends and what is said about them, side by side with the files
// that the node keeps for a pod.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { V1Container, V1ContainerStatus, V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, pause, type ConformanceCluster } from '../cluster.ts'
import { fresh, podsIn, serving, type Pods } from '../pods.ts'

const deadline = { timeout: 180_000 }

void suite('life of pods', { concurrency: 5 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'life')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const start = async (spec: Partial<V1PodSpec> & { containers: V1Container[] }): Promise<string> => {
    const name = fresh('pod-life')
    await pods.create(name, spec)
    return name
  }
  const run1 = { name: 'run1', image: pause }
  const init = (name: string, command: string): V1Container => ({ name, image: busybox, command: [`/bin/${command}`] })
  const initStatuses = ({ status }: V1Pod): readonly V1ContainerStatus[] => status?.initContainerStatuses ?? []
  const condition = ({ status }: V1Pod, type: string): string | undefined =>
    status?.conditions?.find((each) => each.type === type)?.status

  void test(
    '[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartNever pod [Conformance]',
    deadline,
    async () => {
      const name = await start({
        restartPolicy: 'Never',
        initContainers: [init('init1', 'true'), init('init2', 'true')],
        containers: [{ name: 'run1', image: busybox, command: ['/bin/true'] }],
      })
      const pod = await pods.succeeded(name)
      assert.equal(condition(pod, 'Initialized'), 'True')
      assert.equal(initStatuses(pod).length, 2)
      for (const status of initStatuses(pod)) {
        assert.equal(status.ready, true, status.name)
        assert.equal(status.state?.terminated?.exitCode, 0, status.name)
      }
    },
  )
  void test(
    '[sig-node] InitContainer [NodeConformance] should invoke init containers on a RestartAlways pod [Conformance]',
    deadline,
    async () => {
      const name = await start({ initContainers: [init('init1', 'true'), init('init2', 'true')], containers: [run1] })
      const pod = await pods.running(name)
      assert.equal(condition(pod, 'Initialized'), 'True')
      assert.deepEqual(
        initStatuses(pod).map(({ ready, state }) => [ready, state?.terminated?.exitCode]),
        [
          [true, 0],
          [true, 0],
        ],
      )
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] InitContainer [NodeConformance] should not start app containers if init containers fail on a RestartAlways pod [Conformance]',
    deadline,
    async () => {
      const name = await start({ initContainers: [init('init1', 'false'), init('init2', 'true')], containers: [run1] })
      const pod = await pods.until(name, (each) => (initStatuses(each)[0]?.restartCount ?? 0) >= 3, 150_000)
      assert.equal(pod.status?.phase, 'Pending')
      assert.equal(condition(pod, 'Initialized'), 'False')
      const reason = pod.status?.conditions?.find(({ type }) => type === 'Initialized')
      assert.equal(reason?.reason, 'ContainersNotInitialized')
      assert.equal(reason?.message, 'containers with incomplete status: [init1 init2]')
      assert.equal(initStatuses(pod)[1]?.state?.waiting?.reason, 'PodInitializing')
      assert.equal(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing')
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] InitContainer [NodeConformance] should not start app containers and fail the pod if init containers fail on a RestartNever pod [Conformance]',
    deadline,
    async () => {
      const name = await start({
        restartPolicy: 'Never',
        initContainers: [init('init1', 'true'), init('init2', 'false')],
        containers: [{ name: 'run1', image: busybox, command: ['/bin/true'] }],
      })
      const pod = await pods.until(name, ({ status }) => status?.phase === 'Failed')
      assert.equal(condition(pod, 'Initialized'), 'False')
      assert.deepEqual(
        initStatuses(pod).map(({ ready, state }) => [ready, state?.terminated?.exitCode]),
        [
          [true, 0],
          [false, 1],
        ],
      )
      assert.equal(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason, 'PodInitializing')
    },
  )

  void test(
    '[sig-node] Kubelet when scheduling a busybox command in a pod should print the output to logs [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const command = ['sh', '-c', "echo 'Hello World' ; sleep 240"]
      const name = await start({ restartPolicy: 'Never', containers: [{ name: 'busybox', image: busybox, command }] })
      await pods.logHolds(name, /^Hello World\n$/)
      await pods.delete(name)
    },
  )
  const alwaysFails = (): Promise<string> =>
    start({ restartPolicy: 'Always', containers: [init('bin-false', 'false')] })
  void test(
    '[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should have an terminated reason [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await alwaysFails()
      const { status } = await pods.until(
        name,
        (pod) => pod.status?.containerStatuses?.[0]?.state?.terminated !== undefined,
      )
      const ended = status!.containerStatuses![0]!.state!.terminated!
      assert.notEqual(ended.exitCode, 0)
      assert.notEqual(ended.reason ?? '', '')
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Kubelet when scheduling a busybox command that always fails in a pod should be possible to delete [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await alwaysFails()
      await pods.delete(name)
      await pods.gone(name)
    },
  )
  void test(
    '[sig-node] Kubelet when scheduling a read only busybox container should not write to root filesystem [LinuxOnly] [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await start({
        restartPolicy: 'Never',
        containers: [
          {
            name: 'readonly',
            image: busybox,
            command: ['/bin/sh', '-c', 'echo test > /file; sleep 240'],
            securityContext: { readOnlyRootFilesystem: true },
          },
        ],
      })
      await pods.logHolds(name, /\/bin\/sh: can't create \/file: Read-only file system/)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Kubelet when scheduling an agnhost Pod with hostAliases should write entries to /etc/hosts [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await start({
        restartPolicy: 'Never',
        hostAliases: [{ ip: '123.45.67.89', hostnames: ['foo', 'bar'] }],
        containers: [{ name: 'test', image: agnhost, command: ['cat', '/etc/hosts'] }],
      })
      await pods.succeeded(name)
      assert.match(await pods.log(name), /^123\.45\.67\.89\tfoo\tbar$/m)
    },
  )
  void test(
    '[sig-node] KubeletManagedEtcHosts should test kubelet managed /etc/hosts file [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const own = { name: 'host-etc-hosts', hostPath: { path: '/etc/hosts', type: 'File' } }
      const mounts = (name: string, mountPath: string) => ({
        name,
        image: agnhost,
        volumeMounts: [{ name: own.name, mountPath }],
      })
      const containers = [
        mounts('busybox-1', '/etc/hosts-original'),
        mounts('busybox-2', '/etc/hosts-original'),
        mounts('busybox-3', '/etc/hosts'),
      ]
      const usual = await start({ volumes: [own], containers })
      const onHost = await start({ hostNetwork: true, volumes: [own], containers: containers.slice(0, 2) })
      await Promise.all([pods.running(usual), pods.running(onHost)])
      const managed = (pod: string, name: string): Promise<boolean> =>
        pods.exec(pod, ['cat', '/etc/hosts'], name).then((text) => text.startsWith('# Kubernetes-managed hosts file.'))
      assert.deepEqual(
        [await managed(usual, 'busybox-1'), await managed(usual, 'busybox-2'), await managed(usual, 'busybox-3')],
        [true, true, false],
      )
      assert.deepEqual([await managed(onHost, 'busybox-1'), await managed(onHost, 'busybox-2')], [false, false])
      await Promise.all([pods.delete(usual), pods.delete(onHost)])
    },
  )

  /** A server that hooks call, and its address. */
  const handler = async (): Promise<{ readonly name: string; readonly ip: string }> => {
    const name = await start({ containers: [serving(8080, { name: 'handler', image: agnhost, args: ['netexec'] })] })
    const pod = await pods.ready(name)
    return { name, ip: pod.status!.podIP! }
  }
  const hooked = (lifecycle: NonNullable<V1Container['lifecycle']>, image = agnhost): V1Container => ({
    name: 'hooked',
    image,
    lifecycle,
    ...(image === busybox ? { command: ['sleep', '3600'] } : {}),
  })
  /** What the pod's hook said to the handler, in the words of its access. */
  const call = (ip: string, message: string) => ({
    exec: { command: ['sh', '-c', `wget -q -O /tmp/answer "http://${ip}:8080/echo?msg=${message}"`] },
  })
  const viaNetExec = async (server: { readonly name: string }, file: string): Promise<string> =>
    pods.exec(server.name, ['sh', '-c', `cat ${file} 2>/dev/null || true`])

  void test(
    '[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart exec hook properly [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const server = await handler()
      const name = await start({ containers: [hooked({ postStart: call(server.ip, 'poststart') })] })
      await pods.ready(name)
      assert.equal(await pods.exec(name, ['cat', '/tmp/answer']), 'poststart')
      await Promise.all([pods.delete(name), pods.delete(server.name)])
    },
  )
  const shellHook = (ip: string, file: string) => ({
    httpGet: {
      host: ip,
      port: 8080,
      path: `/shell?cmd=touch%20${encodeURIComponent(file)}%26%26echo%20called%20%3E%20${encodeURIComponent(file)}`,
    },
  })
  void test(
    '[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute poststart http hook properly [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const server = await handler()
      const name = await start({ containers: [hooked({ postStart: shellHook(server.ip, '/tmp/poststart') })] })
      await pods.ready(name)
      assert.equal(await viaNetExec(server, '/tmp/poststart'), 'called\n')
      await Promise.all([pods.delete(name), pods.delete(server.name)])
    },
  )
  void test(
    '[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop http hook properly [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const server = await handler()
      const name = await start({ containers: [hooked({ preStop: shellHook(server.ip, '/tmp/prestop-http') })] })
      await pods.ready(name)
      assert.equal(await viaNetExec(server, '/tmp/prestop-http'), '')
      await pods.delete(name, 15)
      await pods.gone(name)
      assert.equal(await viaNetExec(server, '/tmp/prestop-http'), 'called\n')
      await pods.delete(server.name)
    },
  )
  void test(
    '[sig-node] Container Lifecycle Hook when create a pod with lifecycle hook should execute prestop exec hook properly [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const server = await handler()
      const said = encodeURIComponent('echo called > /tmp/prestop-exec')
      const preStop = { exec: { command: ['sh', '-c', `wget -q -O - "http://${server.ip}:8080/shell?cmd=${said}"`] } }
      const name = await start({ containers: [hooked({ preStop })] })
      await pods.ready(name)
      await pods.delete(name, 15)
      await pods.gone(name)
      assert.equal(await viaNetExec(server, '/tmp/prestop-exec'), 'called\n')
      await pods.delete(server.name)
    },
  )
  void test('[sig-node] PreStop should call prestop when killing a pod [Conformance]', deadline, async () => {
    const nettest = serving(8080, { name: 'server', image: agnhost, args: ['nettest', '--port=8080'] })
    const server = await start({ containers: [nettest] })
    const { status } = await pods.ready(server)
    const post = `wget -q -O - --post-data='{"Source": "prestop"}' http://${status!.podIP}:8080/write`
    const tester = await start({
      containers: [hooked({ preStop: { exec: { command: ['sh', '-c', post] } } }, busybox)],
    })
    await pods.running(tester)
    await pods.delete(tester, 15)
    await pods.gone(tester)
    const path = `/api/v1/namespaces/${pods.namespace}/pods/${server}:8080/proxy/read`
    const { Received } = await cluster.get<{ Received: Record<string, number> }>(path)
    assert.deepEqual(Received, { prestop: 1 })
    await pods.delete(server)
  })

  const endsWith = async (container: Partial<V1Container>, restartPolicy = 'Never'): Promise<V1ContainerStatus> => {
    const name = await start({ restartPolicy, containers: [{ name: 'ends', image: busybox, ...container }] })
    const pod = await pods.until(name, ({ status }) => status?.containerStatuses?.[0]?.state?.terminated !== undefined)
    return pod.status!.containerStatuses![0]!
  }
  const message = async (container: Partial<V1Container>): Promise<string> =>
    (await endsWith(container)).state!.terminated!.message ?? ''
  const fallBack = { terminationMessagePolicy: 'FallbackToLogsOnError', terminationMessagePath: '/dev/termination-log' }

  void test(
    '[sig-node] Container Runtime blackbox test on terminated container should report termination message if TerminationMessagePath is set as non-root user and at a non-default path [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const said = await message({
        command: ['/bin/sh', '-c', '/bin/echo -n DONE > /dev/termination-custom-log'],
        terminationMessagePath: '/dev/termination-custom-log',
        securityContext: { runAsUser: 1000 },
      })
      assert.equal(said, 'DONE')
    },
  )
  void test(
    '[sig-node] Container Runtime blackbox test on terminated container should report termination message from log output if TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]',
    deadline,
    async () => {
      assert.equal(await message({ ...fallBack, command: ['/bin/sh', '-c', '/bin/echo -n DONE; /bin/false'] }), 'DONE')
    },
  )
  void test(
    '[sig-node] Container Runtime blackbox test on terminated container should report termination message as empty when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]',
    deadline,
    async () => {
      assert.equal(await message({ ...fallBack, command: ['/bin/sh', '-c', '/bin/echo -n DONE; /bin/true'] }), '')
    },
  )
  void test(
    '[sig-node] Container Runtime blackbox test on terminated container should report termination message from file when pod succeeds and TerminationMessagePolicy FallbackToLogsOnError is set [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const command = ['/bin/sh', '-c', '/bin/echo -n OK > /dev/termination-log; /bin/echo DONE; /bin/true']
      assert.equal(await message({ ...fallBack, command }), 'OK')
    },
  )
  void test(
    '[sig-node] Container Runtime blackbox test when starting a container that exits should run with the expected status [NodeConformance] [Conformance]',
    deadline,
    async () => {
      // Fails at its first run, and ends well after its second.
      const command = [
        'sh',
        '-c',
        "f=/restart-count/restartCount; count=$(echo 'hello' >> $f ; wc -l $f | awk {'print $1'}); if [ $count -eq 1 ]; then exit 1; fi; if [ $count -eq 2 ]; then exit 0; fi; while true; do sleep 1; done",
      ]
      const cases = [
        { policy: 'Always', phase: 'Running', restartCount: 2, ready: true },
        { policy: 'OnFailure', phase: 'Succeeded', restartCount: 1, ready: false },
        { policy: 'Never', phase: 'Failed', restartCount: 0, ready: false },
      ]
      const judge = async ({ policy, phase, restartCount, ready }: (typeof cases)[number]): Promise<void> => {
        const name = await start({
          restartPolicy: policy,
          volumes: [{ name: 'count', emptyDir: { medium: 'Memory' } }],
          containers: [
            {
              name: 'terminate-cmd',
              image: busybox,
              command,
              volumeMounts: [{ name: 'count', mountPath: '/restart-count' }],
            },
          ],
        })
        const isAsWanted = ({ status }: V1Pod): boolean => {
          const [own] = status?.containerStatuses ?? []
          return status?.phase === phase && own?.restartCount === restartCount && own.ready === ready
        }
        const pod = await pods.until(name, isAsWanted, 120_000)
        const state = pod.status!.containerStatuses![0]!.state!
        assert.equal(phase === 'Running' ? state.running !== undefined : state.terminated !== undefined, true)
        await pods.delete(name)
        await pods.gone(name)
      }
      await Promise.all(cases.map(judge))
    },
  )
})
