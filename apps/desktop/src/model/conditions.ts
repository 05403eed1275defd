// What a condition means, in a sentence, and whether it is as it should be. Types that nobody here knows are judged by their habit:
// what is named after a state is to be True.

import type { Tone } from './kube-table.ts'

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface ExplainedCondition extends Condition {
  readonly tone: Tone
  readonly meaning: string
}

interface Known {
  readonly good: 'True' | 'False'
  readonly whenTrue: string
  readonly whenFalse: string
}

const known: Readonly<Record<string, Known>> = {
  'Pod/PodScheduled': {
    good: 'True',
    whenTrue: 'A node was found for it.',
    whenFalse: 'No node takes it; the message says what each one lacks.',
  },
  'Pod/PodReadyToStartContainers': {
    good: 'True',
    whenTrue: 'Its sandbox and network are there.',
    whenFalse: 'Sandbox and network are not set up, or are gone again.',
  },
  'Pod/Initialized': {
    good: 'True',
    whenTrue: 'All init containers ended well.',
    whenFalse: 'An init container runs, waits or failed; the others wait for it.',
  },
  'Pod/ContainersReady': {
    good: 'True',
    whenTrue: 'Every container passes its readiness probe.',
    whenFalse: 'A container does not run or does not pass its readiness probe.',
  },
  'Pod/Ready': { good: 'True', whenTrue: 'Services send traffic to it.', whenFalse: 'Services send it no traffic.' },
  'Pod/DisruptionTarget': {
    good: 'False',
    whenTrue: 'It is being ended by something outside of it.',
    whenFalse: 'Nothing is about to end it.',
  },
  'Pod/PodResizePending': {
    good: 'False',
    whenTrue: 'A change of its resources waits for room.',
    whenFalse: 'No change of its resources waits.',
  },
  'Pod/PodResizeInProgress': {
    good: 'False',
    whenTrue: 'Its resources are being changed while it runs.',
    whenFalse: 'Its resources are as asked for.',
  },
  'Node/Ready': {
    good: 'True',
    whenTrue: 'It takes pods and reports in time.',
    whenFalse: 'It takes no pods; those on it may be moved.',
  },
  'Node/MemoryPressure': {
    good: 'False',
    whenTrue: 'Memory is short: pods are evicted.',
    whenFalse: 'There is enough memory.',
  },
  'Node/DiskPressure': {
    good: 'False',
    whenTrue: 'Disk is short: images go and pods are evicted.',
    whenFalse: 'There is enough disk.',
  },
  'Node/PIDPressure': {
    good: 'False',
    whenTrue: 'Processes are short: pods are evicted.',
    whenFalse: 'There are enough processes left.',
  },
  'Node/NetworkUnavailable': {
    good: 'False',
    whenTrue: 'Its network is not set up.',
    whenFalse: 'Its network is set up.',
  },
  'Deployment/Available': {
    good: 'True',
    whenTrue: 'Enough replicas have been ready for long enough.',
    whenFalse: 'Fewer replicas are available than must be.',
  },
  'Deployment/Progressing': {
    good: 'True',
    whenTrue: 'The rollout goes on, or has ended well.',
    whenFalse: 'The rollout does not get on within its deadline.',
  },
  'Deployment/ReplicaFailure': {
    good: 'False',
    whenTrue: 'Pods cannot be created: quota, policy or admission says no.',
    whenFalse: 'Pods can be created.',
  },
  'ReplicaSet/ReplicaFailure': {
    good: 'False',
    whenTrue: 'Pods cannot be created or deleted.',
    whenFalse: 'Pods can be created.',
  },
  'Job/Complete': { good: 'True', whenTrue: 'It has done all its work.', whenFalse: 'It is not done.' },
  'Job/SuccessCriteriaMet': {
    good: 'True',
    whenTrue: 'Enough of its pods ended well.',
    whenFalse: 'Not enough of its pods ended well yet.',
  },
  'Job/Failed': {
    good: 'False',
    whenTrue: 'It was given up; the reason says which limit it met.',
    whenFalse: 'It was not given up.',
  },
  'Job/FailureTarget': {
    good: 'False',
    whenTrue: 'It will be given up once its pods are gone.',
    whenFalse: 'It is not being given up.',
  },
  'Job/Suspended': {
    good: 'False',
    whenTrue: 'It waits until somebody resumes it.',
    whenFalse: 'It is not held back.',
  },
  'HorizontalPodAutoscaler/AbleToScale': {
    good: 'True',
    whenTrue: 'It may change the number of replicas.',
    whenFalse: 'It cannot read or write the scale of its target, or waits after a change.',
  },
  'HorizontalPodAutoscaler/ScalingActive': {
    good: 'True',
    whenTrue: 'It gets its metrics and computes replicas of them.',
    whenFalse: 'It gets no metrics, or its target is scaled to zero.',
  },
  'HorizontalPodAutoscaler/ScalingLimited': {
    good: 'False',
    whenTrue: 'It wants more or fewer replicas than its bounds allow.',
    whenFalse: 'Its bounds do not hold it back.',
  },
  'PodDisruptionBudget/DisruptionAllowed': {
    good: 'True',
    whenTrue: 'A pod may be evicted now.',
    whenFalse: 'No pod may be evicted now: drains and upgrades wait.',
  },
  'CustomResourceDefinition/Established': {
    good: 'True',
    whenTrue: 'Its objects can be created.',
    whenFalse: 'Its objects are not served yet.',
  },
  'CustomResourceDefinition/NamesAccepted': {
    good: 'True',
    whenTrue: 'No other kind has its names.',
    whenFalse: 'Another kind has one of its names.',
  },
  'CustomResourceDefinition/NonStructuralSchema': {
    good: 'False',
    whenTrue: 'Its schema is not structural: no pruning, no defaults.',
    whenFalse: 'Its schema is structural.',
  },
  'CustomResourceDefinition/Terminating': {
    good: 'False',
    whenTrue: 'Its objects are being deleted.',
    whenFalse: 'It is not being deleted.',
  },
  'APIService/Available': {
    good: 'True',
    whenTrue: 'The server behind it answers.',
    whenFalse: 'The server behind it does not answer: its kinds are not served.',
  },
  'PersistentVolumeClaim/Resizing': {
    good: 'False',
    whenTrue: 'The volume is being enlarged.',
    whenFalse: 'The volume is not being enlarged.',
  },
  'PersistentVolumeClaim/FileSystemResizePending': {
    good: 'False',
    whenTrue: 'The file system grows when a pod uses the claim.',
    whenFalse: 'The file system has the size of the volume.',
  },
  'Namespace/NamespaceDeletionContentFailure': {
    good: 'False',
    whenTrue: 'Something in it could not be deleted.',
    whenFalse: 'All in it could be deleted.',
  },
  'Namespace/NamespaceFinalizersRemaining': {
    good: 'False',
    whenTrue: 'Objects in it wait for their finalizers.',
    whenFalse: 'No object in it waits for a finalizer.',
  },
}

const badWhenTrue =
  /(Pressure|Failure|Failed|Unavailable|Degraded|Stalled|Limited|Terminating|Suspended|Error|Conflict|Remaining)$/

export function explain(kind: string, condition: Condition): ExplainedCondition {
  const entry = known[`${kind}/${condition.type}`]
  const good = entry?.good ?? (badWhenTrue.test(condition.type) ? 'False' : 'True')
  const meaning =
    condition.status === 'Unknown'
      ? 'Nobody has reported on it for a while.'
      : entry === undefined
        ? ''
        : condition.status === 'True'
          ? entry.whenTrue
          : entry.whenFalse
  return { ...condition, meaning, tone: toneOfCondition(kind, condition, good) }
}

function toneOfCondition(kind: string, { type, status, reason }: Condition, good: 'True' | 'False'): Tone {
  if (status === good) return 'good'
  if (status === 'Unknown') return 'warn'
  // A pod that has done its work is not ready, and is well.
  if (reason === 'PodCompleted') return 'quiet'
  if (kind === 'Job' && (type === 'Complete' || type === 'SuccessCriteriaMet')) return 'busy'
  if (type === 'ScalingLimited' || type === 'Suspended' || type === 'DisruptionAllowed' || type.startsWith('PodResize'))
    return 'warn'
  return 'bad'
}
