// Services that lead nowhere.

import type { Pod, Service, ServicePort } from '@aksel/api/types/core-v1'
import { matchesLabels } from '@aksel/runtime/selectors'
import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { eventLine, refOf, warningOf, type Picture } from '../picture.ts'
import { isOver, isReady, wantedPods } from '../pod-facts.ts'
import { counted, labelsText, listed } from '../words.ts'

/** A load balancer may take so long to get its address. */
const ADDRESS_MS = 120_000

export function services(picture: Picture): readonly Found[] {
  return picture.services.flatMap((service) => [
    ...(withoutEndpoints(picture, service) ?? []),
    ...portMistakes(picture, service),
    ...(withoutAddress(picture, service) ?? []),
  ])
}

function selectedPods(picture: Picture, { metadata, spec }: Service): readonly Pod[] {
  return wantedPods(picture).filter(
    (pod) => pod.metadata.namespace === metadata.namespace && matchesLabels(spec?.selector ?? {}, pod.metadata.labels),
  )
}

/** On a service whose packets the nodes answer themselves. */
const SERVED_BY = 'aksel.dev/served-by'

function hasSelector({ metadata, spec }: Service): boolean {
  return (
    metadata.annotations?.[SERVED_BY] === undefined &&
    spec?.type !== 'ExternalName' &&
    Object.keys(spec?.selector ?? {}).length > 0
  )
}

function withoutEndpoints(picture: Picture, service: Service): readonly Found[] | undefined {
  if (!hasSelector(service) || picture.unread.has('pods')) return undefined
  const subject = refOf('Service', service)
  const selector = service.spec!.selector!
  const pods = selectedPods(picture, service)
  if (pods.some(isReady)) return undefined
  const common = {
    subject,
    symptom: 'The service has no endpoints: connections are refused.',
    evidence: [{ subject, line: `spec.selector: ${labelsText(selector)}` }],
    commands: [
      `kubectl get endpointslices -l kubernetes.io/service-name=${subject.name}${inNamespace(subject)}`,
      `kubectl get pods --show-labels${inNamespace(subject)}`,
    ],
  }
  if (pods.length > 0)
    return [
      {
        ...common,
        id: 'network/endpoints-not-ready',
        cause: `It selects ${counted(pods.length, 'pod')}, and none is ready.`,
        fix: 'Look at the pods: see why they are not ready.',
        confidence: 'certain',
      },
    ]
  return [
    {
      ...common,
      id: 'network/selector-matches-nothing',
      cause: `No pod has ${labelsText(selector)}.${nearMiss(picture, service)}`,
      fix: 'Correct the selector of the service, or the labels of the pods.',
      confidence: 'certain',
    },
  ]
}

/** The pod that has most of the labels, and the one that it has differently. */
function nearMiss(picture: Picture, { metadata, spec }: Service): string {
  const selector = Object.entries(spec?.selector ?? {})
  const near = picture.pods
    .filter((pod) => pod.metadata.namespace === metadata.namespace && !isOver(pod))
    .map((pod) => ({
      pod,
      wrong: selector.filter(([key, value]) => pod.metadata.labels?.[key] !== value),
    }))
    .filter(
      ({ pod, wrong }) =>
        wrong.length < selector.length || wrong.every(([key]) => pod.metadata.labels?.[key] !== undefined),
    )
    .toSorted((left, right) => left.wrong.length - right.wrong.length)[0]
  if (near === undefined) return ''
  const words = near.wrong.map(([key]) => `${key}=${near.pod.metadata.labels?.[key] ?? '(none)'}`)
  return ` Pod "${near.pod.metadata.name}" comes closest: it has ${listed(words)}.`
}

/** A named port that no container has, or a number that every container declares otherwise. */
function portMistakes(picture: Picture, service: Service): readonly Found[] {
  if (!hasSelector(service)) return []
  const pods = selectedPods(picture, service)
  const declared = pods.flatMap(({ spec }) => (spec.containers ?? []).flatMap(({ ports = [] }) => ports))
  if (pods.length === 0 || declared.length === 0) return []
  const isThere = ({ targetPort, port }: ServicePort): boolean =>
    declared.some(({ containerPort, name }) =>
      typeof targetPort === 'string' ? name === targetPort : containerPort === (targetPort ?? port),
    )
  return (service.spec?.ports ?? [])
    .filter((port) => !isThere(port))
    .map((port): Found => {
      const subject = refOf('Service', service)
      const isNamed = typeof port.targetPort === 'string'
      return {
        id: 'network/wrong-target-port',
        subject,
        symptom: `Port ${port.port} of the service leads to nobody who listens.`,
        cause: `It goes to port ${port.targetPort ?? port.port} of the pods, and their containers declare ${listed([...new Set(declared.map(({ name, containerPort }) => (name === undefined ? String(containerPort) : `${containerPort} (${name})`)))])}.`,
        evidence: [{ subject, line: `spec.ports: ${port.port} -> ${port.targetPort ?? port.port}` }],
        fix: 'Correct targetPort.',
        commands: [describeCommand(subject)],
        // A container may listen on what it does not declare.
        confidence: isNamed ? 'certain' : 'likely',
      }
    })
}

function withoutAddress(picture: Picture, service: Service): readonly Found[] | undefined {
  if (service.spec?.type !== 'LoadBalancer' || service.metadata.deletionTimestamp !== undefined) return undefined
  if ((service.status?.loadBalancer?.ingress ?? []).length > 0) return undefined
  const subject = refOf('Service', service)
  const event = warningOf(
    picture,
    subject,
    'SyncLoadBalancerFailed',
    'CreatingLoadBalancerFailed',
    'UpdateLoadBalancerFailed',
  )
  const ageMs = picture.nowMs - Date.parse(service.metadata.creationTimestamp ?? '')
  if (event === undefined && !(ageMs > ADDRESS_MS)) return undefined
  return [
    {
      id: 'network/load-balancer-pending',
      subject,
      symptom: 'The service has no external address: <pending>.',
      cause: event === undefined ? 'The load balancer has not answered.' : (event.message ?? ''),
      evidence: event === undefined ? [] : [{ subject, line: eventLine(event) }],
      fix: 'Do as the message says; addresses, annotations and the subnet are the usual causes.',
      commands: [describeCommand(subject)],
      confidence: event === undefined ? 'possible' : 'certain',
    },
  ]
}
