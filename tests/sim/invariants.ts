// What must hold at every moment, whatever breaks: judged with every change that the server makes.

import { deployments, jobs, persistentVolumeClaims, pods, replicaSets } from '@aksel/api/resources'
import { keyOf, type KubernetesObject, type ResourceType } from '@aksel/api/resource'
import type { Pod } from '@aksel/api/types/core-v1'
import { Informer } from '@aksel/runtime/informer'
import { childScope, type Scope } from '@aksel/base/scope'
import type { Client } from '@aksel/client/client'

export interface Invariants {
  /** What was broken, in words; empty while all holds. */
  readonly broken: readonly string[]
  /** To be called as soon as a crashed server serves again: whoever looks later than others judges wrongly. */
  reconnect(): void
}

const isActive = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status?.phase !== 'Succeeded' && status?.phase !== 'Failed'

const isOver = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'

function ownerOf(object: KubernetesObject, kind: string): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.kind === kind && owner.controller === true)?.uid
}

/**
 * Watches as long as the scope lives. `unanswered`: creations of pods so far whose outcome nobody was told, as when the
 * server died with them; each may stand beside those that were asked for.
 */
export function watchInvariants(scope: Scope, client: Client, unanswered: () => number): Invariants {
  const broken: string[] = []
  let stopping = new AbortController()
  const informer = <T extends KubernetesObject>(type: ResourceType<T>): Informer<T> => {
    const made = new Informer<T>(childScope(scope, {}, stopping.signal), client, type)
    void made.run()
    return made
  }
  const informers = () => ({
    replicaSets: informer(replicaSets),
    deployments: informer(deployments),
    jobs: informer(jobs),
    claims: informer(persistentVolumeClaims),
    pods: informer(pods),
  })
  let all = informers()
  /** The most that was ever asked for: a bound that came down takes a while to be kept. */
  const most = new Map<string, number>()
  const raise = (uid: string | undefined, value: number): void => {
    if (uid !== undefined) most.set(uid, Math.max(most.get(uid) ?? 0, value))
  }
  const tell = (words: string): void => {
    if (!broken.includes(words)) broken.push(words)
  }
  function judgeDeployment(uid: string | undefined): void {
    const deployment = all.deployments.list().find(({ metadata }) => metadata.uid === uid)
    if (deployment === undefined) return
    const surge = Number(deployment.spec?.strategy?.rollingUpdate?.maxSurge ?? 1)
    const asked = all.replicaSets.list().filter((set) => ownerOf(set, 'Deployment') === uid)
    const sum = asked.reduce((total, { spec }) => total + (spec?.replicas ?? 1), 0)
    const bound = (most.get(uid!) ?? 0) + surge
    if (sum > bound)
      tell(`deployment ${keyOf(deployment)} asks for ${sum} pods: more than ${bound}, its maxSurge included`)
  }

  function judgeCount(pod: Pod, kind: 'ReplicaSet' | 'Job'): void {
    const uid = ownerOf(pod, kind)
    const bound = uid === undefined ? undefined : most.get(uid)
    if (uid === undefined || bound === undefined) return
    const active = all.pods.list().filter((other) => ownerOf(other, kind) === uid && isActive(other)).length
    if (active > bound)
      tell(
        `${active} active pods of ${kind} ${pod.metadata.ownerReferences![0]!.name}: never more than ${bound} were asked for`,
      )
  }

  function judgeCompletions(pod: Pod): void {
    const uid = ownerOf(pod, 'Job')
    const job = all.jobs.list().find(({ metadata }) => metadata.uid === uid)
    if (job?.spec?.completions === undefined) return
    // One that was asked to go was replaced, and may have succeeded all the same.
    const done = all.pods
      .list()
      .filter(
        (other) =>
          ownerOf(other, 'Job') === uid &&
          other.status?.phase === 'Succeeded' &&
          other.metadata.deletionTimestamp === undefined,
      )
    if (done.length > job.spec.completions + unanswered())
      tell(`${done.length} pods of job ${keyOf(job)} succeeded: ${job.spec.completions} completions were asked for`)
  }

  /** A claim for one pod alone has one pod. */
  function judgeWriters(pod: Pod): void {
    for (const { persistentVolumeClaim } of pod.spec.volumes ?? []) {
      if (persistentVolumeClaim === undefined) continue
      const key = `${pod.metadata.namespace}/${persistentVolumeClaim.claimName}`
      const claim = all.claims.get(key)
      if (claim?.spec.accessModes?.includes('ReadWriteOncePod') !== true) continue
      const writers = all.pods
        .list(pod.metadata.namespace)
        .filter(
          (other) =>
            (other.spec.nodeName ?? '') !== '' &&
            !isOver(other) &&
            other.spec.volumes?.some((each) => each.persistentVolumeClaim?.claimName === claim.metadata.name),
        )
      if (writers.length > 1) tell(`claim ${key} has writers ${writers.map(keyOf).sort().join(' and ')}`)
    }
  }

  function judgeOwners(pod: Pod): void {
    for (const owner of pod.metadata.ownerReferences ?? []) {
      const elsewhere = [...all.replicaSets.list(), ...all.jobs.list()].find(
        ({ metadata }) => metadata.uid === owner.uid && metadata.namespace !== pod.metadata.namespace,
      )
      if (elsewhere !== undefined) tell(`pod ${keyOf(pod)} is owned by ${keyOf(elsewhere)} of another namespace`)
    }
  }

  function judgeOrdinal(pod: Pod): void {
    const uid = ownerOf(pod, 'StatefulSet')
    const index = pod.metadata.labels?.['apps.kubernetes.io/pod-index']
    if (uid === undefined || index === undefined) return
    const same = all.pods
      .list()
      .filter(
        (other) =>
          ownerOf(other, 'StatefulSet') === uid &&
          other.metadata.labels?.['apps.kubernetes.io/pod-index'] === index &&
          !isOver(other),
      )
    if (same.length > 1) tell(`ordinal ${index} has pods ${same.map(keyOf).sort().join(' and ')}`)
  }

  function subscribe(): void {
    all.replicaSets.subscribe((now) => {
      if (now === undefined) return
      raise(now.metadata.uid, now.spec?.replicas ?? 1)
      judgeDeployment(ownerOf(now, 'Deployment'))
    })
    all.jobs.subscribe((now) => raise(now?.metadata.uid, now?.spec?.parallelism ?? 1))
    all.deployments.subscribe((now) => raise(now?.metadata.uid, now?.spec?.replicas ?? 1))
    all.pods.subscribe((now) => {
      if (now === undefined) return
      judgeCount(now, 'ReplicaSet')
      judgeCount(now, 'Job')
      judgeCompletions(now)
      judgeWriters(now)
      judgeOwners(now)
      judgeOrdinal(now)
    })
  }

  subscribe()
  return {
    broken,
    reconnect() {
      stopping.abort(new Error('the server is another'))
      stopping = new AbortController()
      all = informers()
      subscribe()
    },
  }
}
