// What cannot end: namespaces and pods that are stuck on their way out, and webhooks that lead nowhere.

import { matchesLabels } from '@aksel/runtime/selectors'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { refOf, podRef, type Picture } from '../picture.ts'
import { isReady } from '../pod-facts.ts'
import { listed } from '../words.ts'

/** After the end of its grace. */
const STUCK_MS = 60_000

export function stuckNamespaces({ namespaces, nowMs }: Picture): readonly Found[] {
  return namespaces.flatMap((namespace): readonly Found[] => {
    if (namespace.metadata.deletionTimestamp === undefined) return []
    const remaining = (namespace.status?.conditions ?? []).filter(
      ({ type, status }) => status === 'True' && type.startsWith('Namespace'),
    )
    const blocking = remaining.find(({ type }) => type === 'NamespaceFinalizersRemaining') ?? remaining[0]
    if (blocking === undefined || nowMs - Date.parse(namespace.metadata.deletionTimestamp) < 10_000) return []
    const subject = refOf('Namespace', namespace)
    return [
      {
        id: 'workloads/namespace-stuck',
        subject,
        symptom: 'The namespace stays Terminating.',
        cause: blocking.message ?? blocking.reason ?? blocking.type,
        evidence: remaining.map(({ type, message = '' }) => ({ subject, line: `${type}=True: ${message}` })),
        fix:
          blocking.type === 'NamespaceFinalizersRemaining'
            ? 'Let the controller of the finalizer do its work; only where it is gone for good take the finalizer off the object.'
            : 'See which API does not answer: kubectl get apiservices.',
        commands: [
          `kubectl get namespace ${subject.name} -o yaml`,
          `kubectl api-resources --verbs=list --namespaced -o name`,
        ],
        confidence: 'certain',
      },
    ]
  })
}

export function stuckPods(picture: Picture): readonly Found[] {
  return picture.pods.flatMap((pod): readonly Found[] => {
    const { deletionTimestamp, finalizers = [] } = pod.metadata
    if (deletionTimestamp === undefined || picture.nowMs - Date.parse(deletionTimestamp) < STUCK_MS) return []
    const subject = podRef(pod)
    const node = picture.nodes.find(({ metadata }) => metadata.name === pod.spec.nodeName)
    const isLost =
      node !== undefined &&
      !(node.status?.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True')
    const isGone = node === undefined && (pod.spec.nodeName ?? '') !== '' && !picture.unread.has('nodes')
    const causes = [
      ...(finalizers.length > 0 ? [`finalizers hold it: ${listed(finalizers)}`] : []),
      ...(isLost ? [`its node "${pod.spec.nodeName}" does not answer`] : []),
      ...(isGone ? [`its node "${pod.spec.nodeName}" is gone`] : []),
    ]
    return [
      {
        id: 'workloads/pod-stuck',
        subject,
        symptom: 'The pod stays Terminating.',
        cause: causes.length === 0 ? 'Its node has not said that it ended.' : `${causes.join('; ')}.`,
        evidence: [{ subject, line: `metadata.deletionTimestamp: ${deletionTimestamp}` }],
        fix: isLost
          ? 'Bring the node back; where it is gone for good, delete the pod by force.'
          : 'See who owns the finalizer, or what its node says.',
        commands: [
          describeCommand(subject),
          ...(pod.spec.nodeName === undefined ? [] : [`kubectl describe node ${pod.spec.nodeName}`]),
        ],
        confidence: causes.length === 0 ? 'possible' : 'certain',
      },
    ]
  })
}

interface Hook {
  readonly kind: string
  readonly configuration: string
  readonly name: string
  readonly fails: boolean
  readonly service: { readonly namespace: string; readonly name: string }
}

/** Webhooks in the cluster whose service is not there or has nobody behind it. */
export function webhooks(picture: Picture): readonly Found[] {
  if (picture.unread.has('services') || picture.unread.has('pods')) return []
  return hooksOf(picture).flatMap(({ kind, configuration, name, fails, service }): readonly Found[] => {
    const found = picture.services.find(
      ({ metadata }) => metadata.namespace === service.namespace && metadata.name === service.name,
    )
    const selector = found?.spec?.selector ?? {}
    const isServed =
      found !== undefined &&
      (Object.keys(selector).length === 0 ||
        picture.pods.some(
          (pod) =>
            pod.metadata.namespace === service.namespace &&
            matchesLabels(selector, pod.metadata.labels) &&
            isReady(pod),
        ))
    if (isServed) return []
    const subject = { kind, name: configuration }
    return [
      {
        id: 'workloads/webhook-without-service',
        subject,
        symptom: fails ? 'Requests that the webhook is asked about are refused.' : 'The webhook is passed over.',
        cause:
          found === undefined
            ? `Its service ${service.namespace}/${service.name} does not exist.`
            : `Nobody ready is behind its service ${service.namespace}/${service.name}.`,
        evidence: [{ subject, line: `webhook ${name}: failurePolicy ${fails ? 'Fail' : 'Ignore'}` }],
        fix: 'Bring its pods back, or delete the configuration.',
        commands: [describeCommand(subject), `kubectl get pods${inNamespace(service)}`],
        confidence: 'certain',
      },
    ]
  })
}

function hooksOf({ validatingWebhookConfigurations, mutatingWebhookConfigurations }: Picture): readonly Hook[] {
  const all = [
    ...validatingWebhookConfigurations.map((one) => ({ kind: 'ValidatingWebhookConfiguration', one })),
    ...mutatingWebhookConfigurations.map((one) => ({ kind: 'MutatingWebhookConfiguration', one })),
  ]
  return all.flatMap(({ kind, one }) =>
    (one.webhooks ?? []).flatMap(({ name, failurePolicy, clientConfig }) => {
      const { service } = clientConfig
      if (service === undefined) return []
      return [
        {
          kind,
          configuration: one.metadata.name,
          name,
          fails: failurePolicy !== 'Ignore',
          service: { namespace: service.namespace, name: service.name },
        },
      ]
    }),
  )
}
