// The pods that belong to an object, live, in its own page.

import { useCluster } from '../data/cluster.tsx'
import { useLiveTable } from '../data/live-table.ts'
import { useNow } from '../data/now.ts'
import { ageText, toneOf } from '../model/kube-table.ts'
import { apiPath } from '../model/resources.ts'
import { Link } from './link.tsx'

const plainView = { filter: '', sort: undefined } as const
const shown = ['Ready', 'Status', 'Restarts', 'Node', 'IP'] as const
const MOST = 100

export interface PodsOfProps {
  readonly title: string
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export function PodsOf({ title, namespace, labelSelector, fieldSelector }: PodsOfProps) {
  const cluster = useCluster()
  const nowMs = useNow()
  const pods = cluster.find('pods')
  const query = new URLSearchParams()
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector)
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector)
  const places =
    pods === undefined ? [] : [{ cluster: cluster.key, path: `${apiPath(pods, { namespace })}?${query.toString()}` }]
  const { update } = useLiveTable(places, [], plainView)
  if (pods === undefined) return null
  const at = (name: string): number => update?.columns.findIndex((column) => column.name === name) ?? -1
  const rows = update?.rows.slice(0, MOST) ?? []
  return (
    <section className="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span className="dim" style={{ fontSize: 12 }}>
          {update?.total}
        </span>
      </header>
      <div className="body tablebox" tabIndex={0}>
        {rows.length === 0 ? (
          <span className="dim" style={{ fontSize: 13 }}>
            {update === undefined ? 'Reading' : update.state.kind === 'refused' ? update.state.message : 'none'}
          </span>
        ) : (
          <table className="plain">
            <thead>
              <tr>
                <th>Name</th>
                {shown.map((name) => (
                  <th key={name}>{name}</th>
                ))}
                <th className="right" style={{ paddingRight: 0 }}>
                  Age
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.key}>
                  <td>
                    <Link
                      to={{
                        page: 'object',
                        cluster: cluster.key,
                        resource: 'pods',
                        namespace: row.namespace,
                        name: row.name,
                        tab: 'details',
                      }}
                    >
                      {row.name}
                    </Link>
                  </td>
                  {shown.map((name) => {
                    const value = row.cells[at(name)] ?? ''
                    const tone = toneOf(name, value)
                    return (
                      <td key={name}>
                        {tone !== undefined && <span className={`dot ${tone}`} />}
                        {value}
                      </td>
                    )
                  })}
                  <td className="right dim" style={{ paddingRight: 0 }}>
                    {ageText(nowMs - row.createdMs)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {(update?.total ?? 0) > MOST && (
          <p className="dim" style={{ fontSize: 12 }}>
            The first {MOST} are shown.
          </p>
        )}
      </div>
    </section>
  )
}
