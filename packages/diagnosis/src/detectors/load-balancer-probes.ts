// Load balancers whose probes fail: the backends that they have lost, by the last thing that was told of each.

import { describeCommand, inNamespace, type Found } from '../finding.ts'
import { eventLine, refOf, type Picture } from '../picture.ts'

const probed =
  /^The (health probe .+?) of (node \S+) (?:fails: ([\s\S]*?)\. The load balancer sends it nothing|succeeds)/

export function loadBalancerProbes(picture: Picture): readonly Found[] {
  return picture.services.flatMap((service): readonly Found[] => {
    if (service.spec?.type !== 'LoadBalancer') return []
    const subject = refOf('Service', service)
    const told = picture.events
      .filter(
        ({ involvedObject, reason = '' }) =>
          (reason === 'HealthProbeDown' || reason === 'HealthProbeUp') &&
          involvedObject.uid === service.metadata.uid &&
          involvedObject.kind === 'Service',
      )
      .toSorted((left, right) => timeOf(left) - timeOf(right))
    const last = new Map<string, (typeof told)[number]>()
    for (const event of told) {
      const match = probed.exec(event.message ?? '')
      if (match !== null) last.set(`${match[1]} ${match[2]}`, event)
    }
    const down = [...last.values()].filter(({ reason }) => reason === 'HealthProbeDown')
    const [first] = down
    if (first === undefined) return []
    const [, probe = '', , why = ''] = probed.exec(first.message ?? '') ?? []
    const all = down.length === last.size
    return [
      {
        id: 'network/load-balancer-probe',
        subject,
        symptom: all
          ? 'The load balancer sends nothing to anybody: connections from outside time out.'
          : `The load balancer sends nothing to ${down.length} of ${last.size} nodes.`,
        cause: `Its ${probe} fails: ${why}.`,
        evidence: down.slice(0, 5).map((event) => ({ subject, line: eventLine(event) })),
        fix: 'Let the pods answer what is asked, or correct the annotations of the probe: …/azure-load-balancer-health-probe-protocol, -request-path, and …/port_N_health-probe_port.',
        commands: [
          describeCommand(subject),
          `kubectl get endpointslices -l kubernetes.io/service-name=${subject.name}${inNamespace(subject)}`,
        ],
        confidence: 'certain',
      },
    ]
  })
}

function timeOf({ lastTimestamp, eventTime, metadata }: Picture['events'][number]): number {
  return Date.parse(String(lastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? 0))
}
