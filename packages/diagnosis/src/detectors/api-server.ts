// The API server itself: clients that are turned away or wait, the managed guard at work, and an event loop that is late.

import { describeCommand, type Found } from '../finding.ts'
import { eventLine, refOf, warningsOf, type Picture } from '../picture.ts'
import { listed } from '../words.ts'

/** AKS' name for both objects. */
const GUARD = 'aks-managed-apiserver-guard'
/** Of the time: what asks then waits, and leases and elections are in danger. */
const HELD_UP_MIN = 0.5
/** Waiting is what queues are for; this many at once is no moment's crowd. */
const QUEUED_MIN = 20

export function apiServer(picture: Picture): readonly Found[] {
  return [...guard(picture), ...throttled(picture), ...late(picture)]
}

/** The guard stands there only while it throttles somebody. */
function guard(picture: Picture): readonly Found[] {
  const schema = picture.flowSchemas.find(({ metadata }) => metadata.name === GUARD)
  if (schema === undefined) return []
  const subject = refOf('FlowSchema', schema)
  const clients = (schema.spec?.rules ?? []).flatMap(({ subjects }) =>
    subjects.flatMap(({ user, serviceAccount }) => user?.name ?? serviceAccount?.name ?? []),
  )
  const event = warningsOf(picture, subject)[0]
  return [
    {
      id: 'performance/api-guard',
      subject,
      symptom: 'Some clients get 429 Too Many Requests: the managed API server guard is in force.',
      cause: `Requests of ${clients.length === 0 ? 'clients that are not of the system' : listed(clients.map((name) => `"${name}"`))} cost so much that the API server was in danger.`,
      evidence: [
        { subject, line: `spec.priorityLevelConfiguration: ${schema.spec?.priorityLevelConfiguration.name ?? GUARD}` },
        ...(event === undefined ? [] : [{ subject, line: eventLine(event) }]),
      ],
      fix: 'Make these clients list less: watches instead of lists, pages by limit, selectors, fewer retries. Then the guard goes by itself.',
      commands: [
        `kubectl get flowschema,prioritylevelconfiguration ${GUARD}`,
        "kubectl get --raw '/debug/api_priority_and_fairness/dump_priority_levels'",
      ],
      confidence: 'certain',
    },
  ]
}

function throttled({ apiServerLoad, flowSchemas }: Picture): readonly Found[] {
  if (apiServerLoad === undefined) return []
  const { rejected, queued, seconds, busiest } = apiServerLoad
  const asked =
    busiest.length === 0 ? '' : ` Asked most: ${listed(busiest.map(({ what, count }) => `${what} (${count})`))}.`
  const commands = [
    "kubectl get --raw '/debug/api_priority_and_fairness/dump_priority_levels'",
    'kubectl get flowschemas',
  ]
  const found: Found[] = []
  for (const level of new Set(rejected.map((each) => each.level))) {
    const own = rejected.filter((each) => each.level === level)
    const count = own.reduce((sum, each) => sum + each.count, 0)
    const [first] = own
    // The guard's own work is told of the guard.
    if (level === GUARD && flowSchemas.some(({ metadata }) => metadata.name === GUARD)) continue
    const subject = { kind: 'PriorityLevelConfiguration', name: level }
    found.push({
      id: 'performance/api-throttled',
      subject,
      symptom: `${count} requests were turned away with 429 within ${seconds.toFixed(0)} s.`,
      cause: `Priority level "${level}" is full: requests of flow schema "${first!.schema}" come faster than its seats are free (${first!.reason}).${asked}`,
      evidence: own.map((each) => ({
        subject,
        line: `apiserver_flowcontrol_rejected_requests_total: +${each.count} flow_schema=${each.schema} reason=${each.reason}`,
      })),
      fix: 'Find the client and slow it down, or give its flow schema a priority level with more shares or longer queues.',
      commands: [...commands, describeCommand({ kind: 'FlowSchema', name: first!.schema })],
      confidence: 'certain',
    })
  }
  for (const { level, count } of queued) {
    if (count < QUEUED_MIN || found.some(({ subject }) => subject.name === level)) continue
    const subject = { kind: 'PriorityLevelConfiguration', name: level }
    found.push({
      id: 'performance/api-queued',
      subject,
      symptom: 'The API server answers late.',
      cause: `${count} requests wait for a seat of priority level "${level}".${asked}`,
      evidence: [{ subject, line: `apiserver_flowcontrol_current_inqueue_requests: ${count}` }],
      fix: 'Find the client and slow it down, or give the level more shares.',
      commands,
      confidence: 'likely',
    })
  }
  return found
}

function late({ apiServerLoad }: Picture): readonly Found[] {
  const ratio = apiServerLoad?.heldUpRatio
  if (apiServerLoad === undefined || ratio === undefined || ratio < HELD_UP_MIN) return []
  const subject = { kind: 'APIServer', name: 'kube-apiserver' }
  const asked = apiServerLoad.busiest.map(({ what, count }) => `${what} (${count})`)
  return [
    {
      id: 'performance/event-loop',
      subject,
      symptom: 'Everything that asks the API server is slow.',
      cause: `Its event loop stood still for a quarter of a second or longer in ${(ratio * 100).toFixed(0)} % of the time: requests cost more than one core gives, or others take the core.${asked.length === 0 ? '' : ` Asked most: ${listed(asked)}.`}`,
      evidence: [{ subject, line: `aksel_event_loop_held_up_ratio: ${ratio.toFixed(2)}` }],
      fix: 'Make clients list less, or give the server a core of its own.',
      commands: ['kubectl get --raw /metrics', 'kubectl get flowschemas'],
      confidence: 'likely',
    },
  ]
}
