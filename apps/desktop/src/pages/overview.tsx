// A cluster at a glance: is it well, what runs, what went wrong lately.

import { ShieldCheckmarkRegular } from '@fluentui/react-icons'
import type { ArmCluster } from '../data/arm.ts'
import { callJson, clusterCall } from '../data/api.ts'
import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { useNow } from '../data/now.ts'
import { useAsync } from '../data/use-async.ts'
import { ageText, toneOf, type Tone } from '../model/kube-table.ts'
import { resourceId, titleOf, type ApiResource } from '../model/resources.ts'
import { FindingRows, type DiagnosisAnswer } from '../parts/findings.tsx'
import { Link } from '../parts/link.tsx'
import { ForwardList } from '../parts/port-forwards.tsx'
import { Empty } from '../parts/states.tsx'
import { ClusterState } from './clusters.tsx'

const noSort = { filter: '', sort: undefined } as const
const counted = [
  'pods',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'services',
  'persistentvolumeclaims',
] as const

export function OverviewPage({ cluster: arm }: { readonly cluster: ArmCluster | undefined }) {
  const cluster = useCluster()
  const shown = ['nodes', ...counted].flatMap((id) => {
    const resource = cluster.find(id)
    return resource !== undefined && cluster.may({ verb: 'list', group: resource.group, resource: resource.resource })
      ? [resource]
      : []
  })
  return (
    <>
      <div className="head">
        <h1>{cluster.name}</h1>
        <span className="sub">Kubernetes {cluster.version}</span>
        {arm?.properties.aksel?.simulated === true && <span className="chip sim">simulated: no container runs</span>}
        <span className="grow" />
        {arm !== undefined && (
          <span className="sub">
            <ClusterState cluster={arm} />
          </span>
        )}
      </div>
      <div className="scroll">
        <div className="stack">
          <div className="stats">
            {shown.map((resource) => (
              <Stat key={resourceId(resource)} resource={resource} />
            ))}
          </div>
          <ForwardList />
          <div className="grid two">
            <Diagnosis />
            <Warnings />
          </div>
        </div>
      </div>
    </>
  )
}

function Stat({ resource }: { readonly resource: ApiResource }) {
  const cluster = useCluster()
  const id = resourceId(resource)
  const facet = id === 'pods' || id === 'nodes' || id === 'persistentvolumeclaims' ? 'Status' : 'Ready'
  const { update } = useLiveTable(cluster.places(resource), [facet], noSort)
  const parts = partsOf(facet, update?.facets[facet] ?? [])
  const unwell = parts
    .filter(({ tone }) => tone === 'bad' || tone === 'warn' || tone === 'busy')
    .reduce((sum, { count }) => sum + count, 0)
  return (
    <Link to={{ page: 'list', cluster: cluster.key, resource: id, filter: '' }} className="card stat">
      <span>{titleOf(resource)}</span>
      <b>{update === undefined ? '–' : update.total.toLocaleString('en')}</b>
      <div className="bar-parts" aria-hidden>
        {parts.map(({ tone, count }) => (
          <i key={tone} className={`fill-${tone}`} style={{ flexGrow: count }} />
        ))}
      </div>
      <span>
        {update === undefined
          ? ' '
          : update.total === 0
            ? 'none'
            : unwell === 0
              ? 'all well'
              : `${unwell.toLocaleString('en')} not well`}
      </span>
    </Link>
  )
}

const tones: readonly Tone[] = ['good', 'quiet', 'busy', 'warn', 'bad']

function partsOf(facet: string, values: readonly (readonly [string, number])[]) {
  const sums = new Map<Tone, number>()
  for (const [value, count] of values) {
    const counts = /^(\d+)\/(\d+)$/.exec(value)
    const tone = counts !== null ? (counts[1] === counts[2] ? 'good' : 'warn') : (toneOf(facet, value) ?? 'good')
    sums.set(tone, (sums.get(tone) ?? 0) + count)
  }
  return tones.flatMap((tone) => (sums.has(tone) ? [{ tone, count: sums.get(tone)! }] : []))
}

function Diagnosis() {
  const cluster = useCluster()
  const namespace = cluster.scope.length === 1 ? cluster.scope[0] : undefined
  const mayLookEverywhere = cluster.scope.length === 0
  const answer = useAsync(
    `${cluster.key} ${cluster.scope.join()}`,
    (signal) =>
      callJson<DiagnosisAnswer>(clusterCall(cluster.key, '/diagnosis'), {
        method: 'POST',
        body: namespace === undefined && !mayLookEverywhere ? { namespace: cluster.scope[0] } : { namespace },
        signal,
      }),
    30_000,
  )
  const findings = answer.value?.findings ?? []
  return (
    <section className="card" aria-label="Diagnosis">
      <header>
        <h2>Diagnosis</h2>
        <span className="dim" style={{ fontSize: 12 }}>
          {answer.value === undefined ? '' : findings.length === 0 ? '' : `${findings.length}`}
        </span>
        <span className="grow" />
        <Link to={{ page: 'problems', cluster: cluster.key }}>
          <span style={{ fontSize: 12 }}>All</span>
        </Link>
      </header>
      {answer.value === undefined ? (
        <div className="body dim" style={{ fontSize: 13 }}>
          {answer.error === undefined ? 'Looking' : (answer.error as Error).message}
        </div>
      ) : findings.length === 0 ? (
        <Empty title="Nothing is wrong" icon={<ShieldCheckmarkRegular fontSize={32} />}>
          No detector found a fault in what you may see.
        </Empty>
      ) : (
        <FindingRows findings={findings.slice(0, 5)} brief />
      )}
    </section>
  )
}

function Warnings() {
  const cluster = useCluster()
  const events = cluster.find('events') ?? cluster.find('events.events.k8s.io')
  if (events === undefined || !cluster.may({ verb: 'list', group: events.group, resource: 'events' })) return null
  return <WarningEvents resource={events} />
}

function WarningEvents({ resource }: { readonly resource: ApiResource }) {
  const cluster = useCluster()
  const { update } = useLiveTable(cluster.places(resource), [], { filter: 'type:warning', sort: youngest })
  const nowMs = useNow()
  const at = (name: string): number => update?.columns.findIndex((column) => column.name === name) ?? -1
  const [reason, object, message] = [at('Reason'), at('Object'), at('Message')]
  return (
    <section className="card" aria-label="Warnings">
      <header>
        <h2>Warnings</h2>
        <span className="grow" />
        <Link to={{ page: 'list', cluster: cluster.key, resource: resourceId(resource), filter: 'type:warning' }}>
          <span style={{ fontSize: 12 }}>All events</span>
        </Link>
      </header>
      {update === undefined || update.rows.length === 0 ? (
        <Empty title="No warnings">{update === undefined ? '' : 'No event of the last hour warns of anything.'}</Empty>
      ) : (
        <div className="body tablebox" tabIndex={0}>
          <table className="plain tight">
            <tbody>
              {update.rows.slice(0, 8).map((row) => (
                <tr key={row.key}>
                  <td style={{ whiteSpace: 'nowrap' }}>
                    <span className="dot warn" />
                    {row.cells[reason]}
                  </td>
                  <td>
                    <div className="cut" style={{ maxWidth: 260 }}>
                      {row.cells[object]}
                    </div>
                    <div className="dim two-lines" style={{ fontSize: 12, overflowWrap: 'anywhere' }}>
                      {row.cells[message]}
                    </div>
                  </td>
                  <td className="right dim">{ageText(nowMs - seenMs(row.cells[at('Last Seen')], row.createdMs))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

const youngest = { column: 'Last Seen', descending: true } as const

function seenMs(cell: string | number | undefined, createdMs: number): number {
  return typeof cell === 'number' ? cell : createdMs
}
