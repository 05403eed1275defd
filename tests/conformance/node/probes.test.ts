// Probes of real containers in all their forms.

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { sized } from '@aksel/testing/test-size'
import type { V1Container, V1Pod, V1Probe } from '@kubernetes/client-node'
import { agnhost, busybox, conformanceCluster, type ConformanceCluster } from '../cluster.ts'
import { fresh, isReady, podsIn, type Pods } from '../pods.ts'

const deadline = { timeout: sized({ gate: 180_000, full: 600_000 }) }
/** Upstream watches for four minutes that nothing restarts. */
const OBSERVED_MS = sized({ gate: 12_000, full: 240_000 })

const restarts = ({ status }: V1Pod): number => status?.containerStatuses?.[0]?.restartCount ?? 0

void suite('probes', { concurrency: 10 }, () => {
  let cluster: ConformanceCluster
  let pods: Pods

  before(async () => {
    cluster = await conformanceCluster({ nodes: 'real', count: 1, agnhost: true })
    pods = await podsIn(cluster, 'container-probe')
  })
  after(() => cluster[Symbol.asyncDispose]())

  const start = async (container: Partial<V1Container>): Promise<string> => {
    const name = fresh('probed')
    await pods.create(name, { containers: [{ name: 'probed', image: agnhost, ...container }] })
    await pods.running(name)
    return name
  }
  /** Follows the pod for a while: a restart ends the wait early, and fails the test. */
  const neverRestarts = async (name: string, isFine: (pod: V1Pod) => boolean = () => true): Promise<void> => {
    const broken = pods.until(name, (pod) => restarts(pod) > 0 || !isFine(pod), OBSERVED_MS)
    await assert.rejects(broken, /is not as wanted after/)
    await pods.delete(name)
  }
  const restartsOnce = async (name: string): Promise<void> => {
    await pods.until(name, (pod) => restarts(pod) >= 1, 120_000)
    await pods.delete(name)
  }
  const probe = (how: V1Probe): V1Probe =>
    Object.assign({ initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 1, timeoutSeconds: 5 }, how)
  const sick = ['sh', '-c', 'echo ok > /tmp/health; sleep 10; rm -f /tmp/health; sleep 600']
  const well = ['sh', '-c', 'echo ok > /tmp/health; sleep 600']
  const catHealth = { exec: { command: ['cat', '/tmp/health'] } }

  void test(
    '[sig-node] Probing container should be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await restartsOnce(await start({ image: busybox, command: sick, livenessProbe: probe(catHealth) }))
    },
  )
  void test(
    '[sig-node] Probing container should *not* be restarted with a exec "cat /tmp/health" liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await neverRestarts(await start({ image: busybox, command: well, livenessProbe: probe(catHealth) }))
    },
  )
  void test(
    '[sig-node] Probing container should be restarted with a /healthz http liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await restartsOnce(
        await start({ args: ['liveness'], livenessProbe: probe({ httpGet: { path: '/healthz', port: 8080 } }) }),
      )
    },
  )
  void test(
    '[sig-node] Probing container should *not* be restarted with a /healthz http liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const livenessProbe = probe({ httpGet: { path: '/', port: 80 }, failureThreshold: 5 })
      await neverRestarts(await start({ args: ['test-webserver'], livenessProbe }))
    },
  )
  void test(
    '[sig-node] Probing container should *not* be restarted with a tcp:8080 liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await neverRestarts(await start({ args: ['netexec'], livenessProbe: probe({ tcpSocket: { port: 8080 } }) }))
    },
  )
  void test(
    '[sig-node] Probing container should *not* be restarted with a GRPC liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      await neverRestarts(
        await start({ args: ['grpc-health-checking'], livenessProbe: probe({ grpc: { port: 5000 } }) }),
      )
    },
  )
  void test(
    '[sig-node] Probing container should be restarted with a GRPC liveness probe [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const livenessProbe = probe({ grpc: { port: 2333 } })
      await restartsOnce(await start({ args: ['grpc-health-checking'], livenessProbe }))
    },
  )
  void test(
    '[sig-node] Probing container should have monotonically increasing restart count [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const name = await start({
        args: ['liveness'],
        livenessProbe: probe({ httpGet: { path: '/healthz', port: 8080 } }),
      })
      const wanted = sized({ gate: 2, full: 5 })
      let seen = 0
      await pods.until(
        name,
        (pod) => {
          assert.ok(restarts(pod) >= seen, `the restart count fell from ${seen} to ${restarts(pod)}`)
          seen = restarts(pod)
          return seen >= wanted
        },
        sized({ gate: 120_000, full: 580_000 }),
      )
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Probing container with readiness probe should not be ready before initial delay and never restart [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const initialDelaySeconds = sized({ gate: 6, full: 30 })
      const readinessProbe = { httpGet: { path: '/', port: 81 }, initialDelaySeconds }
      const name = await start({ args: ['test-webserver', '--port=81'], readinessProbe })
      const pod = await pods.ready(name)
      const startedAt = Date.parse(String(pod.status!.containerStatuses![0]!.state!.running!.startedAt))
      const readyAt = Date.parse(
        String(pod.status!.conditions!.find(({ type }) => type === 'Ready')!.lastTransitionTime),
      )
      assert.ok(
        readyAt - startedAt >= (initialDelaySeconds - 1) * 1000,
        `ready ${readyAt - startedAt} ms after its start`,
      )
      assert.equal(restarts(pod), 0)
      await pods.delete(name)
    },
  )
  void test(
    '[sig-node] Probing container with readiness probe that fails should never be ready and never restart [NodeConformance] [Conformance]',
    deadline,
    async () => {
      const readinessProbe = { exec: { command: ['/bin/false'] }, initialDelaySeconds: 1, periodSeconds: 1 }
      await neverRestarts(await start({ image: busybox, command: well, readinessProbe }), (pod) => !isReady(pod))
    },
  )
})
